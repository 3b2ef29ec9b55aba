// Trains byte-pair encoding (Sennrich et al., 2016): repeatedly merges the most frequent pair of neighbouring tokens into one token. The
// input consists of pieces of text with their counts, and the output of merges. tokenizer-training.ts splits texts and writes files.
//
// All distinct pieces are stored in flat arrays with one symbol per byte. A symbol has its token, its left and right neighbours within the
// piece (−1 for none), and the count of the piece. A merge visits only the positions of its pair, and updates the counts of the
// neighbouring pairs.

/** Two tokens that are merged into one, in the vocabulary's notation. */
export type Merge = readonly [left: string, right: string];

/** A vocabulary, and the merges that build it. */
export interface BytePairs {
  /** Tokens by id: first the alphabet, then the results of merges. */
  readonly tokens: readonly string[];
  readonly merges: readonly Merge[];
}

/** A number greater than any vocabulary size, so that `left · PAIR_STRIDE + right` identifies a pair. */
const PAIR_STRIDE = 2 ** 26;

const encoder = /* @__PURE__ */ new TextEncoder();

/**
 * Learns merges until there are `size` tokens, or until no pairs are left. Among equally frequent pairs, the smaller left id comes first,
 * and then the smaller right id, as in Hugging Face's trainer.
 *
 * Two merges may produce the same token (`a+bc` and `ab+c`). The token keeps the id of the first merge.
 *
 * @param pieces count of each piece. Merges never cross the border of a piece
 * @param alphabet the token of each byte. Ids follow the order of these tokens as strings
 */
export function learnBytePairs(pieces: ReadonlyMap<string, number>, alphabet: readonly string[], size: number): BytePairs {
  const tokens = [...alphabet].sort();
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const { token, left, right, weight } = flattenPieces(
    pieces,
    alphabet.map((char) => ids.get(char)!),
  );
  const counts = new Map<number, number>();
  const places = new Map<number, number[]>();
  const queue = new PairQueue();

  /** Counts the pair that begins at a position. */
  const add = (place: number): number => {
    const pair = token[place]! * PAIR_STRIDE + token[right[place]!]!;
    counts.set(pair, (counts.get(pair) ?? 0) + weight[place]!);
    const list = places.get(pair);
    if (list) list.push(place);
    else places.set(pair, [place]);
    return pair;
  };
  const drop = (place: number): void => {
    const pair = token[place]! * PAIR_STRIDE + token[right[place]!]!;
    counts.set(pair, counts.get(pair)! - weight[place]!);
  };

  for (let place = 0; place < token.length; place++) if (right[place]! >= 0) add(place);
  for (const [pair, count] of counts) queue.push(pair, count);

  const merges = new Map<number, Merge>();
  while (tokens.length < size) {
    const top = queue.pop();
    if (!top) break;
    const [pair, count] = top;
    const now = counts.get(pair) ?? 0;
    if (now !== count) {
      // Counts that have decreased are corrected lazily, when their pair reaches the top of the queue.
      if (now > 0) queue.push(pair, now);
      continue;
    }
    const [a, b] = [Math.floor(pair / PAIR_STRIDE), pair % PAIR_STRIDE];
    const written = tokens[a]! + tokens[b]!;
    const merged = ids.get(written) ?? tokens.push(written) - 1;
    ids.set(written, merged);
    merges.set(pair, [tokens[a]!, tokens[b]!]);

    const grown = new Set<number>();
    // Merges go from left to right: in `aaa`, the first two symbols are merged. A position is outdated if an earlier merge changed its
    // pair.
    for (const place of places.get(pair)!.sort((x, y) => x - y)) {
      const second = right[place]!;
      if (token[place] !== a || second < 0 || token[second] !== b) continue;
      const [before, after] = [left[place]!, right[second]!];
      if (before >= 0) drop(before);
      if (after >= 0) drop(second);
      token[place] = merged;
      token[second] = -1;
      right[place] = after;
      if (after >= 0) left[after] = place;
      if (before >= 0) grown.add(add(before));
      if (after >= 0) grown.add(add(place));
    }
    counts.delete(pair);
    places.delete(pair);
    for (const other of grown) if (counts.get(other)! > 0) queue.push(other, counts.get(other)!);
  }
  return { tokens, merges: [...merges.values()] };
}

/** Stores all pieces in flat arrays. */
function flattenPieces(pieces: ReadonlyMap<string, number>, idOfByte: readonly number[]) {
  let length = 0;
  for (const piece of pieces.keys()) length += encoder.encode(piece).length;
  const token = new Int32Array(length);
  const left = new Int32Array(length).fill(-1);
  const right = new Int32Array(length).fill(-1);
  const weight = new Float64Array(length);
  let at = 0;
  for (const [piece, count] of pieces) {
    const bytes = encoder.encode(piece);
    for (let i = 0; i < bytes.length; i++, at++) {
      token[at] = idOfByte[bytes[i]!]!;
      weight[at] = count;
      if (i > 0) left[at] = at - 1;
      if (i < bytes.length - 1) right[at] = at + 1;
    }
  }
  return { token, left, right, weight };
}

/** A binary heap of pairs, ordered by descending count, then by ascending pair. */
class PairQueue {
  private readonly heap: [pair: number, count: number][] = [];

  push(pair: number, count: number): void {
    const heap = this.heap;
    let at = heap.push([pair, count]) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.swapped(parent, at)) break;
      at = parent;
    }
  }

  pop(): readonly [pair: number, count: number] | undefined {
    const heap = this.heap;
    const [top, last] = [heap[0], heap.pop()];
    if (heap.length === 0 || !last) return top;
    heap[0] = last;
    for (let at = 0; ; ) {
      const child = 2 * at + 1;
      if (child >= heap.length) break;
      const better = child + 1 < heap.length && this.precedes(child + 1, child) ? child + 1 : child;
      if (!this.swapped(at, better)) break;
      at = better;
    }
    return top;
  }

  private precedes(i: number, j: number): boolean {
    const [[pair, count], [other, otherCount]] = [this.heap[i]!, this.heap[j]!];
    return count === otherCount ? pair < other : count > otherCount;
  }

  /** Swaps two entries if the lower one precedes the upper one. Returns whether it swapped them. */
  private swapped(upper: number, lower: number): boolean {
    if (!this.precedes(lower, upper)) return false;
    const heap = this.heap;
    [heap[upper], heap[lower]] = [heap[lower]!, heap[upper]!];
    return true;
  }
}
