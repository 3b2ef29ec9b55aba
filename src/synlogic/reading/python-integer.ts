// Converts text to integers like Python's int(), to emulate the published verifiers.

import { asciiDigits } from "./unicode-digits.js";

/** Maximum number of digits that Python converts by default. */
const MAX_DIGITS = 4300;

/**
 * Returns the value of Python's `int(text)`, or undefined if `int` raises an error. `int` accepts surrounding white space, a sign,
 * underscores between digits, leading zeros, and decimal digits of every script.
 */
export function pythonInteger(text: string): bigint | undefined {
  const match = /^\s*([+-]?)(\p{Nd}+(?:_\p{Nd}+)*)\s*$/u.exec(text);
  const digits = asciiDigits(match?.[2]?.replaceAll("_", "") ?? "");
  if (!match || digits.length > MAX_DIGITS) return undefined;
  const value = BigInt(digits);
  return match[1] === "-" ? -value : value;
}
