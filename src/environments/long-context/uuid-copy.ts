import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, parseOptions } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { randomInteger } from "../../base/random-draws.js";
import { type ExactRow, exactEnvironment, scoreExactly } from "./exact.js";
import { depthEntry, depthsOf, fitLength, type LongContextOptions, lengthEntries } from "./fit-length.js";
import { insertAtDepths } from "./insert-at-depths.js";

/** Options of {@link generateUuidCopy}. Defaults are in parentheses. */
export interface UuidCopyOptions extends LongContextOptions {
  /** Number of keys that are asked for (1). */
  asked?: number;
  /** Position of their pairs, from 0 (beginning) to 1 (end): one for all, or one for each. Random by default. */
  depth?: number | readonly number[];
}

/** A longer question would be most of the task. */
const MAX_ASKED = 1000;

const schema = v.strictObject({ ...lengthEntries, asked: v.optional(count, 1), depth: depthEntry });

/**
 * Generates copying of UUIDs: the whole context is a list of pairs of a UUID and a UUID. The values of some keys are asked for. All UUIDs
 * are different. Equal options give an equal task.
 *
 * @throws {InputError} invalid options, or a length that is too short for the pairs that are asked for
 */
export function generateUuidCopy(options: UuidCopyOptions): ExactRow {
  const { length, countTokens, seed, asked, depth } = parseOptions(schema, options, "generateUuidCopy");
  if (asked > MAX_ASKED) throw new InputError(`generateUuidCopy: asked: expected at most ${MAX_ASKED}, got ${asked}`);
  const random = Random.seeded(seed);
  const taken = new Set<string>();
  const pairFrom = (source: Random): Pair => ({ key: drawUuid(source, taken), value: drawUuid(source, taken) });
  const wanted = Array.from({ length: asked }, () => pairFrom(random));
  const depths = depthsOf("generateUuidCopy", depth, asked, () => random.next());
  const filler = Random.stream(seed, 1);
  const { task, length: total } = fitLength({
    where: "generateUuidCopy",
    length,
    countTokens,
    draw: () => lineOf(pairFrom(filler)),
    textOf: (line) => `\n${line}`,
    assemble: (lines) => copyPrompt(insertAtDepths(lines, wanted.map(lineOf), depths).join("\n"), wanted),
    textsOf: (prompt) => [prompt],
  });
  return { id: `uuid-copy-${seed}`, prompt: task, answers: wanted.map(({ value }) => value), length: total };
}

interface Pair {
  readonly key: string;
  readonly value: string;
}

const lineOf = ({ key, value }: Pair): string => `${key} -> ${value}`;

/** Draws a random UUID (version 4, RFC 9562) that is not yet taken. */
function drawUuid(random: Random, taken: Set<string>): string {
  for (;;) {
    const digits = Array.from({ length: 32 }, () => randomInteger(random, 0, 15).toString(16));
    digits[12] = "4";
    digits[16] = randomInteger(random, 8, 11).toString(16);
    const uuid = [8, 12, 16, 20, 32].map((end, i) => digits.slice([0, 8, 12, 16, 20][i], end).join("")).join("-");
    if (taken.has(uuid)) continue;
    taken.add(uuid);
    return uuid;
  }
}

function copyPrompt(list: string, wanted: readonly Pair[]): string {
  const question =
    wanted.length === 1
      ? [`Copy the value of the key ${wanted[0]!.key}. Write the value and nothing else.`]
      : ["Copy the values of these keys, in this order, one per line. Write the values and nothing else.", ...wanted.map(({ key }) => key)];
  return `Each of the following lines has a key, an arrow and a value.\n\n${list}\n\n${question.join("\n")}`;
}

/**
 * Judges a copy of UUIDs: 1 if the answer consists of exactly the values that were asked for, in their order; otherwise 0. Reasoning up to
 * the last `</think>` is not part of the answer.
 *
 * @throws {InputError} a row without answers, or a response that is not a string
 */
export function scoreUuidCopy(row: Pick<ExactRow, "answers">, response: string): number {
  return scoreExactly("scoreUuidCopy", row, response);
}

/** Copying of UUIDs; rows are from {@link generateUuidCopy}. */
export const uuidCopy = exactEnvironment("uuid-copy", scoreUuidCopy);
