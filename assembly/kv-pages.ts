// Keys and values of one sequence in pages of 64 positions, in the order in which attention reads them.
//   C KV heads, D headDim, d = D rounded up to a multiple of 8; W bytes per number: 4 float32, 2 bf16, 1 int8
// A page holds, per KV head: keys in panels [8][d][8] of 8 positions, values in panels [d/8][64][8] of 8 dims; for int8 also the
// scales of its 64 keys and of its 64 values:   x ≈ scale · int8,   scale = max |x| / 127 of that position and head
// bf16 keeps numbers j and j + 4 of a step in one 32-bit word, as weights do. What is not filled is zero.

import { slot } from "./pack";
import { at, high, low, upperHalf } from "./simd";

/** Positions per page. */
export const PAGE: i32 = 64;

/** Bytes of one KV head in a page. */
export function kvHeadBytes(D: i32, W: i32): i32 {
  return 2 * PAGE * (((D + 7) & ~7) * W + (W == 1 ? 4 : 0));
}

/** Writes positions past + begin to past + end from k, v [T, C, D]; `pages` are the addresses of all pages. Positions are independent. */
export function storeKeysValues(pages: usize, k: usize, v: usize, past: i32, C: i32, D: i32, W: i32, begin: i32, end: i32): void {
  const d = (D + 7) & ~7, step: usize = 8 * W;
  for (let t = begin; t < end; t++) {
    const s = past + t, i = s & (PAGE - 1);
    let head = <usize>i32.load(at(pages, s / PAGE));
    for (let h: i32 = 0; h < C; h++) {
      const row = (t * C + h) * D, values = head + (<usize>(PAGE * d * W)), scales = values + (<usize>(PAGE * d * W));
      const key = head + (<usize>(i >> 3)) * (<usize>d) * step + place(i & 7, W), value = values + (<usize>i) * step;
      storeRow(key, step, 0, at(k, row), D, W, at(scales, i));
      storeRow(value, 0, <usize>PAGE * step, at(v, row), D, W, at(scales, PAGE + i));
      head += kvHeadBytes(D, W);
    }
  }
}

/** Keys and values of one head of a page in float32. */
export function widenPage(keys: usize, values: usize, head: usize, D: i32, W: i32): void {
  const d = (D + 7) & ~7, source = head + (<usize>(PAGE * d * W));
  if (W == 2) {
    widenBf16(keys, head, PAGE * d);
    widenBf16(values, source, PAGE * d);
    return;
  }
  const scales = source + (<usize>(PAGE * d));
  let src = head, dst = keys;
  for (let j: i32 = 0; j < PAGE; j += 8) {
    const low = v128.load(at(scales, j)), high = v128.load(at(scales, j), 16);
    for (const end = src + (<usize>(8 * d)); src < end; src += 8, dst += 32) widenInt8(dst, src, low, high);
  }
  dst = values;
  for (let p: i32 = 0; p < d; p += 8) {
    let scale = at(scales, PAGE);
    for (const end = src + 8 * PAGE; src < end; src += 8, dst += 32, scale += 4) {
      const by = v128.load32_splat(scale);
      widenInt8(dst, src, by, by);
    }
  }
}

// Number i of a row goes to step i (stride `step`, one place in each: a key) or to panel i/8 (stride `panel`, side by side: a value).
function storeRow(dst: usize, step: usize, panel: usize, x: usize, D: i32, W: i32, scale: usize): void {
  let by: f32 = 1;
  if (W == 1) {
    let top: f32 = 0;
    for (let i: i32 = 0; i < D; i++) top = max(top, abs(load<f32>(at(x, i))));
    f32.store(scale, top / 127);
    by = top > 0 ? 127 / top : 0;
  }
  for (let i: i32 = 0; i < D; i++) {
    const p = step ? dst + (<usize>i) * step : dst + (<usize>(i >> 3)) * panel + place(i & 7, W), y = load<f32>(at(x, i));
    if (W == 4) f32.store(p, y);
    else if (W == 2) store<u16>(p, bf16(y));
    else store<u8>(p, <u8>i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(f32x4.splat(nearest(y * by))), 0));
  }
}

// Offset of number j within a step of 8.
@inline function place(j: i32, W: i32): usize {
  return W == 2 ? slot(j) : <usize>(j * W);
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
