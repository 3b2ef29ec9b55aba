import { type GroupOutcome, groupOutcome } from "../curriculum/index.js";
import { checkJudged, type Judged, type Problem } from "../data/problem.js";
import { type AdvantageOptions, groupAdvantages } from "../objectives/advantages.js";
import { callJudges, type JudgeCall, type JudgingSettings } from "../rewards/judging.js";
import { overlongPunishment, type Scored } from "../rewards/rewards.js";
import { type Rollout, type RolloutOptions, rollouts, type Sampler } from "./rollout.js";

/** A response with what a policy learns from. */
export interface Sample extends Rollout, Judged {
  readonly prompt: readonly number[];
  /** False if no judgement came: the response is neither right nor wrong then, its reward null and its advantage 0. */
  readonly judged: boolean;
  readonly advantage: number;
}

/** The responses to one problem. */
export interface Group {
  /** Number of the problem's source. */
  readonly source: number;
  readonly outcome: GroupOutcome;
  readonly samples: readonly Sample[];
}

/** A problem that was drawn. */
export interface DrawnProblem {
  readonly source: number;
  /** What it is called in errors. */
  readonly name: string;
  readonly problem: Problem;
}

export interface GroupOptions extends RolloutOptions {
  maxTokens: number;
  /** Adds `overlongPunishment` to the reward, with so many tokens of cache before `maxTokens`. */
  overlongCache?: number | undefined;
  advantages?: AdvantageOptions & { scale?: "group" | "none" };
  judging: JudgingSettings;
}

/** What became of the judgements of some groups. */
export interface JudgingSummary {
  /** Responses that no judgement came for. */
  readonly failed: number;
  /** Attempts that were repeated. */
  readonly retried: number;
  /** Of the first that failed. */
  readonly error?: Error | undefined;
}

/** Samples a group for every problem and judges it. */
export async function sampleGroups(
  model: Sampler,
  drawn: readonly DrawnProblem[],
  { overlongCache, advantages: normalisation, judging, ...sampling }: GroupOptions,
): Promise<{ readonly groups: readonly Group[]; readonly judging: JudgingSummary }> {
  const sampled = await rollouts(
    model,
    drawn.map(({ problem }) => problem.prompt),
    sampling,
  );
  const calls = drawn.flatMap(({ name, problem }, i) =>
    sampled[i]!.map(
      (response): JudgeCall<Judged | null> =>
        async (signal) => {
          // A copy: whatever a judge does to it, what was sampled is learned from.
          const copy = { ...response, ids: [...response.ids], logp: response.logp.slice() };
          const judged = await problem.judge(copy, { signal });
          return judged === null ? null : checkJudged(judged, `${name}: judge`);
        },
    ),
  );
  const outcomes = await callJudges(calls, judging, sampling.signal);
  let next = 0;
  const groups = drawn.map(({ source, problem }, i): Group => {
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
      samples: sampled[i]!.map((response, g) => ({ ...response, ...judged[g]!, prompt: problem.prompt, advantage: advantages[g]! })),
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

/** Of those that could be scored; without any there is nothing to learn. */
function outcomeOf(judged: readonly Judged[]): GroupOutcome {
  const scored = judged.filter(({ total }) => total !== null);
  return scored.length === 0 ? "all wrong" : groupOutcome(scored.map(({ correct }) => correct));
}

function addOverlongPunishment(judged: Judged, { ids }: Rollout, limits: { maxTokens: number; cache: number }): Judged & Scored {
  const overlong = overlongPunishment(ids.length, limits);
  const { total, components } = judged;
  return { ...judged, total: total === null ? null : total + overlong, components: { ...components, overlong } };
}

/**
 * Dynamic sampling (DAPO, adopted by the M1 report): rounds of groups until `wanted` of them have both right and wrong answers, or the rounds are used up. A later round has as many as the
 * earlier ones let expect to be needed, and never more than `wanted`; what is left over is thrown away.
 *
 * @param draw the next problem
 * @param options `rounds`: at most so many; 0 keeps every group of a single one, whatever its outcome. `nextSeed`: one for each round
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
