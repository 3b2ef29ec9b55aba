// Building blocks of matmul: register tiles of 6 × 8 and 4 × 8, a strip of 1 × 32, and the packing of rows.
//   C ← A·B, or C + A·B if `add`         A rows × K; B [K, 8], its rows `ldb` bytes apart; C rows × 8, its rows `ldc` bytes apart
// Tiles of six rows need all vector registers that V8 has, and only fused multiply-add leaves enough of them; the other builds use tiles of
// four. Each result has one accumulator, k ascending, and C is added last, so that a row's bits do not depend on its tile. Tiles are
// inlined, because V8 unrolls deeply nested loops more often. If `ahead`, tiles also prefetch: READ_AHEAD_LOADS times per READ_AHEAD_INPUTS
// inputs they read a byte at `next` and one at `next + half`, and advance `next` by `each`.

import { at, high, low, madd, transpose, upperHalf } from "./simd";

/** Number of inputs per block (kc of BLIS). Eight outputs of a block and a few tiles of rows fit into the L1 cache. */
export const KC: i32 = 512;

/**
 * Number of inputs between prefetches, and number of prefetches at a time. With fused multiply-add, the additional loop is free. Without
 * it, the loop costs a few percent of the speed.
 */
export const READ_AHEAD_INPUTS: i32 = ASC_FEATURE_RELAXED_SIMD ? 8 : 64;
export const READ_AHEAD_LOADS: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 2;

// ---- division of M rows: tiles of six, then tiles of four; one to three rows (one, if there are tiles of six) stay unpacked ----

@inline export function sixes(M: i32): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  const even = M & ~1;
  return max(even / 6 - <i32>(even % 6 == 2), 0);
}

@inline export function tiledRows(M: i32): i32 {
  const six = 6 * sixes(M);
  return six + ((M - six) & ~3);
}

/** Returns the number of tiles of M rows. */
export function rowTiles(M: i32): i32 {
  const six = sixes(M);
  return six + ((M - 6 * six) >> 2);
}

/** Packs tiles begin to end of x [M, K]: [K block][tile][k][6 or 4], the order in which matmuls read them. */
export function packRows(packed: usize, x: usize, M: i32, K: i32, begin: i32, end: i32): void {
  const six = sixes(M), tiled = tiledRows(M), ldx = (<usize>K) << 2;
  for (let t = begin; t < end; t++) {
    const i = t < six ? 6 * t : 6 * six + 4 * (t - six), src = x + (<usize>i) * ldx;
    for (let k: i32 = 0; k < K; k += KC) {
      const kc = min(KC, K - k), dst = packed + (((<usize>k) * (<usize>tiled) + (<usize>i) * (<usize>kc)) << 2);
      if (t < six) pack6(dst, at(src, k), ldx, kc);
      else pack4(dst, at(src, k), ldx, kc);
    }
  }
}

function pack4(dst: usize, x: usize, ldx: usize, K: i32): void {
  let k: i32 = 0;
  for (; k + 4 <= K; k += 4) {
    transpose(dst, 16, at(x, k), ldx);
    dst += 64;
  }
  for (; k < K; k++) {
    for (let r: i32 = 0; r < 4; r++) f32.store(at(dst, r), load<f32>(at(x, k) + (<usize>r) * ldx));
    dst += 16;
  }
}

function pack6(dst: usize, x: usize, ldx: usize, K: i32): void {
  let k: i32 = 0;
  for (; k + 4 <= K; k += 4) {
    transpose(dst, 24, at(x, k), ldx);
    const r4 = v128.load(at(x, k) + 4 * ldx), r5 = v128.load(at(x, k) + 5 * ldx);
    const a = i8x16.shuffle(r4, r5, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const b = i8x16.shuffle(r4, r5, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    v128.store64_lane(dst, a, 0, 16);
    v128.store64_lane(dst, a, 1, 40);
    v128.store64_lane(dst, b, 0, 64);
    v128.store64_lane(dst, b, 1, 88);
    dst += 96;
  }
  for (; k < K; k++) {
    for (let r: i32 = 0; r < 6; r++) f32.store(at(dst, r), load<f32>(at(x, k) + (<usize>r) * ldx));
    dst += 24;
  }
}

// ---- tiles; A is packed ----

@inline export function tile6(
  K: i32, a: usize, b: usize, ldb: usize, c: usize, ldc: usize, add: bool, ahead: bool, next: usize, half: usize, each: usize,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0), c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  const end = a + (<usize>K) * 24;
  do {
    let stop = end;
    if (ahead) {
      load<u8>(next);
      load<u8>(next + half);
      next += each;
      stop = min(a + READ_AHEAD_INPUTS * 24, end);
    }
    for (; a < stop; a += 24) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      const x0 = v128.load32_splat(a);
      c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
      const x1 = v128.load32_splat(a, 4);
      c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
      const x2 = v128.load32_splat(a, 8);
      c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
      const x3 = v128.load32_splat(a, 12);
      c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
      const x4 = v128.load32_splat(a, 16);
      c40 = madd(x4, b0, c40); c41 = madd(x4, b1, c41);
      const x5 = v128.load32_splat(a, 20);
      c50 = madd(x5, b0, c50); c51 = madd(x5, b1, c51);
      b += ldb;
    }
  } while (ahead && a < end);
  put(c, c00, c01, add); c += ldc;
  put(c, c10, c11, add); c += ldc;
  put(c, c20, c21, add); c += ldc;
  put(c, c30, c31, add); c += ldc;
  put(c, c40, c41, add); c += ldc;
  put(c, c50, c51, add);
}

