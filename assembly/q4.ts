// 4-bit weights, and inputs quantized for them.   M rows, N outputs, K inputs, groups g of 32 inputs
//   w_nk ≈ s_ng q_nk + m_ng,  q in 0 … 15,     m_ng = min w_nk, s_ng = (max w_nk − m_ng) / 15   over k in g, both rounded to bf16
//   x_mk ≈ t_mg p_mk,         p in −127 … 127, t_mg = max |x_mk| / 127
// A group with NaN or ∞, or with a range of weights beyond float32, has scale NaN, so that everything computed from it is NaN.
//
//   w in panels of 32 outputs, each of two strips: [N/16][g] of 16 words, s in the upper half and m in the lower half, then
//     [32/8][16] words of eight inputs: byte i has input i in its low four bits and input i + 4 in its high four bits
//   x quantized, four rows at a time, the last 1 … 3 one at a time: [g] of t [rows] and b = t Σ p [rows], float32, then [words][rows]
//     words, in the order of `nibbles`. The relaxed build multiplies bytes. The others multiply 16-bit halves.

import { four, round } from "./q8";
import { at, hmax, hmin, hsum, isum } from "./simd";

/** Number of inputs per group. */
const GROUP: i32 = 32;

/** Number of times eight inputs in a group. */
export const STEPS: i32 = GROUP / 8;

/** Number of words of a quantized row for eight inputs. */
export const STEP_WORDS: i32 = ASC_FEATURE_RELAXED_SIMD ? 2 : 4;

/** Bytes of the scales and offsets of 16 outputs, and of eight inputs of 16 outputs. */
export const STRIP_STEP_BYTES: usize = 64;

/** Bytes of a group of 16 outputs. */
export const STRIP_GROUP_BYTES: usize = STRIP_STEP_BYTES * (1 + STEPS);

/** Bytes of a group of a quantized row. */
export const ROW_GROUP_BYTES: usize = 8 + 4 * STEPS * STEP_WORDS;

const MAX_BF16: f32 = 3.3895313892515355e38;

@inline export function groups(K: i32): i32 {
  return (K + GROUP - 1) / GROUP;
}

@inline export function stripBytes(K: i32): usize {
  return (<usize>groups(K)) * STRIP_GROUP_BYTES;
}

/** Returns the bytes of a quantized row of K inputs. */
export function q4RowBytes(K: i32): i32 {
  return <i32>((<usize>groups(K)) * ROW_GROUP_BYTES);
}

// The weights of a word of four outputs that are multiplied with word 0, 1, … of a row.
//   relaxed: inputs 0 … 3, then 4 … 7, as bytes
//   others: inputs 0 and 2, 4 and 6, 1 and 3, then 5 and 7, as 16 bits, times 1, 16, 256 and 1. The row has the other factor of 256.
@inline export function nibbles(w: v128, word: i32, mask: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.and(word ? i16x8.shr_u(w, 4) : w, mask);
  return word == 3 ? i16x8.shr_u(w, 12) : v128.and(w, mask);
}

/** The mask for `nibbles` of word 0, 1 or 2. It is in memory for the same reason as that of upperHalf. */
@inline export function nibbleMask(word: i32): v128 {
  return v128.load(NIBBLE_MASKS + ((<usize>(ASC_FEATURE_RELAXED_SIMD ? 3 : word)) << 4));
}

const NIBBLE_MASKS: usize = memory.data<u32>([
  0x000f000f, 0x000f000f, 0x000f000f, 0x000f000f, 0x00f000f0, 0x00f000f0, 0x00f000f0, 0x00f000f0,
  0x0f000f00, 0x0f000f00, 0x0f000f00, 0x0f000f00, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f,
], 16);

const ONES: usize = memory.data<u32>([0x00010001, 0x00010001, 0x00010001, 0x00010001], 16);

// Adds the products of a word of a row with the nibbles of four outputs. Each is q p, or 256 q p.
@inline export function dot(x: v128, w: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.add(c, i16x8.relaxed_dot_i8x16_i7x16_s(x, w));
  return i32x4.add(c, i32x4.dot_i16x8_s(x, w));
}

// Σ q p over a group for four outputs. The sums in 16 bits have half a group: 16 · 15 · 127 < 2^15.
@inline function sums(c: v128): v128 {
  return f32x4.convert_i32x4_s(ASC_FEATURE_RELAXED_SIMD ? i32x4.dot_i16x8_s(c, v128.load(ONES)) : i32x4.shr_s(c, 8));
}

