import { SEED_LIMIT } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { type GroupOutcome, groupOutcome } from "../curriculum/index.js";
import { checkJudged, type EpisodeProblem, type Judged, type PlayedEpisode, type Problem } from "../data/problem.js";
import { type AdvantageOptions, groupAdvantages } from "../objectives/advantages.js";
import { callJudges, type JudgeCall, type JudgingSettings } from "../rewards/judging.js";
import { overlongPunishment, type Scored } from "../rewards/rewards.js";
import { type Rollout, type RolloutOptions, rollouts, type Sampler } from "./rollout.js";

/** A judged response with its prompt and its advantage. */
export interface Sample extends Rollout, Judged {
  /** Token ids of the prompt. */
  readonly prompt: readonly number[];
  /**
   * False if the response could not be judged. In this case its reward is null, its advantage is 0, and it counts as neither right nor
   * wrong.
   */
  readonly judged: boolean;
  /** Group-relative advantage of the reward. */
  readonly advantage: number;
}

/** The group of responses to one problem. */
export interface Group {
  /** Index of the problem's source. */
  readonly source: number;
  /** Outcome of the responses that could be scored. If none could be scored, it is "all wrong". */
  readonly outcome: GroupOutcome;
  readonly samples: readonly Sample[];
}

/** A problem that was drawn from a source. */
export interface DrawnProblem {
  /** Index of the source. */
  readonly source: number;
  /** Name of the problem in error messages. */
  readonly name: string;
  readonly problem: Problem | EpisodeProblem;
}

/** Options of sampling, judging and advantages. */
export interface GroupOptions extends RolloutOptions {
  maxTokens: number;
  /** Adds `overlongPunishment` with this `cache` to the reward. */
  overlongCache?: number | undefined;
  advantages?: AdvantageOptions & { scale?: "group" | "none" };
  judging: JudgingSettings;
}

/** Options of sampling alone. */
type Sampling = Pick<GroupOptions, "groupSize" | "maxTokens" | "temperature" | "seed" | "repetition" | "signal">;

/** Failures and retries of the judgements of a batch. */
export interface JudgingSummary {
  /** Number of responses that could not be judged. */
  readonly failed: number;
  /** Number of retries. */
  readonly retried: number;
  /** Error of the first judgement that failed. */
  readonly error?: Error | undefined;
}

/** Samples a group of responses to every problem, judges them, and computes their advantages. */
export async function sampleGroups(
  model: Sampler,
  drawn: readonly DrawnProblem[],
  { overlongCache, advantages: normalisation, judging, ...sampling }: GroupOptions,
): Promise<{ readonly groups: readonly Group[]; readonly judging: JudgingSummary }> {
  const sampled = await sampleResponses(model, drawn, sampling);
  const calls = sampled.flatMap((responses, i) => responses.map((response) => judgeCall(drawn[i]!, response)));
  const outcomes = await callJudges(calls, judging, sampling.signal);
  let next = 0;
  const groups = drawn.map(({ source }, i): Group => {
    const judged = sampled[i]!.map((response) => {
      const { value } = outcomes[next++]!;
      if (!value) return { correct: false, total: null, components: {}, judged: false };
      const overlong = overlongCache !== undefined && { maxTokens: sampling.maxTokens, cache: overlongCache };
      return { ...(overlong ? addOverlongPunishment(value, response, overlong) : value), judged: true };
    });
    const advantages = groupAdvantages(
      judged.map(({ total }) => total),
      normalisation,
    );
    return {
      source,
      outcome: outcomeOf(judged),
      samples: sampled[i]!.map((response, g) => ({ ...response, ...judged[g]!, advantage: advantages[g]! })),
    };
  });
  return {
    groups,
    judging: {
      failed: outcomes.filter(({ value }) => !value).length,
      retried: outcomes.reduce((sum, { retries }) => sum + retries, 0),
      error: outcomes.find(({ error }) => error)?.error,
    },
  };
}

/** A response with its prompt. Episodes are judged already. */
type Sampled = (Rollout & { readonly prompt: readonly number[] }) | PlayedEpisode;