@inline export function tile4(
  K: i32, a: usize, b: usize, ldb: usize, c: usize, ldc: usize, add: bool, ahead: bool, next: usize, half: usize, each: usize,
): void {
  fourRows(K, a, b, ldb, false, 0, c, ldc, add, ahead, next, half, each);
}

/** Like `tile4`, but also copies the rows of B side by side to `kept`. */
@inline export function tile4Keeping(
  K: i32, a: usize, b: usize, ldb: usize, kept: usize, c: usize, ldc: usize, add: bool, ahead: bool, next: usize, half: usize, each: usize,
): void {
  fourRows(K, a, b, ldb, true, kept, c, ldc, add, ahead, next, half, each);
}

@inline function fourRows(
  K: i32, a: usize, b: usize, ldb: usize, keeps: bool, kept: usize,
  c: usize, ldc: usize, add: bool, ahead: bool, next: usize, half: usize, each: usize,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const end = a + ((<usize>K) << 4);
  do {
    let stop = end;
    if (ahead) {
      load<u8>(next);
      load<u8>(next + half);
      next += each;
      if (READ_AHEAD_LOADS == 2) {
        load<u8>(next);
        load<u8>(next + half);
        next += each;
      }
      stop = min(a + READ_AHEAD_INPUTS * 16, end);
    }
    for (; a < stop; a += 16) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      if (keeps) {
        v128.store(kept, b0); v128.store(kept, b1, 16);
        kept += 32;
      }
      const x0 = v128.load32_splat(a);
      c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
      const x1 = v128.load32_splat(a, 4);
      c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
      const x2 = v128.load32_splat(a, 8);
      c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
      const x3 = v128.load32_splat(a, 12);
      c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
      b += ldb;
    }
  } while (ahead && a < end);
  put(c, c00, c01, add); c += ldc;
  put(c, c10, c11, add); c += ldc;
  put(c, c20, c21, add); c += ldc;
  put(c, c30, c31, add);
}

/** One unpacked row times a panel of 32 outputs; weights are float32 or bf16. */
@inline export function strip<W>(K: i32, x: usize, b: usize, c: usize, add: bool): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
  let c4 = f32x4.splat(0), c5 = f32x4.splat(0), c6 = f32x4.splat(0), c7 = f32x4.splat(0);
  const step: usize = 8 * sizeof<W>(), mask = upperHalf();
  for (const end = x + ((<usize>K) << 2); x < end; x += 4) {
    const v = v128.load32_splat(x);
    c0 = madd(v, low<W>(b), c0); c1 = madd(v, high<W>(b, mask), c1);
    c2 = madd(v, low<W>(b + step), c2); c3 = madd(v, high<W>(b + step, mask), c3);
    if (x == end) break; // never true here: it ends a basic block, so that V8 does not hoist all eight loads and spill
    c4 = madd(v, low<W>(b + 2 * step), c4); c5 = madd(v, high<W>(b + 2 * step, mask), c5);
    c6 = madd(v, low<W>(b + 3 * step), c6); c7 = madd(v, high<W>(b + 3 * step, mask), c7);
    b += 4 * step;
  }
  put(c, c0, c1, add); put(c + 32, c2, c3, add); put(c + 64, c4, c5, add); put(c + 96, c6, c7, add);
}

@inline function put(c: usize, c0: v128, c1: v128, add: bool): void {
  if (add) {
    c0 = f32x4.add(v128.load(c), c0);
    c1 = f32x4.add(v128.load(c, 16), c1);
  }
  v128.store(c, c0);
  v128.store(c, c1, 16);
}
