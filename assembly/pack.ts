// Conversion between stored and resident weights.   w [rows, K] row-major ⇄ panels [rows/32][K][32]; the last panel is padded with zeros.
// In bf16 panels, outputs j and j + 4 of each eight share a 32-bit word (see simd.ts). Conversions copy bits, so that loaded weights can be
// written back unchanged, including NaN payloads.

import { at, transpose } from "./simd";

/** Number of inputs per block. A block of eight outputs stays in the L1 cache while its steps are filled. */
const PACK_BLOCK_INPUTS: i32 = 256;

/** Packs panels begin to end. */
export function packF32(panels: usize, w: usize, rows: i32, K: i32, begin: i32, end: i32): void {
  const stride = (<usize>K) << 2;
  for (let p = begin; p < end; p++) {
    const panel = panels + (<usize>p) * stride * 32;
    for (let n: i32 = 0; n < 32; n += 4) {
      const row = (p << 5) + n, src = w + (<usize>row) * stride, whole = row + 4 <= rows ? K & ~3 : 0;
      for (let k: i32 = 0; k < whole; k += 4) transpose(at(panel, (k << 5) + n), 128, at(src, k), stride);
      for (let k = whole; k < K; k++) {
        for (let j: i32 = 0; j < 4; j++) i32.store(at(panel, (k << 5) + n + j), row + j < rows ? i32.load(at(src, k) + (<usize>j) * stride) : 0);
      }
    }
  }
}

export function unpackF32(w: usize, panels: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n += 32) {
    for (let k: i32 = 0; k < K; k++) {
      for (let j: i32 = 0; j < min(32, rows - n); j++) i32.store(at(w, (n + j) * K + k), i32.load(at(panels, j)));
      panels += 128;
    }
  }
}

// Byte offset of output j in a bf16 step: of each eight, 0 … 3 are in the low halves of four words, 4 … 7 in the high halves.
@inline export function slot(j: i32): usize {
  return (<usize>((j & 24) | ((j & 3) << 1) | ((j >> 2) & 1))) << 1;
}

/** Packs panels begin to end. */
export function packBf16(panels: usize, w: usize, rows: i32, K: i32, begin: i32, end: i32): void {
  const stride = (<usize>K) << 1;
  for (let p = begin; p < end; p++) {
    const panel = panels + (<usize>p) * stride * 32;
    for (let from: i32 = 0; from < K; from += PACK_BLOCK_INPUTS) {
      const to = min(from + PACK_BLOCK_INPUTS, K);
      for (let n: i32 = 0; n < 32; n += 8) {
        const row = (p << 5) + n, src = w + (<usize>row) * stride, dst = panel + ((<usize>n) << 1);
        const whole = row + 8 <= rows ? from + ((to - from) & ~7) : from;
        for (let k = from; k < whole; k += 8) eightByEight(dst + ((<usize>k) << 6), src + ((<usize>k) << 1), stride);
        for (let k = whole; k < to; k++) {
          for (let j: i32 = 0; j < 8; j++) {
            const bits = row + j < rows ? load<u16>(src + (<usize>j) * stride + ((<usize>k) << 1)) : 0;
            store<u16>(dst + ((<usize>k) << 6) + slot(j), bits);
          }
        }
      }
    }
  }
}

// Transposes eight inputs of eight outputs to eight steps, 64 bytes apart: outputs j and j + 4 in one word, four words side by side.
@inline function eightByEight(dst: usize, src: usize, stride: usize): void {
  const r0 = v128.load(src), r1 = v128.load(src + stride), r2 = v128.load(src + 2 * stride), r3 = v128.load(src + 3 * stride);
  src += 4 * stride;
  const r4 = v128.load(src), r5 = v128.load(src + stride), r6 = v128.load(src + 2 * stride), r7 = v128.load(src + 3 * stride);
  fourSteps(dst, lower16(r0, r4), lower16(r1, r5), lower16(r2, r6), lower16(r3, r7));
  fourSteps(dst + 256, upper16(r0, r4), upper16(r1, r5), upper16(r2, r6), upper16(r3, r7));
}

