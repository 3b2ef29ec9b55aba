import { type AdvantageOptions, groupAdvantages } from "./advantages.js";
import { type GroupOutcome, groupOutcome } from "./curriculum/index.js";
import { checkJudged, type Judged, type Problem } from "./problem.js";
import { overlongPunishment, type Scored } from "./rewards.js";
import { type Rollout, type RolloutOptions, rollouts, type Sampler } from "./rollout.js";

/** A response with what a policy learns from. */
export interface Sample extends Rollout, Judged {
  readonly prompt: readonly number[];
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
export interface Drawn {
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
}

/** Samples a group for every problem and judges it. */
export async function sampleGroups(model: Sampler, drawn: readonly Drawn[], options: GroupOptions): Promise<Group[]> {
  const { overlongCache, advantages: normalisation, ...sampling } = options;
  const groups = await rollouts(
    model,
    drawn.map(({ problem }) => problem.prompt),
    sampling,
  );
  const judging = Promise.all(
    drawn.map(async ({ source, name, problem }, i): Promise<Group> => {
      const responses = groups[i]!;
      const judged = await Promise.all(
        responses.map(async (response) => {
          // A copy: whatever a judge does to it, what was sampled is learned from.
          const copy = { ...response, ids: [...response.ids], logp: response.logp.slice() };
          const own = checkJudged(await problem.judge(copy), `${name}: judge`);
          return overlongCache === undefined ? own : withOverlong(own, response, { maxTokens: sampling.maxTokens, cache: overlongCache });
        }),
      );
      const advantages = groupAdvantages(
        judged.map(({ total }) => total),
        normalisation,
      );
      return {
        source,
        outcome: outcomeOf(judged),
        samples: responses.map((response, g) => ({ ...response, ...judged[g]!, prompt: problem.prompt, advantage: advantages[g]! })),
      };
    }),
  );
  return until(judging, sampling.signal);
}

/** Of those that could be scored; without any there is nothing to learn. */
function outcomeOf(judged: readonly Judged[]): GroupOutcome {
  const scored = judged.filter(({ total }) => total !== null);
  return scored.length === 0 ? "all wrong" : groupOutcome(scored.map(({ correct }) => correct));
}

/** What comes, unless the signal is first. */
function until<T>(coming: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return coming;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    coming.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function withOverlong(judged: Judged, { ids }: Rollout, limits: { maxTokens: number; cache: number }): Judged & Scored {
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
  draw: () => Drawn,
  wanted: number,
  { rounds, nextSeed, ...options }: Omit<GroupOptions, "seed"> & { rounds: number; nextSeed: () => number },
): Promise<{ readonly kept: readonly Group[]; readonly sampled: readonly Group[] }> {
  const [kept, sampled]: [Group[], Group[]] = [[], []];
  for (let round = 0; round < Math.max(1, rounds) && kept.length < wanted; round++) {
    const needed = Math.ceil(((wanted - kept.length) * Math.max(1, sampled.length)) / Math.max(1, kept.length));
    const drawn = Array.from({ length: round === 0 ? wanted : Math.min(wanted, needed) }, draw);
    const groups = await sampleGroups(model, drawn, { ...options, seed: nextSeed() });
    sampled.push(...groups);
    kept.push(...(rounds === 0 ? groups : groups.filter(({ outcome }) => outcome === "mixed")));
  }
  return { kept: kept.slice(0, wanted), sampled };
}
