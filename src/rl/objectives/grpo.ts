import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import { clippedSurrogate } from "./clipped-surrogate.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";
import { type Bounds, boundsEntries, checkBounds } from "./ratio-bounds.js";

/** Options of {@link grpo}. The clip range of r defaults to [0.8, 1.2], which is `fromEpsilons(0.2, 0.2)`. */
export interface GrpoOptions extends Partial<Bounds>, ObjectiveOptions {}

const schema = v.strictObject({ ...boundsEntries({ minWeight: 0.8, maxWeight: 1.2 }), ...objectiveEntries });

/**
 * Computes the GRPO objective (Shao et al. 2024; M1 report, eq. 1), PPO's clipped surrogate with group-relative advantages:
 *
 *     J = 1/G Σ_i 1/|o_i| Σ_t min(r A_i, clip(r, minWeight, maxWeight) A_i)
 *     dloss/dlogp = −w r A, and 0 where A > 0 and r > maxWeight, or A < 0 and r < minWeight
 *
 * The default aggregation is the mean over responses of the means over tokens. The KL penalty is off by default (`klCoef: 0`).
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function grpo(batch: PolicyBatch, options: GrpoOptions = {}): PolicyLoss {
  const { minWeight, maxWeight, ...rest } = parseOptions(schema, options, "grpo");
  checkBounds({ minWeight, maxWeight }, "grpo");
  return policyLoss("grpo", batch, rest, "sequence", clippedSurrogate({ minWeight, maxWeight }));
}
