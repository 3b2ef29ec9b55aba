import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { Random } from "../../base/random.js";

/** A part of a mixture: a task, a level of one, a kind of data. */
export interface MixturePart {
  /** How much of it there is to be, beside the others (1). 0 leaves it out. */
  readonly weight?: number;
  /** Share of right answers, as measured last; nothing if it is not to matter, or not known. */
  readonly passRate?: number;
}

/**
 * The shares of a mixture that follows pass rates p_k: the more, the less certain it is whether an answer is right.
 *
 *     share_k ∝ weight_k · (4 p_k (1 − p_k) + floor)
 *
 * A part without a pass rate counts as one of 1/2. The report weighs kinds of data by hand and by measured pass rates (sections 4 and 5); the formula is ours: 4 p (1 − p) is the variance of a right answer, at most 1.
 *
 * @param options `floor` (0.1) is what keeps a part that is solved, or hopeless, in the mixture
 * @returns one share per part; together 1
 * @throws {InputError} no parts with a weight, or numbers that are no weights or rates
 */
export function mixture(parts: readonly MixturePart[], { floor = 0.1 }: { floor?: number } = {}): Float64Array {
  if (!(floor > 0 && floor <= 1e9)) throw new InputError(`mixture: floor: expected a number within (0, 1e9], got ${printed(floor)}`);
  if (!Array.isArray(parts)) throw new InputError(`mixture: parts: expected an array of { weight, passRate }, got ${typeof parts}`);
  const weights = Float64Array.from(parts, ({ weight = 1, passRate: p = 0.5 }, k) => {
    if (!(weight >= 0 && weight <= 1e9))
      throw new InputError(`mixture: parts[${k}].weight: expected a number within [0, 1e9], got ${printed(weight)}`);
    if (!(p >= 0 && p <= 1)) throw new InputError(`mixture: parts[${k}].passRate: expected a number within [0, 1], got ${printed(p)}`);
    return weight * (4 * p * (1 - p) + floor);
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (!(sum > 0)) throw new InputError("mixture: parts: expected at least one with a weight above 0, got none");
  return weights.map((weight) => weight / sum);
}

/**
 * The index of a part, drawn by these shares.
 *
 * @throws {InputError} no shares
 */
export function drawPart(random: Random, shares: ArrayLike<number>): number {
  expectArgument("drawPart: random", isObjectLike(random), "a Random", random);
  if (shares.length === 0) throw new InputError("drawPart: shares: expected at least one, got none");
  const last = shares.length - 1;
  let left = random.next();
  for (let k = 0; k < last; k++) {
    left -= shares[k]!;
    if (left < 0) return k;
  }
  return last;
}

/**
 * A weight that rises from 0 at step `from` to 1 at step `until`, linearly: for data that is mixed in by and by, as the report mixes general tasks into reasoning (section 4.3).
 *
 * @throws {InputError} an end that is not after the beginning
 */
export function rampUp(step: number, from: number, until: number): number {
  if (!(from < until)) throw new InputError(`rampUp: until: expected a step after ${from}, got ${printed(until)}`);
  return Math.min(Math.max((step - from) / (until - from), 0), 1);
}
