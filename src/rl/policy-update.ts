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
  const { gradNorm } = trainer.step(samples.map(documentOf), lr, (part, first) => {
    logp.push(...part);
    return objective({ ...partOf(known, first, first + part.length), logp: part });
  });
  const { loss, stats } = objective({ ...known, logp });
  return { ...stats, loss, gradNorm, lr };
}

function partOf({ logpOld, mask, advantages, groups, weights }: Known, from: number, to: number): Known {
  const part = (values: ArrayLike<number> | undefined) => Array.from(values ?? []).slice(from, to);
  return {
    logpOld: logpOld.slice(from, to),
    mask: mask.slice(from, to),
    advantages: part(advantages),
    groups: part(groups),
    weights: part(weights),
  };
}
