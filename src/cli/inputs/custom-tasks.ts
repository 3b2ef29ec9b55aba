// Custom tasks of a plan: modules that export tasks, and JSONL files of questions and answers.

import { createHash } from "node:crypto";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError } from "../../index.js";
import { describeReadError, readRegularFile } from "../../node/regular-file.js";
import { jsonlTask } from "../../rl/data/jsonl-task.js";
import { Random, type Verifiable } from "../../rl/index.js";
import { type CustomTasks, checkDistinctLevels, type PlannedLevel } from "../../rl/loop/policy-plan.js";

/** A level with the hash of its file, which is part of the identity of a run. */
export type CustomLevel = PlannedLevel & { readonly sha256: string };

/** Maximum size of a task file. */
const MAX_TASK_FILE_BYTES = 2 ** 30;

/**
 * Loads the custom tasks that a plan names. Modules run with the permissions of this process.
 *
 * @param directory base of relative paths
 * @throws {InputError} unreadable files, modules that cannot be imported, or exports that are not tasks
 */
export async function loadCustomTasks(own: readonly CustomTasks[], directory: string): Promise<CustomLevel[]> {
  const levels: (CustomLevel & { at: string })[] = [];
  for (const entry of own) {
    const path = resolve(directory, "module" in entry ? entry.module : entry.file);
    const key = `${entry.at}.${"module" in entry ? "module" : "file"}`;
    const bytes = await read(path, key);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const loaded = "module" in entry ? await tasksOf(path, key) : [fileTask(bytes, path, entry)];
    for (const task of loaded) {
      for (let level = 1; level <= (task.levels ?? 1); level++) {
        checkQuestion(task, level, path);
        levels.push({ task, level, weight: entry.weight, sha256, at: entry.at });
      }
    }
  }
  return checkDistinctLevels(levels) as CustomLevel[];
}

type Leveled = Verifiable & { readonly levels?: number };

async function read(path: string, key: string): Promise<Uint8Array> {
  try {
    return await readRegularFile(path, MAX_TASK_FILE_BYTES);
  } catch (cause) {
    throw new InputError(`${key}: ${path}: expected a file, got ${describeReadError(cause)}`, { cause });
  }
}

function fileTask(bytes: Uint8Array, path: string, entry: Extract<CustomTasks, { file: string }>): Leveled {
  const { verifier, answer, name = basename(path).replace(/\.jsonl?$/, "") } = entry;
  return jsonlTask(bytes, path, { name, verifier, answer }) as Leveled;
}

async function tasksOf(path: string, key: string): Promise<readonly Leveled[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new InputError(`${key}: ${path}: expected an ES module that can be imported, got an error: ${(cause as Error)?.message}`, {
      cause,
    });
  }
  const fallback = exported.default as { tasks?: unknown } | undefined;
  const given = exported.tasks ?? fallback?.tasks ?? fallback;
  const found: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (found.length === 0 || given === undefined)
    throw new InputError(`${path}: expected an export named tasks with at least one task, got none`);
  for (const [i, task] of found.entries()) checkTask(task, `${path}: tasks[${i}]`);
  return found as readonly Leveled[];
}

/** Checks that a value is a task. @throws {InputError} it is not */
function checkTask(task: unknown, where: string): void {
  const given = (task ?? {}) as Partial<Leveled>;
  const { name, levels = 1, parse } = given;
  if (typeof name !== "string" || name === "") throw new InputError(`${where}: expected a task with a name, got a task without a name`);
  const missing = (["generate", "question", "verify"] as const).find((method) => typeof given[method] !== "function");
  if (missing) throw new InputError(`${where}: ${name}: expected the methods generate, question and verify, got no method ${missing}`);
  if (parse !== undefined && typeof parse !== "function")
    throw new InputError(`${where}: ${name}: parse: expected a function, got ${typeof parse}`);
  if (!(Number.isInteger(levels) && levels >= 1 && levels <= 1000)) {
    throw new InputError(`${where}: ${name}: levels: expected an integer within [1, 1000], got ${levels}`);
  }
}

/** Generates one instance, so that a broken task is reported before a model is loaded. */
function checkQuestion(task: Leveled, level: number, path: string): void {
  const at = `${path}: ${task.name}: level ${level}`;
  let question: unknown;
  try {
    question = task.question(task.generate(Random.seeded(0), level));
  } catch (cause) {
    throw new InputError(`${at}: expected an instance and its question, got an error: ${(cause as Error)?.message}`, { cause });
  }
  if (typeof question !== "string" || question === "") {
    throw new InputError(`${at}: question: expected text, got ${JSON.stringify(question)}`);
  }
}
