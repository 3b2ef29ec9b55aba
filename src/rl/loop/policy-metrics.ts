import type { Likelihood } from "../../train/likelihood.js";
import type { AnySource } from "../data/problem.js";
import type { PolicyStats } from "../objectives/index.js";
import { mean, quantiles } from "../statistics.js";
import type { Group, Sample } from "./dynamic-sampling.js";
import { type Agreement, agreement } from "./sampler-agreement.js";

/** Metrics of one generation batch. */
export interface PolicyMetrics {
  /** Number of generation batches so far, including this one. */
  readonly batch: number;
  /** Number of updates so far. */
  readonly step: number;
  /** Number of problems drawn so far. */
  readonly problems: number;
  /** Numbers of groups: sampled, kept for learning, all responses right, and all responses wrong. */
  readonly groups: { readonly sampled: number; readonly kept: number; readonly allRight: number; readonly allWrong: number };
  /**
   * Number of responses that could not be judged, and number of retried calls. A response that was not judged has null rewards and does not
   * affect the accuracy.
   */
  readonly judging: { readonly failed: number; readonly retried: number };
  /** Share of right answers among all judged responses (mean@G: G responses per problem). */
  readonly accuracy: number;
  /** Accuracy and number of judged responses of each source. */
  readonly sources: Readonly<Record<string, { readonly accuracy: number; readonly responses: number }>>;
  /** Mean of each reward component over the responses that have it, and mean of the sum of components (`total`). */
  readonly rewards: Readonly<Record<string, number>>;
  /**
   * Response length in tokens: mean, 99th percentile and limit. Also contains the shares of responses that reached the limit or were
   * stopped as repetitive.
   */
  readonly length: {
    readonly mean: number;
    readonly p99: number;
    readonly window: number;
    readonly truncated: number;
    readonly repetitive: number;
  };
  /** Statistics of the policy on the kept responses, before the updates. Missing if no group was kept. */
  readonly policy?: PolicyState;
  /** Metrics of each update. */
  readonly updates: readonly UpdateMetrics[];
  /** Warnings about judges and about a collapsing policy, with remedies. Usually empty. */
  readonly warnings: readonly string[];
  /** Seconds spent on sampling (including judging) and on learning. */
  readonly seconds: { readonly sampling: number; readonly learning: number };
  /** Response tokens per second of sampling. */
  readonly tokensPerSecond: number;
}

/** Statistics of the policy over the tokens of the kept responses. */
export interface PolicyState {
  /** Perplexity: exp of the mean negative log-probability of a token. */
  readonly perplexity: number;
  /** Mean entropy of the next-token distributions, in nats. */
  readonly entropy: number;
  /**
   * Agreement between the probabilities of sampling and of training. Present only at temperature 1, because samplers report probabilities
   * only at temperature 1.
   */
  readonly agreement?: Agreement;
}

/** Metrics of one update. */
export interface UpdateMetrics extends PolicyStats {
  /** Loss of the objective, without the load-balancing loss. On-policy it is near 0, even if the gradient is large. */
  readonly loss: number;
  /** Norm of the gradient, before clipping. */
  readonly gradNorm: number;
  /** Learning rate of this update. */
  readonly lr: number;
}

/** Computes accuracy, rewards and lengths of the sampled groups of a batch. */
export function summariseSamples(sampled: readonly Group[], sources: readonly AnySource[], window: number) {
  const samples = sampled.flatMap((group) => group.samples);
  const lengths = samples.map(({ logp }) => logp.length);
  const outcomes = (outcome: Group["outcome"]) => sampled.filter((group) => group.outcome === outcome).length;
  return {
    accuracy: share(judgedSamples(samples), ({ correct }) => correct),
    sources: accuracyBySource(sampled, sources),
    rewards: meanRewards(samples),
    length: {
      ...{ mean: mean(lengths), p99: quantiles(lengths, [0.99] as const)[0], window },
      truncated: share(samples, ({ stop }) => stop === "length" || stop === "context"),
      repetitive: share(samples, ({ stop }) => stop === "repetition"),
    },
    ...{ allRight: outcomes("all right"), allWrong: outcomes("all wrong") },
  };
}

/** Computes statistics of the policy from the trainer's forward pass over the kept samples. */
export function policyState(learned: readonly Sample[], old: readonly Likelihood[], temperature: number): PolicyState {
  const logp = old.flatMap((one) => [...one.logp]);
  return {
    perplexity: Math.exp(-mean(logp)),
    entropy: mean(old.flatMap(({ entropy }) => [...entropy])),
    ...(temperature === 1 && {
      agreement: agreement(
        learned.map((sample) => sample.logp),
        old.map((one) => one.logp),
      ),
    }),
  };
}

function accuracyBySource(sampled: readonly Group[], sources: readonly AnySource[]): PolicyMetrics["sources"] {
  const own = sources.map((_, i) => sampled.filter(({ source }) => source === i).flatMap(({ samples }) => samples));
  return Object.fromEntries(
    sources.flatMap(({ name }, i) => {
      const samples = judgedSamples(own[i]!);
      return samples.length === 0 ? [] : [[name, { accuracy: share(samples, ({ correct }) => correct), responses: samples.length }]];
    }),
  );
}

function meanRewards(samples: readonly Sample[]): Record<string, number> {
  const named = samples.map(({ components, total }): [string, number | null][] => [...Object.entries(components), ["total", total]]);
  const names = [...new Set(named.flatMap((own) => own.map(([name]) => name)))];
  const values = (name: string) =>
    named.flatMap((own) => own.flatMap(([other, value]) => (other === name && value !== null ? [value] : [])));
  return Object.fromEntries(names.map((name) => [name, mean(values(name))] as const).filter(([, value]) => Number.isFinite(value)));
}

const judgedSamples = (samples: readonly Sample[]) => samples.filter(({ judged }) => judged);

function share<T>(items: readonly T[], holds: (item: T) => boolean): number {
  return mean(items.map((item) => Number(holds(item))));
}
