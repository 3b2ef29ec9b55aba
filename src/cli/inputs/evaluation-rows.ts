// The rows of an evaluation: from a file, built in, or generated for each length and depth.

import { InputError } from "../../index.js";
import { type ListRange, UsageError } from "../options.js";
import type { Terminal } from "../text/terminal.js";
import type { KnownEnvironment } from "./environments.js";
import { nameOf, readInput } from "./task-rows.js";

/** A row and its place in the table of lengths and depths. */
export interface EvaluationRow {
  readonly data: object;
  readonly length?: number;
  readonly depth?: number;
}

/** Which rows to evaluate. */
export interface RowChoice {
  readonly name: string;
  /** A file of rows. */
  readonly file: string | undefined;
  readonly lengths: readonly number[] | undefined;
  readonly depths: readonly number[] | undefined;
  /** Number of rows of each length and depth, or of rows from the beginning. */
  readonly count: number | undefined;
  readonly seed: number;
  readonly countTokens: (text: string) => number;
  /** Tokens of the model's context. Longer tasks are not generated. */
  readonly contextLength: number | undefined;
}

/** Rows, and the lengths that do not fit into the model's context. */
export interface ChosenRows {
  readonly rows: readonly EvaluationRow[];
  readonly beyond: readonly number[];
}

type RowOptionsGiven = Pick<RowChoice, "name" | "file" | "lengths" | "depths">;

const DEFAULT_LENGTHS = [1000, 2000, 4000, 8000];
const DEFAULT_DEPTHS = [0, 0.25, 0.5, 0.75, 1];
/** Tokens of the chat format and of the answer's beginning, which the length of a task does not contain. */
const RESERVED_TOKENS = 64;
const SEEDS = 2 ** 32;

/** Checks the options that do not depend on the model. @throws {UsageError} options that the environment does not have, or no rows */
export function checkRowOptions(known: KnownEnvironment, { name, file, lengths, depths }: RowOptionsGiven): void {
  const given = lengths ? "--lengths" : depths ? "--depths" : undefined;
  if (given && (file !== undefined || !known.generate)) {
    throw new UsageError(`${given}: expected with generated rows, which ${file === undefined ? name : file} has not`);
  }
  if (depths && !known.hasDepth) throw new UsageError(`--depths: ${name} has no depth (leave it out)`);
  if (file === undefined && !known.generate && !known.rows) throw new UsageError(`--rows: ${name} needs a file of rows, got none`);
}

/** Reads or generates rows. @throws {UsageError} options that the environment does not have; {InputError} an invalid file */
export async function chooseRows(known: KnownEnvironment, choice: RowChoice, terminal: Terminal): Promise<ChosenRows> {
  checkRowOptions(known, choice);
  const { file, lengths, depths, count, seed, countTokens, contextLength = Number.POSITIVE_INFINITY } = choice;
  if (file !== undefined || !known.generate) {
    const all = file === undefined ? await known.rows!() : parse(await readInput(file, "a JSONL file of rows", terminal), file, known);
    return { rows: all.slice(0, count).map((data) => ({ data })), beyond: [] };
  }
  const rows: EvaluationRow[] = [];
  const beyond: number[] = [];
  for (const length of lengths ?? DEFAULT_LENGTHS) {
    if (length + RESERVED_TOKENS > contextLength) {
      beyond.push(length);
      continue;
    }
    for (const depth of known.hasDepth ? (depths ?? DEFAULT_DEPTHS) : [undefined]) {
      for (let i = 0; i < (count ?? 1); i++) {
        // Every place of the table has tasks of its own.
        const rowSeed = (seed + rows.length) % SEEDS;
        const data = known.generate({ length, depth, seed: rowSeed, countTokens });
        rows.push({ data, length, ...(depth !== undefined && { depth }) });
        await new Promise((resolve) => setImmediate(resolve));
        terminal.signal.throwIfAborted();
      }
    }
  }
  return { rows, beyond };
}

function parse(text: string, path: string, { parse }: KnownEnvironment): readonly object[] {
  const where = nameOf(path);
  const rows = parse ? parse(text, where) : parseObjects(text, where);
  if (rows.length === 0) throw new InputError(`${where}: expected rows, got an empty file`);
  return rows;
}

function parseObjects(text: string, where: string): object[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new InputError(`${where}: line ${i + 1}: expected JSON, got other text`, { cause });
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new InputError(`${where}: line ${i + 1}: expected an object, got another value`);
    }
    return [value];
  });
}

/** Lengths of contexts in tokens. */
export const LENGTHS: ListRange = { most: 100, largest: 10_000_000, example: "1k,4k,1M" };

/** Parses depths such as `0,0.5,1`. @throws {UsageError} anything else */
export function parseDepths(text: string | undefined): number[] | undefined {
  return text?.split(",").map((part) => {
    const depth = part.trim() === "" ? Number.NaN : Number(part);
    if (depth >= 0 && depth <= 1) return depth;
    throw new UsageError(`--depths: expected numbers from 0 (beginning) to 1 (end), such as 0,0.5,1, got ${JSON.stringify(text)}`);
  });
}
