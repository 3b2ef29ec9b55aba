// Expert routing.   T tokens, E experts, k experts per token.   logits, probs [T, E]; experts, weights [T, k]
//   p = softmax(logits);  the k largest are kept (of equals the lower index first) and renormalised:  w_j = p_j / Σ_i p_i
// Slot s = t·k + j is token t's j-th choice. `group` lists the slots expert by expert, tokens ascending; `gather` copies their rows;
// `scatter` adds the experts' results back, weighted. Every token reaches its experts: nothing is dropped.

import { at } from "./simd";
import { softmaxRow } from "./softmax";

/** Tokens begin to end. */
export function route(experts: usize, weights: usize, probs: usize, logits: usize, E: i32, k: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    const p = at(probs, t * E), chosen = at(experts, t * k), w = at(weights, t * k);
    softmaxRow(p, at(logits, t * E), E);
    let last: f32 = Infinity, index: i32 = -1, sum: f32 = 0;
    for (let j: i32 = 0; j < k; j++) {
      // The largest that comes after (last, index) in the order "larger first, then lower index".
      let best: f32 = -Infinity, which: i32 = -1;
      for (let e: i32 = 0; e < E; e++) {
        const x = load<f32>(at(p, e));
        if ((x < last || (x == last && e > index)) && x > best) {
          best = x;
          which = e;
        }
      }
      if (which < 0) {
        // Only NaN is left: keep the indices valid and let NaN reach the output.
        which = j;
        best = NaN;
      }
      last = best;
      index = which;
      sum += best;
      i32.store(at(chosen, j), which);
      f32.store(at(w, j), best);
    }
    for (let j: i32 = 0; j < k; j++) f32.store(at(w, j), load<f32>(at(w, j)) / sum);
  }
}

/** order [slots] sorted by expert, offsets [E + 1] into it. */
export function group(order: usize, offsets: usize, experts: usize, slots: i32, E: i32): void {
  memory.fill(offsets, 0, (<usize>(E + 1)) << 2);
  for (let s: i32 = 0; s < slots; s++) {
    const p = at(offsets, i32.load(at(experts, s)) + 1);
    i32.store(p, i32.load(p) + 1);
  }
  for (let e: i32 = 0; e < E; e++) i32.store(at(offsets, e + 1), i32.load(at(offsets, e + 1)) + i32.load(at(offsets, e)));
  // Offsets serve as cursors, so each ends one expert further: shift them back.
  for (let s: i32 = 0; s < slots; s++) {
    const p = at(offsets, i32.load(at(experts, s))), cursor = i32.load(p);
    i32.store(at(order, cursor), s);
    i32.store(p, cursor + 1);
  }
  for (let e = E; e > 0; e--) i32.store(at(offsets, e), i32.load(at(offsets, e - 1)));
  i32.store(offsets, 0);
}

/** y_i: the row of x [T, N] that slot order_i belongs to, for i from begin to end. */
export function gather(y: usize, x: usize, order: usize, k: i32, N: i32, begin: i32, end: i32): void {
  const bytes = (<usize>N) << 2;
  for (let i = begin; i < end; i++) {
    memory.copy(y + (<usize>i) * bytes, x + (<usize>(i32.load(at(order, i)) / k)) * bytes, bytes);
  }
}

/** y [T, N] += w_s · x, slot by slot, for n slots of `order` and columns begin to end. */
export function scatter(y: usize, x: usize, order: usize, weights: usize, n: i32, k: i32, N: i32, begin: i32, end: i32): void {
  for (let i: i32 = 0; i < n; i++) {
    const s = i32.load(at(order, i)), w = load<f32>(at(weights, s)), ws = f32x4.splat(w);
    const a = x + (((<usize>i) * (<usize>N)) << 2), b = y + (((<usize>(s / k)) * (<usize>N)) << 2);
    let c = begin;
    for (; c + 4 <= end; c += 4) v128.store(at(b, c), f32x4.add(f32x4.mul(ws, v128.load(at(a, c))), v128.load(at(b, c))));
    for (; c < end; c++) f32.store(at(b, c), w * load<f32>(at(a, c)) + load<f32>(at(b, c)));
  }
}
