// Labelled lines and tables of at most 78 columns, and how numbers look in them.

import { formatBytes } from "../../index.js";
import type { Colours } from "./terminal.js";

export function labelledLines(entries: readonly (readonly [label: string, text: string])[]): string[] {
  return entries.flatMap(([label, text]) => wrapWords(label.padEnd(18), text.split(" ")));
}

/** Words after a label, on as many lines as they need. */
export function wrapWords(label: string, words: readonly string[]): string[] {
  const lines: string[] = [label];
  for (const word of words) {
    if (lines.at(-1)!.length + word.length > WIDTH && lines.at(-1)!.trim() !== "") lines.push(" ".repeat(label.length));
    lines[lines.length - 1] += lines.at(-1)!.length > label.length ? ` ${word}` : word;
  }
  return lines;
}

/** Columns of text at most. */
const WIDTH = 78;

/**
 * Columns as wide as what is in them: the first to the left, the others to the right; the first row is a head. Columns for which there is no room
 * go below, beside the first once more.
 */
export function table(rows: readonly (readonly string[])[], dim: Colours["dim"], apart = 3): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)) + (i === 0 ? 0 : apart));
  let width = widths[0]!;
  let shown = 1;
  while (shown < widths.length && (shown === 1 || width + widths[shown]! <= WIDTH)) width += widths[shown++]!;
  const lines = rows.map((row) =>
    row
      .slice(0, shown)
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join(""),
  );
  const rest = rows.map((row) => [row[0]!, ...row.slice(shown)]);
  return [dim(lines[0]!), ...lines.slice(1), ...(shown < widths.length ? table(rest, dim, apart) : [])];
}

/** With commas between thousands; in powers of ten where not every digit is known. */
export function count(value: number): string {
  if (value > Number.MAX_SAFE_INTEGER) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

export function bytes(value: number): string {
  return value < 1024 ? `${value} bytes` : `${count(value)} bytes (${formatBytes(value)})`;
}
