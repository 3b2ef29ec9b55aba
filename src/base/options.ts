import * as v from "valibot";
import { InputError } from "./errors.js";
import { kindOf, printedJson } from "./printed.js";

/** A number that `fits`; `expected` says so in words. */
export function number(expected: string, fits: (x: number) => boolean) {
  return v.custom<number>((x) => typeof x === "number" && fits(x), expected);
}

export const count = number("an integer of at least 1", (x) => Number.isSafeInteger(x) && x >= 1);
/** More are taken for a mistake. */
/** The longest delay of a timer, 24.8 days: for a longer one `setTimeout` waits 1 ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;
const delay = (expected: string, least: number) =>
  v.pipe(
    number(expected, (x) => x >= least),
    v.transform((ms) => Math.min(ms, MAX_DELAY_MS)),
  );
/** A time limit for `setTimeout`; beyond what it can count, the longest that it can. */
export const milliseconds = delay("milliseconds, at least 1 (Infinity for no limit)", 1);
/** The same, for what may end at once. */
export const millisecondsFromZero = delay("milliseconds, at least 0 (Infinity for no limit)", 0);
export const index = number("an integer of at least 0", (x) => Number.isSafeInteger(x) && x >= 0);
/** Seeds are 32-bit unsigned integers. */
export const SEED_LIMIT = 2 ** 32;
export const isSeed = (x: unknown): boolean => Number.isInteger(x) && (x as number) >= 0 && (x as number) < SEED_LIMIT;
export const seedNumber = number("an integer within [0, 2^32)", isSeed);
export const flag = v.custom<boolean>((x) => typeof x === "boolean", "true or false");
export const text = v.custom<string>((x) => typeof x === "string" && x !== "", "a string of one or more characters");

/** One of a few words. */
export function oneOf<const Word extends string>(...words: readonly Word[]) {
  return v.custom<Word>((x) => (words as readonly unknown[]).includes(x), words.map((one) => JSON.stringify(one)).join(" or "));
}

/** A callback of this type. */
export function callback<F>() {
  return v.custom<F>((x) => typeof x === "function", "a function");
}

export const signal = v.custom<AbortSignal>(
  (x) => typeof x === "object" && x !== null && "aborted" in x && "throwIfAborted" in x,
  "an AbortSignal",
);

/** @throws {InputError} an argument that does not fit: `where: expected …, got …` */
export function expectArgument(where: string, fits: boolean, expected: string, value: unknown): void {
  if (!fits) throw new InputError(`${where}: expected ${expected}, got ${typeof value === "string" ? printedJson(value) : kindOf(value)}`);
}

/** Whether it has properties: neither a primitive value nor null. */
export function isObjectLike(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * The options with their defaults in place.
 *
 * @param where the call, for the message
 * @throws {InputError} an unknown option, or a value that does not fit
 */
export function parseOptions<const Schema extends v.GenericSchema>(schema: Schema, options: unknown, where: string): v.InferOutput<Schema> {
  // To the schema an array is an object without the options.
  if (Array.isArray(options)) throw new InputError(`${where}: options: expected an object, got Array`);
  const result = v.safeParse(schema, options);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const name = v.getDotPath(issue);
  if (issue.type === "strict_object" && issue.expected === "never") throw new InputError(`${where}: ${name}: unknown option`);
  // Without words of the schema's own.
  if (name && issue.type === "strict_object" && issue.message.startsWith("Invalid")) {
    const [expected, got] = issue.expected === "Object" ? ["an object", issue.received] : ["a value", "none"];
    throw new InputError(`${where}: ${name}: expected ${expected}, got ${got}`);
  }
  if (!name) throw new InputError(`${where}: options: expected an object, got ${issue.received}`);
  throw new InputError(`${where}: ${name}: expected ${issue.message}, got ${issue.received}`);
}
