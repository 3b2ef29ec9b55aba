// Reads and writes rows as JSON lines: in the published format, and in the format that trainers read.

import { InputError } from "../../base/errors.js";
import { isObject, parseJson } from "../../base/json.js";
import { expectArgument } from "../../base/options.js";
import { printedJson } from "../../base/printed.js";
import * as synlogic from "../../synlogic/index.js";
import { expectRow } from "./expect-rows.js";
import { type Row, rowTasks } from "./task-rows.js";

/**
 * A row as trainers read it. verifiers and prime-rl use `prompt`, `answer`, `info` and `task`; TRL uses `prompt` and passes the other
 * columns to the reward function; verl uses `data_source`, `prompt`, `ability`, `reward_model` and `extra_info`.
 */
export interface TrainingRow {
  readonly prompt: readonly { readonly role: "user"; readonly content: string }[];
  /** A right answer as text. It is the stored answer or, if the row stores none, that of the solver. Empty for a row without a solution. */
  readonly answer: string;
  /** The whole row as JSON text. As text it fits into one column of a data set, although each task has different metadata. */
  readonly info: string;
  readonly task: string;
  /** `synlogic/TASK`, or `compact/TASK`. */
  readonly data_source: string;
  readonly ability: "logic";
  readonly reward_model: { readonly style: "rule"; readonly ground_truth: string };
  /** `row` is `info` again, because verl passes only this column to its reward function. */
  readonly extra_info: { readonly index: number; readonly row: string };
}

/** Converts a row to the form that trainers read. @param index number of the row in its file */
export function trainingRow(row: Row, index: number): TrainingRow {
  expectRow("trainingRow: row", row);
  const { task, question, answer, metadata } = row;
  const text = answer === "" ? solutionOf(row) : typeof answer === "string" ? answer : json("answer", answer);
  const info = json("metadata", { task, question, answer, metadata });
  return {
    prompt: [{ role: "user", content: question }],
    answer: text,
    info,
    task,
    data_source: task.startsWith("compact/") ? task : `synlogic/${task}`,
    ability: "logic",
    reward_model: { style: "rule", ground_truth: text },
    extra_info: { index, row: info },
  };
}

/** Returns the answer of the solver. Empty if the row has no solution. */
function solutionOf(row: Row): string {
  try {
    return synlogic.solve(row);
  } catch {
    return "";
  }
}

/** Converts a value to JSON text. @throws {InputError} a value that is not plain JSON data */
function json(key: string, value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (cause) {
    throw new InputError(`trainingRow: row.${key}: expected plain JSON data, got another value`, { cause });
  }
}

/**
 * Parses JSON lines of rows in either format. Skips empty lines and keeps unknown keys.
 *
 * @param where the file, for messages
 * @param task the task of rows without a `task` key. The published data set has such rows, in one file per task
 * @throws {InputError} a line that is not a row, an unknown task, or no rows
 */
export function parseTaskRows(text: string, where: string, task?: string): Row[] {
  for (const [name, value] of Object.entries({ text, where })) {
    expectArgument(`parseTaskRows: ${name}`, typeof value === "string", "a string", value);
  }
  const rows: Row[] = [];
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    if (line.trim() !== "") rows.push(parseRow(line, `${where}: line ${i + 1}`, task));
  }
  if (rows.length === 0) throw new InputError(`${where}: expected rows { task, question, answer, metadata }, got none`);
  return rows;
}

function parseRow(line: string, at: string, task: string | undefined): Row {
  let row = parseLine(line, at);
  // A row for trainers carries the whole row in `info`, as an object or as JSON text.
  const { info } = row;
  if (info !== undefined) {
    const inner = typeof info === "string" ? parseLine(info, `${at}: info`) : info;
    if (!isObject(inner)) throw new InputError(`${at}: info: expected a row as an object or as JSON text, got ${printedJson(info)}`);
    row = inner;
  }
  const { task: own, question, metadata = null, answer = "" } = row;
  const name = own ?? task;
  if (typeof name !== "string" || !rowTasks.includes(name)) {
    throw new InputError(`${at}: task: expected one of ${rowTasks.join(", ")}, got ${name === undefined ? "none" : printedJson(name)}`);
  }
  if (typeof question !== "string" || question === "") {
    throw new InputError(`${at}: question: expected text, got ${question === undefined ? "none" : printedJson(question)}`);
  }
  // The published data set stores metadata as JSON text in some of its files.
  const parsed = typeof metadata === "string" ? parseLine(metadata, `${at}: metadata`) : metadata;
  if (parsed !== null && !isObject(parsed)) throw new InputError(`${at}: metadata: expected an object, got ${printedJson(metadata)}`);
  return { ...row, task: name, question, answer: answer as synlogic.Json, metadata: parsed as Row["metadata"] };
}

function parseLine(line: string, at: string): Record<string, unknown> {
  try {
    const value = parseJson(line, "JSON");
    if (isObject(value)) return value;
  } catch (cause) {
    throw new InputError(`${at}: expected JSON (${(cause as Error).message})`, { cause });
  }
  throw new InputError(`${at}: expected a JSON object, got ${line.slice(0, 40)}`);
}

/** Writes values as JSON lines. */
export function formatLines(values: Iterable<unknown>): string {
  let text = "";
  for (const value of values) text += `${JSON.stringify(value)}\n`;
  return text;
}
