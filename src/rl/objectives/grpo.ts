import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Where r stops to pay: [0.8, 1.2] if nothing is said, `fromEpsilons(0.2, 0.2)`. */
export interface GrpoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 0.8, maxWeight: 1.2 }), ...objectiveEntries });

/**
 * GRPO (Shao et al. 2024; M1 report, eq. 1), PPO's clipped surrogate with group-relative advantages:
 *
 *     J = 1/G Σ_i 1/|o_i| Σ_t min(r A_i, clip(r, minWeight, maxWeight) A_i)
 *     dloss/dlogp = −w r A, and 0 where A > 0 and r > maxWeight, or A < 0 and r < minWeight
 *
 * By default a mean over responses of means over tokens, and no penalty (`klCoef`).
 *
 * @throws {InputError} a batch or options that do not fit
 */
export function grpo(batch: PolicyBatch, options: GrpoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "grpo");
  checkBounds({ minWeight, maxWeight }, "grpo");
  return policyLoss("grpo", batch, rest, "sequence", clippedSurrogate({ minWeight, maxWeight }));
}
