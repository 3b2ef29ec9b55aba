// The register tile that products of several rows are made of: 4 × 8, twice, for the two ways its left side can lie in memory.
//   C ← g ⊙ C + A·B      A [4, K], B [K, 8] contiguous, C 4 rows of 8 floats `ldc` bytes apart, g one factor per row
// g = 0 (a null pointer) overwrites C. One accumulator per result, k ascending: the sum does not depend on the tile's neighbours.

import { at, madd, transpose } from "./simd";

/** Four factors of one: C ← C + A·B. */
export const ONES: usize = memory.data<f32>([1, 1, 1, 1], 16);

/** A by columns: step k holds its four rows' values side by side, `lda` bytes after the step before. */
export function tileColumns(K: i32, a: usize, lda: usize, b: usize, c: usize, ldc: usize, g: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const end = b + ((<usize>K) << 5);
  while (b < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a);
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a, 4);
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a, 8);
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a, 12);
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    a += lda;
    b += 32;
    // The second half of an unrolled loop: V8 spills when it sees both halves as one block.
    if (b == end) break;
    const d0 = v128.load(b), d1 = v128.load(b, 16);
    const y0 = v128.load32_splat(a);
    c00 = madd(y0, d0, c00); c01 = madd(y0, d1, c01);
    const y1 = v128.load32_splat(a, 4);
    c10 = madd(y1, d0, c10); c11 = madd(y1, d1, c11);
    const y2 = v128.load32_splat(a, 8);
    c20 = madd(y2, d0, c20); c21 = madd(y2, d1, c21);
    const y3 = v128.load32_splat(a, 12);
    c30 = madd(y3, d0, c30); c31 = madd(y3, d1, c31);
    a += lda;
    b += 32;
  }
  store(c, ldc, g, c00, c01, c10, c11, c20, c21, c30, c31);
}

/** A by rows, `lda` bytes apart. */
export function tileRows(K: i32, a: usize, lda: usize, b: usize, c: usize, ldc: usize, g: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  const end = b + ((<usize>K) << 5);
  while (b < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a);
    c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a1);
    c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a2);
    c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a3);
    c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    b += 32;
    if (b == end) break;
    const d0 = v128.load(b), d1 = v128.load(b, 16);
    const y0 = v128.load32_splat(a, 4);
    c00 = madd(y0, d0, c00); c01 = madd(y0, d1, c01);
    const y1 = v128.load32_splat(a1, 4);
    c10 = madd(y1, d0, c10); c11 = madd(y1, d1, c11);
    const y2 = v128.load32_splat(a2, 4);
    c20 = madd(y2, d0, c20); c21 = madd(y2, d1, c21);
    const y3 = v128.load32_splat(a3, 4);
    c30 = madd(y3, d0, c30); c31 = madd(y3, d1, c31);
    b += 32;
    a += 8; a1 += 8; a2 += 8; a3 += 8;
  }
  store(c, ldc, g, c00, c01, c10, c11, c20, c21, c30, c31);
}

@inline function store(
  c: usize, ldc: usize, g: usize,
  c00: v128, c01: v128, c10: v128, c11: v128, c20: v128, c21: v128, c30: v128, c31: v128,
): void {
  if (g) {
    const g0 = v128.load32_splat(g), g1 = v128.load32_splat(g, 4), g2 = v128.load32_splat(g, 8), g3 = v128.load32_splat(g, 12);
    v128.store(c, madd(g0, v128.load(c), c00)); v128.store(c, madd(g0, v128.load(c, 16), c01), 16);
    c += ldc;
    v128.store(c, madd(g1, v128.load(c), c10)); v128.store(c, madd(g1, v128.load(c, 16), c11), 16);
    c += ldc;
    v128.store(c, madd(g2, v128.load(c), c20)); v128.store(c, madd(g2, v128.load(c, 16), c21), 16);
    c += ldc;
    v128.store(c, madd(g3, v128.load(c), c30)); v128.store(c, madd(g3, v128.load(c, 16), c31), 16);
  } else {
    v128.store(c, c00); v128.store(c, c01, 16);
    c += ldc;
    v128.store(c, c10); v128.store(c, c11, 16);
    c += ldc;
    v128.store(c, c20); v128.store(c, c21, 16);
    c += ldc;
    v128.store(c, c30); v128.store(c, c31, 16);
  }
}

// ---- bringing operands into the order that the tiles read; tails are filled with zeros ----

/** Rows of x, `ldx` bytes apart, times `scale`, to rows of `cols` floats; `padded` rows in all. */
export function packRows(dst: usize, x: usize, ldx: usize, rows: i32, padded: i32, cols: i32, scale: f32): void {
  for (let i: i32 = 0; i < rows; i++) {
    let k: i32 = 0;
    for (; k + 4 <= cols; k += 4) v128.store(at(dst, k), f32x4.mul(v128.load(at(x, k)), f32x4.splat(scale)));
    for (; k < cols; k++) f32.store(at(dst, k), load<f32>(at(x, k)) * scale);
    x += ldx;
    dst += (<usize>cols) << 2;
  }
  memory.fill(dst, 0, ((<usize>(padded - rows)) * (<usize>cols)) << 2);
}

/** The right side of A·xᵀ: rows of x become panels [rows/8][cols][8]. */
export function packTransposed(dst: usize, x: usize, ldx: usize, rows: i32, cols: i32): void {
  for (let j: i32 = 0; j < rows; j += 8) {
    const full = j + 8 <= rows;
    let k: i32 = 0;
    if (full) {
      for (; k + 4 <= cols; k += 4) {
        const d = dst + ((<usize>k) << 5);
        transpose(d, 32, at(x, k), ldx);
        transpose(d + 16, 32, at(x, k) + 4 * ldx, ldx);
      }
    }
    const count = min(8, rows - j);
    for (; k < cols; k++) {
      const d = dst + ((<usize>k) << 5);
      for (let r: i32 = 0; r < 8; r++) f32.store(at(d, r), r < count ? load<f32>(at(x, k) + (<usize>r) * ldx) : 0);
    }
    dst += (<usize>cols) << 5;
    x += ldx << 3;
  }
}

/** The right side of A·x: columns of x in panels [cols/8][rows][8]. */
export function packColumns(dst: usize, x: usize, ldx: usize, rows: i32, cols: i32): void {
  for (let j: i32 = 0; j < cols; j += 8) {
    let s = at(x, j);
    if (j + 8 <= cols) {
      for (let i: i32 = 0; i < rows; i++) {
        v128.store(dst, v128.load(s));
        v128.store(dst, v128.load(s, 16), 16);
        s += ldx;
        dst += 32;
      }
    } else {
      for (let i: i32 = 0; i < rows; i++) {
        for (let c: i32 = 0; c < 8; c++) f32.store(at(dst, c), j + c < cols ? load<f32>(at(s, c)) : 0);
        s += ldx;
        dst += 32;
      }
    }
  }
}
