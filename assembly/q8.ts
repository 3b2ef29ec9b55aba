// 8-bit weights and what they meet.   M rows, N outputs, K inputs, blocks b of KC inputs
//   w_nk ≈ s_nb q_nk,  q in −127 … 127,    s_nb = max |w_nk| / 127   over k in b
//   x_mk ≈ t_mb p_mk,  p in −32767 … 32767, t_mb = max |x_mk| / 32767
// A block that holds NaN or ∞ has the scale NaN, and so has whatever is computed from it.
//
//   w in panels of 32 outputs: [N/32][b] of 32 scales float32, then [KC/2][32][2] int8: inputs in pairs, an odd last one with a 0
//   x quantised: scales [b][M] float32, then [b][four rows at a time, the last 1 … 3 one at a time][KC/2][rows][2] int16

import { KC } from "./product-tile";
import { at, hmax } from "./simd";

@inline export function blocks(K: i32): i32 {
  return (K + KC - 1) / KC;
}

/** Bytes of a block's scales. */
export const SCALES: usize = 128;

@inline export function panelBytes(K: i32): usize {
  return (<usize>blocks(K)) * SCALES + ((<usize>((K + 1) >> 1)) << 6);
}

// Where the block from input k begins for row i (of a tile: its first) in quantised x.
@inline export function rowPairs(x: usize, M: i32, K: i32, k: i32, i: i32): usize {
  const pairs = (min(KC, K - k) + 1) >> 1;
  return x + (((<usize>blocks(K)) * (<usize>M)) << 2) + (((<usize>k) * (<usize>M)) << 1) + (((<usize>i) * (<usize>pairs)) << 2);
}

// Largest magnitude of n floats; NaN if one of them is NaN or infinite. At least so large that magnitude / levels is a normal number.
function magnitude(x: usize, n: i32, levels: f32): f32 {
  let m = f32x4.splat(0), i: i32 = 0;
  for (; i + 4 <= n; i += 4) m = f32x4.max(m, f32x4.abs(v128.load(at(x, i))));
  let largest = hmax(m);
  for (; i < n; i++) largest = max(largest, abs(load<f32>(at(x, i))));
  return largest == Infinity ? NaN : max(largest, levels * f32.MIN_NORMAL_VALUE);
}

// To the nearest integer, ties to even; NaN to 0.
@inline function round(x: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(x));
}

@inline function round1(x: f32): i32 {
  return i32x4.extract_lane(round(f32x4.splat(x)), 0);
}

/** Rows begin to end of x, quantised for products of M rows each: of more rows, M by M, each such group on its own. */
export function quantizeRows(y: usize, x: usize, M: i32, K: i32, begin: i32, end: i32): void {
  const tiled = M & ~3, rowBytes = ((<usize>blocks(K)) << 2) + ((<usize>((K + 1) >> 1)) << 2);
  for (let r = begin; r < end; r++) {
    const i = r % M, group = y + (<usize>(r - i)) * rowBytes;
    // A tile holds the pairs of its four rows side by side.
    const first = i < tiled ? i & ~3 : i, step: usize = i < tiled ? 16 : 4, xi = x + (((<usize>r) * (<usize>K)) << 2);
    for (let k: i32 = 0, t = at(group, i); k < K; k += KC, t += (<usize>M) << 2) {
      const kc = min(KC, K - k), m = magnitude(at(xi, k), kc, 32767);
      f32.store(t, m / 32767);
      quantize(rowPairs(group, M, K, k, first) + ((<usize>(i - first)) << 2), step, at(xi, k), kc, 32767 / m);
    }
  }
}

// Pairs of n floats times `scale`, `step` bytes apart.
function quantize(dst: usize, step: usize, x: usize, n: i32, scale: f32): void {
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    const q = round(f32x4.mul(v128.load(at(x, i)), f32x4.splat(scale))), p = i16x8.narrow_i32x4_s(q, q);
    v128.store32_lane(dst, p, 0);
    v128.store32_lane(dst + step, p, 1);
    dst += 2 * step;
  }
  for (; i < n; i += 2) {
    i32.store16(dst, round1(load<f32>(at(x, i)) * scale));
    i32.store16(dst, i + 1 < n ? round1(load<f32>(at(x, i + 1)) * scale) : 0, 2);
    dst += step;
  }
}

/** w [rows, K] row-major to panels. */
export function packQ8(panels: usize, w: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n += 32) {
    for (let k: i32 = 0; k < K; k += KC) {
      const kc = min(KC, K - k), bytes = SCALES + ((<usize>((kc + 1) >> 1)) << 6);
      memory.fill(panels, 0, bytes);
      for (let j: i32 = 0; j < min(32, rows - n); j++) {
        const row = at(w, (n + j) * K + k), m = magnitude(row, kc, 127), scale: f32 = 127 / m;
        f32.store(at(panels, j), m / 127);
        for (let i: i32 = 0; i < kc; i++) store<i8>(panels + slot(i, j), <i8>round1(load<f32>(at(row, i)) * scale));
      }
      panels += bytes;
    }
  }
}

// Where input i of output j lies in a block.
@inline function slot(i: i32, j: i32): usize {
  return SCALES + (<usize>(((i >> 1) << 6) + (j << 1) + (i & 1)));
}

/** The values s·q of panels, row-major. */
export function unpackQ8(w: usize, panels: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n++) unpackRow(w + (((<usize>n) * (<usize>K)) << 2), panels, n, K);
}

/** The values s·q of output n of a matrix. */
export function unpackRow(y: usize, w: usize, n: i32, K: i32): void {
  let block = w + (<usize>(n >> 5)) * panelBytes(K);
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), s = load<f32>(at(block, n & 31));
    for (let i: i32 = 0; i < kc; i++) f32.store(at(y, k + i), s * <f32>load<i8>(block + slot(i, n & 31)));
    block += SCALES + ((<usize>((kc + 1) >> 1)) << 6);
  }
}
