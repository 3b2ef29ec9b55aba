// What Python's int() makes of a text, for the verdicts of published verifiers.

/** Python refuses to convert more digits than that. */
const MAX_DIGITS = 4300;

/**
 * Returns the integer that Python's `int(text)` returns, or undefined where it raises an error. It accepts white space around the number, a
 * sign, underscores between digits, leading zeros, and decimal digits of every script.
 */
export function pythonInteger(text: string): bigint | undefined {
  const match = /^\s*([+-]?)(\p{Nd}+(?:_\p{Nd}+)*)\s*$/u.exec(text);
  const digits = [...(match?.[2]?.replaceAll("_", "") ?? "")].map(digitValue);
  if (!match || digits.length > MAX_DIGITS) return undefined;
  const value = BigInt(digits.join(""));
  return match[1] === "-" ? -value : value;
}

/** The value of a decimal digit. Unicode has them in runs of ten, from zero to nine. */
function digitValue(digit: string): number {
  let begin = digit.codePointAt(0)!;
  const code = begin;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(begin - 1))) begin--;
  return (code - begin) % 10;
}
