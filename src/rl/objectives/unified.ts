import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds, clip } from "./ratio-bounds.js";

/** Bounds of the weight, (0, 5] if nothing is said. */
export interface UnifiedOptions extends Partial<Bounds>, ObjectiveOptions {
  /** Where tokens are dropped, for r above with A > 0 and below with A < 0; nowhere if nothing is said, which is CISPO. */
  trust?: Partial<Bounds>;
}

const NO_TRUST_REGION: Bounds = { minWeight: 0, maxWeight: Number.POSITIVE_INFINITY };
const schema = v.strictObject({
  ...boundsEntries({ minWeight: 0, maxWeight: 5 }),
  trust: v.optional(v.strictObject(boundsEntries(NO_TRUST_REGION)), NO_TRUST_REGION),
  ...objectiveEntries,
});

/**
 * CISPO with the mask of a trust region (M1 report, eq. 6 and 7), of which CISPO and PPO's gradient are the two ends:
 *
 *     J = 1/N Σ_i Σ_t sg(c) A_i log π_θ M,   c = clip(r, minWeight, maxWeight)
 *     M = 0 where A > 0 and r > trust.maxWeight, or A < 0 and r < trust.minWeight, else 1
 *     dloss/dlogp = −w c A M
 *
 * Without bounds of the weight (`maxWeight: Infinity`) the gradient is DAPO's; with no `trust` all is CISPO's. By default a mean over all tokens, dropped ones included.
 *
 * @throws {InputError} a batch or options that do not fit
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
