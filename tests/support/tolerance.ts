// The tolerances of the whole test suite. All derived tolerances depend on one constant, C.
//
// A float32 result that takes n rounded operations, in any order, differs from the exact result by at most about n · ε · Σ|terms|. The sum
// of magnitudes is the same computation on absolute values. ε is the distance from 1 to the next float32, which is twice the error of one
// rounding.

import { Q4_GROUP_INPUTS, Q8_BLOCK_INPUTS } from "../../src/runtime/tensor.js";
import { quadraticLightning } from "../reference/lightning.js";
import { type Numbers, softmax as probabilities } from "../reference/linear.js";

/** Distance from 1 to the next float32. */
export const EPSILON = 2 ** -23;

/**
 * Safety factor of every derived tolerance. It accounts for second-order terms, and for intermediate results that are themselves rounded.
 */
export const C = 2;

/** Maximum absolute error of whole models, compared with the published code in float32 or with the reference in float64. */
export const GOLDEN = { logits: 1e-4, hiddenStates: 2e-4, routerLogits: 2e-4 } as const;

/**
 * Maximum errors of losses and gradients, compared with the published code. Errors of gradients are relative to the norm of each
 * parameter's gradient. `steps` applies to losses and gradient norms of later steps.
 */
export const GRADIENTS = { loss: 1e-5, relative: 1e-4, steps: 1e-4 } as const;

/**
 * Maximum error of logits with 8-bit weights, compared with the reference on the rounded weights. The remaining error comes from rounding
 * activations to 15 bits and a sign. This is 2^8 times as coarse as float32; a tenth of the tolerance for float32 is used.
 */
export const GOLDEN_Q8 = { logits: (2 ** 8 * GOLDEN.logits) / 10 } as const;

/** The same for q4, where activations have 2^8 times as large steps. */
export const GOLDEN_Q4 = { logits: 2 ** 8 * GOLDEN_Q8.logits } as const;

/**
 * Maximum error of losses of policies and of their gradients in float64, compared with vectors that have 16 digits. It is relative to the
 * value, or to 1.
 */
export const OBJECTIVES = 1e-12;

/** Maximum error of numbers that are given with five decimals. */
export const PRINTED = 1e-5;

/**
 * Maximum errors of a bandit that learns, compared with another implementation's means over 8 seeds. The number of batches is relative to
 * theirs. The share of clipped tokens is known to two digits.
 */
export const BANDIT = { relative: 0.15, clipped: 0.03 } as const;

/** Returns the tolerance of lightning states, which grow with the sequence. It is relative to the largest entry. */
export function goldenState(expected: Numbers): number {
  return 1e-5 * Math.max(1, maxAbs(expected));
}

/**
 * Returns the tolerance of logits if keys and values are rounded. Each of them has an error of at most u of its size (half a bf16 step, or
 * half of 1/127 of the largest). Softmax attention averages values, and is one branch among others, so the relative error of logits is not
 * larger.
 *
 * @param scores size of the scores if it is above 1, because their error is the relative error of the probabilities. Norms of queries and
 *   keys make it √headDim
 */
export function narrowCache(kv: "bf16" | "q8", logits: Numbers, scores = 1): number {
  const u = kv === "bf16" ? 2 ** -9 : 1 / 254;
  return C * u * scores * maxAbs(logits);
}

/** Share of these tolerances within which float64 and the published float32 results agree. The rest is left to the implementation. */
export const REFERENCE_SHARE = 0.1;

/** Returns the tolerance of a value that takes `operations` roundings of quantities of this magnitude. */
export function rounding(operations: number, magnitude: number): number {
  return C * EPSILON * operations * magnitude;
}

/**
 * Returns the tolerance of any entry of x·wᵀ: `c · ε · K · max‖x‖ · max‖w‖` over rows of length K. Cauchy–Schwarz bounds the magnitudes.
 */
export function product(x: Numbers, w: Numbers, inner: number): number {
  return rounding(inner, longestRow(x, inner) * longestRow(w, inner));
}

/**
 * Returns the error of a number that is rounded to one of `levels` steps on each side of zero, where the largest step is `magnitude`. The
 * scale is rounded too, and is a normal number.
 */
export function quantization(levels: number, magnitude: number): number {
  return Math.max(magnitude / levels, 2 ** -126) / 2 + rounding(3, magnitude);
}

