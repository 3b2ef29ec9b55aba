// Lightning attention in its two defining forms.  q, k, v, o [tokens, heads, headDim]; λ [heads]; state S [heads, headDim, headDim]

import type { Numbers } from "./linear.js";

/** `o_t = Σ_{s ≤ t} e^(−λ (t − s)) (q_t · k_s) v_s`. */
export function quadraticLightning(q: Numbers, k: Numbers, v: Numbers, slopes: Numbers, headDim: number): Float64Array {
  const heads = slopes.length;
  const tokens = q.length / (heads * headDim);
  const o = new Float64Array(q.length);
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      for (let s = 0; s <= t; s++) {
        const from = (s * heads + h) * headDim;
        let score = 0;
        for (let i = 0; i < headDim; i++) score += q[to + i]! * k[from + i]!;
        const decay = Math.exp(-slopes[h]! * (t - s));
        for (let j = 0; j < headDim; j++) o[to + j]! += decay * score * v[from + j]!;
      }
    }
  }
  return o;
}

/** `S_t = e^−λ S_{t−1} + k_t v_tᵀ,   o_t = q_tᵀ S_t`, from the given state or from zero; returns the last state as well. */
export function recurrentLightning(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  slopes: Numbers,
  headDim: number,
  initial: Numbers = new Float64Array(slopes.length * headDim * headDim),
): { o: Float64Array; state: Float64Array } {
  const heads = slopes.length;
  const tokens = q.length / (heads * headDim);
  const o = new Float64Array(q.length);
  const state = Float64Array.from(initial);
  for (let t = 0; t < tokens; t++) {
    for (let h = 0; h < heads; h++) {
      const at = (t * heads + h) * headDim;
      const decay = Math.exp(-slopes[h]!);
      for (let i = 0; i < headDim; i++) {
        for (let j = 0; j < headDim; j++) {
          const ij = (h * headDim + i) * headDim + j;
          state[ij] = decay * state[ij]! + k[at + i]! * v[at + j]!;
          o[at + j]! += q[at + i]! * state[ij]!;
        }
      }
    }
  }
  return { o, state };
}

/**
 * The gradients of `Σ do ⊙ quadraticLightning(q, k, v)`, with `d_ts = e^(−λ (t − s))`:
 *
 *     dq_t = Σ_{s ≤ t} d_ts (do_t·v_s) k_s,   dk_s = Σ_{t ≥ s} d_ts (do_t·v_s) q_t,   dv_s = Σ_{t ≥ s} d_ts (q_t·k_s) do_t
 */
export function quadraticLightningBackward(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  dO: Numbers,
  slopes: Numbers,
  headDim: number,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const heads = slopes.length;
  const tokens = q.length / (heads * headDim);
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(q.length), new Float64Array(q.length)];
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      for (let s = 0; s <= t; s++) {
        const from = (s * heads + h) * headDim;
        const decay = Math.exp(-slopes[h]! * (t - s));
        let [score, slope] = [0, 0];
        for (let i = 0; i < headDim; i++) {
          score += decay * q[to + i]! * k[from + i]!;
          slope += decay * dO[to + i]! * v[from + i]!;
        }
        for (let i = 0; i < headDim; i++) {
          dq[to + i]! += slope * k[from + i]!;
          dk[from + i]! += slope * q[to + i]!;
          dv[from + i]! += score * dO[to + i]!;
        }
      }
    }
  }
  return { dq, dk, dv };
}
