import type { Example } from "../../train/documents.js";
import type { Trainer } from "../../train/trainer.js";
import type { PolicyBatch, PolicyLoss } from "../objectives/index.js";
import type { Sample } from "./dynamic-sampling.js";
import type { UpdateMetrics } from "./policy-metrics.js";

/** Converts a sample into a training document: sampled tokens have weight 1, all others weight 0. */
export function sampleToDocument({ prompt, ids, mask }: Pick<Sample, "prompt" | "ids" | "mask">): Example {
  return { ids: [...prompt, ...ids], weights: [...prompt.map(() => 0), ...ids.map((_, t) => Number(mask?.[t] ?? true))] };
}

/**
 * Updates the policy once with a minibatch of whole groups. All means are taken over the whole minibatch, even if the trainer splits it
 * into several forward passes.
 *
 * @param logpOld log-probabilities of the response tokens under the policy that sampled them
 * @param logpRef log-probabilities of the same tokens under the reference policy, if there is one
 */
export function updatePolicy(
  trainer: Trainer,
  samples: readonly Sample[],
  { logpOld, logpRef }: { logpOld: readonly Float64Array[]; logpRef: readonly Float64Array[] | undefined },
  { objective, groupSize, lr }: { objective: (batch: PolicyBatch) => PolicyLoss; groupSize: number; lr: number },
): UpdateMetrics {
  // Every call gets new arrays, because an objective of the caller may modify them.
  const batchOf = (logp: readonly Float64Array[], first: number): PolicyBatch => {
    const masks = () => samples.map((sample) => Array.from(sample.logp, () => 1));
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
  // The statistics of the parts cannot be added up. The objective therefore runs once more, over the whole minibatch.
  const { loss, stats } = whole ?? objective(batchOf(logp, 0));
  return { ...stats, loss, gradNorm, lr };
}
