// Splits data into a training part and a held-out part. The split depends only on the data and the fraction, not on a seed.

import { InputError } from "../base/errors.js";
import { fnv1a } from "../base/hash.js";
import type { Row } from "./jsonl-rows.js";

/** The two parts of a split. */
export interface Split<T> {
  readonly training: readonly T[];
  readonly heldOut: readonly T[];
}

/** Maximum number of held-out blocks per text. */
const MAX_HELD_OUT_BLOCKS = 64;

/**
 * Holds out blocks that are spread evenly over a text. A block is cut at the nearest line end, if one is close. The two parts do not
 * overlap.
 *
 * @param fraction share of the text to hold out, within (0, 1)
 * @param least minimum number of characters per block, if the held-out part is that long
 */
export function splitText(text: string, fraction: number, least: number): Split<string> {
  const blocks = Math.min(MAX_HELD_OUT_BLOCKS, Math.max(1, Math.floor((fraction * text.length) / least)));
  const period = text.length / blocks;
  const size = fraction * period;
  const [training, heldOut]: [string[], string[]] = [[], []];
  let at = 0;
  for (let b = 0; b < blocks; b++) {
    const from = (b + 0.5) * period - size / 2;
    const [begin, end] = [lineStartNear(text, from, size / 4), lineStartNear(text, from + size, size / 4)];
    training.push(text.slice(at, begin));
    heldOut.push(text.slice(begin, end));
    at = end;
  }
  training.push(text.slice(at));
  const some = (pieces: string[]) => pieces.filter((piece) => piece !== "");
  return { training: some(training), heldOut: some(heldOut) };
}

/** Returns the first line start within `reach` characters after `at`. If there is none, returns `at`, moved out of a surrogate pair. */
function lineStartNear(text: string, at: number, reach: number): number {
  const from = Math.floor(at);
  const newline = text.indexOf("\n", from - 1);
  if (newline >= 0 && newline + 1 - from <= reach) return newline + 1;
  return /[\udc00-\udfff]/.test(text[from] ?? "") ? from + 1 : from;
}

/**
 * Selects held-out rows by a hash of their prompt. Rows with the same prompt, or the same text, are always in the same part.
 *
 * @param fraction share of the rows to hold out, within (0, 1). At least one row is held out
 * @throws {InputError} rows that all have the same prompt or text, so that one part would be empty
 */
export function splitRows(rows: readonly Row[], fraction: number, where: string): Split<Row> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = promptKey(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  if (groups.size < 2) {
    throw new InputError(
      `${where}: heldOut: expected at least two different prompts or texts, one to train on and one to hold out, got ${groups.size}`,
    );
  }
  const ordered = [...groups].map(([key, group]) => ({ group, hashText: hash(key), key }));
  ordered.sort((a, b) => a.hashText - b.hashText || (a.key < b.key ? -1 : 1));
  const due = Math.max(1, Math.round(fraction * rows.length));
  const chosen = new Set<Row>();
  for (const { group } of ordered) {
    if (chosen.size + group.length <= due) for (const row of group) chosen.add(row);
  }
  if (chosen.size === 0) {
    const smallest = ordered.reduce((a, b) => (b.group.length < a.group.length ? b : a));
    for (const row of smallest.group) chosen.add(row);
  }
  return { training: rows.filter((row) => !chosen.has(row)), heldOut: rows.filter((row) => chosen.has(row)) };
}

/**
 * Returns the text of a row, or everything before its first target answer. Rows with equal keys stay together, because one of them reveals
 * the others.
 */
function promptKey({ content }: Row): string {
  if ("text" in content) return content.text;
  const first = content.messages.findIndex((message) => message?.role === "assistant" && message.weight !== 0);
  return JSON.stringify(content.messages.slice(0, first < 0 ? undefined : first));
}

/** Computes FNV-1a with a final mix, so that similar texts have unrelated hashes. */
function hash(text: string): number {
  let h = fnv1a(Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)));
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
