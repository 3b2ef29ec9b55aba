import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number } from "../../base/options.js";
import { type Aggregation, type AggregationOptions, aggregationEntries, responseWeights } from "./aggregation.js";
import { checkBatch, type Numbers, type PolicyBatch } from "./policy-batch.js";
import { type PolicyStats, Tally } from "./policy-stats.js";

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
export interface Token {
  /** r, within e^±20. */
  readonly ratio: number;
  readonly advantage: number;
  readonly logp: number;
  /** Whether r was cut to that range, and so does not move with `logp`. */
  readonly saturated: boolean;
}

/** What is made larger, for one token: its value, its derivative by `logp`, and whether a bound had a part in that. */
export type Surrogate = (token: Token) => { value: number; slope: number; clipped: boolean };

/** Log-ratios beyond ± this are cut before they are exponents. */
export const LARGEST_LOG_RATIO = 20;

/**
 * The sum that all objectives share:
 *
 *     loss = −Σ_i w_i Σ_t m_it (J_it − β (e^x − x − 1)),   x = log π_ref − log π_θ
 *
 * @param usual the aggregation, if none is asked for
 * @param pool what becomes of the log-ratios of a response before they are exponents: nothing, or GSPO's mean
 * @throws {InputError} arrays that do not fit each other or hold other than finite numbers; `klCoef` without `logpRef`
 */
export function policyLoss(
  where: string,
  batch: PolicyBatch,
  { klCoef, ...asked }: AggregationOptions & { klCoef: number },
  usual: Aggregation,
  surrogate: Surrogate,
  pool: (logRatios: Float64Array, mask: Numbers) => Float64Array = (logRatios) => logRatios,
): PolicyLoss {
  checkBatch(batch, where);
  const { logp, logpOld, logpRef, mask, advantages } = batch;
  if (klCoef > 0 && logpRef === undefined)
    throw new InputError(
      `${where}: logpRef: expected log-probabilities of a reference, for klCoef, got none (trainPolicy takes the model as its option reference; klCoef: 0 does without)`,
    );
  const { first, ...minibatch } = batch.minibatch ?? { ...batch, first: 0 };
  const weights = responseWeights(minibatch, { ...asked, aggregation: asked.aggregation ?? usual }, where);

  const tally = new Tally(logpRef !== undefined);
  let loss = 0;
  const dLogp = logp.map((row, i) => {
    const d = new Float64Array(row.length);
    const logRatios = Float64Array.from(row, (l, t) => l - logpOld[i]![t]!);
    const pooled = pool(logRatios, mask[i]!);
    const [weight, advantage] = [weights[first + i]!, advantages[i]!];
    for (let t = 0; t < row.length; t++) {
      if (mask[i]![t] === 0) continue;
      const { exponent, saturated } = bounded(pooled[t]!);
      const ratio = Math.exp(exponent);
      const { value, slope, clipped } = surrogate({ ratio, advantage, logp: row[t]!, saturated });
      const penalty = logpRef ? k3(logpRef[i]![t]! - row[t]!) : { value: 0, slope: 0 };
      loss -= weight * (value - klCoef * penalty.value);
      d[t] = -weight * (slope + klCoef * penalty.slope);
      tally.add({ ratio, logRatio: logRatios[t]!, k3: k3(logRatios[t]!).value, klRef: penalty.value, advantage, clipped });
    }
    return d;
  });
  return { loss, dLogp, stats: tally.stats() };
}

function bounded(logRatio: number): { exponent: number; saturated: boolean } {
  const exponent = Math.min(Math.max(logRatio, -LARGEST_LOG_RATIO), LARGEST_LOG_RATIO);
  return { exponent, saturated: exponent !== logRatio };
}

/** e^x − x − 1, at least 0, and its derivative by x. */
function k3(x: number): { value: number; slope: number } {
  const { exponent, saturated } = bounded(x);
  const above = Math.expm1(exponent);
  return { value: above - exponent, slope: saturated ? 0 : above };
}
