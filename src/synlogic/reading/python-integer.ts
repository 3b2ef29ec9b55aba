// Converts text to integers like Python's int(), to emulate the published verifiers.

/** Maximum number of digits that Python converts by default. */
const MAX_DIGITS = 4300;

/** The ASCII digits for those of other scripts. Only digits that have occurred. */
const ascii = new Map<string, string>();

/** Replaces decimal digits of other scripts, such as full-width ones, with ASCII digits. */
export function asciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    const known = ascii.get(digit);
    if (known !== undefined) return known;
    // Unicode has them in runs of ten, from zero to nine.
    let begin = digit.codePointAt(0)!;
    while (/^\p{Nd}$/u.test(String.fromCodePoint(begin - 1))) begin--;
    const found = String((digit.codePointAt(0)! - begin) % 10);
    ascii.set(digit, found);
    return found;
  });
}

/**
 * Returns the value of Python's `int(text)`, or undefined if `int` raises an error. `int` accepts surrounding white space, a sign,
 * underscores between digits, leading zeros, and decimal digits of every script.
 */
export function pythonInteger(text: string): bigint | undefined {
  const match = /^\s*([+-]?)([0-9]+(?:_[0-9]+)*)\s*$/.exec(asciiDigits(text));
  if (!match) return undefined;
  const digits = match[2]!.replaceAll("_", "");
  if (digits.length > MAX_DIGITS) return undefined;
  return match[1] === "-" ? -BigInt(digits) : BigInt(digits);
}
