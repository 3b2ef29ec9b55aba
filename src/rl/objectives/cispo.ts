import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds, clip } from "./ratio-bounds.js";

/** Options of {@link cispo}. The bounds default to (0, 5]. The report uses only an upper bound, and does not publish its value. */
export interface CispoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 0, maxWeight: 5 }), ...objectiveEntries });

/**
 * Computes the CISPO objective, which clips the importance ratio r (M1 report, eq. 4 and 5; sg stops the gradient):
 *
 *     J = 1/N Σ_i Σ_t sg(c) A_i log π_θ,   c = clip(r, minWeight, maxWeight)
 *     dloss/dlogp = −w c A
 *
 * A clipped ratio still passes a gradient, so that no token is dropped. The default aggregation is the mean over all tokens.
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function cispo(batch: PolicyBatch, options: CispoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "cispo");
  const bounds = { minWeight, maxWeight };
  checkBounds(bounds, "cispo");
  return policyLoss("cispo", batch, rest, "token", ({ ratio: r, advantage: A, logp }) => {
    const c = clip(r, bounds);
    return { value: c * A * logp, slope: c * A, clipped: c !== r };
  });
}