// c + s t Σ q p + m b for four outputs
@inline export function addGroup(c: v128, q: v128, s: v128, m: v128, t: v128, b: v128): v128 {
  return f32x4.add(c, f32x4.add(f32x4.mul(sums(q), f32x4.mul(s, t)), f32x4.mul(m, b)));
}

/** Quantizes rows begin to end of M. */
export function quantizeRowsQ4(y: usize, x: usize, M: i32, K: i32, begin: i32, end: i32): void {
  const tiled = M & ~3, bytes = <usize>q4RowBytes(K);
  for (let i = begin; i < end; i++) {
    // In a tile, the words of four rows are side by side.
    const rows: usize = i < tiled ? 4 : 1, first = i < tiled ? i & ~3 : i, row = x + (((<usize>i) * (<usize>K)) << 2);
    let group = at(y + (<usize>first) * bytes, i - first);
    for (let k: i32 = 0; k < K; k += GROUP) {
      quantizeGroup(group, rows << 2, at(row, k), min(GROUP, K - k));
      group += rows * ROW_GROUP_BYTES;
    }
  }
}

// Quantizes n inputs to words that are `step` bytes apart.
function quantizeGroup(dst: usize, step: usize, x: usize, n: i32): void {
  let largest = i32x4.splat(0), total = largest;
  for (let i: i32 = 0; i < n; i += 4) largest = i32x4.max_s(largest, f32x4.abs(four(at(x, i), n - i)));
  const m = hmax(largest), t: f32 = m < Infinity ? max(m, 127 * f32.MIN_NORMAL_VALUE) / 127 : NaN, scale = f32x4.splat(1 / t);
  let word = dst + 2 * step;
  for (let i: i32 = 0; i < GROUP; i += 8) {
    const lower = round(f32x4.mul(four(at(x, i), n - i), scale)), upper = round(f32x4.mul(four(at(x, i + 4), n - i - 4), scale));
    const p = i16x8.narrow_i32x4_s(lower, upper);
    total = i32x4.add(total, i32x4.add(lower, upper));
    if (ASC_FEATURE_RELAXED_SIMD) {
      const bytes = i8x16.narrow_i16x8_s(p, p);
      v128.store32_lane(word, bytes, 0);
      v128.store32_lane(word + step, bytes, 1);
    } else {
      // Inputs 0 and 2, 4 and 6, 1 and 3, 5 and 7
      const pairs = i8x16.shuffle(p, p, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15), times256 = i16x8.shl(pairs, 8);
      v128.store32_lane(word, times256, 0);
      v128.store32_lane(word + step, i16x8.shl(pairs, 4), 1);
      v128.store32_lane(word + 2 * step, pairs, 2);
      v128.store32_lane(word + 3 * step, times256, 3);
    }
    word += STEP_WORDS * step;
  }
  f32.store(dst, t);
  f32.store(dst + step, t * <f32>isum(total));
}

/** Packs panels begin to end of w [rows, K], row-major. */
export function packQ4(panels: usize, w: usize, rows: i32, K: i32, begin: i32, end: i32): void {
  for (let n = begin << 5; n < end << 5; n++) {
    let group = outputWord(panels, n, K);
    const row = w + (((<usize>n) * (<usize>K)) << 2);
    for (let k: i32 = 0; k < K; k += GROUP) {
      // The last panel is padded with zeros.
      if (n < rows) packGroup(group, at(row, k), min(GROUP, K - k));
      else for (let step: usize = 0; step < STRIP_GROUP_BYTES; step += STRIP_STEP_BYTES) i32.store(group + step, 0);
      group += STRIP_GROUP_BYTES;
    }
  }
}

// Address of the first word of output n: scale and offset of its first group.
@inline function outputWord(panels: usize, n: i32, K: i32): usize {
  return at(panels + (<usize>(n >> 4)) * stripBytes(K), n & 15);
}

