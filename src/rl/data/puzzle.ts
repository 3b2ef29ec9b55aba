import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { Random } from "../../base/random.js";
import { streamOf } from "../../train/datasets.js";
import { instanceKey, type Task, type Verifiable } from "../tasks/task.js";

/** An instance with the task that made it and the level, from 1 on, that it was made for. */
export interface Puzzle {
  readonly task: Task;
  readonly level: number;
  readonly instance: unknown;
}

/** Of all instances, one in so many is held out: never trained on, whatever the seed. */
const HELD_OUT_MODULUS = 8;

/** Whether an instance belongs to the eighth of all that is only tested with: by a hash of what identifies it (FNV-1a), so that no seed moves one across. */
export function isHeldOut({ task, instance }: Puzzle): boolean {
  let hash = 0x811c9dc5;
  for (const char of instanceKey(task, instance)) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % HELD_OUT_MODULUS === 0;
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
const MAX_DRAWS = 10_000;

/**
 * A puzzle of this task and level, from those that are held out or from the others.
 *
 * @throws {InputError} the task has so few instances that none is of this kind
 */
export function drawInstance(random: Random, task: Task, level: number, heldOut: boolean): Puzzle {
  expectArgument("drawInstance: random", isObjectLike(random), "a Random", random);
  expectArgument("drawInstance: task", isObjectLike(task), "a task", task);
  for (let i = 0; i < MAX_DRAWS; i++) {
    const puzzle = { task, level, instance: task.generate(random, level) };
    if (isHeldOut(puzzle) === heldOut) return puzzle;
  }
  const kind = heldOut ? "held out" : "not held out";
  throw new InputError(
    `${task.name}: level ${level}: expected instances that are ${kind}, got none in ${MAX_DRAWS} (a task with more of them)`,
  );
}

/**
 * Different instances of a level that are held out, the same ones for the same seed.
 *
 * @throws {InputError} the level has fewer
 */
export function heldOut(task: Verifiable, level: number, amount: number, seed: number): Puzzle[] {
  expectArgument("heldOut: task", isObjectLike(task), "a task", task);
  const found = new Map<string, Puzzle>();
  for (let i = 0; found.size < amount; i++) {
    // So many draws for each that was found would have found them all.
    if (i > 30 * (found.size + 10)) {
      throw new InputError(
        `evaluateTasks: perLevel: expected at most ${found.size}, which is all that ${task.name} has on level ${level}, got ${printed(amount)}`,
      );
    }
    const puzzle = drawInstance(streamOf(seed, i), task as Task, level, true);
    found.set(instanceKey(task, puzzle.instance), puzzle);
  }
  return [...found.values()];
}
