// Reading the rows of published data sets: JSON Lines, or one JSON array.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument } from "../../base/options.js";
import { kindOf, printedJson } from "../../base/printed.js";

/** Longest excerpt of a wrong value in a message. */
const MAX_EXCERPT = 60;

/** A field with any text, also an empty one. */
export const anyText = v.string("a string");

/** A field with a text of at least one character. */
export const nonEmptyText = v.custom<string>((x) => typeof x === "string" && x !== "", "a string of one or more characters");

/**
 * Reads rows from JSON Lines or from one JSON array. Empty lines are skipped. Unknown fields are kept.
 *
 * @param where name of the file in messages
 * @param check checks what the schema cannot express. It receives the place for messages
 * @throws {InputError} `where: line N: field: expected …, got …`, or `row N` in an array
 */
export function parseRows<const Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  where: string,
  check: (row: v.InferOutput<Schema>, place: string) => void = () => {},
): v.InferOutput<Schema>[] {
  expectArgument("where", typeof where === "string", "the name of a file", where);
  expectArgument(where, typeof text === "string", "the text of a file", text);
  const values = /^[\s\uFEFF]*\[/.test(text) ? arrayItems(text, where) : lines(text, where);
  return values.map(({ value, place }) => {
    const row = checkRow(schema, value, place);
    check(row, place);
    return row;
  });
}

/**
 * Checks one row.
 *
 * @throws {InputError} `place: field: expected …, got …`
 */
export function checkRow<const Schema extends v.GenericSchema>(schema: Schema, value: unknown, place: string): v.InferOutput<Schema> {
  if (kindOf(value) !== "object") throw new InputError(`${place}: expected an object, got ${excerpt(value)}`);
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  // A missing field is reported by the object's schema, whose message is not made for users.
  const expected = issue.message.startsWith("Invalid") ? "a value" : issue.message;
  const got = issue.input === undefined ? "none" : excerpt(issue.input);
  throw new InputError(`${place}: ${v.getDotPath(issue) ?? "row"}: expected ${expected}, got ${got}`);
}

interface Placed {
  readonly value: unknown;
  readonly place: string;
}

function lines(text: string, where: string): Placed[] {
  return text.split("\n").flatMap((line, i) => {
    const place = `${where}: line ${i + 1}`;
    return line.trim() === "" ? [] : [{ value: readJson(line, place), place }];
  });
}

function arrayItems(text: string, where: string): Placed[] {
  // JSON.parse does not accept a byte order mark, which trim removes.
  return (readJson(text.trim(), where) as unknown[]).map((value, i) => ({ value, place: `${where}: row ${i + 1}` }));
}

function readJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text.trim());
  } catch (cause) {
    throw new InputError(`${place}: expected JSON, got ${excerpt(text)}`, { cause });
  }
}

/** The beginning of a value as JSON. */
function excerpt(value: unknown): string {
  const text = printedJson(typeof value === "string" ? value.slice(0, MAX_EXCERPT) : value);
  return text.length > MAX_EXCERPT + 2 ? `${text.slice(0, MAX_EXCERPT)}…` : text;
}
