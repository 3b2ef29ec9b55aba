// Key-value cache of one sequence, in pages of 64 positions, in the order in which attention reads it.
//   C KV heads, D headDim, d = D rounded up to a multiple of 8; W bytes per number: 4 float32, 2 bf16, 1 int8
// Per KV head, a page holds keys in panels [2][d][32] of 32 positions, and values in panels [d/32][64][32] of 32 dims, of which the last
// may be narrower. For int8, the scales of the 64 keys and of the 64 values follow:
//   x ≈ scale · int8,   scale = max |x| / 127 of that position and head
// In bf16, numbers j and j + 4 of a step share a 32-bit word, as in weights. Unfilled positions are zero.

import { slot } from "./pack";
import { at, high, low, upperHalf } from "./simd";

/** Number of positions per page. */
export const PAGE_POSITIONS: i32 = 64;

/** Returns the bytes of one KV head in a page. */
export function kvHeadBytes(D: i32, W: i32): i32 {
  return 2 * PAGE_POSITIONS * (((D + 7) & ~7) * W + (W == 1 ? 4 : 0));
}

/** Returns the address of step 0 of position j of float32 keys. Steps are 128 bytes apart. */
@inline export function keyColumn(keys: usize, d: i32, j: i32): usize {
  return at(keys, (j & ~31) * d + (j & 31));
}

/** Returns the address of step 0 of dim p of float32 values. */
@inline export function valueColumn(values: usize, p: i32): usize {
  return at(values, (p & ~31) * PAGE_POSITIONS + (p & 31));
}

/** Returns the bytes from one step of dim p to the next. */
@inline export function valueStep(d: i32, p: i32): usize {
  return (<usize>min(32, d - (p & ~31))) << 2;
}

/** Writes positions past + begin to past + end from k, v [T, C, D]; `pages` is the page table. Positions are independent. */
export function storeKeysValues(pages: usize, k: usize, v: usize, past: i32, C: i32, D: i32, W: i32, begin: i32, end: i32): void {
  const d = (D + 7) & ~7;
  for (let t = begin; t < end; t++) {
    const s = past + t, i = s & (PAGE_POSITIONS - 1);
    let head = <usize>i32.load(at(pages, s / PAGE_POSITIONS));
    for (let h: i32 = 0; h < C; h++) {
      const row = (t * C + h) * D, values = head + (<usize>(PAGE_POSITIONS * d * W)), scales = values + (<usize>(PAGE_POSITIONS * d * W));
      const by = quantizer(at(scales, i), at(k, row), D, W), to = quantizer(at(scales, PAGE_POSITIONS + i), at(v, row), D, W);
      const key = head + <usize>((i >> 5) * d * 32 * W) + place(i & 31, W);
      for (let j: i32 = 0; j < D; j++) put(key + <usize>(j * 32 * W), load<f32>(at(k, row + j)), by, W);
      for (let j: i32 = 0; j < D; j++) {
        const p = j & ~31, width = min(32, d - p);
        put(values + <usize>((p * PAGE_POSITIONS + i * width) * W) + place(j & 31, W), load<f32>(at(v, row + j)), to, W);
      }
      head += kvHeadBytes(D, W);
    }
  }
}

/** Reads float32 positions from + begin to from + end back into k, v [T, C, D]. Positions are independent. */
export function loadKeysValues(k: usize, v: usize, pages: usize, from: i32, C: i32, D: i32, begin: i32, end: i32): void {
  const d = (D + 7) & ~7;
  for (let t = begin; t < end; t++) {
    const s = from + t, i = s & (PAGE_POSITIONS - 1);
    let head = <usize>i32.load(at(pages, s / PAGE_POSITIONS));
    for (let h: i32 = 0; h < C; h++) {
      const row = (t * C + h) * D, key = keyColumn(head, d, i), values = at(head, PAGE_POSITIONS * d);
      for (let j: i32 = 0; j < D; j++) f32.store(at(k, row + j), load<f32>(at(key, j * 32)));
      for (let p: i32 = 0; p < D; p += 32) {
        memory.copy(at(v, row + p), valueColumn(values, p) + (<usize>i) * valueStep(d, p), (<usize>min(32, D - p)) << 2);
      }
      head += kvHeadBytes(D, 4);
    }
  }
}

/** Converts keys and values of one head of a page to float32. */
export function widenPage(keys: usize, values: usize, head: usize, D: i32, W: i32): void {
  const d = (D + 7) & ~7, source = head + (<usize>(PAGE_POSITIONS * d * W));
  if (W == 2) {
    widenBf16(keys, head, PAGE_POSITIONS * d);
    widenBf16(values, source, PAGE_POSITIONS * d);
    return;
  }
  const scales = source + (<usize>(PAGE_POSITIONS * d));
  for (let j: i32 = 0; j < PAGE_POSITIONS; j += 8) {
    const low = v128.load(at(scales, j)), high = v128.load(at(scales, j), 16);
    let dst = keyColumn(keys, d, j), src = head + <usize>((j & ~31) * d + (j & 31));
    for (const end = src + <usize>(32 * d); src < end; src += 32, dst += 128) widenInt8(dst, src, low, high);
  }
  for (let p: i32 = 0, src = source, dst = values; p < d; p += 32) {
    const width = <usize>min(32, d - p);
    for (let i: i32 = 0; i < PAGE_POSITIONS; i++) {
      const by = v128.load32_splat(at(scales, PAGE_POSITIONS + i));
      for (const end = src + width; src < end; src += 8, dst += 32) widenInt8(dst, src, by, by);
    }
  }
}

// For int8: stores the scale of a row of D numbers, and returns the factor by which numbers are multiplied before they are rounded.
function quantizer(scale: usize, x: usize, D: i32, W: i32): f32 {
  if (W != 1) return 1;
  let top: f32 = 0;
  for (let i: i32 = 0; i < D; i++) top = max(top, abs(load<f32>(at(x, i))));
  // Large enough for the scale to be a normal number. A row of zeros has scale 0.
  if (top > 0) top = max(top, 127 * f32.MIN_NORMAL_VALUE);
  f32.store(scale, top / 127);
  return top > 0 ? 127 / top : 0;
}

@inline function put(p: usize, x: f32, by: f32, W: i32): void {
  if (W == 4) f32.store(p, x);
  else if (W == 2) store<u16>(p, bf16(x));
  else store<u8>(p, <u8>i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(f32x4.splat(nearest(x * by))), 0));
}

// Byte offset of number j within a step of 8, 16, 24 or 32 numbers.
@inline function place(j: i32, W: i32): usize {
  return <usize>((j & ~7) * W) + (W == 2 ? slot(j & 7) : <usize>((j & 7) * W));
}

// Rounds to nearest, ties to even; NaN stays NaN.
@inline function bf16(x: f32): u16 {
  const bits = reinterpret<u32>(x);
  return x != x ? 0x7fc0 : <u16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

function widenBf16(dst: usize, src: usize, n: i32): void {
  const mask = upperHalf();
  for (const end = at(dst, n); dst < end; dst += 32) {
    v128.store(dst, low<u16>(src));
    v128.store(dst, high<u16>(src, mask), 16);
    src += 16;
  }
}

@inline function widenInt8(dst: usize, src: usize, low: v128, high: v128): void {
  const x = v128.load8x8_s(src);
  v128.store(dst, f32x4.mul(low, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(x))));
  v128.store(dst, f32x4.mul(high, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(x))), 16);
}
