// Converts text to integers like Python's int(), for the verdicts of published verifiers.

import { asciiDigits } from "./unicode-digits.js";

/** Maximum number of digits that Python converts. */
const MAX_DIGITS = 4300;

/**
 * Returns the integer that Python's `int(text)` returns, or undefined if `int` raises an error. `int` accepts white space around the
 * number, a sign, underscores between digits, leading zeros, and decimal digits of every script.
 */
export function pythonInteger(text: string): bigint | undefined {
  const match = /^\s*([+-]?)(\p{Nd}+(?:_\p{Nd}+)*)\s*$/u.exec(text);
  const digits = asciiDigits(match?.[2]?.replaceAll("_", "") ?? "");
  if (!match || digits.length > MAX_DIGITS) return undefined;
  const value = BigInt(digits);
  return match[1] === "-" ? -value : value;
}
