// The specification of 8-bit weights: every step in float32, rounded as IEEE 754 says, and integers exact. The library gives these bits.
// Each BLOCK inputs of an output (or of a row of x) have one scale, the largest magnitude over 127 (32767); a block that holds NaN or ∞
// has the scale NaN.

import { Q8_BLOCK_INPUTS } from "../../src/runtime/tensor.js";
import type { Numbers } from "./linear.js";

const { fround } = Math;

/** Integers and scales of rows `[rows, inner]`: `x ≈ scale · q`. */
export function quantize(x: Numbers, inner: number, levels: number): { q: Float64Array; scales: Float64Array } {
  const q = new Float64Array(x.length);
  const scales = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += inner) {
    for (let begin = row; begin < row + inner; begin += Q8_BLOCK_INPUTS) {
      const end = Math.min(begin + Q8_BLOCK_INPUTS, row + inner);
      let largest = 0;
      for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(x[i]!));
      // At least so large that the scale is a normal number.
      largest = largest === Infinity ? Number.NaN : Math.max(largest, levels * 2 ** -126);
      const inverse = fround(levels / largest);
      for (let i = begin; i < end; i++) {
        scales[i] = fround(largest / levels);
        q[i] = Number.isNaN(largest) ? 0 : roundToEven(fround(x[i]! * inverse));
      }
    }
  }
  return { q, scales };
}

/** What a q8 matrix holds. */
export function dequantized(w: Numbers, inner: number): Float32Array {
  const { q, scales } = quantize(w, inner, 127);
  return new Float32Array(q.map((value, i) => scales[i]! * value));
}

/** `x·wᵀ` of quantised rows and weights: per block the exact sum, times both scales, added up. */
export function matmul(x: Numbers, w: Numbers, inner: number): Float32Array {
  const [rows, out] = [x.length / inner, w.length / inner];
  const [a, b] = [quantize(x, inner, 32767), quantize(w, inner, 127)];
  const y = new Float32Array(rows * out);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < out; o++) {
      let total = 0;
      for (let begin = 0; begin < inner; begin += Q8_BLOCK_INPUTS) {
        let sum = 0;
        for (let i = begin; i < Math.min(begin + Q8_BLOCK_INPUTS, inner); i++) sum += a.q[r * inner + i]! * b.q[o * inner + i]!;
        const scale = fround(b.scales[o * inner + begin]! * a.scales[r * inner + begin]!);
        const term = fround(fround(sum) * scale);
        total = begin ? fround(total + term) : term;
      }
      y[r * out + o] = total;
    }
  }
  return y;
}

/** An integer, so never −0. */
export function roundToEven(x: number): number {
  const nearest = Math.round(x);
  return (Math.abs(x % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest) + 0;
}
