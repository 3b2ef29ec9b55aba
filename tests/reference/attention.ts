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

/**
 * The gradients of `Σ do ⊙ softmaxAttention(q, k, v)`, where the queries are the last positions:
 *
 *     dx_ts = p_ts (do_t·v_s − Σ_u p_tu do_t·v_u),   dq_t = Σ_s dx_ts k_s / sqrt(headDim),   dk_s = Σ_t dx_ts q_t / sqrt(headDim),   dv_s = Σ_t p_ts do_t
 */
export function softmaxAttentionBackward(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  dO: Numbers,
  heads: number,
  kvHeads: number,
  headDim: number,
): [dq: Float64Array, dk: Float64Array, dv: Float64Array] {
  const tokens = q.length / (heads * headDim);
  const positions = k.length / (kvHeads * headDim);
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  const dot = (a: Numbers, i: number, b: Numbers, j: number) => {
    let sum = 0;
    for (let x = 0; x < headDim; x++) sum += a[i + x]! * b[j + x]!;
    return sum;
  };
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor(h / (heads / kvHeads));
    const from = (s: number) => (s * kvHeads + shared) * headDim;
    for (let t = 0; t < tokens; t++) {
      const at = (t * heads + h) * headDim;
      const seen = positions - tokens + t + 1;
      const p = softmax(Float64Array.from({ length: seen }, (_, s) => dot(q, at, k, from(s)) / Math.sqrt(headDim)));
      const dp = Float64Array.from({ length: seen }, (_, s) => dot(dO, at, v, from(s)));
      const mean = p.reduce((sum, value, s) => sum + value * dp[s]!, 0);
      for (let s = 0; s < seen; s++) {
        const dx = (p[s]! * (dp[s]! - mean)) / Math.sqrt(headDim);
        for (let x = 0; x < headDim; x++) {
          dq[at + x]! += dx * k[from(s) + x]!;
          dk[from(s) + x]! += dx * q[at + x]!;
          dv[from(s) + x]! += p[s]! * dO[at + x]!;
        }
      }
    }
  }
  return [dq, dk, dv];
}
