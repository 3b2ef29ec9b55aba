// The similarity of two texts as in Python's module difflib, whose behaviour is described at
// https://docs.python.org/3/library/difflib.html. Scores of published benchmarks are defined by it.

import { expectArgument } from "../../base/options.js";

/** Texts of at least this many elements have popular elements ("autojunk"). */
const LEAST_LENGTH_WITH_POPULAR = 200;

/**
 * Returns the similarity of two texts, within [0, 1]: 2·M / (length of a + length of b), where M is the number of code points in the
 * matching blocks. This is exactly Python's `difflib.SequenceMatcher(None, a, b).ratio()`, including its heuristic "autojunk": in a text b
 * of at least 200 code points, those that make up more than about 1 % of it start no block. The order of the arguments matters.
 *
 * Two empty texts have similarity 1. Memory is linear in the lengths.
 *
 * @throws {InputError} arguments that are not strings
 */
export function sequenceRatio(a: string, b: string): number {
  expectArgument("sequenceRatio: a", typeof a === "string", "a string", a);
  expectArgument("sequenceRatio: b", typeof b === "string", "a string", b);
  const idOf = new Map<number, number>();
  const idsB = Int32Array.from(codePoints(b), (code) => {
    const id = idOf.get(code) ?? idOf.size;
    idOf.set(code, id);
    return id;
  });
  const idsA = Int32Array.from(codePoints(a), (code) => idOf.get(code) ?? -1);
  const total = idsA.length + idsB.length;
  return total === 0 ? 1 : (2 * matchingElements(idsA, idsB, idOf.size)) / total;
}

function* codePoints(text: string): Generator<number, void, undefined> {
  for (const character of text) yield character.codePointAt(0)!;
}

/** A part of both sequences: [aBegin, aEnd) of a and [bBegin, bEnd) of b. No core in it is longer than `bound`. */
type Area = readonly [aBegin: number, aEnd: number, bBegin: number, bEnd: number, bound: number];

/** Where a block begins in both sequences, its length, and the length of its core, the part without popular elements. */
type Block = readonly [i: number, j: number, size: number, core: number];

/** Returns the number of elements in all matching blocks: the longest one, then those on its left and right sides, and so on. */
function matchingElements(a: Int32Array, b: Int32Array, ids: number): number {
  const positions = new Positions(b, ids);
  let sum = 0;
  const areas: Area[] = [[0, a.length, 0, b.length, Math.min(a.length, b.length)]];
  for (let area = areas.pop(); area; area = areas.pop()) {
    const [aBegin, aEnd, bBegin, bEnd] = area;
    const [i, j, size, core] = longestBlock(a, b, positions, area);
    if (size === 0) continue;
    sum += size;
    if (aBegin < i && bBegin < j) areas.push([aBegin, i, bBegin, j, core]);
    if (i + size < aEnd && j + size < bEnd) areas.push([i + size, aEnd, j + size, bEnd, core]);
  }
  return sum;
}

/** The positions of each element in a sequence. Popular elements have none. */
class Positions {
  private readonly all: Int32Array;
  /** Where the positions of an element begin in `all`. */
  private readonly begins: Int32Array;

  constructor(sequence: Int32Array, ids: number) {
    const counts = new Int32Array(ids);
    for (const id of sequence) counts[id]!++;
    const most = sequence.length >= LEAST_LENGTH_WITH_POPULAR ? Math.floor(sequence.length / 100) + 1 : sequence.length;
    this.begins = new Int32Array(ids + 1);
    for (let id = 0; id < ids; id++) this.begins[id + 1] = this.begins[id]! + (counts[id]! > most ? 0 : counts[id]!);
    this.all = new Int32Array(this.begins[ids]!);
    const next = this.begins.slice();
    for (let at = 0; at < sequence.length; at++) {
      const id = sequence[at]!;
      if (this.has(id)) this.all[next[id]!++] = at;
    }
  }

  /** Whether an element has positions. */
  has(id: number): boolean {
    return id >= 0 && this.begins[id]! < this.begins[id + 1]!;
  }

  /** Returns the index of the first position of an element that is at least `from`. */
  first(id: number, from: number): number {
    let [low, high] = [this.begins[id]!, this.begins[id + 1]!];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.all[middle]! < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns the position at an index, or `limit` behind the last position of the element. */
  at(id: number, index: number, limit: number): number {
    return index < this.begins[id + 1]! ? this.all[index]! : limit;
  }
}

/**
 * Finds the longest core, which is a block without popular elements; of several the first in a, then the first in b. Then extends it by
 * equal elements of any kind on both sides. Without a core, the equal elements at the beginning of the area are the block.
 *
 * A core of at least `size` elements that begins after position i contains position i + size. So the search looks only at every size-th
 * position, in both directions. It stops at a core as long as the bound, because all that begin earlier have been found by then.
 */
function longestBlock(a: Int32Array, b: Int32Array, positions: Positions, [aBegin, aEnd, bBegin, bEnd, bound]: Area): Block {
  let [bestI, bestJ, size] = [aBegin, bBegin, 0];
  for (let i = aBegin; i < aEnd && size < bound; i += Math.max(size, 1)) {
    const id = a[i]!;
    if (!positions.has(id)) continue;
    let index = positions.first(id, bBegin);
    for (let j = positions.at(id, index, bEnd); j < bEnd; j = positions.at(id, ++index, bEnd)) {
      let left = 0;
      while (i - left > aBegin && j - left > bBegin && a[i - left - 1] === b[j - left - 1] && positions.has(a[i - left - 1]!)) left++;
      let right = 1;
      while (i + right < aEnd && j + right < bEnd && a[i + right] === b[j + right] && positions.has(a[i + right]!)) right++;
      const [beginI, beginJ, length] = [i - left, j - left, left + right];
      if (length > size || (length === size && (beginI < bestI || (beginI === bestI && beginJ < bestJ)))) {
        [bestI, bestJ, size] = [beginI, beginJ, length];
      }
    }
  }
  const core = size;
  while (bestI > aBegin && bestJ > bBegin && a[bestI - 1] === b[bestJ - 1]) {
    bestI--;
    bestJ--;
    size++;
  }
  while (bestI + size < aEnd && bestJ + size < bEnd && a[bestI + size] === b[bestJ + size]) size++;
  return [bestI, bestJ, size, core];
}