@inline function lower16(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

@inline function upper16(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

@inline function fourSteps(dst: usize, r0: v128, r1: v128, r2: v128, r3: v128): void {
  const a = i8x16.shuffle(r0, r1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const b = i8x16.shuffle(r0, r1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const c = i8x16.shuffle(r2, r3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const d = i8x16.shuffle(r2, r3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(dst, i8x16.shuffle(a, c, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(dst + 64, i8x16.shuffle(a, c, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
  v128.store(dst + 128, i8x16.shuffle(b, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(dst + 192, i8x16.shuffle(b, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
}

export function unpackBf16(w: usize, panels: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n += 32) {
    for (let k: i32 = 0; k < K; k++) {
      for (let j: i32 = 0; j < min(32, rows - n); j++) store<u16>(w + ((<usize>((n + j) * K + k)) << 1), load<u16>(panels + slot(j)));
      panels += 64;
    }
  }
}

export function bf16ToF32(y: usize, x: usize, n: i32): void {
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) v128.store(at(y, i), i32x4.shl(v128.load16x4_u(x + ((<usize>i) << 1)), 16));
  for (; i < n; i++) i32.store(at(y, i), (<i32>load<u16>(x + ((<usize>i) << 1))) << 16);
}

/** Rounds to nearest, ties to even. NaN stays NaN. */
export function f32ToBf16(y: usize, x: usize, n: i32): void {
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) v128.store64_lane(y + ((<usize>i) << 1), upperHalves(v128.load(at(x, i))), 0);
  for (; i < n; i++) v128.store16_lane(y + ((<usize>i) << 1), upperHalves(v128.load32_zero(at(x, i))), 0);
}

// The rounded upper halves of four floats, in the first four lanes of eight.
function upperHalves(x: v128): v128 {
  const upper = i32x4.shr_u(x, 16), odd = v128.and(upper, i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(x, i32x4.add(odd, i32x4.splat(0x7fff))), 16);
  // A NaN whose payload is only in the lower half must not become ∞.
  const empty = i32x4.eq(v128.and(upper, i32x4.splat(0x7f)), i32x4.splat(0)), nan = v128.or(upper, v128.and(empty, i32x4.splat(0x40)));
  const h = v128.bitselect(rounded, nan, f32x4.eq(x, x));
  return i16x8.narrow_i32x4_u(h, h);
}

export function f16ToF32(y: usize, x: usize, n: i32): void {
  for (let i: i32 = 0; i < n; i++) {
    const h = <u32>load<u16>(x + ((<usize>i) << 1));
    const sign = (h & 0x8000) << 16, exponent = (h >> 10) & 0x1f, fraction = h & 0x3ff;
    let bits: u32;
    if (exponent == 0x1f) bits = 0x7f800000 | (fraction << 13);
    else if (exponent) bits = ((exponent + 112) << 23) | (fraction << 13);
    else bits = reinterpret<u32>(<f32>fraction * reinterpret<f32>(0x33800000)); // subnormal: fraction · 2^−24
    store<u32>(at(y, i), sign | bits);
  }
}

/** Computes the inverse of f16ToF32. Other values are rounded to nearest, ties to even. Values beyond 65504 become ∞. */
export function f32ToF16(y: usize, x: usize, n: i32): void {
  for (let i: i32 = 0; i < n; i++) {
    const bits = load<u32>(at(x, i)), sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
    let h: u32;
    if (magnitude > 0x7f800000) {
      const payload = (magnitude >> 13) & 0x3ff;
      h = 0x7c00 | (payload ? payload : 0x200);
    } else if (magnitude >= 0x477ff000) {
      h = 0x7c00;
    } else if (magnitude >= 0x38800000) {
      const rebased = magnitude - 0x38000000;
      h = (rebased + 0xfff + ((rebased >> 13) & 1)) >> 13;
    } else {
      h = <u32>nearest(reinterpret<f32>(magnitude) * reinterpret<f32>(0x4b800000)); // units of 2^−24
    }
    store<u16>(y + ((<usize>i) << 1), <u16>(sign | h));
  }
}

/** Counts the NaN and infinite values among n floats. */
export function countNonFinite(x: usize, n: i32): i32 {
  let counts = i32x4.splat(0), i: i32 = 0;
  for (; i + 4 <= n; i += 4) counts = i32x4.sub(counts, nonFinite(v128.load(at(x, i))));
  for (; i < n; i++) counts = i32x4.sub(counts, nonFinite(v128.load32_zero(at(x, i))));
  return i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1) + i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3);
}

// −1 in lanes that are NaN or infinite, where x − x is not 0.
@inline function nonFinite(x: v128): v128 {
  return f32x4.ne(f32x4.sub(x, x), f32x4.splat(0));
}