/**
 * Returns the tolerance of any entry of x·wᵀ, where w is a q8 matrix and x is rounded to 32767 steps. The sum of each block is exact; the
 * blocks are added up in float32.
 */
export function q8Product(x: Numbers, w: Numbers, inner: number): number {
  const rows = Array.from({ length: w.length / inner }, (_, row) => norm1(Array.prototype.slice.call(w, row * inner, (row + 1) * inner)));
  return (
    quantization(32767, maxAbs(x)) * maxAbs(rows) +
    rounding(Math.ceil(inner / Q8_BLOCK_INPUTS) + 4, longestRow(x, inner) * longestRow(w, inner))
  );
}

/**
 * Returns the tolerance of any entry of x·wᵀ, where w is a q4 matrix and x is rounded to 127 steps in groups. The sum of each group is
 * exact; the groups are added up in float32.
 */
export function q4Product(x: Numbers, w: Numbers, inner: number): number {
  const rows = Array.from({ length: w.length / inner }, (_, row) => norm1(Array.prototype.slice.call(w, row * inner, (row + 1) * inner)));
  const groups = Math.ceil(inner / Q4_GROUP_INPUTS);
  // Scale times integer plus offset may be 16 times as large as the weight that they give.
  return quantization(127, maxAbs(x)) * maxAbs(rows) + rounding(groups + 4, 32 * longestRow(x, inner) * longestRow(w, inner));
}

/**
 * Returns the tolerance of a gradient with this number of roundings, whose terms |dy_j ∂y_j/∂x_i| add up to at most `magnitude`.
 *
 * Where terms cancel inside an op, their sizes do not show in the derivative. The largest element of a tensor, and of dy times the inputs,
 * therefore bounds all of them. Central differences in float64 have an error of 1e-8 themselves.
 */
export function gradient(roundings: number, magnitude: number): number {
  return rounding(roundings, magnitude) + 1e-8 * Math.max(1, magnitude);
}

/** Returns the tolerance of a sum of these terms. */
export function sum(terms: Numbers): number {
  return rounding(terms.length, norm1(terms));
}

/** Returns the tolerance of e^x, relative to its value. The kernels' own exponential has an error of at most two ε. */
export function exp(value: number): number {
  return rounding(2, value);
}

/**
 * Returns the tolerance of a probability of a softmax over n scores. It takes n exponentials of up to 104 below the largest, their sum, and
 * one quotient.
 */
export function softmax(n: number): number {
  return rounding(n + 4, 1);
}

/** Returns the tolerance of a log-probability. Scores and result have this magnitude, and it takes the logarithm of a sum of n terms. */
export function logSoftmax(n: number, magnitude: number): number {
  return rounding(n + 4, Math.max(1, magnitude));
}

/**
 * Returns the tolerance of a row of `w · x / rms(x)`. The sum over dim is halved under the root, and the normalised values are at most
 * sqrt(dim).
 */
export function rmsNorm(dim: number, output: Numbers): number {
  return rounding(dim / 2 + 4, maxAbs(output));
}

/**
 * Returns the tolerance of softmax attention. The error of the scores, each of which is at most `score`, enters the weights, and the
 * weights average v.
 */
export function attention(q: Numbers, k: Numbers, v: Numbers, headDim: number, tokens: number): number {
  const scoreError = product(q, k, headDim) / Math.sqrt(headDim);
  return (2 * scoreError + softmax(tokens) + rounding(tokens, 1)) * maxAbs(v);
}

/**
 * Returns the tolerances of the backward pass of softmax attention, with shapes as in the reference.
 *
 * A score has an error of `headDim` roundings of its terms' magnitudes. A weight has the same error twice, relative to itself: from its own
 * score, and from the sum over all scores. This error enters o, and with it δ. `dp` and δ are also sums over headDim. Gradients are sums of
 * such terms, over positions or over the queries of a group. Scores that are exact take no roundings.
 */
