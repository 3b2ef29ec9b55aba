import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Where r stops to pay: [0.8, 1.2] if nothing is said. */
export interface DualClipOptions extends Partial<Bounds>, ObjectiveOptions {
  /** c (3): where A is below 0, a token with r above this has no gradient. */
  cap?: number;
}

const schema = v.strictObject({
  ...boundsEntries({ minWeight: 0.8, maxWeight: 1.2 }),
  cap: v.optional(
    number("a number above 1", (x) => x > 1),
    3,
  ),
  ...objectiveEntries,
});

/**
 * Dual-clip PPO (Ye et al. 2020): the clipped surrogate, which is also bounded where a bad token has become more probable:
 *
 *     J = 1/N Σ_i Σ_t max(min(r A_i, clip(r, minWeight, maxWeight) A_i), cap · A_i) for A_i < 0, without the max else
 *     dloss/dlogp as DAPO's, and 0 where A < 0 and r > cap
 *
 * By default a mean over all tokens.
 *
 * @throws {InputError} a batch or options that do not fit
 */
export function dualClip(batch: PolicyBatch, options: DualClipOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, cap, ...rest } = parseOptions(schema, options, "dualClip");
  checkBounds({ minWeight, maxWeight }, "dualClip");
  if (cap < maxWeight) throw new InputError(`dualClip: cap: expected at least maxWeight, ${maxWeight}, got ${printed(cap)}`);
  return policyLoss("dualClip", batch, rest, "token", clippedSurrogate({ minWeight, maxWeight }, cap));
}
