import type { Example } from "../../train/documents.js";
import type { Trainer } from "../../train/trainer.js";
import type { PolicyBatch, PolicyLoss } from "../objectives/index.js";
import type { Sample } from "./dynamic-sampling.js";
import type { UpdateMetrics } from "./policy-metrics.js";

/** A sample as a document to learn from: its prompt's tokens are no targets. */
export function sampleToDocument({ prompt, ids }: Pick<Sample, "prompt" | "ids">): Example {
  return { ids: [...prompt, ...ids], weights: [...prompt.map(() => 0), ...ids.map(() => 1)] };
}

/**
 * One update of the policy by a minibatch of whole groups, one after the other. If it goes through the model in parts, means are still those of the minibatch.
 *
 * @param logpOld of the responses' tokens, under the policy that sampled
 * @param logpRef of the same, under the reference policy, if there is one
 */
export function updatePolicy(
  trainer: Trainer,
  samples: readonly Sample[],
  { logpOld, logpRef }: { logpOld: readonly Float64Array[]; logpRef: readonly Float64Array[] | undefined },
  { objective, groupSize, lr }: { objective: (batch: PolicyBatch) => PolicyLoss; groupSize: number; lr: number },
): UpdateMetrics {
  // Made anew every time: an objective is the caller's, and may do with its arrays what it likes.
  const batchOf = (logp: readonly Float64Array[], first: number): PolicyBatch => {
    const masks = () => samples.map(({ ids }) => ids.map(() => 1));
    const groups = samples.map((_, i) => Math.floor(i / groupSize));
    const part = <T>(rows: readonly T[]) => rows.slice(first, first + logp.length);
    return {
      logp: logp.map((row) => row.slice()),
      logpOld: part(logpOld).map((row) => row.slice()),
      ...(logpRef && { logpRef: part(logpRef).map((row) => row.slice()) }),
      mask: part(masks()),
      groups: part(groups),
      advantages: part(samples).map(({ advantage }) => advantage),
      minibatch: { mask: masks(), groups, first },
    };
  };
  const logp: Float64Array[] = [];
  let whole: PolicyLoss | undefined;
  const { gradNorm } = trainer.step(samples.map(sampleToDocument), lr, (part, first) => {
    logp.push(...part);
    const value = objective(batchOf(part, first));
    if (part.length === samples.length) whole = value;
    return value;
  });
  // Statistics of parts do not add up.
  const { loss, stats } = whole ?? objective(batchOf(logp, 0));
  return { ...stats, loss, gradNorm, lr };
}
