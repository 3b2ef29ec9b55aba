// Reads numbers as people write them: counts such as 200k, and sizes such as 512GB.

/** Powers of ten. Lengths of contexts are given in thousands: `1k` is 1,000 tokens. */
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = { k: 3, m: 6, b: 9 };
const BINARY_FACTORS: Readonly<Record<string, number>> = { ki: 2 ** 10, mi: 2 ** 20 };

/**
 * Parses a number: `0.5`, `1e6`, `1_000_000`, or with a suffix of any case: `k` (1,000), `M` (1,000,000), `B` (10⁹), `Ki` (1,024) or `Mi`
 * (1,048,576). Decimals are exact: `1.1M` is 1,100,000.
 *
 * @returns NaN for any other text, and for numbers beyond the range of float64
 */
export function parseNumber(text: string): number {
  const plain = text.trim().replace(/(?<=\d)_(?=\d)/g, "");
  const [, digits, suffix = ""] = /^(-?(?:\d+\.?\d*|\.\d+)) ?([kmb]|[km]i)$/i.exec(plain) ?? [];
  const unit = suffix.toLowerCase();
  const value =
    digits === undefined
      ? /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(plain)
        ? Number(plain)
        : Number.NaN
      : unit in BINARY_FACTORS
        ? Number(digits) * BINARY_FACTORS[unit]!
        : Number(`${digits}e${DECIMAL_EXPONENTS[unit]}`);
  return Number.isFinite(value) ? value : Number.NaN;
}

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  "": 1,
  ...{ kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** Parses a number of bytes such as `1.5GB`, `512MiB` or `1000000`. @returns NaN for any other text, and below one byte */
export function parseSize(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgt]i?b|)$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(number) * BYTES_PER_UNIT[unit.toLowerCase()]!);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : Number.NaN;
}
