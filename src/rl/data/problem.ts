import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike, number, parseOptions, seedNumber } from "../../base/options.js";
import { printed, printedJson } from "../../base/printed.js";
import { streamOf } from "../../train/datasets.js";
import { expectMethods, expectNumber } from "../arguments.js";
import type { Rollout, RolloutOptions, Sampler } from "../loop/rollout.js";
import { type AnsweredPuzzle, correctnessReward, type Reward, type Scored, sumOfRewards } from "../rewards/rewards.js";
import { judgeAsync, type Task, type Verifiable } from "../tasks/task.js";
import type { Codec } from "./codec.js";
import { drawInstance, type Puzzle } from "./puzzle.js";

/** The judgement of a response: its correctness, and its reward with components. No component may be called `total`. */
export interface Judged extends Scored {
  /** Whether the response is right. It determines pass rates and dynamic sampling. False if the response cannot be scored. */
  readonly correct: boolean;
}

/** A prompt, and a judge of the responses to it. */
export interface Problem {
  /** Token ids of the prompt, up to the position where the response begins. */
  readonly prompt: readonly number[];
  /**
   * Judges a response. A judge may call a server. The option `judging` of `trainPolicy` limits the concurrency and the time of such calls,
   * and retries failed ones.
   *
   * @param options `signal` aborts when the judgement is no longer needed
   * @returns the judgement, or null if the response cannot be judged. Such a response affects neither advantages nor accuracy, but the
   *   metrics count it
   */
  judge(response: Rollout, options?: { readonly signal: AbortSignal }): Judged | null | Promise<Judged | null>;
}

/** A problem of several turns, such as a task with tools. Its environment plays and judges it. */
export interface EpisodeProblem {
  /**
   * Plays an episode.
   *
   * @param model the policy
   * @param options `maxTokens` is the maximum number of sampled tokens of the whole episode
   */
  play(model: Sampler, options: EpisodeOptions): Promise<PlayedEpisode>;
}

/** Options of an episode. */
export interface EpisodeOptions extends Pick<RolloutOptions, "temperature" | "signal"> {
  readonly maxTokens: number;
  readonly seed: number;
}

/** The tokens of an episode and their judgement. */
export interface PlayedEpisode extends Rollout {
  /** Token ids before the first sampled token. */
  readonly prompt: readonly number[];
  /** Null if the episode could not be judged; `error` says why. */
  readonly judged: Judged | null;
  readonly error?: Error | undefined;
}

/** A source of problems of either kind. */
export type AnySource = ProblemSource<Problem | EpisodeProblem>;

/** A numbered sequence of problems of one kind, such as a level of a task. The same index must always give the same problem. */
export interface ProblemSource<Drawn extends Problem | EpisodeProblem = Problem> {
  /** Name of the source in metrics, and key of its pass rate in a saved run. Unique among the sources of a run. */
  readonly name: string;
  /** Weight relative to the other sources (1). */
  readonly weight?: number;
  /** Returns the problem with the given index, counted from 0. */
  problem(index: number): Drawn;
}

/** Checks the return value of a judge. @throws {InputError} an invalid judgement */
export function checkJudged(judged: Judged, where: string): Judged {
  const isReward = (x: unknown) => x === null || (typeof x === "number" && Math.abs(x) <= 1e9);
  const { correct, total, components } = judged ?? {};
  if (typeof correct !== "boolean" || !isReward(total) || typeof components !== "object" || components === null) {
    throw new InputError(
      `${where}: expected { correct, total, components }: a boolean, a number within ±1e9 or null, and an object of rewards by name, got ${printedJson(judged)}`,
    );
  }
  for (const [name, reward] of Object.entries(components)) {
    if (name === "total" || !isReward(reward)) {
      throw new InputError(
        `${where}: components.${name}: expected a number within ±1e9 or null, with a name other than "total", got ${printed(reward)}`,
      );
    }
  }
  return judged;
}

const taskOptions = v.strictObject({
  seed: v.optional(seedNumber, 0),
  weight: v.optional(number("a number within [0, 1e9]", (x) => x >= 0 && x <= 1e9)),
  rewards: v.optional(
    v.custom<Readonly<Record<string, Reward<AnsweredPuzzle>>>>((x) => typeof x === "object" && x !== null, "rewards by name"),
    () => ({ correct: correctnessReward }),
  ),
});

/**
 * Creates a source of problems from a level of a task. Problem i is drawn from the random stream of `seed` and i,
 * and is never a held-out instance.
 *
 * @param codec encodes prompts; `chatCodec` creates one from a model's tokenizer and chat format
 * @param options `rewards` by name, whose sum is the reward (`{ correct: correctnessReward }`); `weight` of the source; `seed` (0)
 * @throws {InputError} an invalid task or codec, or invalid options
 */
export function taskSource<Instance>(
  task: Verifiable<Instance>,
  level: number,
  codec: Pick<Codec, "prompt">,
  options: { seed?: number; weight?: number; rewards?: Readonly<Record<string, Reward<AnsweredPuzzle>>> } = {},
): ProblemSource {
  const missing = (["generate", "question", "verify"] as const).find((method) => typeof task?.[method] !== "function");
  if (missing || typeof task.name !== "string")
    throw new InputError(`taskSource: task: expected a task, got an object without ${missing ?? "name"}`);
  if (typeof codec?.prompt !== "function")
    throw new InputError("taskSource: codec: expected a codec with a method prompt, got another value (create one with chatCodec)");
  expectNumber("taskSource: level", level, "an integer of at least 1", (x) => Number.isSafeInteger(x) && x >= 1);
  const { seed, weight, rewards } = parseOptions(taskOptions, options, "taskSource");
  const score = sumOfRewards(rewards);
  return {
    name: `${task.name} ${level}`,
    ...(weight !== undefined && { weight }),
    problem: (index) => puzzleProblem(drawInstance(streamOf(seed, index), task as Task, level, false), codec, score),
  };
}

/** Creates a problem from a puzzle. `score` computes the reward; the task's verifier decides correctness. */
export function puzzleProblem(puzzle: Puzzle, codec: Pick<Codec, "prompt">, score: (response: AnsweredPuzzle) => Promise<Scored>): Problem {
  expectArgument("puzzleProblem: puzzle", isObjectLike(puzzle), "a puzzle", puzzle);
  expectMethods("puzzleProblem: codec", codec, "a codec", ["prompt"]);
  const { task, instance } = puzzle;
  expectMethods("puzzleProblem: puzzle.task", task, "a task", ["question", "verify"]);
  const question = task.question(instance);
  return {
    prompt: codec.prompt(question),
    judge: async ({ text, ids }, { signal } = { signal: new AbortController().signal }) => {
      // Called once, even if several rewards use the verdict.
      const judgement = await judgeAsync(task, instance, text, signal);
      return { ...(await score({ puzzle, question, text, tokens: ids.length, judgement })), correct: judgement.correct };
    },
  };
}
