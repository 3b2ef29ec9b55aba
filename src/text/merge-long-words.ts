// Byte-pair merging of one long word in time slices. The engine gives the same result, but without pauses and with ten times the memory.
//
// Symbols are stored in flat arrays, at the position of their first character. Each step merges the neighbouring pair with the lowest rank.
// Among pairs of equal rank, it merges the leftmost. The algorithm ends when no pair has a rank.

import type { BytePairModel } from "./encode-in-slices.js";

/** Number of merge steps between two points at which the caller may pause. */
const STEPS_PER_SLICE = 1024;

/** Upper bound of the number of characters in a word. `rank · MAX_POSITIONS + position` orders pairs exactly, for up to 2^22 ranks. */
const MAX_POSITIONS = 2 ** 31;

type MergeRules = Pick<BytePairModel, "bpe_ranks" | "end_of_word_suffix" | "continuing_subword_suffix">;

/** Yields the symbols of a word after all merges, in groups. An empty group is a point at which the caller may pause. */
export function* mergeInSlices(model: MergeRules, word: string): Generator<readonly string[], void, undefined> {
  const { bpe_ranks: ranks, end_of_word_suffix: suffix, continuing_subword_suffix: inner } = model;
  const symbols: (string | undefined)[] = [];
  for (const char of word) if (symbols.push(char) % STEPS_PER_SLICE === 0) yield [];
  const count = symbols.length;
  if (suffix) symbols[count - 1] += suffix;
  // Positions of the neighbours. Beyond the ends of the word, they are out of range.
  const [next, previous] = [new Int32Array(count), new Int32Array(count)];
  for (let position = 0; position < count; position++) [next[position], previous[position]] = [position + 1, position - 1];
  const queue = new MinHeap();
  const rankAt = (position: number): number | undefined => {
    const right = next[position]!;
    return right < count ? ranks.get(JSON.stringify([symbols[position], symbols[right]])) : undefined;
  };
  const add = (position: number): void => {
    const rank = rankAt(position);
    if (rank !== undefined) queue.push(rank * MAX_POSITIONS + position);
  };
  for (let position = 0; position < count - 1; position++) {
    add(position);
    if (position % STEPS_PER_SLICE === STEPS_PER_SLICE - 1) yield [];
  }
  for (let steps = 1, key = queue.pop(); key !== undefined; steps++, key = queue.pop()) {
    if (steps % STEPS_PER_SLICE === 0) yield [];
    const position = key % MAX_POSITIONS;
    // The entry is outdated, because one of its two symbols has been merged with another symbol.
    if (symbols[position] === undefined || rankAt(position) !== Math.floor(key / MAX_POSITIONS)) continue;
    const right = next[position]!;
    const after = next[right]!;
    symbols[position] += symbols[right]!;
    symbols[right] = undefined;
    next[position] = after;
    if (after < count) previous[after] = position;
    if (previous[position]! >= 0) add(previous[position]!);
    add(position);
  }
  let merged: string[] = [];
  for (let position = 0; position < count; position = next[position]!) {
    merged.push(inner && next[position]! < count ? symbols[position]! + inner : symbols[position]!);
    if (merged.length < STEPS_PER_SLICE) continue;
    yield merged;
    merged = [];
  }
  yield merged;
}

/** A binary heap that returns the smallest number first. */
class MinHeap {
  private readonly heap: number[] = [];

  push(key: number): void {
    const { heap } = this;
    let at = heap.length;
    for (; at > 0; at = (at - 1) >> 1) {
      const parent = heap[(at - 1) >> 1]!;
      if (parent <= key) break;
      heap[at] = parent;
    }
    heap[at] = key;
  }

  pop(): number | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    const { length } = heap;
    if (length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
