import { streamOf } from "../train/data.js";
import { type Codec, drawInstance, type Puzzle } from "./dataset.js";
import { type AnsweredPuzzle, correctnessReward, type Reward, type Scored, sumOfRewards } from "./rewards.js";
import type { Rollout } from "./rollout.js";
import { judge, type Task } from "./tasks/task.js";

/** What became of a response. */
export interface Judged extends Scored {
  /** Whether it is right: what dynamic sampling and pass rates go by. A response that nobody can score is not. */
  readonly correct: boolean;
}

/** Something to be answered, and how answers to it are judged. */
export interface Problem {
  /** Token ids, up to where the response begins. */
  readonly prompt: readonly number[];
  judge(response: Rollout): Judged | Promise<Judged>;
}

/** Problems by number, all of one kind: a level of a task, a set of questions. Nothing else decides what a problem is. */
export interface ProblemSource {
  /** Under which its pass rate is kept and shown. */
  readonly name: string;
  /** How much of it there is to be, beside other sources (1). */
  readonly weight?: number;
  problem(index: number): Problem;
}

/** What reinforcement learning needs of a task. */
export type Verifiable<Instance = unknown> = Pick<Task<Instance>, "name" | "generate" | "question" | "verify">;

/**
 * A level of a task as problems, none of them held out: problem i is drawn from the stream of `seed` and i.
 *
 * @param codec `chatCodec` makes one of a model's tokenizer and chat format
 * @param options `rewards` by name, which are added up: `{ correct: correctnessReward }` if nothing is said
 */
export function taskSource<Instance>(
  task: Verifiable<Instance>,
  level: number,
  codec: Pick<Codec, "prompt">,
  {
    seed = 0,
    weight,
    rewards = { correct: correctnessReward },
  }: { seed?: number; weight?: number; rewards?: Readonly<Record<string, Reward<AnsweredPuzzle>>> } = {},
): ProblemSource {
  const score = sumOfRewards(rewards);
  return {
    name: `${task.name} ${level}`,
    ...(weight !== undefined && { weight }),
    problem: (index) => puzzleProblem(drawInstance(streamOf(seed, index), task as Task, level, false), codec, score),
  };
}

/** One puzzle as a problem. */
export function puzzleProblem(puzzle: Puzzle, codec: Pick<Codec, "prompt">, score: (response: AnsweredPuzzle) => Promise<Scored>): Problem {
  const { task, instance } = puzzle;
  const question = task.question(instance);
  return {
    prompt: codec.prompt(question),
    judge: async ({ text, ids }) => ({
      ...(await score({ puzzle, question, text, tokens: ids.length })),
      correct: judge(task, instance, text).correct,
    }),
  };
}
