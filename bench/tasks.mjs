// The tasks of contestants. For each kind of task: the inputs, and the check of a result against float64 arithmetic.
import { random } from "./random.mjs";

/** Number of elements at which a matmul is checked. */
const SAMPLES = 16;
/** Allowed error per square root of the number of summed terms, for float32. Contestants that round weights state their own. */
const TOLERANCE = 2e-4;

export const tasks = {
  /** C = A · W, A [M, K], W [K, N] constant. */
  product({ M, N, K }) {
    const [A, W] = [random(M * K, 42), random(K * N, 43)];
    return {
      inputs: [A, W],
      check({ result, tol = TOLERANCE }) {
        const C = result();
        for (let sample = 0; sample < SAMPLES; sample++) {
          const [i, j] = [(sample * 7919) % M, (sample * 104729 + 3) % N];
          let expected = 0;
          for (let k = 0; k < K; k++) expected += A[i * K + k] * W[k * N + j];
          expectClose(C[i * N + j], expected, tol * Math.sqrt(K), `C[${i}, ${j}]`);
        }
      },
    };
  },

  /** Computes o_t = q_tᵀ S_t with S_t = e^−λ S_{t−1} + k_t v_tᵀ per head; q, k, v [tokens, heads, headDim], λ [heads]. */
  lightning({ tokens, heads, headDim }) {
    const size = tokens * heads * headDim;
    const [q, k, v] = [random(size, 1), random(size, 2), random(size, 3)];
    const slopes = Float32Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads));
    return {
      inputs: [q, k, v, slopes],
      check({ result }) {
        const o = result();
        for (const [t, h] of [
          [0, 0],
          [1, heads - 1],
          [Math.min(tokens - 1, 63), 0],
          [Math.min(tokens - 1, 600), heads - 1],
          [tokens - 1, heads >> 1],
          [tokens - 1, heads - 1],
        ]) {
          const column = (h * 7) % headDim;
          const row = (time) => (time * heads + h) * headDim;
          let expected = 0;
          for (let s = 0; s <= t; s++) {
            let dot = 0;
            for (let d = 0; d < headDim; d++) dot += q[row(t) + d] * k[row(s) + d];
            expected += Math.exp(-slopes[h] * (t - s)) * dot * v[row(s) + column];
          }
          expectClose(o(t, h, column), expected, TOLERANCE * Math.sqrt(headDim), `o[${t}, ${h}, ${column}]`);
        }
      },
    };
  },

  /** A prompt, then greedy tokens. The tokens are returned as the note, so that contestants can be compared. */
  model() {
    return { inputs: [], check: ({ result }) => result() };
  },

  /** A measurement without a result. */
  rate() {
    return { inputs: [] };
  },
};

function expectClose(actual, expected, tolerance, what) {
  if (!(Math.abs(actual - expected) <= tolerance)) {
    throw new Error(`wrong result: ${what}: expected ${expected} within ${tolerance.toExponential(1)}, got ${actual}`);
  }
}