/** Samples a group of responses to every problem: answers to prompts in one batch, and episodes beside it in the same forward passes. */
async function sampleResponses(model: Sampler, drawn: readonly DrawnProblem[], options: Sampling): Promise<Sampled[][]> {
  const { groupSize, seed = Random.anySeed(), maxTokens, temperature, signal } = options;
  const prompts = drawn.map(({ problem }) => ("prompt" in problem ? problem.prompt : undefined));
  const given = prompts.filter((prompt) => prompt !== undefined);
  const answered = given.length === 0 ? Promise.resolve([]) : rollouts(model, given, { ...options, seed });
  const played = drawn.map(({ problem }, p) =>
    Promise.all(
      Array.from({ length: "play" in problem ? groupSize : 0 }, (_, g) => {
        const own = (seed + given.length * groupSize + p * groupSize + g) % SEED_LIMIT;
        return (problem as EpisodeProblem).play(model, {
          maxTokens,
          seed: own,
          ...(temperature !== undefined && { temperature }),
          ...(signal && { signal }),
        });
      }),
    ),
  );
  const [groups, episodes] = await Promise.all([answered, Promise.all(played)]);
  const answers = groups.values();
  return prompts.map((prompt, p) =>
    prompt === undefined ? episodes[p]! : answers.next().value!.map((response) => ({ ...response, prompt })),
  );
}

/** A call that judges a response. */
function judgeCall({ name, problem }: DrawnProblem, response: Sampled): JudgeCall<Judged | null> {
  return async (signal) => {
    let judged: Judged | null;
    if ("judged" in response) {
      if (response.error) throw response.error;
      judged = response.judged;
    } else {
      // Passes a copy, so that a judge cannot change the response that the policy learns from.
      const copy = { ...response, ids: [...response.ids], logp: response.logp.slice() };
      judged = await (problem as Problem).judge(copy, { signal });
    }
    return judged === null ? null : checkJudged(judged, `${name}: judge`);
  };
}

/**
 * Returns the outcome of the responses that could be scored. A group without such responses has no advantages to learn from, and counts as
 * "all wrong".
 */
function outcomeOf(judged: readonly Judged[]): GroupOutcome {
  const scored = judged.filter(({ total }) => total !== null);
  return scored.length === 0 ? "all wrong" : groupOutcome(scored.map(({ correct }) => correct));
}

function addOverlongPunishment(judged: Judged, { logp }: Rollout, limits: { maxTokens: number; cache: number }): Judged & Scored {
  const overlong = overlongPunishment(logp.length, limits);
  const { total, components } = judged;
  return { ...judged, total: total === null ? null : total + overlong, components: { ...components, overlong } };
}

/**
 * Samples rounds of groups until `wanted` groups have both right and wrong answers, or until the maximum number of rounds is reached. This
 * is DAPO's dynamic sampling, which the M1 report adopts.
 *
 * The size of a later round follows from the share of mixed groups so far, and is at most `wanted`. Surplus groups are discarded.
 *
 * @param draw draws the next problem
 * @param options `rounds`: maximum number of rounds; 0 samples one round and keeps every group. `nextSeed`: returns the seed of a round
 * @returns the groups to learn from, all sampled groups, and the failures of the judges
 */
export async function sampleDynamically(
  model: Sampler,
  draw: () => DrawnProblem,
  wanted: number,
  { rounds, nextSeed, ...options }: Omit<GroupOptions, "seed"> & { rounds: number; nextSeed: () => number },
): Promise<{ readonly kept: readonly Group[]; readonly sampled: readonly Group[]; readonly judging: JudgingSummary }> {
  const [kept, sampled]: [Group[], Group[]] = [[], []];
  let judging: JudgingSummary = { failed: 0, retried: 0 };
  for (let round = 0; round < Math.max(1, rounds) && kept.length < wanted; round++) {
    const needed = Math.ceil(((wanted - kept.length) * Math.max(1, sampled.length)) / Math.max(1, kept.length));
    const drawn = Array.from({ length: round === 0 ? wanted : Math.min(wanted, needed) }, draw);
    const { groups, judging: own } = await sampleGroups(model, drawn, { ...options, seed: nextSeed() });
    judging = { failed: judging.failed + own.failed, retried: judging.retried + own.retried, error: judging.error ?? own.error };
    sampled.push(...groups);
    kept.push(...(rounds === 0 ? groups : groups.filter(({ outcome }) => outcome === "mixed")));
  }
  return { kept: kept.slice(0, wanted), sampled, judging };
}
