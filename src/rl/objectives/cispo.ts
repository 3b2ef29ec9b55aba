import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds, clip } from "./ratio-bounds.js";

/** Bounds of the weight, (0, 5] if nothing is said: the report gives no numbers, and only its upper one was in use. */
export interface CispoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 0, maxWeight: 5 }), ...objectiveEntries });

/**
 * CISPO, clipped importance sampling weights (M1 report, eq. 4 and 5):
 *
 *     J = 1/N Σ_i Σ_t sg(c) A_i log π_θ,   c = clip(r, minWeight, maxWeight)
 *     dloss/dlogp = −w c A
 *
 * Weights are cut, tokens never dropped. By default a mean over all tokens.
 *
 * @throws {InputError} a batch or options that do not fit
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
