import * as v from "valibot";
import { InputError } from "./errors.js";
import { kindOf, printedJson } from "./printed.js";

/** Creates the schema of a number. @param fits the condition on the number @param expected this condition in words, for messages */
export function number(expected: string, fits: (x: number) => boolean) {
  return v.custom<number>((x) => typeof x === "number" && fits(x), expected);
}

export const count = number("an integer of at least 1", (x) => Number.isSafeInteger(x) && x >= 1);
/** The longest delay of `setTimeout`, 24.8 days. A longer delay would fire after 1 ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;
const delay = (expected: string, least: number) =>
  v.pipe(
    number(expected, (x) => x >= least),
    v.transform((ms) => Math.min(ms, MAX_DELAY_MS)),
  );
/** A time limit for `setTimeout`, clamped to the longest possible delay. */
export const milliseconds = delay("milliseconds, at least 1 (Infinity for no limit)", 1);
/** Like `milliseconds`, but 0 is allowed. */
export const millisecondsFromZero = delay("milliseconds, at least 0 (Infinity for no limit)", 0);
export const index = number("an integer of at least 0", (x) => Number.isSafeInteger(x) && x >= 0);
/** Exclusive upper bound of seeds, which are 32-bit unsigned integers. */
export const SEED_LIMIT = 2 ** 32;
export const isSeed = (x: unknown): boolean => Number.isInteger(x) && (x as number) >= 0 && (x as number) < SEED_LIMIT;
export const seedNumber = number("an integer within [0, 2^32)", isSeed);
export const flag = v.custom<boolean>((x) => typeof x === "boolean", "true or false");
export const text = v.custom<string>((x) => typeof x === "string" && x !== "", "a string of one or more characters");

/** Schema of an option with a few possible strings. */
export function oneOf<const Word extends string>(...words: readonly Word[]) {
  return v.custom<Word>((x) => (words as readonly unknown[]).includes(x), words.map((one) => JSON.stringify(one)).join(" or "));
}

/** Schema of a callback. Its type is not checked. */
export function callback<F>() {
  return v.custom<F>((x) => typeof x === "function", "a function");
}

export const signal = v.custom<AbortSignal>(
  (x) => typeof x === "object" && x !== null && "aborted" in x && "throwIfAborted" in x,
  "an AbortSignal",
);

/** Checks an argument. @throws {InputError} if `fits` is false: `where: expected …, got …` */
export function expectArgument(where: string, fits: boolean, expected: string, value: unknown): void {
  if (!fits) throw new InputError(`${where}: expected ${expected}, got ${typeof value === "string" ? printedJson(value) : kindOf(value)}`);
}

/** Whether a value is an object or a function, and not null. */
export function isObjectLike(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * Validates options and fills in their defaults.
 *
 * @param where name of the called function, for messages
 * @param noun what the entries are called in messages
 * @throws {InputError} an unknown option or an invalid value
 */
export function parseOptions<const Schema extends v.GenericSchema>(
  schema: Schema,
  options: unknown,
  where: string,
  noun: "option" | "field" = "option",
): v.InferOutput<Schema> {
  // The schema would accept an array as an object without options.
  if (Array.isArray(options)) throw new InputError(`${where}: options: expected an object, got Array`);
  const result = v.safeParse(schema, options);
  if (result.success) return result.output;
  // Unknown names are reported before missing options, because a misspelling causes both errors.
  const unknown = result.issues.find(({ type, expected }) => type === "strict_object" && expected === "never");
  const issue = unknown ?? result.issues[0];
  const name = v.getDotPath(issue);
  if (unknown) {
    const known = namesAt(schema, unknown.path?.slice(0, -1).map(({ key }) => String(key)) ?? []);
    throw new InputError(`${where}: ${name}: unknown ${noun}${known.length > 0 ? ` (${noun}s: ${known.join(", ")})` : ""}`);
  }
  // The schema's own message is not made for users.
  if (name && issue.type === "strict_object" && issue.message.startsWith("Invalid")) {
    const [expected, got] = issue.expected === "Object" ? ["an object", issue.received] : ["a value", "none"];
    throw new InputError(`${where}: ${name}: expected ${expected}, got ${got}`);
  }
  if (!name) throw new InputError(`${where}: options: expected an object, got ${issue.received}`);
  throw new InputError(`${where}: ${name}: expected ${issue.message}, got ${issue.received}`);
}

/**
 * Returns the option names of a nested object in a schema. Returns an empty list if the schema at this place does not describe an object.
 */
function namesAt(schema: unknown, path: readonly string[]): string[] {
  let at = schema as { entries?: Record<string, unknown>; wrapped?: unknown; pipe?: readonly unknown[] } | undefined;
  for (const key of [...path, undefined]) {
    while (at && !at.entries && (at.wrapped ?? at.pipe?.[0])) at = (at.wrapped ?? at.pipe![0]) as typeof at;
    if (key !== undefined) at = at?.entries?.[key] as typeof at;
  }
  return Object.keys(at?.entries ?? {});
}
