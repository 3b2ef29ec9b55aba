import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import { countTokens } from "./aggregation.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { Numbers, PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Where s stops to pay: [1 − 3e-4, 1 + 4e-4] if nothing is said, as the paper has it. */
export interface GspoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 1 - 3e-4, maxWeight: 1 + 4e-4 }), ...objectiveEntries });

/**
 * GSPO (Zheng et al. 2025): the clipped surrogate with one ratio per response, the geometric mean over its tokens:
 *
 *     J = 1/G Σ_i min(s_i A_i, clip(s_i, minWeight, maxWeight) A_i),   s_i = exp(1/|o_i| Σ_t (log π_θ − log π_old))
 *     dloss/dlogp = −w s_i A_i, and 0 where A > 0 and s > maxWeight, or A < 0 and s < minWeight
 *
 * By default a mean over responses.
 *
 * @throws {InputError} a batch or options that do not fit
 */
export function gspo(batch: PolicyBatch, options: GspoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "gspo");
  checkBounds({ minWeight, maxWeight }, "gspo");
  return policyLoss("gspo", batch, rest, "sequence", clippedSurrogate({ minWeight, maxWeight }), meanOverTokens);
}

/** log s in the place of every token. A response without tokens that count has none, and is not asked. */
function meanOverTokens(logRatios: Float64Array, mask: Numbers): Float64Array {
  const sum = logRatios.reduce((total, d, t) => total + mask[t]! * d, 0);
  return new Float64Array(logRatios.length).fill(sum / Math.max(1, countTokens(mask)));
}
