import { type Numbers, softmax } from "./linear.js";

/**
 * Causal softmax attention with grouped queries, one dense row of scores at a time.
 *
 *     o_t = Σ_{s ≤ t} softmax_s(q_t · k_s / sqrt(headDim)) v_s
 *
 * q, o `[tokens, heads, headDim]`; k, v `[tokens, kvHeads, headDim]`; query heads h·G … h·G+G−1 share KV head h, G = heads / kvHeads.
 */
export function softmaxAttention(q: Numbers, k: Numbers, v: Numbers, heads: number, kvHeads: number, headDim: number): Float64Array {
  const tokens = q.length / (heads * headDim);
  const o = new Float64Array(q.length);
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor(h / (heads / kvHeads));
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      const scores = new Float64Array(t + 1);
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + shared) * headDim;
        for (let i = 0; i < headDim; i++) scores[s]! += q[to + i]! * k[from + i]!;
        scores[s]! /= Math.sqrt(headDim);
      }
      const p = softmax(scores);
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + shared) * headDim;
        for (let j = 0; j < headDim; j++) o[to + j]! += p[s]! * v[from + j]!;
      }
    }
  }
  return o;
}
