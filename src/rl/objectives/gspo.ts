import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import { countTokens } from "./aggregation.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { Numbers, PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Options of {@link gspo}. The clip range of s defaults to [1 − 3e-4, 1 + 4e-4], as in the paper. */
export interface GspoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 1 - 3e-4, maxWeight: 1 + 4e-4 }), ...objectiveEntries });

/**
 * Computes the GSPO objective (Zheng et al. 2025): the clipped surrogate with one importance ratio s per response. s is the geometric mean
 * of the ratios of the response's tokens:
 *
 *     J = 1/G Σ_i min(s_i A_i, clip(s_i, minWeight, maxWeight) A_i),   s_i = exp(1/|o_i| Σ_t (log π_θ − log π_old))
 *     dloss/dlogp = −w s_i A_i, and 0 where A > 0 and s > maxWeight, or A < 0 and s < minWeight
 *
 * The default aggregation is the mean over responses.
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function gspo(batch: PolicyBatch, options: GspoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "gspo");
  checkBounds({ minWeight, maxWeight }, "gspo");
  return policyLoss("gspo", batch, rest, "sequence", clippedSurrogate({ minWeight, maxWeight }), meanOverTokens);
}

/** Returns log s for every token. For a response without unmasked tokens, it returns 0, which is not used. */
function meanOverTokens(logRatios: Float64Array, mask: Numbers): Float64Array {
  const sum = logRatios.reduce((total, d, t) => total + mask[t]! * d, 0);
  return new Float64Array(logRatios.length).fill(sum / Math.max(1, countTokens(mask)));
}
