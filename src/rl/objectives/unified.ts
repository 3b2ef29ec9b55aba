import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds, clip } from "./ratio-bounds.js";

/** Options of {@link unified}. The bounds of the importance ratio default to (0, 5]. */
export interface UnifiedOptions extends Partial<Bounds>, ObjectiveOptions {
  /**
   * The trust region. A token is dropped if A > 0 and r is above `trust.maxWeight`, or if A < 0 and r is below `trust.minWeight`. By
   * default it is unbounded, which makes the objective equal to CISPO.
   */
  trust?: Partial<Bounds>;
}

const NO_TRUST_REGION: Bounds = { minWeight: 0, maxWeight: Number.POSITIVE_INFINITY };
const schema = v.strictObject({
  ...boundsEntries({ minWeight: 0, maxWeight: 5 }),
  trust: v.optional(v.strictObject(boundsEntries(NO_TRUST_REGION)), NO_TRUST_REGION),
  ...objectiveEntries,
});

/**
 * Computes CISPO with a trust-region mask M (M1 report, eq. 6 and 7):
 *
 *     J = 1/N Σ_i Σ_t sg(c) A_i log π_θ M,   c = clip(r, minWeight, maxWeight)
 *     M = 0 where A > 0 and r > trust.maxWeight, or A < 0 and r < trust.minWeight, else 1
 *     dloss/dlogp = −w c A M
 *
 * Two special cases are known objectives. Without `trust`, it is CISPO. With `trust` and no upper bound of the ratio (`maxWeight:
 * Infinity`), its gradient is that of DAPO. The default aggregation is the mean over all tokens, including dropped ones.
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function unified(batch: PolicyBatch, options: UnifiedOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, trust, ...rest } = parseOptions(schema, options, "unified");
  const bounds = { minWeight, maxWeight };
  checkBounds(bounds, "unified");
  checkBounds(trust, "unified: trust");
  return policyLoss("unified", batch, rest, "token", ({ ratio: r, advantage: A, logp }) => {
    const c = clip(r, bounds);
    const M = (A > 0 && r > trust.maxWeight) || (A < 0 && r < trust.minWeight) ? 0 : 1;
    return { value: c * A * logp * M, slope: c * A * M, clipped: M === 0 || c !== r };
  });
}
