import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number } from "../../base/options.js";
import { type Aggregation, type AggregationOptions, aggregationEntries, responseWeights } from "./aggregation.js";
import { checkBatch, type Numbers, type PolicyBatch } from "./policy-batch.js";
import { type PolicyStats, PolicyStatsAccumulator } from "./policy-stats.js";

/** Options of all objectives. */
export interface ObjectiveOptions extends AggregationOptions {
  /**
   * Weight β of the KL penalty (0). Each token is penalised by β (e^x − x − 1), where x = log π_ref − log π_θ. If β is above 0, the batch
   * must have `logpRef`. The M1 report uses no penalty.
   */
  klCoef?: number;
}

export const objectiveEntries = {
  ...aggregationEntries,
  klCoef: v.optional(
    number("a number within [0, 1e9]", (x) => x >= 0 && x <= 1e9),
    0,
  ),
};

/** The result of an objective. */
export interface PolicyLoss {
  /** The loss to minimise. It does not measure progress: on-policy it is near 0, even if the gradient is large. */
  readonly loss: number;
  /** dloss/dlogp, in the shape of `logp`; 0 for masked tokens. */
  readonly dLogp: Float64Array[];
  readonly stats: PolicyStats;
}

/** The input of a surrogate for one token. */
export interface SurrogateInput {
  /** The importance ratio r, clamped to e^±20. */
  readonly ratio: number;
  readonly advantage: number;
  readonly logp: number;
  /** Whether r was clamped to this range. If it was, r does not depend on `logp`. */
  readonly saturated: boolean;
}

/**
 * Computes the term J of one token, which is maximised: its value, its derivative with respect to `logp`, and whether a bound took effect.
 */
export type Surrogate = (token: SurrogateInput) => { value: number; slope: number; clipped: boolean };

/** Log-ratios are clamped to ± this value before they are exponentiated. */
export const MAX_LOG_RATIO = 20;

/**
 * Computes the loss that all objectives share, its gradient and statistics:
 *
 *     loss = −Σ_i w_i Σ_t m_it (J_it − β (e^x − x − 1)),   x = log π_ref − log π_θ
 *
 * @param where the name of the objective, for messages
 * @param defaultAggregation the aggregation if the options contain none
 * @param poolLogRatios transforms the log-ratios of a response before they are exponentiated (GSPO: their mean); the identity by default
 * @throws {InputError} arrays of different shapes, elements that are not finite numbers, or `klCoef` without `logpRef`
 */
export function policyLoss(
  where: string,
  batch: PolicyBatch,
  { klCoef, ...asked }: AggregationOptions & { klCoef: number },
  defaultAggregation: Aggregation,
  surrogate: Surrogate,
  poolLogRatios: (logRatios: Float64Array, mask: Numbers) => Float64Array = (logRatios) => logRatios,
): PolicyLoss {
  checkBatch(batch, where);
  const { logp, logpOld, logpRef, mask, advantages } = batch;
  if (klCoef > 0 && logpRef === undefined)
    throw new InputError(
      `${where}: logpRef: expected log-probabilities under a reference policy, because klCoef is above 0, got none (pass a model as the option reference of trainPolicy, or set klCoef to 0)`,
    );
  const { first, ...minibatch } = batch.minibatch ?? { ...batch, first: 0 };
  const weights = responseWeights(minibatch, { ...asked, aggregation: asked.aggregation ?? defaultAggregation }, where);

  const accumulator = new PolicyStatsAccumulator(logpRef !== undefined);
  let loss = 0;
  const dLogp = logp.map((row, i) => {
    const d = new Float64Array(row.length);
    const logRatios = Float64Array.from(row, (l, t) => l - logpOld[i]![t]!);
    const pooled = poolLogRatios(logRatios, mask[i]!);
    const [weight, advantage] = [weights[first + i]!, advantages[i]!];
    for (let t = 0; t < row.length; t++) {
      if (mask[i]![t] === 0) continue;
      const { exponent, saturated } = clampLogRatio(pooled[t]!);
      const ratio = Math.exp(exponent);
      const { value, slope, clipped } = surrogate({ ratio, advantage, logp: row[t]!, saturated });
      const penalty = logpRef ? k3(logpRef[i]![t]! - row[t]!) : { value: 0, slope: 0 };
      loss -= weight * (value - klCoef * penalty.value);
      d[t] = -weight * (slope + klCoef * penalty.slope);
      accumulator.add({ ratio, logRatio: logRatios[t]!, k3: k3(logRatios[t]!).value, klRef: penalty.value, advantage, clipped });
    }
    return d;
  });
  return { loss, dLogp, stats: accumulator.stats() };
}

function clampLogRatio(logRatio: number): { exponent: number; saturated: boolean } {
  const exponent = Math.min(Math.max(logRatio, -MAX_LOG_RATIO), MAX_LOG_RATIO);
  return { exponent, saturated: exponent !== logRatio };
}

/** Computes the k3 estimator e^x − x − 1, which is at least 0, and its derivative with respect to x (Schulman 2020). */
function k3(x: number): { value: number; slope: number } {
  const { exponent, saturated } = clampLogRatio(x);
  const above = Math.expm1(exponent);
  return { value: above - exponent, slope: saturated ? 0 : above };
}
