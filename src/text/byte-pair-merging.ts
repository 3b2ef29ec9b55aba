// Byte-pair merging of one long word, in steps: what the engine does at once, and with ten times the memory.
//
// Symbols lie in flat arrays, by the place of their first character. Of all pairs of neighbours that have a rank, the one of lowest
// rank, and of equal ones the leftmost, becomes one symbol; and again, until no pair has a rank.

import type { BytePairModel } from "./encode-in-slices.js";

/** Merges between two places to pause. */
const STEPS_PER_SLICE = 1024;

/** More than any word has characters: `rank · PLACES + place` orders pairs exactly, for up to 2^22 ranks. */
const MAX_POSITIONS = 2 ** 31;

type MergeRules = Pick<BytePairModel, "bpe_ranks" | "end_of_word_suffix" | "continuing_subword_suffix">;

/** The symbols of a word after all merges, some at a time; none at a place to pause. */
export function* mergeInSlices(model: MergeRules, word: string): Generator<readonly string[], void, undefined> {
  const { bpe_ranks: ranks, end_of_word_suffix: suffix, continuing_subword_suffix: inner } = model;
  const symbols: (string | undefined)[] = [];
  for (const char of word) if (symbols.push(char) % STEPS_PER_SLICE === 0) yield [];
  const count = symbols.length;
  if (suffix) symbols[count - 1] += suffix;
  // Neighbours; those of the last and the first symbol are outside.
  const [next, previous] = [new Int32Array(count), new Int32Array(count)];
  for (let place = 0; place < count; place++) [next[place], previous[place]] = [place + 1, place - 1];
  const queue = new MinHeap();
  const rankAt = (place: number): number | undefined => {
    const right = next[place]!;
    return right < count ? ranks.get(JSON.stringify([symbols[place], symbols[right]])) : undefined;
  };
  const add = (place: number): void => {
    const rank = rankAt(place);
    if (rank !== undefined) queue.push(rank * MAX_POSITIONS + place);
  };
  for (let place = 0; place < count - 1; place++) {
    add(place);
    if (place % STEPS_PER_SLICE === STEPS_PER_SLICE - 1) yield [];
  }
  for (let steps = 1, key = queue.pop(); key !== undefined; steps++, key = queue.pop()) {
    if (steps % STEPS_PER_SLICE === 0) yield [];
    const place = key % MAX_POSITIONS;
    // One of its two symbols has been merged with another since.
    if (symbols[place] === undefined || rankAt(place) !== Math.floor(key / MAX_POSITIONS)) continue;
    const right = next[place]!;
    const after = next[right]!;
    symbols[place] += symbols[right]!;
    symbols[right] = undefined;
    next[place] = after;
    if (after < count) previous[after] = place;
    if (previous[place]! >= 0) add(previous[place]!);
    add(place);
  }
  let merged: string[] = [];
  for (let place = 0; place < count; place = next[place]!) {
    merged.push(inner && next[place]! < count ? symbols[place]! + inner : symbols[place]!);
    if (merged.length < STEPS_PER_SLICE) continue;
    yield merged;
    merged = [];
  }
  yield merged;
}

/** A binary heap: the smallest number first. */
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
