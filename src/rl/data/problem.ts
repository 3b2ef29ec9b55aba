import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike, number, parseOptions, seedNumber } from "../../base/options.js";
import { printed, printedJson } from "../../base/printed.js";
import { streamOf } from "../../train/datasets.js";
import type { Rollout } from "../loop/rollout.js";
import { type AnsweredPuzzle, correctnessReward, type Reward, type Scored, sumOfRewards } from "../rewards/rewards.js";
import { judgeAsync, type Task, type Verifiable } from "../tasks/task.js";
import type { Codec } from "./codec.js";
import { drawInstance, type Puzzle } from "./puzzle.js";

/** What became of a response; no component is called `total`. */
export interface Judged extends Scored {
  /** Whether it is right: what dynamic sampling and pass rates go by. A response that nobody can score is not. */
  readonly correct: boolean;
}

/** Something to be answered, and how answers to it are judged. */
export interface Problem {
  /** Token ids, up to where the response begins. */
  readonly prompt: readonly number[];
  /**
   * Judges a response. Judges may ask a server: they are called a few at a time, and again if they throw or take too long (`judging` of `trainPolicy`).
   *
   * @param options `signal` aborts when nobody waits for the judgement any more
   * @returns the judgement, or null if the response cannot be judged. It is left out of advantages and accuracy then, and counted in the metrics
   */
  judge(response: Rollout, options?: { readonly signal: AbortSignal }): Judged | null | Promise<Judged | null>;
}

/** Problems by number, all of one kind: a level of a task, a set of questions. Nothing else decides what a problem is. */
export interface ProblemSource {
  /** Under which its pass rate is kept and shown. */
  readonly name: string;
  /** How much of it there is to be, beside other sources (1). */
  readonly weight?: number;
  problem(index: number): Problem;
}

/** @throws {InputError} what a judge answered is no judgement */
export function checkJudged(judged: Judged, where: string): Judged {
  const isReward = (x: unknown) => x === null || (typeof x === "number" && Math.abs(x) <= 1e9);
  const { correct, total, components } = judged ?? {};
  if (typeof correct !== "boolean" || !isReward(total) || typeof components !== "object" || components === null) {
    throw new InputError(
      `${where}: expected { correct, total, components } with true or false, a number within ±1e9 or null, and rewards by name, got ${printedJson(judged)}`,
    );
  }
  for (const [name, reward] of Object.entries(components)) {
    if (name === "total" || !isReward(reward)) {
      throw new InputError(
        `${where}: components.${name}: expected a number within ±1e9 or null, under another name than "total", got ${printed(reward)}`,
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
 * A level of a task as problems, none of them held out: problem i is drawn from the stream of `seed` and i.
 *
 * @param codec `chatCodec` makes one of a model's tokenizer and chat format
 * @param options `rewards` by name, which are added up: `{ correct: correctnessReward }` if nothing is said
 * @throws {InputError} something else than a task or a codec, or options that do not fit
 */
export function taskSource<Instance>(
  task: Verifiable<Instance>,
  level: number,
  codec: Pick<Codec, "prompt">,
  options: { seed?: number; weight?: number; rewards?: Readonly<Record<string, Reward<AnsweredPuzzle>>> } = {},
): ProblemSource {
  const missing = (["generate", "question", "verify"] as const).find((method) => typeof task?.[method] !== "function");
  if (missing || typeof task.name !== "string")
    throw new InputError(`taskSource: task: expected a task, got one without ${missing ?? "name"}`);
  if (typeof codec?.prompt !== "function")
    throw new InputError("taskSource: codec: expected an object with a method prompt, as chatCodec makes one");
  const { seed, weight, rewards } = parseOptions(taskOptions, options, "taskSource");
  const score = sumOfRewards(rewards);
  return {
    name: `${task.name} ${level}`,
    ...(weight !== undefined && { weight }),
    problem: (index) => puzzleProblem(drawInstance(streamOf(seed, index), task as Task, level, false), codec, score),
  };
}

/** One puzzle as a problem. */
export function puzzleProblem(puzzle: Puzzle, codec: Pick<Codec, "prompt">, score: (response: AnsweredPuzzle) => Promise<Scored>): Problem {
  expectArgument("puzzleProblem: puzzle", isObjectLike(puzzle), "a puzzle", puzzle);
  expectArgument("puzzleProblem: codec", isObjectLike(codec), "a codec", codec);
  const { task, instance } = puzzle;
  const question = task.question(instance);
  return {
    prompt: codec.prompt(question),
    judge: async ({ text, ids }, { signal } = { signal: new AbortController().signal }) => {
      // Asked once, whatever the rewards.
      const judgement = await judgeAsync(task, instance, text, signal);
      return { ...(await score({ puzzle, question, text, tokens: ids.length, judgement })), correct: judgement.correct };
    },
  };
}