// Rounds n weights. First, the levels 0 and 15 are the least and the largest weight. Then 14 to 16 steps between these give integers, for
// which scale and offset are fitted by least squares. The scale and offset with the smallest squared error are kept. This reduces the error
// of normally distributed weights by 8 % (17 % squared).
function packGroup(dst: usize, w: usize, n: i32): void {
  let low = four(w, n), high = low;
  for (let i: i32 = 4; i < n; i += 4) {
    const v = four(at(w, i), n - i);
    low = f32x4.min(low, v); high = f32x4.max(high, v);
  }
  const least = hmin(low), most = hmax(high), range = most - least, finite = range < Infinity;
  let m = bf16(least), s = finite ? bf16(max((most - m) / 15, f32.MIN_NORMAL_VALUE)) : NaN, error = squaredError(w, n, s, m);
  for (let steps: f32 = 14; finite && steps <= 16; steps++) {
    const size = max(range / steps, f32.MIN_NORMAL_VALUE), scale = f32x4.splat(1 / size), offset = f32x4.splat(least * (1 / size));
    let q1 = f32x4.splat(0), q2 = q1, w1 = q1, qw = q1;
    for (let i: i32 = 0; i < n; i += 4) {
      const v = four(at(w, i), n - i), q = f32x4.convert_i32x4_s(level(v, scale, offset));
      q1 = f32x4.add(q1, q); q2 = f32x4.add(q2, f32x4.mul(q, q));
      w1 = f32x4.add(w1, v); qw = f32x4.add(qw, f32x4.mul(q, v));
    }
    const count = <f32>((n + 3) & ~3), a = hsum(q1), b = hsum(w1);
    const slope = (count * hsum(qw) - a * b) / (count * hsum(q2) - a * a);
    const fitted = bf16(max(slope, f32.MIN_NORMAL_VALUE)), start = bf16((b - slope * a) / count), e = squaredError(w, n, fitted, start);
    // false if a sum has overflowed
    if (e < error) { error = e; s = fitted; m = start; }
  }
  store<u32>(dst, (reinterpret<u32>(s) & 0xffff0000) | (reinterpret<u32>(m) >> 16));
  const scale = f32x4.splat(1 / s), offset = f32x4.splat(m * (1 / s));
  for (let i: i32 = 0; i < GROUP; i += 8) {
    dst += STRIP_STEP_BYTES;
    const lower = level(four(at(w, i), n - i), scale, offset), upper = level(four(at(w, i + 4), n - i - 4), scale, offset);
    const q = i16x8.narrow_i32x4_s(lower, i32x4.shl(upper, 4)), bytes = i8x16.narrow_i16x8_u(q, q);
    i32.store(dst, i32x4.extract_lane(bytes, 0) | i32x4.extract_lane(bytes, 1));
  }
}

// Σ (w − s q − m)²
function squaredError(w: usize, n: i32, s: f32, m: f32): f32 {
  const scale = f32x4.splat(1 / s), offset = f32x4.splat(m * (1 / s));
  let sum = f32x4.splat(0);
  for (let i: i32 = 0; i < n; i += 4) {
    const v = four(at(w, i), n - i), q = f32x4.convert_i32x4_s(level(v, scale, offset));
    const d = f32x4.sub(f32x4.sub(v, f32x4.splat(m)), f32x4.mul(q, f32x4.splat(s)));
    sum = f32x4.add(sum, f32x4.mul(d, d));
  }
  return hsum(sum);
}

@inline function level(w: v128, scale: v128, offset: v128): v128 {
  return i32x4.min_s(i32x4.max_s(round(f32x4.sub(f32x4.mul(w, scale), offset)), i32x4.splat(0)), i32x4.splat(15));
}

// Rounds to bf16, ties to even, at most to its largest numbers. NaN stays NaN.
@inline function bf16(x: f32): f32 {
  const bits = reinterpret<u32>(x);
  return x == x ? min(max(reinterpret<f32>((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000), -MAX_BF16), MAX_BF16) : x;
}

/** Unpacks the values s·q + m of panels, row-major. */
export function unpackQ4(w: usize, panels: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n++) unpackRowQ4(w + (((<usize>n) * (<usize>K)) << 2), panels, n, K);
}

/** Unpacks the values s·q + m of output n of a matrix. */
export function unpackRowQ4(y: usize, w: usize, n: i32, K: i32): void {
  let group = outputWord(w, n, K);
  for (let k: i32 = 0; k < K; k += GROUP) {
    const word = load<u32>(group), s = reinterpret<f32>(word & 0xffff0000), m = reinterpret<f32>(word << 16);
    for (let i: i32 = 0; i < min(GROUP, K - k); i++) {
      const byte = <i32>load<u8>(group + STRIP_STEP_BYTES * (1 + (<usize>i >> 3)) + (<usize>(i & 3)));
      f32.store(at(y, k + i), s * <f32>((byte >> (i & 4)) & 15) + m);
    }
    group += STRIP_GROUP_BYTES;
  }
}
