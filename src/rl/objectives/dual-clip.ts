import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Options of {@link dualClip}. The clip range of r defaults to [0.8, 1.2]. */
export interface DualClipOptions extends Partial<Bounds>, ObjectiveOptions {
  /** The cap c (3). If A is below 0, tokens with r above c have no gradient. At least `maxWeight`. */
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
 * Computes the dual-clip PPO objective (Ye et al. 2020). It adds a bound for tokens that have a negative advantage but have become more
 * probable:
 *
 *     J = 1/N Σ_i Σ_t max(min(r A_i, clip(r, minWeight, maxWeight) A_i), cap · A_i)   (for A_i ≥ 0: only the min)
 *     dloss/dlogp as in DAPO, and 0 where A < 0 and r > cap
 *
 * The default aggregation is the mean over all tokens.
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function dualClip(batch: PolicyBatch, options: DualClipOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, cap, ...rest } = parseOptions(schema, options, "dualClip");
  checkBounds({ minWeight, maxWeight }, "dualClip");
  if (cap < maxWeight) throw new InputError(`dualClip: cap: expected at least maxWeight (${maxWeight}), got ${printed(cap)}`);
  return policyLoss("dualClip", batch, rest, "token", clippedSurrogate({ minWeight, maxWeight }, cap));
}
