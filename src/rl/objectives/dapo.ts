import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Where r stops to pay: [0.8, 1.28] if nothing is said, `fromEpsilons(0.2, 0.28)`. */
export interface DapoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 0.8, maxWeight: 1.28 }), ...objectiveEntries });

/**
 * DAPO (Yu et al. 2025): GRPO's surrogate with a higher upper bound, as a mean over all tokens:
 *
 *     J = 1/N Σ_i Σ_t min(r A_i, clip(r, minWeight, maxWeight) A_i)
 *     dloss/dlogp = −w r A, and 0 where A > 0 and r > maxWeight, or A < 0 and r < minWeight
 *
 * DAPO's dynamic sampling is `groupOutcome`, its length penalty `overlongPunishment`.
 *
 * @throws {InputError} a batch or options that do not fit
 */
export function dapo(batch: PolicyBatch, options: DapoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "dapo");
  checkBounds({ minWeight, maxWeight }, "dapo");
  return policyLoss("dapo", batch, rest, "token", clippedSurrogate({ minWeight, maxWeight }));
}
