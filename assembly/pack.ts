// Between stored weights and resident ones.   w [rows, K] row-major ⇄ panels [rows/32][K][32]; the last panel is padded with zeros.
// bf16 panels keep outputs j and j + 4 of eight in one 32-bit word (see simd.ts). Conversions act on bits, so that what was loaded can be
// written back unchanged, NaN payloads included.

import { at } from "./simd";

export function packF32(panels: usize, w: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n += 32) {
    for (let k: i32 = 0; k < K; k++) {
      for (let j: i32 = 0; j < 32; j++) i32.store(at(panels, j), n + j < rows ? i32.load(at(w, (n + j) * K + k)) : 0);
      panels += 128;
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

// Where output j lies in a bf16 step: of each eight, 0 … 3 in the low halves of four words, 4 … 7 in the high ones.
@inline export function slot(j: i32): usize {
  return (<usize>((j & 24) | ((j & 3) << 1) | ((j >> 2) & 1))) << 1;
}

export function packBf16(panels: usize, w: usize, rows: i32, K: i32): void {
  for (let n: i32 = 0; n < rows; n += 32) {
    for (let k: i32 = 0; k < K; k++) {
      for (let j: i32 = 0; j < 32; j++) store<u16>(panels + slot(j), n + j < rows ? load<u16>(w + ((<usize>((n + j) * K + k)) << 1)) : 0);
      panels += 64;
    }
  }
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
  for (let i: i32 = 0; i < n; i++) i32.store(at(y, i), (<i32>load<u16>(x + ((<usize>i) << 1))) << 16);
}

/** Rounds to nearest, ties to even; NaN stays NaN. */
export function f32ToBf16(y: usize, x: usize, n: i32): void {
  for (let i: i32 = 0; i < n; i++) {
    const bits = load<u32>(at(x, i));
    const nan = (bits & 0x7fffffff) > 0x7f800000;
    const rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    // A NaN whose payload lies in the lower half alone must not become ∞.
    const truncated = (bits >> 16) | ((bits >> 16) & 0x7f ? 0 : 0x40);
    store<u16>(y + ((<usize>i) << 1), <u16>(nan ? truncated : rounded));
  }
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

/** The inverse of f16ToF32; other values round to nearest, ties to even, beyond 65504 to ∞. */
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

/** How many of n floats are NaN or infinite. */
export function countNonFinite(x: usize, n: i32): i32 {
  let count: i32 = 0;
  for (let i: i32 = 0; i < n; i++) {
    const v = load<f32>(at(x, i));
    if (v - v != 0) count++;
  }
  return count;
}
