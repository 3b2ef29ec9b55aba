import type { Random } from "../base/random.js";
import { argmax, softmax } from "../ops/softmax.js";
import type { Tensor } from "../runtime/tensor.js";

/** Sampling options. Every field is set; an unused option has its neutral value. */
export interface Sampling {
  /** Temperature. 0 takes the most probable token. */
  readonly temperature: number;
  /** Maximum number of tokens to keep. `Infinity` keeps all. */
  readonly topK: number;
  /** Share of the probability to keep. 1 keeps all tokens. */
  readonly topP: number;
  /** Minimum fraction of the highest probability. 0 keeps all tokens. */
  readonly minP: number;
  /** Penalty for tokens seen so far. 1 changes nothing. */
  readonly repetitionPenalty: number;
}

type Ids = readonly number[] | Uint32Array;

/**
 * Chooses the next token from the logits `[1, vocab]`:
 *
 *     l_i = logit_i / r if positive, logit_i · r if negative, for the tokens seen so far    r = repetitionPenalty
 *     p = softmax(l / temperature)
 *     keep the topK most probable, of these the fewest whose sum reaches topP of their total, of these all with p ≥ minP · max p
 *     draw one of the kept tokens in proportion to p
 *
 * Ties are broken by the lower id. The kernels compute the softmax, so that a seed gives the same tokens on every JavaScript engine.
 */
export function sample(logits: Tensor, sampling: Sampling, seen: ReadonlySet<number>, random: Random): number {
  const { rt } = logits;
  const { temperature } = sampling;
  return rt.scope(() => {
    const l = applyRepetitionPenalty(logits, sampling.repetitionPenalty, seen);
    const top = argmax(l);
    if (temperature === 0) return top;
    // The maximum is subtracted first. Division by a small temperature may then give −∞ (probability 0), but never +∞.
    const values = rt.f32(l);
    const shift = values[top]!;
    const scaled = values.map((x) => (x - shift) / temperature);
    const p = rt.read(softmax(rt.from(scaled, l.shape)));
    return draw(p, candidateIds(p, sampling), random.next());
  });
}

/** Returns the logits, or a copy with the penalty applied. */
function applyRepetitionPenalty(logits: Tensor, penalty: number, seen: ReadonlySet<number>): Tensor {
  if (penalty === 1) return logits;
  const l = logits.rt.read(logits);
  for (const id of seen) l[id] = l[id]! > 0 ? l[id]! / penalty : l[id]! * penalty;
  return logits.rt.from(l, logits.shape);
}

/**
 * Returns the ids that sampling may choose from. They are sorted by descending probability, or ascending by id if no restriction applies.
 */
export function candidateIds(p: Float32Array, { topK, topP, minP }: Pick<Sampling, "topK" | "topP" | "minP">): Ids {
  if (topK >= p.length && topP === 1 && minP === 0) return indices(p.length);
  const topKIds = topK < p.length ? takeFirst(topK, descendingIndices(p)) : undefined;
  const total = sum(p, topKIds ?? indices(p.length));
  const enough = topP === 1 ? Number.POSITIVE_INFINITY : topP * total;
  const ids: number[] = [];
  let cumulative = 0;
  for (const id of topKIds ?? descendingIndices(p, topPCandidates(p, total, topP))) {
    if (cumulative >= enough || p[id]! < minP * p[ids[0] ?? id]!) break;
    cumulative += p[id]!;
    ids.push(id);
  }
  return ids;
}

/**
 * Returns the ids that can belong to the topP set, because filtering first is much cheaper than sorting the vocabulary.
 *
 * Ids with less than (1 − topP) / 2 of the mean probability have in total at most half of the probability that topP excludes. None of them
 * can belong to the set.
 */
function topPCandidates(p: Float32Array, total: number, topP: number): Uint32Array {
  const least = ((1 - topP) / 2) * (total / p.length);
  // If topP is this close to 1, rounding errors of the sums matter.
  if (1 - topP < 1e-6) return indices(p.length);
  const ids = new Uint32Array(p.length);
  let count = 0;
  for (let id = 0; id < p.length; id++) if (p[id]! >= least) ids[count++] = id;
  return ids.subarray(0, count);
}

/** Draws the id at which the cumulative probability of `ids` exceeds the fraction `u` of their total. u is within [0, 1). */
export function draw(p: Float32Array, ids: Ids, u: number): number {
  const goal = u * sum(p, ids);
  let passed = 0;
  for (const id of ids) {
    passed += p[id]!;
    if (passed > goal) return id;
  }
  return ids[0]!;
}

/**
 * Yields indices by descending value, and ascending for equal values. It orders `heap` in place as a binary heap, so the first few indices
 * need no full sort.
 */
export function* descendingIndices(x: Float32Array, heap = indices(x.length)): Generator<number> {
  let size = heap.length;
  const before = (a: number, b: number): boolean => x[a]! > x[b]! || (x[a]! === x[b]! && a < b);
  const sink = (from: number): void => {
    const id = heap[from]!;
    let at = from;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, id)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = id;
  };
  for (let i = (size >>> 1) - 1; i >= 0; i--) sink(i);
  while (size > 0) {
    yield heap[0]!;
    heap[0] = heap[--size]!;
    sink(0);
  }
}

/** Takes the first `count` ids. */
export function takeFirst(count: number, ids: Generator<number>): number[] {
  const taken: number[] = [];
  for (const id of ids) {
    taken.push(id);
    if (taken.length === count) break;
  }
  return taken;
}

function sum(x: Float32Array, ids: Ids): number {
  let total = 0;
  for (const id of ids) total += x[id]!;
  return total;
}

function indices(count: number): Uint32Array {
  const ids = new Uint32Array(count);
  for (let i = 0; i < count; i++) ids[i] = i;
  return ids;
}
