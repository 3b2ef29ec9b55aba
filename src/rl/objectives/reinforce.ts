import * as v from "valibot";
import { parseOptions } from "../../base/options.js";
import type { PolicyBatch } from "./policy-batch.js";
import { type ObjectiveOptions, objectiveEntries, type PolicyLoss, policyLoss } from "./policy-loss.js";

const schema = v.strictObject(objectiveEntries);

/**
 * Computes the REINFORCE objective with importance ratios (M1 report, eq. 3), the off-policy policy gradient:
 *
 *     J = 1/N Σ_i Σ_t sg(r) A_i log π_θ
 *     dloss/dlogp = −w r A
 *
 * The default aggregation is the mean over all tokens; the objective then equals CISPO without bounds. The report's equation divides by
 * |o_i|, which corresponds to `aggregation: "sequence"`.
 *
 * @throws {InputError} an invalid batch or invalid options
 */
export function reinforce(batch: PolicyBatch, options: ObjectiveOptions = {}): PolicyLoss {
  return policyLoss("reinforce", batch, parseOptions(schema, options, "reinforce"), "token", ({ ratio: r, advantage: A, logp }) => {
    return { value: r * A * logp, slope: r * A, clipped: false };
  });
}
