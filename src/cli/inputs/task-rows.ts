// Reads the rows, responses and results that `tasks` works on.

import { InputError } from "../../index.js";
import { parseTaskRows, type Row, type RowResult } from "../../rl/index.js";
import type { Terminal } from "../text/terminal.js";
import { readTexts } from "./data-files.js";
import { readStdin } from "./read-stdin.js";

/** Reads a text file, or stdin if the path is `-`. @throws {InputError} an unreadable file, or one that is not UTF-8 */
export async function readInput(path: string, expected: string, terminal: Terminal): Promise<string> {
  if (path === "-") return readStdin(terminal);
  const [text] = await readTexts([{ path, where: path }], expected, terminal);
  return text!;
}

/** Returns the name of a file in messages. */
export const nameOf = (path: string): string => (path === "-" ? "stdin" : path);

/** Reads the rows of a JSONL file. @throws {InputError} a file without rows, or with other lines */
export async function readTaskRows(path: string, terminal: Terminal, task?: string): Promise<Row[]> {
  return parseTaskRows(await readInput(path, "a JSONL file of rows", terminal), nameOf(path), task);
}

/**
 * Parses the responses to rows, one line for each row in the same order: JSON text, an object with a `response`, `completion` or `text`, or
 * one with `responses`, an array.
 *
 * @returns a list of responses for each row
 * @throws {InputError} an invalid line, or another number of lines
 */
export function parseResponses(text: string, where: string, rows: number): string[][] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length !== rows) {
    throw new InputError(`${where}: expected one line for each of the ${rows} rows, got ${lines.length}`);
  }
  return lines.map((line, i) => responsesOf(parseJsonLine(line, `${where}: line ${i + 1}`), `${where}: line ${i + 1}`));
}

function responsesOf(value: unknown, at: string): string[] {
  if (typeof value === "string") return [value];
  const { response, completion, text, responses } = (typeof value === "object" ? (value ?? {}) : {}) as Record<string, unknown>;
  const given = responses ?? [response ?? completion ?? text];
  if (Array.isArray(given) && given.length > 0 && given.every((one) => typeof one === "string")) return given;
  throw new InputError(`${at}: expected text, or an object with response, completion, text or responses, got another value`);
}

function parseJsonLine(line: string, at: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new InputError(`${at}: expected JSON, got other text`, { cause });
  }
}

/**
 * Parses a file of results. If the last line has no end, because the process was killed while writing it, it is left out.
 *
 * @throws {InputError} a line that is not a result, or a last line that is not the beginning of one
 */
export function parseResults<Result extends RowResult>(
  text: string,
  where: string,
): { readonly results: Result[]; readonly bytes: number } {
  const end = text.lastIndexOf("\n") + 1;
  const whole = text.slice(0, end);
  expectBeginning(text.slice(end), where);
  if (whole.trim() === "") return { results: [], bytes: 0 };
  const results = parseTaskRows(whole, where) as unknown as Result[];
  for (const [i, { index, samples }] of results.entries()) {
    const valid = Number.isSafeInteger(index) && Array.isArray(samples) && samples.every((sample) => typeof sample?.response === "string");
    if (!valid) throw new InputError(`${where}: result ${i + 1}: expected { index, samples } beside the row, as tasks eval writes them`);
  }
  return { results, bytes: Buffer.byteLength(whole) };
}

/** Checks that a line without end is the beginning of a result, so that no other file is taken for a file of results. */
function expectBeginning(line: string, where: string): void {
  const begins = line.startsWith('{"') || line === "{" || line === "";
  if (!begins || (isJson(line) && parseTaskRows(line, where).some((row) => !("samples" in row)))) {
    throw new InputError(`${where}: expected results of tasks eval, got other text (write to another file)`);
  }
}

function isJson(text: string): boolean {
  try {
    return text !== "" && JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}
