// Reads a whole number in a `\boxed{…}`.

import { lastBox } from "./final-text.js";
import { publishedBox } from "./published.js";
import { pythonInteger } from "./python-integer.js";

/** Parses a whole number of at most 15 ASCII digits. Returns undefined for any other text. */
export function wholeNumber(text: string): number | undefined {
  return /^[+-]?[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Returns the content of the last non-empty box and, if it is a whole number, its value. Returns undefined if there is no such box. */
export function lastBoxedNumber(text: string): { readonly number: number | undefined; readonly found: string } | undefined {
  const found = lastBox(text);
  return found === undefined ? undefined : { number: wholeNumber(found), found };
}

/**
 * Emulates the published verifiers that read the last box as a whole number. They search the whole message, end the box at the first `}`,
 * and accept digits of any script and `_` between digits.
 */
export function publishedBoxedNumber(response: string, expected: string): boolean {
  const value = pythonInteger(publishedBox(response) ?? "");
  return value !== undefined && value === pythonInteger(expected);
}
