// Decimal digits of every script, which Python accepts in numbers. Only the emulations of published verifiers need them.

/** Replaces decimal digits of other scripts, such as full-width ones, with ASCII digits. */
export function asciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    // Unicode assigns the digits of a script in consecutive runs of ten, from zero to nine.
    let begin = digit.codePointAt(0)!;
    while (/^\p{Nd}$/u.test(String.fromCodePoint(begin - 1))) begin--;
    return String((digit.codePointAt(0)! - begin) % 10);
  });
}
