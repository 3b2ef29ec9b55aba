import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import type { Random } from "../../base/random.js";
import { expectNumber, expectRandom, isList } from "../arguments.js";

/** One part of a mixture, such as a task, a level of a task, or a kind of data. */
export interface MixturePart {
  /** Weight relative to the other parts (1). 0 excludes the part. */
  readonly weight?: number;
  /** Latest measured share of right answers. Omit it if it is unknown or should have no influence. */
  readonly passRate?: number;
}

/**
 * Computes the shares of a mixture from weights and pass rates p_k. A part's share is largest at a pass rate of 1/2:
 *
 *     share_k ∝ weight_k · (4 p_k (1 − p_k) + floor)
 *
 * A part without a pass rate is treated as if its pass rate were 1/2.
 *
 * The M1 report (sections 4 and 5) weighs kinds of data by hand and by measured pass rates, without a formula. The formula here is
 * proportional to the variance p (1 − p) of an answer's correctness, scaled to at most 1.
 *
 * @param options `floor` (0.1) keeps parts in the mixture that are always or never solved
 * @returns one share per part, with a sum of 1
 * @throws {InputError} no part with a weight above 0, or invalid weights, pass rates or floor
 */
export function mixture(parts: readonly MixturePart[], options: { floor?: number } = {}): Float64Array {
  expectArgument("mixture: options", isObjectLike(options), "{ floor }", options);
  const { floor = 0.1 } = options;
  expectNumber("mixture: floor", floor, "a number within (0, 1e9]", (x) => x > 0 && x <= 1e9);
  expectArgument("mixture: parts", Array.isArray(parts), "an array of { weight, passRate }", parts);
  const weights = Float64Array.from(parts, (part, k) => {
    expectArgument(`mixture: parts[${k}]`, isObjectLike(part), "{ weight, passRate }", part);
    const { weight = 1, passRate: p = 0.5 } = part;
    expectNumber(`mixture: parts[${k}].weight`, weight, "a number within [0, 1e9]", (x) => x >= 0 && x <= 1e9);
    expectNumber(`mixture: parts[${k}].passRate`, p, "a number within [0, 1]", (x) => x >= 0 && x <= 1);
    return weight * (4 * p * (1 - p) + floor);
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (!(sum > 0)) throw new InputError("mixture: parts: expected at least one part with a weight above 0, got none");
  return weights.map((weight) => weight / sum);
}

/**
 * Draws the index of a part with the probabilities `shares`, whose sum is 1.
 *
 * @throws {InputError} no shares, or invalid shares
 */
export function drawPart(random: Random, shares: ArrayLike<number>): number {
  expectRandom("drawPart: random", random);
  expectArgument("drawPart: shares", isList(shares), "an array of numbers", shares);
  for (let k = 0; k < shares.length; k++) expectNumber(`drawPart: shares[${k}]`, shares[k], "a number of at least 0", (x) => x >= 0);
  if (shares.length === 0) throw new InputError("drawPart: shares: expected at least one share, got none");
  const last = shares.length - 1;
  let left = random.next();
  for (let k = 0; k < last; k++) {
    left -= shares[k]!;
    if (left < 0) return k;
  }
  return last;
}

/**
 * Computes a weight that rises linearly from 0 at step `from` to 1 at step `until`. Use it to mix in data gradually, as the M1 report does
 * with general tasks (section 4.3).
 *
 * @throws {InputError} `until` not above `from`
 */
export function rampUp(step: number, from: number, until: number): number {
  for (const [name, value] of Object.entries({ step, from })) expectNumber(`rampUp: ${name}`, value, "a number", (x) => !Number.isNaN(x));
  expectNumber("rampUp: until", until, `a step after ${from}`, (x) => x > from);
  return Math.min(Math.max((step - from) / (until - from), 0), 1);
}
