import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { Random } from "../base/random.js";
import type { Dataset } from "../train/data.js";
import { streamOf } from "../train/data.js";
import { formatResponse, instanceKey, type Task } from "./tasks/task.js";

/** How questions and responses become token ids; `chatCodec` makes one of a model's tokenizer and chat format. */
export interface Codec {
  /** The prompt of a question, up to where the response begins. */
  prompt(question: string): readonly number[];
  /** A response with its end. */
  response(text: string): readonly number[];
}

/** An instance with the task that made it and the level, from 1 on, that it was made for. */
export interface Puzzle {
  readonly task: Task;
  readonly level: number;
  readonly instance: unknown;
}

/** Of all instances, one in so many is held out: never trained on, whatever the seed. */
const HELD_OUT = 8;

/** Whether an instance belongs to the eighth of all that is only tested with: by a hash of what identifies it (FNV-1a), so that no seed moves one across. */
export function isHeldOut({ task, instance }: Puzzle): boolean {
  let hash = 0x811c9dc5;
  for (const char of instanceKey(task, instance)) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % HELD_OUT === 0;
}

/** A puzzle of any of the tasks, all as likely, and any of its levels, all as likely; from those that are held out or from the others. */
export function drawPuzzle(random: Random, tasks: readonly Task[], heldOut: boolean): Puzzle {
  expectArgument("drawPuzzle: random", isObjectLike(random), "a Random", random);
  expectArgument("drawPuzzle: tasks", Array.isArray(tasks), "an array of tasks", tasks);
  const task = tasks[Math.floor(random.next() * tasks.length)]!;
  const level = 1 + Math.floor(random.next() * task.levels);
  return drawInstance(random, task, level, heldOut);
}

/** Draws until an instance counts as missing: of those that exist an eighth is held out. */
const DRAWS = 10_000;

/**
 * A puzzle of this task and level, from those that are held out or from the others.
 *
 * @throws {InputError} the task has so few instances that none is of this kind
 */
export function drawInstance(random: Random, task: Task, level: number, heldOut: boolean): Puzzle {
  expectArgument("drawInstance: random", isObjectLike(random), "a Random", random);
  expectArgument("drawInstance: task", isObjectLike(task), "a task", task);
  for (let i = 0; i < DRAWS; i++) {
    const puzzle = { task, level, instance: task.generate(random, level) };
    if (isHeldOut(puzzle) === heldOut) return puzzle;
  }
  const kind = heldOut ? "held out" : "not held out";
  throw new InputError(
    `${task.name}: level ${level}: expected instances that are ${kind}, got none in ${DRAWS} (a task with more of them)`,
  );
}

/**
 * Worked solutions to imitate: document i is the prompt of a puzzle and its response, from the stream of `seed` and i. A prompt's tokens have weight 0, all of a response's 1.
 * A window cuts the end off; one that a prompt fills leaves nothing to learn.
 *
 * @param options `seed`, an integer within [0, 2^32), says which puzzles; `heldOut` takes those that are never trained on, for held-out losses
 */
export function solutions(tasks: readonly Task[], codec: Codec, { seed = 0, heldOut = false } = {}): Dataset {
  return {
    document(index, window) {
      const { task, instance } = drawPuzzle(streamOf(seed, index), tasks, heldOut);
      const prompt = codec.prompt(task.question(instance));
      const response = codec.response(formatResponse(task.solve(instance)));
      const ids = [...prompt, ...response].slice(0, window);
      return { ids, weights: ids.map((_, t) => (t < prompt.length ? 0 : 1)) };
    },
  };
}
