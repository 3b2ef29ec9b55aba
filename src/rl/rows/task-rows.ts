// Rows of the published and of the compact tasks, in one form for files, evaluation and training.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike, parseOptions } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { Random } from "../../base/random.js";
import { rangeOptions } from "../../synlogic/generate-options.js";
import * as synlogic from "../../synlogic/index.js";
import { moreTasks, tasks } from "../tasks/index.js";
import { judge, type Task } from "../tasks/task.js";
import { expectRow } from "./expect-rows.js";

export type { Row, Verdict } from "../../synlogic/index.js";

import type { Row, Verdict } from "../../synlogic/index.js";

/** Prefix of the names of compact tasks. It distinguishes them from published tasks of the same name. */
const COMPACT = "compact/";

const compactTasks: readonly Task[] = [...tasks, ...moreTasks];

/** Names of all tasks that have rows: the published ones (`sudoku`), then the compact ones (`compact/sudoku`). */
export const rowTasks: readonly string[] = [...synlogic.tasks, ...compactTasks.map(({ name }) => `${COMPACT}${name}`)];

/** Returns the compact task with a given name. Returns undefined for a published task. @throws {InputError} an unknown name */
export function compactTask(name: string): Task | undefined {
  const compact = compactTasks.find((task) => `${COMPACT}${task.name}` === name);
  if (compact || synlogic.tasks.includes(name)) return compact;
  throw new InputError(`task: expected one of ${rowTasks.join(", ")}, got ${printed(name)}`);
}

/** Returns the levels of a task: the four named levels of a published task, or the numbers of a compact task, from 1. */
export function levelsOf(name: string): readonly string[] {
  const compact = compactTask(name);
  return compact ? Array.from({ length: compact.levels }, (_, i) => String(i + 1)) : synlogic.levels;
}

/** Which rows to generate. */
export interface RowOptions {
  /** Seed of the sequence of puzzles (1). */
  readonly seed?: number | undefined;
  /** Index of the first row within the sequence of the seed (0). */
  readonly first?: number | undefined;
  /** Number of rows (1). */
  readonly count?: number | undefined;
  /** One of {@link levelsOf}. The default is the easiest published level, or level 1 of a compact task. */
  readonly level?: string | number | undefined;
  /** Language of the questions ("en"). Compact tasks have no other language. */
  readonly language?: synlogic.Language | undefined;
  /** Parameters of a published task. They replace those of the level. */
  readonly parameters?: Partial<synlogic.Parameters> | undefined;
}

/**
 * Generates rows of a task. The same options give the same rows; row i depends only on the seed and on i.
 *
 * @throws {InputError} an unknown task, level or parameter
 */
export function generateRows(name: string, options: RowOptions = {}): (Row & { readonly parameters: synlogic.Parameters })[] {
  expectArgument("generateRows: options", isObjectLike(options), "{ seed, first, count, level, language, parameters }", options);
  const { language, parameters = {} } = options;
  const level = typeof options.level === "number" ? String(options.level) : options.level;
  const { seed, first, count } = parseOptions(
    v.strictObject(rangeOptions),
    { seed: options.seed, first: options.first, count: options.count },
    "generateRows",
  );
  expectArgument("generateRows: parameters", isObjectLike(parameters), "an object of parameters by name", parameters);
  const compact = compactTask(name);
  if (level !== undefined && !levelsOf(name).includes(level)) {
    throw new InputError(`${name}: level: expected one of ${levelsOf(name).join(", ")}, got ${printed(level)}`);
  }
  const reserved = ["seed", "first", "count", "level", "language"].find((option) => Object.hasOwn(parameters, option));
  if (reserved) throw new InputError(`${name}: parameters: ${reserved}: expected a parameter of the task (this is an option of its own)`);
  if (!compact) return synlogic.generate(name, { ...parameters, seed, first, count, language, level: level as synlogic.Level | undefined });
  const unknown = Object.keys(parameters)[0] ?? (language === "zh" ? "language" : undefined);
  if (unknown) throw new InputError(`${name}: ${unknown}: expected no such option, because a compact task has only levels`);
  const number = Number(level ?? 1);
  return Array.from({ length: count }, (_, i) => {
    const instance = compact.generate(Random.stream(seed, first + i), number);
    const { answer } = compact.solve(instance);
    const metadata = instance as Row["metadata"];
    return { task: name, question: compact.question(instance), answer, metadata, parameters: { level: number } };
  });
}

/**
 * Judges a response to a row by the rules of its task.
 *
 * @param response the whole assistant message, reasoning included
 * @throws {InputError} an unknown task, or metadata that does not belong to it
 */
export function judgeRow(row: Row, response: string): Verdict {
  expectRow("judgeRow: row", row);
  const compact = compactTask(row.task);
  if (!compact) return synlogic.explain(row, response);
  try {
    const { formatted, correct } = judge(compact, row.metadata, response);
    const reason = correct ? "all rules hold" : formatted ? "the answer breaks the rules" : "there is no <answer>…</answer> after </think>";
    return { right: correct, reason };
  } catch (cause) {
    throw new InputError(`${row.task}: row.metadata: expected an instance of the task, got another value`, { cause });
  }
}