export function attentionBackward(
  dO: Numbers,
  q: Numbers,
  k: Numbers,
  v: Numbers,
  heads: number,
  kvHeads: number,
  headDim: number,
  scoreRoundings = headDim + 2,
): { dq: number; dk: number; dv: number } {
  const tokens = q.length / (heads * headDim);
  const group = heads / kvHeads;
  const scale = 1 / Math.sqrt(headDim);
  [dO, q, k, v] = [new Float64Array(dO), new Float64Array(q), new Float64Array(k), new Float64Array(v)];
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < tokens; t++) {
      const to = (t * heads + h) * headDim;
      const [scores, dp, size] = [new Float64Array(t + 1), new Float64Array(t + 1), new Float64Array(t + 1)];
      let largest = 0;
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + Math.floor(h / group)) * headDim;
        let terms = 0;
        for (let i = 0; i < headDim; i++) {
          const [x, y] = [q[to + i]! * k[from + i]! * scale, dO[to + i]! * v[from + i]!];
          scores[s]! += x;
          terms += Math.abs(x);
          dp[s]! += y;
          size[s]! += Math.abs(y);
        }
        largest = Math.max(largest, terms);
      }
      const p = probabilities(scores);
      const [delta, mean] = [dp, size].map((x) => p.reduce((total, weight, s) => total + weight * x[s]!, 0)) as [number, number];
      const ofWeight = 2 * rounding(scoreRoundings, largest) + softmax(t + 1);
      for (let s = 0; s <= t; s++) {
        const from = (s * kvHeads + Math.floor(h / group)) * headDim;
        const difference = Math.abs(dp[s]! - delta);
        const ofDifference = ofWeight * (difference + mean) + rounding(headDim + 2, size[s]! + mean);
        for (let i = 0; i < headDim; i++) {
          dq[to + i]! += scale * p[s]! * (ofDifference + rounding(t + 1, difference)) * Math.abs(k[from + i]!);
          dk[from + i]! += scale * p[s]! * (ofDifference + rounding(group * tokens, difference)) * Math.abs(q[to + i]!);
          dv[from + i]! += p[s]! * (ofWeight + rounding(group * tokens, 1)) * Math.abs(dO[to + i]!);
        }
      }
    }
  }
  return { dq: maxAbs(dq), dk: maxAbs(dk), dv: maxAbs(dv) };
}

/**
 * Returns the tolerance of central differences of a float64 loss of this magnitude, with inputs a step of h apart. It consists of their
 * rounding and a remainder of order h².
 */
export function centralDifference(h: number, loss: number): number {
  return C * (2 ** -44 / h + h ** 2) * Math.max(1, loss);
}

/**
 * Returns the tolerance of lightning attention, which takes sums over headDim and over the tokens.
 *
 * A decay e^(−λΔ) comes either from one rounded exponent, or from as many rounded factors as there are tokens, with three roundings each.
 * The exponent has an error of λΔ · ε, where λΔ matters up to 104, at which float32 ends. The magnitudes are those of the same sum over
 * |q|, |k|, |v|.
 */
export function lightning(q: Numbers, k: Numbers, v: Numbers, slopes: Numbers, headDim: number): number {
  const tokens = q.length / (slopes.length * headDim);
  const magnitude = maxAbs(quadraticLightning(absolute(q), absolute(k), absolute(v), slopes, headDim));
  return rounding(headDim + 3 * tokens + 104, magnitude);
}

/**
 * Returns the largest |a − b|. Returns NaN if any element is NaN, and Infinity if the lengths differ, so that no comparison with it passes.
 */
export function maxAbsDiff(a: Numbers, b: Numbers): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] === b[i] ? 0 : Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(difference)) return Number.NaN;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/** Returns ‖a − b‖ / ‖b‖, or 0 if both are zero. */
export function normDistance(a: Numbers, b: Numbers): number {
  if (a.length !== b.length) return Infinity;
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** Returns the largest |x|. */
export function maxAbs(x: Numbers): number {
  let largest = 0;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i]!));
  return largest;
}

function absolute(x: Numbers): Float64Array {
  return new Float64Array(x).map(Math.abs);
}

function norm1(x: Numbers): number {
  return absolute(x).reduce((total, value) => total + value, 0);
}

function longestRow(x: Numbers, dim: number): number {
  let longest = 0;
  for (let row = 0; row < x.length; row += dim) {
    let squares = 0;
    for (let i = 0; i < dim; i++) squares += x[row + i]! ** 2;
    longest = Math.max(longest, Math.sqrt(squares));
  }
  return longest;
}
