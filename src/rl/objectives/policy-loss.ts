import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number } from "../../base/options.js";
import { type Aggregation, type AggregationOptions, aggregationEntries, responseWeights } from "./aggregation.js";
import { checkBatch, type Numbers, type PolicyBatch } from "./policy-batch.js";
import { type PolicyStats, PolicyStatsAccumulator } from "./policy-stats.js";

/** What all objectives can be told. */
export interface ObjectiveOptions extends AggregationOptions {
  /** β of a penalty β (e^x − x − 1) with x = log π_ref − log π_θ, for every token (0); needs `logpRef`. The report uses none. */
  klCoef?: number;
}

export const objectiveEntries = {
  ...aggregationEntries,
  klCoef: v.optional(
    number("a number within [0, 1e9]", (x) => x >= 0 && x <= 1e9),
    0,
  ),
};

/** An objective's answer. */
export interface PolicyLoss {
  /** To be made smaller. Its value says little: that of an on-policy batch is near 0 whatever its gradient. */
  readonly loss: number;
  /** dloss/dlogp, ragged as `logp`; 0 where the mask is. */
  readonly dLogp: Float64Array[];
  readonly stats: PolicyStats;
}

/** One token, as a surrogate sees it. */
export interface SurrogateInput {
  /** r, within e^±20. */
  readonly ratio: number;
  readonly advantage: number;
  readonly logp: number;
  /** Whether r was cut to that range, and so does not move with `logp`. */
  readonly saturated: boolean;
}

/** What is made larger, for one token: its value, its derivative by `logp`, and whether a bound had a part in that. */
export type Surrogate = (token: SurrogateInput) => { value: number; slope: number; clipped: boolean };

/** Log-ratios beyond ± this are cut before they are exponents. */
export const MAX_LOG_RATIO = 20;

/**
 * The sum that all objectives share:
 *
 *     loss = −Σ_i w_i Σ_t m_it (J_it − β (e^x − x − 1)),   x = log π_ref − log π_θ
 *
 * @param defaultAggregation the aggregation, if none is asked for
 * @param poolLogRatios what becomes of the log-ratios of a response before they are exponents: nothing, or GSPO's mean
 * @throws {InputError} arrays that do not fit each other or hold other than finite numbers; `klCoef` without `logpRef`
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
      `${where}: logpRef: expected log-probabilities of a reference, for klCoef, got none (trainPolicy takes the model as its option reference; klCoef: 0 does without)`,
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

/** e^x − x − 1, at least 0, and its derivative by x. */
function k3(x: number): { value: number; slope: number } {
  const { exponent, saturated } = clampLogRatio(x);
  const above = Math.expm1(exponent);
  return { value: above - exponent, slope: saturated ? 0 : above };
}
