// Generated contexts of a given length: units of filler text are added until the task is as long as wanted.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, number, seedNumber } from "../../base/options.js";
import { printedJson } from "../../base/printed.js";

/** Options of all generated tasks. Defaults are in parentheses. */
export interface LongContextOptions {
  /** Length of all messages together, in tokens or, without `countTokens`, in characters. The task is at most this long. */
  length: number;
  /** Counts the tokens of a text, for example `(text) => tokenizer.encode(text).length`. Tokens of the chat format do not count. */
  countTokens?: (text: string) => number;
  /** Seed of everything that is random, an integer within [0, 2^32) (0). */
  seed?: number;
}

/** Longest generated task. Its text has to fit into one string. */
const MAX_LENGTH = 50_000_000;

export const lengthEntries = {
  length: number(`an integer within [1, ${MAX_LENGTH}]`, (x) => Number.isSafeInteger(x) && x >= 1 && x <= MAX_LENGTH),
  countTokens: v.optional(callback<(text: string) => number>()),
  seed: v.optional(seedNumber, 0),
};

/** Schema of positions: one number for all, or one for each. */
export const depthEntry = v.optional(
  v.custom<number | readonly number[]>(
    (x) => [x].flat().every((one) => typeof one === "number" && one >= 0 && one <= 1),
    "a number within [0, 1], or an array of them",
  ),
);

/**
 * Returns the positions of `count` needles.
 *
 * @throws {InputError} an array of another length
 */
export function depthsOf(where: string, depth: number | readonly number[] | undefined, count: number, draw: () => number): number[] {
  if (Array.isArray(depth) && depth.length !== count) {
    throw new InputError(`${where}: depth: expected one number or ${count}, got ${depth.length}`);
  }
  return Array.from({ length: count }, (_, i) => (typeof depth === "number" ? depth : (depth?.[i] ?? draw())));
}

/** Number of corrections of the estimated number of units. */
const MAX_CORRECTIONS = 8;

interface Fitting<Unit, Task> {
  /** Name of the function in messages. */
  readonly where: string;
  readonly length: number;
  readonly countTokens: ((text: string) => number) | undefined;
  /** Draws the next unit of filler. */
  readonly draw: () => Unit;
  /** The text that a unit adds. */
  readonly textOf: (unit: Unit) => string;
  /** Creates a task with units of filler. */
  readonly assemble: (units: readonly Unit[]) => Task;
  /** The texts of a task that count. */
  readonly textsOf: (task: Task) => readonly string[];
}

/**
 * Creates a task with as much filler as fits into a length. The lengths of the units are only an estimate, because tokens may reach from
 * one unit into the next; so the whole task is counted, and units are added or removed.
 *
 * @returns the task and its length, which is at most the given one
 * @throws {InputError} a length that is too short for the task without filler, or a function that does not count tokens
 */
export function fitLength<Unit, Task>(fitting: Fitting<Unit, Task>): { readonly task: Task; readonly length: number } {
  const { where, length, draw, textOf, assemble, textsOf } = fitting;
  const count = counterOf(where, fitting.countTokens);
  const measure = (task: Task) => textsOf(task).reduce((sum, text) => sum + count(text), 0);
  const units: Unit[] = [];
  const sizes: number[] = [];
  const add = () => {
    const unit = draw();
    const size = count(textOf(unit));
    if (size === 0) throw new InputError(`${where}: countTokens: expected at least 1 for a sentence, got 0`);
    units.push(unit);
    sizes.push(size);
    return size;
  };

  const empty = measure(assemble([]));
  if (empty > length) {
    const unit = fitting.countTokens ? "tokens" : "characters";
    throw new InputError(`${where}: length: expected at least ${empty} ${unit} for this task, got ${length}`);
  }
  for (let estimate = empty; estimate < length; ) estimate += add();

  let used = units.length;
  let best = { task: assemble([]), length: empty, used: 0 };
  for (let correction = 0; correction < MAX_CORRECTIONS && used !== best.used; correction++) {
    const task = assemble(units.slice(0, used));
    const measured = measure(task);
    if (measured <= length && measured > best.length) best = { task, length: measured, used };
    // One unit of this task, on average.
    const mean = Math.max((measured - empty) / Math.max(used, 1), 1);
    const missing = Math.floor((length - measured) / mean);
    if (missing === 0) break;
    used = Math.max(used + missing, 0);
    while (units.length < used) add();
  }
  return { task: best.task, length: best.length };
}

/** Returns a function that counts tokens or characters, and checks its results. */
function counterOf(where: string, countTokens: ((text: string) => number) | undefined): (text: string) => number {
  if (!countTokens) return (text) => text.length;
  return (text) => {
    const tokens: unknown = countTokens(text);
    if (!Number.isSafeInteger(tokens) || (tokens as number) < 0) {
      throw new InputError(`${where}: countTokens: expected an integer of at least 0, got ${printedJson(tokens)}`);
    }
    return tokens as number;
  };
}
