// Lightning attention in its two defining forms.  q, k, v, o [tokens, heads, headDim]; λ [heads]; state S [heads, headDim, headDim]

import type { Numbers } from "./linear.js";

/** `e^(−λ · steps)`; 1 over no step, for an infinite slope too. */
function decayOver(slope: number, steps: number): number {
  return steps === 0 ? 1 : Math.exp(-slope * steps);
}

/** `o_t = Σ_{s ≤ t} e^(−λ (t − s)) (q_t · k_s) v_s`. */
export function quadraticLightning(q: Numbers, k: Numbers, v: Numbers, slopes: Numbers, headDim: number): Float64Array {
  const heads = slopes.length;
  const tokens = q.length / (heads * headDim);
  [q, k, v] = [new Float64Array(q), new Float64Array(k), new Float64Array(v)];
  const o = new Float64Array(q.length);
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      for (let s = 0; s <= t; s++) {
        const from = (s * heads + h) * headDim;
        let score = 0;
        for (let i = 0; i < headDim; i++) score += q[to + i]! * k[from + i]!;
        const decay = decayOver(slopes[h]!, t - s);
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
  [q, k, v] = [new Float64Array(q), new Float64Array(k), new Float64Array(v)];
  const o = new Float64Array(q.length);
  const state = new Float64Array(initial);
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
  [q, k, v, dO] = [new Float64Array(q), new Float64Array(k), new Float64Array(v), new Float64Array(dO)];
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(q.length), new Float64Array(q.length)];
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      for (let s = 0; s <= t; s++) {
        const from = (s * heads + h) * headDim;
        const decay = decayOver(slopes[h]!, t - s);
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

/**
 * The gradients of `Σ do ⊙ o + Σ dlast ⊙ S_n` for the recurrence from `initial`, by the chain rule from the last token to the first:
 *
 *     Z_n = dlast + q_nᵀ do_n,   Z_t = e^−λ Z_{t+1} + q_tᵀ do_t,   dq_t = do_t S_tᵀ,   dk_t = v_t Z_tᵀ,   dv_t = k_t Z_t,   dS_0 = e^−λ Z_1
 */
export function recurrentLightningBackward(
  q: Numbers,
  k: Numbers,
  v: Numbers,
  dO: Numbers,
  slopes: Numbers,
  headDim: number,
  initial: Numbers,
  dLast: Numbers,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array; dState: Float64Array } {
  const heads = slopes.length;
  const width = heads * headDim;
  const tokens = q.length / width;
  const states: Float64Array[] = [];
  for (let t = 0; t < tokens; t++) {
    const one = (x: Numbers): number[] => Array.prototype.slice.call(x, t * width, (t + 1) * width);
    states.push(recurrentLightning(one(q), one(k), one(v), slopes, headDim, states.at(-1) ?? initial).state);
  }
  const [dq, dk, dv, Z] = [new Float64Array(q.length), new Float64Array(q.length), new Float64Array(q.length), Float64Array.from(dLast)];
  for (let t = tokens - 1; t >= 0; t--) {
    for (let h = 0; h < heads; h++) {
      const at = t * width + h * headDim;
      for (let i = 0; i < headDim; i++) {
        for (let j = 0; j < headDim; j++) {
          const ij = (h * headDim + i) * headDim + j;
          Z[ij]! += q[at + i]! * dO[at + j]!;
          dq[at + i]! += dO[at + j]! * states[t]![ij]!;
          dk[at + i]! += v[at + j]! * Z[ij]!;
          dv[at + j]! += k[at + i]! * Z[ij]!;
          Z[ij]! *= Math.exp(-slopes[h]!);
        }
      }
    }
  }
  return { dq, dk, dv, dState: Z };
}
