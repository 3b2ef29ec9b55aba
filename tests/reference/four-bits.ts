// The specification of 4-bit weights: every step in float32, rounded as IEEE 754 says, and integers exact. The library gives these bits.
// Each group of 32 inputs of an output has a scale and an offset, both bf16: w ≈ scale · q + offset. Each group of a row of x has a scale:
// x ≈ scale · p. A group that holds NaN or ∞, or whose range is beyond float32, has the
// scale NaN. Sums over a group are in four lanes, by input modulo 4.

import { Q4_GROUP_INPUTS as GROUP } from "../../src/runtime/tensor.js";
import type { Numbers } from "./linear.js";
import { roundToEven } from "./quantized.js";
import { toBf16 } from "./synthetic.js";

const { fround } = Math;

const MIN_NORMAL = 2 ** -126;
const MAX_BF16 = 3.3895313892515355e38;

interface Group {
  readonly scale: number;
  readonly offset: number;
  readonly q: readonly number[];
}

/** Scale, offset and integers of at most 32 weights. */
export function roundGroup(weights: readonly number[]): Group {
  const w = [...weights];
  while (w.length % 4) w.push(0);
  const [least, most] = [Math.min(...w), Math.max(...w)];
  const range = fround(most - least);
  const finite = range < Infinity;
  const first = bf16(least);
  const widest = finite ? bf16(Math.max(fround(fround(most - first) / 15), MIN_NORMAL)) : Number.NaN;
  let best = rounded(w, widest, first);
  for (let steps = 14; finite && steps <= 16; steps++) {
    const size = Math.max(fround(range / steps), MIN_NORMAL);
    const q = levels(w, size, least);
    const [a, b] = [sum(q), sum(w)];
    const covariance = fround(fround(w.length * sum(q.map((x, i) => fround(x * w[i]!)))) - fround(a * b));
    const slope = fround(covariance / fround(fround(w.length * sum(q.map((x) => x * x))) - fround(a * a)));
    const fitted = rounded(w, bf16(Math.max(slope, MIN_NORMAL)), bf16(fround(fround(b - fround(slope * a)) / w.length)));
    if (fitted.error < best.error) best = fitted;
  }
  return best;
}

function rounded(w: readonly number[], scale: number, offset: number): Group & { readonly error: number } {
  const q = levels(w, scale, offset);
  const squares = w.map((x, i) => {
    const d = fround(fround(x - offset) - fround(q[i]! * scale));
    return fround(d * d);
  });
  return { scale, offset, q, error: sum(squares) };
}

function levels(w: readonly number[], scale: number, offset: number): number[] {
  const inverse = fround(1 / scale);
  const start = fround(offset * inverse);
  return w.map((x) => Math.min(Math.max(roundToEven(fround(fround(x * inverse) - start)) || 0, 0), 15));
}

/** Adds in four lanes. */
function sum(x: readonly number[]): number {
  const lanes = [0, 0, 0, 0];
  for (const [i, value] of x.entries()) lanes[i % 4] = fround(lanes[i % 4]! + value);
  return fround(fround(lanes[0]! + lanes[2]!) + fround(lanes[1]! + lanes[3]!));
}

function bf16(x: number): number {
  return Number.isNaN(x) ? x : Math.min(Math.max(toBf16(x), -MAX_BF16), MAX_BF16);
}

/** Calls `use` with each group of rows `[x.length / inner, inner]`. */
function eachGroup(x: Numbers, inner: number, use: (group: number[], at: number) => void): void {
  for (let row = 0; row < x.length; row += inner) {
    for (let begin = row; begin < row + inner; begin += GROUP) {
      use(Array.prototype.slice.call(x, begin, Math.min(begin + GROUP, row + inner)), begin);
    }
  }
}

/** What a q4 matrix holds. */
export function dequantized(w: Numbers, inner: number): Float32Array {
  const held = new Float32Array(w.length);
  eachGroup(w, inner, (group, at) => {
    const { scale, offset, q } = roundGroup(group);
    for (const i of group.keys()) held[at + i] = fround(fround(scale * q[i]!) + offset);
  });
  return held;
}

/** `x·wᵀ` of rounded rows and weights: per group the exact sum times both scales, plus the offset times the sum of the row's group. */
export function matmul(x: Numbers, w: Numbers, inner: number): Float32Array {
  const [rows, out] = [x.length / inner, w.length / inner];
  const weights: Group[] = [];
  eachGroup(w, inner, (group) => weights.push(roundGroup(group)));
  const inputs: { scale: number; total: number; p: number[] }[] = [];
  eachGroup(x, inner, (group) => {
    const largest = Math.max(...group.map(Math.abs));
    const scale = largest < Infinity ? fround(Math.max(largest, 127 * MIN_NORMAL) / 127) : Number.NaN;
    const p = group.map((value) => roundToEven(fround(value * fround(1 / scale))) || 0);
    inputs.push({ scale, p, total: fround(scale * p.reduce((a, b) => a + b, 0)) });
  });
  const groups = Math.ceil(inner / GROUP);
  const y = new Float32Array(rows * out);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < out; o++) {
      let result = 0;
      for (let g = 0; g < groups; g++) {
        const [{ scale, offset, q }, { scale: step, total, p }] = [weights[o * groups + g]!, inputs[r * groups + g]!];
        const products = p.reduce((sum, value, i) => sum + value * q[i]!, 0);
        result = fround(result + fround(fround(products * fround(scale * step)) + fround(offset * total)));
      }
      y[r * out + o] = result;
    }
  }
  return y;
}
