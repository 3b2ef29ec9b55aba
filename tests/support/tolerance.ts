// Every tolerance of the test suite comes from here, and from one constant.
//
// A float32 result that takes n rounded operations, whatever their order, differs from the exact one by at most about
// n · ε · Σ|terms|, where the sum of magnitudes is the same computation on absolute values. ε is the distance from 1 to the next
// float32, twice the error of one rounding.

import { Q8_BLOCK_INPUTS } from "../../src/runtime/tensor.js";
import { quadraticLightning } from "../reference/lightning.js";
import { type Numbers, softmax as probabilities } from "../reference/linear.js";

/** Distance from 1 to the next float32. */
export const EPSILON = 2 ** -23;

/** Safety factor of every derived tolerance: for second-order terms, and for intermediate results that are themselves rounded. */
export const C = 2;

/** Largest absolute error of whole models, against the published code in float32 or the reference in float64. */
export const GOLDEN = { logits: 1e-4, hiddenStates: 2e-4, routerLogits: 2e-4 } as const;

/** Losses, gradients (norm-wise relative, per parameter), and losses and gradient norms of steps after them, against the published code. */
export const GRADIENTS = { loss: 1e-5, relative: 1e-4, steps: 1e-4 } as const;

/**
 * The same for 8-bit weights, against the reference over what they were rounded to: what is left is the rounding of activations to
 * 15 bits and a sign, 2^8 times as coarse as float32's, of whose tolerance a tenth is used.
 */
export const GOLDEN_Q8 = { logits: (2 ** 8 * GOLDEN.logits) / 10 } as const;

/** Losses of policies and their gradients in float64, against vectors written with 16 digits: relative to the value, or to 1. */
export const OBJECTIVES = 1e-12;

/** Numbers that are given with five digits behind the point. */
export const PRINTED = 1e-5;

/** A bandit that learns, against another implementation's means over 8 seeds: batches, relative to theirs, and the share of clipped tokens, of which two digits are known. */
export const BANDIT = { relative: 0.15, clipped: 0.03 } as const;

/** The same for lightning states, which grow with the sequence: relative to the largest entry. */
export function goldenState(expected: Numbers): number {
  return 1e-5 * Math.max(1, maxAbs(expected));
}

/**
 * Logits when keys and values are kept rounded: each is off by at most u of its size (half a bf16 step, half of 1/127 of the largest).
 * Softmax attention averages values and is one branch among others, so that logits are not off by more of theirs.
 */
export function narrowCache(kv: "bf16" | "q8", logits: Numbers): number {
  const u = kv === "bf16" ? 2 ** -9 : 1 / 254;
  return C * u * maxAbs(logits);
}

/** The part of these within which float64 and the published float32 agree; the rest is left to the implementation. */
export const REFERENCE_SHARE = 0.1;

/** A value that takes `operations` roundings of quantities of this magnitude. */
export function rounding(operations: number, magnitude: number): number {
  return C * EPSILON * operations * magnitude;
}

/** Any entry of x·wᵀ: `c · ε · K · max‖x‖ · max‖w‖` over rows of length K (Cauchy–Schwarz bounds the magnitudes). */
export function product(x: Numbers, w: Numbers, inner: number): number {
  return rounding(inner, longestRow(x, inner) * longestRow(w, inner));
}

/** A number rounded to one of `levels` steps each side of zero, the largest of which is `magnitude`; the scale is rounded too, and a normal number. */
export function quantization(levels: number, magnitude: number): number {
  return Math.max(magnitude / levels, 2 ** -126) / 2 + rounding(3, magnitude);
}

/** Any entry of x·wᵀ where w is as a q8 matrix holds it and x is rounded to 32767 steps: an exact sum for each block, added up in float32. */
export function q8Product(x: Numbers, w: Numbers, inner: number): number {
  const rows = Array.from({ length: w.length / inner }, (_, row) => norm1(Array.prototype.slice.call(w, row * inner, (row + 1) * inner)));
  return (
    quantization(32767, maxAbs(x)) * maxAbs(rows) +
    rounding(Math.ceil(inner / Q8_BLOCK_INPUTS) + 4, longestRow(x, inner) * longestRow(w, inner))
  );
}

/**
 * A gradient by so many roundings, its terms Σ |dy_j ∂y_j/∂x_i| at most `magnitude` together. Where terms cancel inside an op their sizes do not
 * show in the derivative, so that the largest of a tensor, and of dy times the inputs, count for all of it; central differences in float64 err by 1e-8 themselves.
 */
export function gradient(roundings: number, magnitude: number): number {
  return rounding(roundings, magnitude) + 1e-8 * Math.max(1, magnitude);
}

/** A sum of these terms. */
export function sum(terms: Numbers): number {
  return rounding(terms.length, norm1(terms));
}

/** e^x, relative to its value: the kernels' own exponential is exact to two ε. */
export function exp(value: number): number {
  return rounding(2, value);
}

/** A probability of a softmax over n scores: n exponentials of up to 104 below the largest, their sum, one quotient. */
export function softmax(n: number): number {
  return rounding(n + 4, 1);
}

/** A log-probability: scores and result of this magnitude, a logarithm of a sum of n. */
export function logSoftmax(n: number, magnitude: number): number {
  return rounding(n + 4, Math.max(1, magnitude));
}

/** A row of `w · x / rms(x)`: the sum over dim halves under the root; the normalised values are at most sqrt(dim). */
export function rmsNorm(dim: number, output: Numbers): number {
  return rounding(dim / 2 + 4, maxAbs(output));
}

/** Softmax attention: the error of the scores (each at most `score`) enters the weights, and the weights average v. */
export function attention(q: Numbers, k: Numbers, v: Numbers, headDim: number, tokens: number): number {
  const scoreError = product(q, k, headDim) / Math.sqrt(headDim);
  return (2 * scoreError + softmax(tokens) + rounding(tokens, 1)) * maxAbs(v);
}

/**
 * Backward of softmax attention, shapes as in the reference. A score is off by `headDim` roundings of its terms' magnitudes, and so is a
 * weight, relative to itself, twice: its own score and the sum over all. That error enters o, and with it δ; `dp` and δ are sums over headDim
 * too. Gradients are sums of such terms, over positions or over the queries of a group. Scores that are exact take no roundings.
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

/** Central differences of a float64 loss of this magnitude, its inputs a step of h apart: their rounding, and a remainder of order h². */
export function centralDifference(h: number, loss: number): number {
  return C * (2 ** -44 / h + h ** 2) * Math.max(1, loss);
}

/**
 * Lightning attention: sums over headDim and over the tokens. A decay e^(−λΔ) comes either from one rounded exponent (λΔ · ε,
 * which matters up to 104, where float32 ends) or from as many rounded factors as there are tokens, three roundings each.
 * The magnitudes are those of the same sum over |q|, |k|, |v|.
 */
export function lightning(q: Numbers, k: Numbers, v: Numbers, slopes: Numbers, headDim: number): number {
  const tokens = q.length / (slopes.length * headDim);
  const magnitude = maxAbs(quadraticLightning(absolute(q), absolute(k), absolute(v), slopes, headDim));
  return rounding(headDim + 3 * tokens + 104, magnitude);
}

/** Largest |a − b|; NaN when any element of either is NaN, and Infinity when the lengths differ, so that no comparison with it passes. */
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

/** ‖a − b‖ / ‖b‖; 0 for two zeros. */
export function normDistance(a: Numbers, b: Numbers): number {
  if (a.length !== b.length) return Infinity;
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** Largest |x|. */
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
