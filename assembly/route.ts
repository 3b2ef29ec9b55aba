// Expert routing.   T tokens, E experts, k experts per token.   logits, probs [T, E]; experts, weights [T, k]
//   p = softmax(logits);  the k largest are kept (of equal ones, the lower index) and renormalised:  w_j = p_j / Σ_i p_i
// Slot s = t·k + j is the j-th choice of token t. `groupByExpert` sorts the slots by expert, then by token; `gather` copies their rows;
// `scatter` adds the weighted results of the experts to the tokens. No token is dropped.

import { at, hsum } from "./simd";
import { softmaxRow } from "./softmax";

/** Tokens begin to end. */
export function route(experts: usize, weights: usize, probs: usize, logits: usize, E: i32, k: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    const p = at(probs, t * E), chosen = at(experts, t * k), w = at(weights, t * k);
    softmaxRow(p, at(logits, t * E), E);
    let last: f32 = Infinity, index: i32 = -1, sum: f32 = 0;
    for (let j: i32 = 0; j < k; j++) {
      // Finds the largest that comes after (last, index) in the order "larger first, then lower index".
      let best: f32 = -Infinity, which: i32 = -1;
      for (let e: i32 = 0; e < E; e++) {
        const x = load<f32>(at(p, e));
        if ((x < last || (x == last && e > index)) && x > best) {
          best = x;
          which = e;
        }
      }
      if (which < 0) {
        // Only NaN is left. The indices stay valid, and NaN propagates to the output.
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

/** Writes order [slots], sorted by expert, and offsets [E + 1] into it. */
export function groupByExpert(order: usize, offsets: usize, experts: usize, slots: i32, E: i32): void {
  memory.fill(offsets, 0, (<usize>(E + 1)) << 2);
  for (let s: i32 = 0; s < slots; s++) {
    const p = at(offsets, i32.load(at(experts, s)) + 1);
    i32.store(p, i32.load(p) + 1);
  }
  for (let e: i32 = 0; e < E; e++) i32.store(at(offsets, e + 1), i32.load(at(offsets, e + 1)) + i32.load(at(offsets, e)));
  // Offsets serve as cursors, so each of them ends where the next expert begins. They are shifted back here.
  for (let s: i32 = 0; s < slots; s++) {
    const p = at(offsets, i32.load(at(experts, s))), cursor = i32.load(p);
    i32.store(at(order, cursor), s);
    i32.store(p, cursor + 1);
  }
  for (let e = E; e > 0; e--) i32.store(at(offsets, e), i32.load(at(offsets, e - 1)));
  i32.store(offsets, 0);
}

/** Copies to y_i the row of x [T, N] of slot order_i, for i from begin to end. */
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

// Backward pass. The kept weights are a softmax over the chosen logits, so that for token t and its choices i, j
//   dlogits_j += w_j (dw_j − Σ_i w_i dw_i)

/** Tokens begin to end. */
export function routeBackward(dlogits: usize, dweights: usize, experts: usize, weights: usize, E: i32, k: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    const chosen = at(experts, t * k), w = at(weights, t * k), d = at(dweights, t * k), to = at(dlogits, t * E);
    let mean: f32 = 0;
    for (let j: i32 = 0; j < k; j++) mean += load<f32>(at(w, j)) * load<f32>(at(d, j));
    for (let j: i32 = 0; j < k; j++) {
      const p = at(to, i32.load(at(chosen, j)));
      f32.store(p, load<f32>(p) + load<f32>(at(w, j)) * (load<f32>(at(d, j)) - mean));
    }
  }
}

/** dx_t += dy_i for the rows i that came from token t, row by row, for n slots of `order` and columns begin to end. */
export function gatherBackward(dx: usize, dy: usize, order: usize, n: i32, k: i32, N: i32, begin: i32, end: i32): void {
  for (let i: i32 = 0; i < n; i++) {
    const a = dy + (((<usize>i) * (<usize>N)) << 2), b = dx + (((<usize>(i32.load(at(order, i)) / k)) * (<usize>N)) << 2);
    let c = begin;
    for (; c + 4 <= end; c += 4) v128.store(at(b, c), f32x4.add(v128.load(at(a, c)), v128.load(at(b, c))));
    for (; c < end; c++) f32.store(at(b, c), load<f32>(at(a, c)) + load<f32>(at(b, c)));
  }
}

/** dx_i += w_s dy_t,   dw_s += dy_t · x_i   for slots i from begin to end of `order`, s = order_i, t = s / k. */
export function scatterBackward(
  dx: usize, dweights: usize, dy: usize, x: usize, order: usize, weights: usize, k: i32, N: i32, begin: i32, end: i32,
): void {
  for (let i = begin; i < end; i++) {
    const s = i32.load(at(order, i)), w = load<f32>(at(weights, s)), ws = f32x4.splat(w), row = (((<usize>i) * (<usize>N)) << 2);
    const a = x + row, b = dx + row, g = dy + (((<usize>(s / k)) * (<usize>N)) << 2);
    let sum = f32x4.splat(0), c: i32 = 0;
    for (; c + 4 <= N; c += 4) {
      const v = v128.load(at(g, c));
      sum = f32x4.add(sum, f32x4.mul(v, v128.load(at(a, c))));
      v128.store(at(b, c), f32x4.add(v128.load(at(b, c)), f32x4.mul(ws, v)));
    }
    let dot = hsum(sum);
    for (; c < N; c++) {
      dot += load<f32>(at(g, c)) * load<f32>(at(a, c));
      f32.store(at(b, c), load<f32>(at(b, c)) + w * load<f32>(at(g, c)));
    }
    f32.store(at(dweights, s), load<f32>(at(dweights, s)) + dot);
  }
}
