import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { printed } from "../base/printed.js";
import type { Random } from "../base/random.js";

// Checks of arguments that several functions of this directory use.

/** Whether a value is an array or a typed array. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** Checks that a value is an object with these methods. @throws {InputError} it is not */
export function expectMethods(where: string, value: unknown, expected: string, methods: readonly string[]): void {
  const missing = isObjectLike(value)
    ? methods.find((method) => typeof (value as Record<string, unknown>)[method] !== "function")
    : undefined;
  if (missing) throw new InputError(`${where}: expected ${expected}, got an object without the method ${missing}`);
  expectArgument(where, isObjectLike(value), expected, value);
}

/** Checks that a value is a random number generator. @throws {InputError} it is not */
export function expectRandom(where: string, random: Random): void {
  expectMethods(where, random, "a Random", ["next"]);
}

/** Checks that a value is a number for which `fits` returns true. @throws {InputError} it is not */
export function expectNumber(where: string, value: unknown, expected: string, fits: (x: number) => boolean): void {
  if (!(typeof value === "number" && fits(value))) throw new InputError(`${where}: expected ${expected}, got ${printed(value)}`);
}
