// Reads a whole number in a box.

import { lastBox } from "./final-text.js";
import { pythonInteger } from "./python-integer.js";

/** Reads a whole number in ASCII digits, at most 15 of them. Undefined for anything else. */
export function wholeNumber(text: string): number | undefined {
  return /^[+-]?[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Returns the last box that is not empty, with the whole number in it. Undefined if there is no such box. */
export function lastBoxedNumber(text: string): { readonly number: number | undefined; readonly found: string } | undefined {
  const found = lastBox(text);
  return found === undefined ? undefined : { number: wholeNumber(found), found };
}

/**
 * Whether a published verifier that reads the last box as a whole number accepts a response: it searches the whole message, ends the box
 * at the first `}`, and takes digits of any script and `_` between digits.
 */
export function publishedBoxedNumber(response: string, expected: string): boolean {
  const end = response.lastIndexOf("}");
  const begin = response.lastIndexOf("\\boxed{", end);
  const content = begin < 0 ? "" : response.slice(begin + "\\boxed{".length, response.indexOf("}", begin)).trim();
  const value = pythonInteger(content);
  return value !== undefined && value === pythonInteger(expected);
}
