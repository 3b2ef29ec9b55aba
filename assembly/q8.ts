// 8-bit weights and quantized inputs.   M rows, N outputs, K inputs, blocks b of KC inputs
//   w_nk ≈ s_nb q_nk,  q in −127 … 127,    s_nb = max |w_nk| / 127   over k in b
//   x_mk ≈ t_mb p_mk,  p in −32767 … 32767, t_mb = max |x_mk| / 32767
// A block with NaN or ∞ has scale NaN, so that everything computed from it is NaN.
//
//   w in panels of 32 outputs: [N/32][b] of 32 scales float32, then [KC/4][32][4] bytes: four inputs to a word, in the order 0, 2, 1, 3,
//     the first and second as q + 128. So the low bytes of the word's 16-bit halves are the first pair, plus 128;
//     the high bytes are the second pair.
//   x quantized: scales t [b][M] float32, then −128 Σ p over the first pairs [b][M] int32, which corrects for the 128, then
//     [b][four rows at a time, the last 1 … 3 one at a time][KC/2][rows][2] int16: inputs in pairs, zeros to a multiple of four

import { KC } from "./matmul-tile";
import { at, hmax } from "./simd";

@inline export function blocks(K: i32): i32 {
  return (K + KC - 1) / KC;
}

/** Number of bytes of the scales of a block. */
export const SCALES_BYTES: usize = 128;

/** Returns the number of pairs of n inputs, padded to a multiple of four inputs. */
@inline export function pairsOf(n: i32): i32 {
  return ((n + 3) >> 2) << 1;
}

@inline export function panelBytes(K: i32): usize {
  return (<usize>blocks(K)) * SCALES_BYTES + ((<usize>pairsOf(K)) << 6);
}

// Address of the block from input k on for row i (the first row of a tile) in quantized x.
@inline export function rowPairs(x: usize, M: i32, K: i32, k: i32, i: i32): usize {
  return x + (((<usize>blocks(K)) * (<usize>M)) << 3) + (((<usize>k) * (<usize>M)) << 1) + (((<usize>i) * (<usize>pairsOf(min(KC, K - k)))) << 2);
}

// Returns the largest magnitude of n floats, or NaN if one of them is NaN or infinite. The result is large enough for magnitude / levels to
// be a normal number. The bits are compared as integers, which have the same order, with NaN above ∞. This takes one instruction instead of
// several.
function magnitude(x: usize, n: i32, levels: f32): f32 {
  let m = i32x4.splat(0), i: i32 = 0;
  for (; i + 4 <= n; i += 4) m = i32x4.max_s(m, f32x4.abs(v128.load(at(x, i))));
  for (; i < n; i++) m = i32x4.max_s(m, f32x4.abs(v128.load32_zero(at(x, i))));
  const largest = hmax(m);
  return largest < Infinity ? max(largest, levels * f32.MIN_NORMAL_VALUE) : NaN;
}

// Rounds to the nearest integer, ties to even; NaN becomes 0.
@inline export function round(x: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(x));
}

/** Returns the bytes of a quantized row of K inputs. */
@inline export function rowBytes(K: i32): usize {
  return ((<usize>blocks(K)) << 3) + ((<usize>pairsOf(K)) << 2);
}

/** Quantizes rows begin to end of M. */
export function quantizeRows(y: usize, x: usize, M: i32, K: i32, begin: i32, end: i32): void {
  const tiled = M & ~3, biases = ((<usize>blocks(K)) * (<usize>M)) << 2;
  for (let i = begin; i < end; i++) {
    // In a tile, the pairs of four rows are side by side.
    const first = i < tiled ? i & ~3 : i, step: usize = i < tiled ? 16 : 4, xi = x + (((<usize>i) * (<usize>K)) << 2);
    for (let k: i32 = 0, t = at(y, i); k < K; k += KC, t += (<usize>M) << 2) {
      const kc = min(KC, K - k), m = magnitude(at(xi, k), kc, 32767);
      f32.store(t, m / 32767);
      i32.store(t + biases, -128 * quantize(rowPairs(y, M, K, k, first) + ((<usize>(i - first)) << 2), step, at(xi, k), kc, 32767 / m));
    }
  }
}

// Stores n floats times `scale` as pairs, `step` bytes apart. Returns the sum over the first pairs of every four.
function quantize(dst: usize, step: usize, x: usize, n: i32, scale: f32): i32 {
  let sums = i32x4.splat(0), i: i32 = 0;
  for (; i < n; i += 4) {
    const q = round(f32x4.mul(four(at(x, i), n - i), f32x4.splat(scale))), p = i16x8.narrow_i32x4_s(q, q);
    v128.store32_lane(dst, p, 0);
    v128.store32_lane(dst + step, p, 1);
    sums = i32x4.add(sums, q);
    dst += 2 * step;
  }
  return i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
}

// Loads n floats, at most four, padded with zeros.
@inline export function four(x: usize, n: i32): v128 {
  if (n >= 4) return v128.load(x);
  const one = n > 0 ? load<f32>(x) : 0, two = n > 1 ? load<f32>(x, 4) : 0, three = n > 2 ? load<f32>(x, 8) : 0;
  return f32x4.replace_lane(f32x4.replace_lane(f32x4.replace_lane(f32x4.splat(0), 0, one), 1, two), 2, three);
}

/** Packs w [rows, K], row-major, into panels. */
export function packQ8(panels: usize, w: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n += 32) {
    for (let k: i32 = 0; k < K; k += KC) {
      const kc = min(KC, K - k), bytes = SCALES_BYTES + ((<usize>pairsOf(kc)) << 6);
      memory.fill(panels, 0, bytes);
      for (let j: i32 = 0; j < min(32, rows - n); j++) {
        const row = at(w, (n + j) * K + k), m = magnitude(row, kc, 127), scale: f32 = 127 / m;
        f32.store(at(panels, j), m / 127);
        for (let i: i32 = 0; i < kc; i += 4) {
          const q = round(f32x4.mul(four(at(row, i), kc - i), f32x4.splat(scale))), words = i16x8.narrow_i32x4_s(q, q);
          // Bytes 0, 2, 1, 3
          const ordered = i8x16.shuffle(words, words, 0, 4, 2, 6, 0, 4, 2, 6, 0, 4, 2, 6, 0, 4, 2, 6);
          store<u32>(panels + slot(i, j), i32x4.extract_lane(ordered, 0) ^ 0x00800080);
        }
      }
      panels += bytes;
    }
  }
}

// Byte offset of input i of output j in a block.
@inline function slot(i: i32, j: i32): usize {
  return SCALES_BYTES + (<usize>(((i >> 2) << 7) + (j << 2) + ((i & 1) << 1) + ((i >> 1) & 1)));
}

// The bit that is flipped in the byte of input i: the first pair of four is stored as q + 128.
@inline function sign(i: i32): i32 {
  return i & 2 ? 0 : 128;
}

/** Unpacks the values s·q of panels, row-major. */
export function unpackQ8(w: usize, panels: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n++) unpackRow(w + (((<usize>n) * (<usize>K)) << 2), panels, n, K);
}

/** Unpacks the values s·q of output n of a matrix. */
export function unpackRow(y: usize, w: usize, n: i32, K: i32): void {
  let block = w + (<usize>(n >> 5)) * panelBytes(K);
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), s = load<f32>(at(block, n & 31));
    for (let i: i32 = 0; i < kc; i++) f32.store(at(y, k + i), s * <f32>(<i8>(<i32>load<u8>(block + slot(i, n & 31)) ^ sign(i))));
    block += SCALES_BYTES + ((<usize>pairsOf(kc)) << 6);
  }
}
