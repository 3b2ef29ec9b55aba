// Exact rational numbers, for puzzles whose verdict must not depend on rounding.

/** A fraction in lowest terms with a positive denominator. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Maximum size of a power, in bits of its numerator or denominator. It keeps towers of powers from exhausting time or memory. */
const MAX_POWER_BITS = 4096;

/** Creates a fraction in lowest terms. The denominator must not be 0. */
export function fraction(numerator: number | bigint, denominator: number | bigint = 1n): Fraction {
  const [n, d] = [BigInt(numerator), BigInt(denominator)];
  if (d === 1n) return { numerator: n, denominator: d };
  const divisor = greatestCommonDivisor(n < 0n ? -n : n, d < 0n ? -d : d) * (d < 0n ? -1n : 1n);
  return { numerator: n / divisor, denominator: d / divisor };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [large, small] = [a, b];
  while (small !== 0n) [large, small] = [small, large % small];
  return large;
}

export const add = (a: Fraction, b: Fraction) =>
  fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);

export const negate = (a: Fraction): Fraction => ({ numerator: -a.numerator, denominator: a.denominator });

export const subtract = (a: Fraction, b: Fraction) => add(a, negate(b));

export const multiply = (a: Fraction, b: Fraction) => fraction(a.numerator * b.numerator, a.denominator * b.denominator);

/** Divides a by b. Returns undefined if b is 0. */
export const divide = (a: Fraction, b: Fraction) =>
  b.numerator === 0n ? undefined : fraction(a.numerator * b.denominator, a.denominator * b.numerator);

/** Rounds a fraction down to an integer. */
export function floor({ numerator, denominator }: Fraction): bigint {
  const quotient = numerator / denominator;
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient;
}

/** Computes the remainder a − b·⌊a/b⌋, which has the sign of b, as in Python. Returns undefined if b is 0. */
export function modulo(a: Fraction, b: Fraction): Fraction | undefined {
  const quotient = divide(a, b);
  return quotient && subtract(a, multiply(b, fraction(floor(quotient))));
}

/**
 * Raises a fraction to an integer power. Returns undefined for fractional exponents, negative powers of 0, and results of more than 4,096
 * bits.
 */
export function power(base: Fraction, exponent: Fraction): Fraction | undefined {
  const times = exponent.numerator;
  const count = times < 0n ? -times : times;
  if (exponent.denominator !== 1n || (base.numerator === 0n && times < 0n)) return undefined;
  const { numerator, denominator } = base;
  // The powers of 0, 1 and −1 are small for every exponent.
  if (denominator === 1n && numerator >= -1n && numerator <= 1n) {
    if (times === 0n || numerator === 1n) return fraction(1);
    return fraction(numerator === -1n && times % 2n === 0n ? 1n : numerator);
  }
  const bits = Math.max(numerator.toString(2).length, denominator.toString(2).length);
  if (count * BigInt(bits) > MAX_POWER_BITS) return undefined;
  return times < 0n ? fraction(denominator ** count, numerator ** count) : fraction(numerator ** count, denominator ** count);
}

/** Compares two fractions. The result is negative if a < b, 0 if a = b, and positive if a > b. */
export function compare(a: Fraction, b: Fraction): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : Number(difference > 0n);
}

export const equals = (a: Fraction, b: Fraction) => compare(a, b) === 0;

export const isInteger = (a: Fraction) => a.denominator === 1n;

export const absolute = (a: Fraction) => (a.numerator < 0n ? negate(a) : a);

export const toNumber = (a: Fraction) => Number(a.numerator) / Number(a.denominator);

/** Formats a fraction as `7` or `7/3`. */
export const printedFraction = (a: Fraction) => (isInteger(a) ? String(a.numerator) : `${a.numerator}/${a.denominator}`);

/** Converts an unsigned decimal number such as `12` or `0.5`. The caller limits the length of the text. */
export function decimalFraction(text: string): Fraction {
  const [whole = "", decimals = ""] = text.split(".");
  return fraction(BigInt(whole + decimals), 10n ** BigInt(decimals.length));
}
