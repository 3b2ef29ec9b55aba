// Formats labelled lines and tables of at most 78 columns, and the numbers in them.

import { formatBytes } from "../../index.js";
import type { Colours } from "./terminal.js";

/** Formats texts after labels of equal width. Long texts wrap. */
export function labelledLines(entries: readonly (readonly [label: string, text: string])[]): string[] {
  return entries.flatMap(([label, text]) => wrapWords(label.padEnd(18), text.split(" ")));
}

/** Wraps words after a label, with later lines indented by its width. */
export function wrapWords(label: string, words: readonly string[]): string[] {
  const lines: string[] = [label];
  for (const word of words) {
    const next = lines.at(-1)!.length > label.length ? ` ${word}` : word;
    const isFull = lines.at(-1)!.length + next.length > WIDTH && lines.at(-1)!.trim() !== "";
    if (isFull) lines.push(" ".repeat(label.length) + word);
    else lines[lines.length - 1] += next;
  }
  return lines;
}

/** Maximum width of a line in columns. */
const WIDTH = 78;

/**
 * Formats a table whose first row is the header. The first column is left-aligned, all others right-aligned. Columns that exceed the width
 * are printed as another table below, which repeats the first column.
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

/** Formats a number with thousands separators, or in exponential notation above 2⁵³ − 1, where not every digit is exact. */
export function count(value: number): string {
  if (value > Number.MAX_SAFE_INTEGER) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

/** Formats a number of bytes. From 1024 bytes on, a rounded size follows. */
export function bytes(value: number): string {
  return value < 1024 ? `${value} bytes` : `${count(value)} bytes (${formatBytes(value)})`;
}
