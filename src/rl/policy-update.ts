import type { Example } from "../train/documents.js";
import type { Trainer } from "../train/trainer.js";
import { type AggregationOptions, type PolicyBatch, type PolicyLoss, responseWeights } from "./objectives/index.js";
import type { UpdateMetrics } from "./policy-metrics.js";
import type { Sample } from "./sampling.js";

/** A sample as a document to learn from: its prompt's tokens are no targets. */
export function documentOf({ prompt, ids }: Pick<Sample, "prompt" | "ids">): Example {
  return { ids: [...prompt, ...ids], weights: [...prompt.map(() => 0), ...ids.map(() => 1)] };
}

/** What is known of a minibatch before its policy is asked. */
type Known = Omit<PolicyBatch, "logp">;

/**
 * One update of the policy by a minibatch of whole groups, one after the other.
 *
 * @param logpOld of the responses' tokens, under the policy that sampled
 */
export function updatePolicy(
  trainer: Trainer,
  samples: readonly Sample[],
  logpOld: readonly Float64Array[],
  {
    objective,
    aggregation,
    groupSize,
    lr,
  }: { objective: (batch: PolicyBatch) => PolicyLoss; aggregation: AggregationOptions; groupSize: number; lr: number },
): UpdateMetrics {
  const mask = samples.map(({ ids }) => ids.map(() => 1));
  const groups = samples.map((_, i) => Math.floor(i / groupSize));
  const known: Known = {
    ...{ logpOld, mask, groups },
    advantages: samples.map(({ advantage }) => advantage),
    weights: responseWeights({ mask, groups }, { aggregation: "token", ...aggregation }),
  };
  const logp: Float64Array[] = [];
  let whole: PolicyLoss | undefined;
  const { gradNorm } = trainer.step(samples.map(documentOf), lr, (part, first) => {
    logp.push(...part);
    const value = objective({ ...partOf(known, first, first + part.length), logp: copies(part) });
    if (part.length === samples.length) whole = value;
    return value;
  });
  // Statistics of parts do not add up.
  const { loss, stats } = whole ?? objective({ ...partOf(known, 0, samples.length), logp });
  return { ...stats, loss, gradNorm, lr };
}

/** An objective is the caller's, and may do with its arrays what it likes. */
function copies<T extends Iterable<number> & ArrayLike<number>>(rows: readonly T[]): Float64Array[] {
  return rows.map((row) => Float64Array.from(row));
}

function partOf({ logpOld, mask, advantages, groups, weights }: Known, from: number, to: number): Known {
  const part = (values: ArrayLike<number> | undefined) => Array.from(values ?? []).slice(from, to);
  return {
    logpOld: copies(logpOld.slice(from, to).map((row) => Array.from(row))),
    mask: copies(mask.slice(from, to).map((row) => Array.from(row))),
    advantages: part(advantages),
    groups: part(groups),
    weights: part(weights),
  };
}
