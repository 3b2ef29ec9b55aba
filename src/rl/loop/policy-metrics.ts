import type { Likelihood } from "../../train/likelihood.js";
import type { ProblemSource } from "../data/problem.js";
import type { PolicyStats } from "../objectives/index.js";
import { mean, quantiles } from "../statistics.js";
import type { Group, Sample } from "./dynamic-sampling.js";
import { type Agreement, agreement } from "./sampler-agreement.js";

/** What one generation batch was like. */
export interface PolicyMetrics {
  /** Generation batches so far, this one included. */
  readonly batch: number;
  /** Updates so far. */
  readonly step: number;
  /** Problems drawn so far. */
  readonly problems: number;
  /** Groups sampled, learned from, and those with only right or only wrong answers. */
  readonly groups: { readonly sampled: number; readonly kept: number; readonly allRight: number; readonly allWrong: number };
  /** Judgements that did not come: responses without one, whose reward is null and which are in no accuracy; and attempts that were repeated. */
  readonly judging: { readonly failed: number; readonly retried: number };
  /** Share of right answers among all that were sampled and judged. */
  readonly accuracy: number;
  /** The same by source, with the number of its responses. */
  readonly sources: Readonly<Record<string, { readonly accuracy: number; readonly responses: number }>>;
  /** Means of the rewards by name over all responses that have them, and of their sum. */
  readonly rewards: Readonly<Record<string, number>>;
  /** Tokens of a response: mean, 99th percentile, the window; and the shares that were cut off or broken off. */
  readonly length: {
    readonly mean: number;
    readonly p99: number;
    readonly window: number;
    readonly truncated: number;
    readonly repetitive: number;
  };
  /** Of what was learned from, under the policy that sampled it; nothing if no group had anything to teach. */
  readonly policy?: PolicyState;
  /** One per update. */
  readonly updates: readonly UpdateMetrics[];
  /** What may be going wrong, in sentences with remedies; none if nothing was noticed. */
  readonly warnings: readonly string[];
  /** Seconds that sampling, judging and learning took, and tokens of responses per second of sampling. */
  readonly seconds: { readonly sampling: number; readonly learning: number };
  readonly tokensPerSecond: number;
}

export interface PolicyState {
  /** exp of the mean negative log-probability of a token. */
  readonly perplexity: number;
  /** Mean entropy of the distributions that tokens were drawn from, in nats. */
  readonly entropy: number;
  /** Whether sampling and training compute the same probabilities; at temperature 1 only, which is what a sampler tells. */
  readonly agreement?: Agreement;
}

/** What one update was like. */
export interface UpdateMetrics extends PolicyStats {
  /** Value of the objective's loss, without that of load balancing. Near 0 on-policy, whatever its gradient. */
  readonly loss: number;
  readonly gradNorm: number;
  readonly lr: number;
}

/** What the samples of a batch say about the policy. */
export function summariseSamples(sampled: readonly Group[], sources: readonly ProblemSource[], window: number) {
  const samples = sampled.flatMap((group) => group.samples);
  const lengths = samples.map(({ ids }) => ids.length);
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

/** What the trainer's own forward pass says about what is learned from. */
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

function accuracyBySource(sampled: readonly Group[], sources: readonly ProblemSource[]): PolicyMetrics["sources"] {
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
