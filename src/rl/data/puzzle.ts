import { InputError } from "../../base/errors.js";
import { fnv1a } from "../../base/hash.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import type { Random } from "../../base/random.js";
import { streamOf } from "../../train/datasets.js";
import { expectMethods, expectNumber, expectRandom } from "../arguments.js";
import { instanceKey, type Task, type Verifiable } from "../tasks/task.js";

/** An instance with its task and its level, counted from 1. */
export interface Puzzle {
  readonly task: Task;
  readonly level: number;
  readonly instance: unknown;
}

/** One of this many instances is held out. Held-out instances are never trained on, whatever the seed. */
const HELD_OUT_MODULUS = 8;

/**
 * Returns whether an instance is held out for tests. This applies to an eighth of all instances. A hash (FNV-1a) of {@link instanceKey}
 * decides, so that the split does not depend on a seed.
 */
export function isHeldOut(puzzle: Puzzle): boolean {
  expectArgument("isHeldOut: puzzle", isObjectLike(puzzle), "a puzzle", puzzle);
  const { task, instance } = puzzle;
  const hash = fnv1a(Array.from(instanceKey(task, instance), (char) => char.codePointAt(0)!));
  return ((hash ^ (hash >>> 15)) >>> 0) % HELD_OUT_MODULUS === 0;
}

/** Draws a puzzle: a task uniformly, then one of its levels uniformly, then a held-out or a training instance. */
export function drawPuzzle(random: Random, tasks: readonly Task[], heldOut: boolean): Puzzle {
  expectRandom("drawPuzzle: random", random);
  expectArgument("drawPuzzle: tasks", Array.isArray(tasks) && tasks.length > 0, "one or more tasks", tasks);
  for (const [i, task] of tasks.entries()) expectArgument(`drawPuzzle: tasks[${i}]`, isObjectLike(task), "a task", task);
  const task = tasks[Math.floor(random.next() * tasks.length)]!;
  const level = 1 + Math.floor(random.next() * task.levels);
  return drawInstance(random, task, level, heldOut);
}

/** Maximum number of draws. If none gives the requested kind of instance, such an instance is assumed not to exist. */
const MAX_DRAWS = 10_000;

/**
 * Draws a puzzle of a task and level, either from the held-out instances or from all others.
 *
 * @throws {InputError} the task has so few instances that none of this kind exists
 */
export function drawInstance(random: Random, task: Task, level: number, heldOut: boolean): Puzzle {
  expectRandom("drawInstance: random", random);
  expectMethods("drawInstance: task", task, "a task", ["generate"]);
  expectArgument("drawInstance: heldOut", typeof heldOut === "boolean", "true or false", heldOut);
  for (let i = 0; i < MAX_DRAWS; i++) {
    const puzzle = { task, level, instance: task.generate(random, level) };
    if (isHeldOut(puzzle) === heldOut) return puzzle;
  }
  const kind = heldOut ? "held out" : "not held out";
  throw new InputError(
    `${task.name}: level ${level}: expected instances that are ${kind}, got none in ${MAX_DRAWS} draws (use a task with more instances)`,
  );
}

/**
 * Draws distinct held-out instances of a level. The same seed gives the same instances.
 *
 * @throws {InputError} the level has fewer held-out instances
 */
export function heldOut(task: Verifiable, level: number, amount: number, seed: number): Puzzle[] {
  expectArgument("heldOut: task", isObjectLike(task), "a task", task);
  expectNumber("heldOut: amount", amount, "an integer within [0, 100,000]", (x) => Number.isInteger(x) && x >= 0 && x <= 100_000);
  const found = new Map<string, Puzzle>();
  for (let i = 0; found.size < amount; i++) {
    // With this many draws per instance, all existing instances would have been found.
    if (i > 30 * (found.size + 10)) {
      throw new InputError(
        `evaluateTasks: perLevel: expected at most ${found.size}, the number of held-out instances of ${task.name} on level ${level}, got ${printed(amount)}`,
      );
    }
    const puzzle = drawInstance(streamOf(seed, i), task as Task, level, true);
    found.set(instanceKey(task, puzzle.instance), puzzle);
  }
  return [...found.values()];
}
