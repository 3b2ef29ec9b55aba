// Reads a number from an answer and compares it with a value.

import { absolute, compare, decimalFraction, divide, equals, type Fraction, fraction, isInteger, negate, subtract } from "./fraction.js";

/** A number in an answer, as it was written. */
export interface NumberAnswer {
  readonly value: Fraction;
  /** Number of digits after the decimal point. */
  readonly decimals: number;
}

const MAX_DIGITS = 40;
/** Minimum number of decimals with which a rounded answer counts as right. */
const ENOUGH_DECIMALS = 4;

/**
 * Parses an integer, a decimal number or a fraction (`7/3`, `\frac{7}{3}`). Returns undefined for any other text. Evaluates no expressions.
 */
export function parseNumberAnswer(text: string): NumberAnswer | undefined {
  if (text.length > 4 * MAX_DIGITS) return undefined;
  const plain = text
    .trim()
    .replace(/[−–]/g, "-")
    .replace(/(?<=[0-9])(?:,|\\,|\{,\})(?=[0-9]{3}(?![0-9]))/g, "");
  const [, sign = "", rest = ""] = /^([-+]?)\s*([\s\S]*)$/.exec(plain) ?? [];
  const signed = (value: Fraction) => (sign === "-" ? negate(value) : value);
  const decimal = /^[0-9]+(?:\.([0-9]+))?$/.exec(rest);
  if (decimal) return rest.length > MAX_DIGITS ? undefined : { value: signed(decimalFraction(rest)), decimals: decimal[1]?.length ?? 0 };
  const [, top, bottom] =
    /^\\[dt]?frac\s*\{\s*(-?[0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}$/.exec(rest) ?? /^([0-9]+)\s*\/\s*([0-9]+)$/.exec(rest) ?? [];
  if (top === undefined || bottom === undefined || top.length > MAX_DIGITS || bottom.length > MAX_DIGITS) return undefined;
  const value = divide(fraction(BigInt(top)), fraction(BigInt(bottom)));
  return value && { value: signed(value), decimals: 0 };
}

/**
 * Returns whether an answer equals an exact value. An answer that is rounded correctly to at least four decimals counts as equal.
 *
 * Returns undefined if the answer is the value rounded to fewer than four decimals, because the question may or may not accept that.
 */
export function isNumber(answer: NumberAnswer, value: Fraction): boolean | undefined {
  if (equals(answer.value, value)) return true;
  if (isInteger(value) || answer.decimals === 0) return false;
  const error = absolute(subtract(answer.value, value));
  const last = 10n ** BigInt(answer.decimals);
  const rounded = compare(error, fraction(1n, 2n * last)) <= 0;
  const cutOff = compare(error, fraction(1n, last)) < 0 && compare(absolute(answer.value), absolute(value)) < 0;
  if (!rounded && !cutOff) return false;
  return answer.decimals >= ENOUGH_DECIMALS ? true : undefined;
}
