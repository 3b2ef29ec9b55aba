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
  v = new Float64Array(v);
  const p = softmaxProbabilities(q, k, heads, kvHeads, headDim);
  const o = new Float64Array(q.length);
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor(h / (heads / kvHeads));
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + shared) * headDim;
        const weight = p[(h * tokens + t) * tokens + s]!;
        for (let j = 0; j < headDim; j++) o[to + j]! += weight * v[from + j]!;
      }
    }
  }
  return o;
}

/** Its probabilities `softmax_s(q_t · k_s / sqrt(headDim))`, `[heads, tokens, tokens]`; 0 for s > t. */
export function softmaxProbabilities(q: Numbers, k: Numbers, heads: number, kvHeads: number, headDim: number): Float64Array {
  const tokens = q.length / (heads * headDim);
  [q, k] = [new Float64Array(q), new Float64Array(k)];
  const probabilities = new Float64Array(heads * tokens * tokens);
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor(h / (heads / kvHeads));
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      const scores = new Float64Array(t + 1);
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + shared) * headDim;
        let score = 0;
        for (let i = 0; i < headDim; i++) score += q[to + i]! * k[from + i]!;
        scores[s] = score / Math.sqrt(headDim);
      }
      probabilities.set(softmax(scores), (h * tokens + t) * tokens);
    }
  }
  return probabilities;
}

/**
 * Its backward: gradients of `Σ dO ⊙ o`, one dense row of weights at a time.
 *
 *     δ_t = dO_t·o_t,   dx_ts = p_ts (dO_t·v_s − δ_t)
 *     dq_t = Σ_s dx_ts k_s / sqrt(headDim),   dk_s = Σ_t dx_ts q_t / sqrt(headDim),   dv_s = Σ_t p_ts dO_t
 *
 * Shapes as above.
 */
export function softmaxAttentionBackward(
  dO: Numbers,
  q: Numbers,
  k: Numbers,
  v: Numbers,
  heads: number,
  kvHeads: number,
  headDim: number,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const tokens = q.length / (heads * headDim);
  const scale = 1 / Math.sqrt(headDim);
  [dO, q, k, v] = [new Float64Array(dO), new Float64Array(q), new Float64Array(k), new Float64Array(v)];
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor(h / (heads / kvHeads));
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      const [scores, dp] = [new Float64Array(t + 1), new Float64Array(t + 1)];
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + shared) * headDim;
        for (let i = 0; i < headDim; i++) scores[s]! += q[to + i]! * k[from + i]! * scale;
        for (let i = 0; i < headDim; i++) dp[s]! += dO[to + i]! * v[from + i]!;
      }
      const p = softmax(scores);
      const delta = p.reduce((sum, weight, s) => sum + weight * dp[s]!, 0);
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + shared) * headDim;
        const dx = p[s]! * (dp[s]! - delta);
        for (let i = 0; i < headDim; i++) {
          dq[to + i]! += scale * dx * k[from + i]!;
          dk[from + i]! += scale * dx * q[to + i]!;
          dv[from + i]! += p[s]! * dO[to + i]!;
        }
      }
    }
  }
  return { dq, dk, dv };
}
