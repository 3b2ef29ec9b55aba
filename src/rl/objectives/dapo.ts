import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Options of {@link dapo}. The clip range of r defaults to [0.8, 1.28], which is `fromEpsilons(0.2, 0.28)`. */
export interface DapoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 0.8, maxWeight: 1.28 }), ...objectiveEntries });

/**
 * Computes the DAPO objective (Yu et al. 2025): GRPO's clipped surrogate with a higher upper bound, averaged over all tokens.
 *
 *     J = 1/N Σ_i Σ_t min(r A_i, clip(r, minWeight, maxWeight) A_i)
 *     dloss/dlogp = −w r A, and 0 where A > 0 and r > maxWeight, or A < 0 and r < minWeight
 *
 * DAPO's dynamic sampling is available as `groupOutcome`, and its length penalty as `overlongPunishment`.
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function dapo(batch: PolicyBatch, options: DapoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "dapo");
  checkBounds({ minWeight, maxWeight }, "dapo");
  return policyLoss("dapo", batch, rest, "token", clippedSurrogate({ minWeight, maxWeight }));
}
