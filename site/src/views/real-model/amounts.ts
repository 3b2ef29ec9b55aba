// Amounts as people write them: 200k, 1M, 128Ki, 1,000,000.

const SUFFIXES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  b: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
};

/** Reads a whole number with an optional suffix: k, M and G are decimal, Ki and Mi binary. Returns undefined for other text. */
export function parseAmount(text: string): number | undefined {
  const match = /^(\d{1,3}(?:[,_ ]\d{3})+|\d+)(\.\d+)?\s*([kmgb]i?)?$/i.exec(text.trim());
  if (!match) return undefined;
  const factor = SUFFIXES[(match[3] ?? "").toLowerCase()];
  if (factor === undefined) return undefined;
  const value = Number(match[1]!.replaceAll(/[,_ ]/g, "") + (match[2] ?? "")) * factor;
  const rounded = Math.round(value);
  return Math.abs(value - rounded) < 1e-6 && Number.isSafeInteger(rounded) ? rounded : undefined;
}
