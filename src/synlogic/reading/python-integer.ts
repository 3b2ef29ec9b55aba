// What Python's int() makes of a text, for the verdicts of published verifiers.

import { asciiDigits } from "./unicode-digits.js";

/** Python refuses to convert more digits than that. */
const MAX_DIGITS = 4300;

/**
 * Returns the integer that Python's `int(text)` returns, or undefined where it raises an error. It accepts white space around the number, a
 * sign, underscores between digits, leading zeros, and decimal digits of every script.
 */
export function pythonInteger(text: string): bigint | undefined {
  const match = /^\s*([+-]?)(\p{Nd}+(?:_\p{Nd}+)*)\s*$/u.exec(text);
  const digits = asciiDigits(match?.[2]?.replaceAll("_", "") ?? "");
  if (!match || digits.length > MAX_DIGITS) return undefined;
  const value = BigInt(digits);
  return match[1] === "-" ? -value : value;
}
