// Heads of separate projections.  q [tokens, heads, headDim]; k, v [tokens, kvHeads, headDim]

import { type Numbers, rmsNorm } from "./linear.js";

/** `y_th = (scale · q_th, k_tg, v_tg)`, `g = ⌊h · kvHeads / heads⌋`: `[tokens, heads, 3 · headDim]`. */
export function joinHeads(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  heads: number,
  kvHeads: number,
  headDim: number,
  scale: number,
): Float64Array {
  const tokens = q.length / (heads * headDim);
  const y: number[] = [];
  for (let t = 0; t < tokens; t++) {
    for (let h = 0; h < heads; h++) {
      const g = Math.floor((h * kvHeads) / heads);
      for (let i = 0; i < headDim; i++) y.push(scale * q[(t * heads + h) * headDim + i]!);
      for (let i = 0; i < headDim; i++) y.push(k[(t * kvHeads + g) * headDim + i]!);
      for (let i = 0; i < headDim; i++) y.push(v[(t * kvHeads + g) * headDim + i]!);
    }
  }
  return Float64Array.from(y);
}

/** Every head of keys or values `heads / kvHeads` times: `[tokens, heads, headDim]`. */
export function repeatHeads(x: Numbers, heads: number, kvHeads: number, headDim: number): Float64Array {
  const tokens = x.length / (kvHeads * headDim);
  return Float64Array.from({ length: tokens * heads * headDim }, (_, i) => {
    const [t, h] = [Math.floor(i / (heads * headDim)), Math.floor(i / headDim) % heads];
    return x[(t * kvHeads + Math.floor((h * kvHeads) / heads)) * headDim + (i % headDim)]!;
  });
}

/** RMSNorm of each head with the same weights `[headDim]`; without weights, x itself. */
export function normHeads(x: Float64Array, w: Float64Array | undefined, eps: number): Float64Array {
  return w ? rmsNorm(x, w, eps) : x;
}
