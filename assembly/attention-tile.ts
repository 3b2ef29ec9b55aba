// The register tile of both attentions: 4 × 8 results with one accumulator each, k ascending, so that a sum does not depend on the tile's
// neighbours. Operands are in panels: the values of a step k lie side by side, and steps are `ld…` bytes apart.
//   A [K, 4] and B [K, 8] from panels, C 4 rows of 8 floats; panels without an ld are 8 wide
// Tiles are inlined, because V8 unrolls deeply nested loops more often.

import { at, high, low, madd, transpose, upperHalf } from "./simd";

/** C = A·B ⊙ F, where the factors of row r are the 8 floats from f − 4r bytes on. Without f, C = A·B. C is in a panel. */
@inline export function scores(K: i32, a: usize, lda: usize, b: usize, ldb: usize, f: usize, c: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = b + (<usize>K) * ldb; b < end; b += ldb) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a); c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a, 4); c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a, 8); c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a, 12); c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    a += lda;
  }
  if (f) {
    c00 = f32x4.mul(c00, v128.load(f)); c01 = f32x4.mul(c01, v128.load(f, 16));
    c10 = f32x4.mul(c10, v128.load(f - 4)); c11 = f32x4.mul(c11, v128.load(f - 4, 16));
    c20 = f32x4.mul(c20, v128.load(f - 8)); c21 = f32x4.mul(c21, v128.load(f - 8, 16));
    c30 = f32x4.mul(c30, v128.load(f - 12)); c31 = f32x4.mul(c31, v128.load(f - 12, 16));
  }
  v128.store(c, c00); v128.store(c, c01, 16); v128.store(c, c10, 32); v128.store(c, c11, 48);
  v128.store(c, c20, 64); v128.store(c, c21, 80); v128.store(c, c30, 96); v128.store(c, c31, 112);
}

/** C = g ⊙ A·B + X·Y with X [L, 4], Y [L, 8], and a factor per row in g. The rows of C are ldc bytes apart. */
@inline export function output(K: i32, a: usize, b: usize, g: usize, L: i32, x: usize, y: usize, c: usize, ldc: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = b + ((<usize>K) << 5); b < end; b += 32) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a); c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a, 4); c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a, 8); c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a, 12); c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    a += 32;
  }
  const g0 = v128.load32_splat(g), g1 = v128.load32_splat(g, 4), g2 = v128.load32_splat(g, 8), g3 = v128.load32_splat(g, 12);
  c00 = f32x4.mul(g0, c00); c01 = f32x4.mul(g0, c01); c10 = f32x4.mul(g1, c10); c11 = f32x4.mul(g1, c11);
  c20 = f32x4.mul(g2, c20); c21 = f32x4.mul(g2, c21); c30 = f32x4.mul(g3, c30); c31 = f32x4.mul(g3, c31);
  for (const end = y + ((<usize>L) << 5); y < end; y += 32) {
    const b0 = v128.load(y), b1 = v128.load(y, 16);
    const x0 = v128.load32_splat(x); c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(x, 4); c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(x, 8); c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(x, 12); c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    x += 32;
  }
  v128.store(c, c00); v128.store(c, c01, 16);
  c += ldc;
  v128.store(c, c10); v128.store(c, c11, 16);
  c += ldc;
  v128.store(c, c20); v128.store(c, c21, 16);
  c += ldc;
  v128.store(c, c30); v128.store(c, c31, 16);
}

/** C ← g ⊙ C + A·B, with a factor per row in g. C is in a panel. */
@inline export function update(K: i32, a: usize, b: usize, ldb: usize, g: usize, c: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = b + (<usize>K) * ldb; b < end; b += ldb) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a); c00 = madd(x0, b0, c00); c01 = madd(x0, b1, c01);
    const x1 = v128.load32_splat(a, 4); c10 = madd(x1, b0, c10); c11 = madd(x1, b1, c11);
    const x2 = v128.load32_splat(a, 8); c20 = madd(x2, b0, c20); c21 = madd(x2, b1, c21);
    const x3 = v128.load32_splat(a, 12); c30 = madd(x3, b0, c30); c31 = madd(x3, b1, c31);
    a += 32;
  }
  const g0 = v128.load32_splat(g), g1 = v128.load32_splat(g, 4), g2 = v128.load32_splat(g, 8), g3 = v128.load32_splat(g, 12);
  v128.store(c, madd(g0, v128.load(c), c00)); v128.store(c, madd(g0, v128.load(c, 16), c01), 16);
  v128.store(c, madd(g1, v128.load(c, 32), c10), 32); v128.store(c, madd(g1, v128.load(c, 48), c11), 48);
  v128.store(c, madd(g2, v128.load(c, 64), c20), 64); v128.store(c, madd(g2, v128.load(c, 80), c21), 80);
  v128.store(c, madd(g3, v128.load(c, 96), c30), 96); v128.store(c, madd(g3, v128.load(c, 112), c31), 112);
}

/**
 * One row times a panel of 32, float32 or bf16: c = A·B, or c ← g c + A·B if g is not 0. Steps of a are lda bytes apart. The results are in
 * four groups of 8, ldc bytes apart. The panel is read strictly forward. The results have the bits of a tile.
 */
export function strip<W>(K: i32, a: usize, lda: usize, b: usize, g: usize, c: usize, ldc: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const step: usize = 8 * sizeof<W>(), mask = upperHalf();
  for (const end = b + (<usize>K) * 4 * step; b < end; b += 4 * step) {
    const x = v128.load32_splat(a);
    c00 = madd(x, low<W>(b), c00); c01 = madd(x, high<W>(b, mask), c01);
    c10 = madd(x, low<W>(b + step), c10); c11 = madd(x, high<W>(b + step, mask), c11);
    if (b == end) break; // never true here: it ends a basic block, so that V8 does not hoist all loads and spill
    c20 = madd(x, low<W>(b + 2 * step), c20); c21 = madd(x, high<W>(b + 2 * step, mask), c21);
    c30 = madd(x, low<W>(b + 3 * step), c30); c31 = madd(x, high<W>(b + 3 * step, mask), c31);
    a += lda;
  }
  finish(c, c00, c01, g);
  finish(c + ldc, c10, c11, g);
  finish(c + 2 * ldc, c20, c21, g);
  finish(c + 3 * ldc, c30, c31, g);
}

/** One row times 8 columns of a narrower float32 panel. */
export function strip8(K: i32, a: usize, lda: usize, b: usize, ldb: usize, g: usize, c: usize): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0);
  for (const end = b + (<usize>K) * ldb; b < end; b += ldb) {
    const x = v128.load32_splat(a);
    c0 = madd(x, v128.load(b), c0); c1 = madd(x, v128.load(b, 16), c1);
    a += lda;
  }
  finish(c, c0, c1, g);
}

@inline function finish(c: usize, c0: v128, c1: v128, g: usize): void {
  if (g) {
    const by = v128.load32_splat(g);
    c0 = madd(by, v128.load(c), c0); c1 = madd(by, v128.load(c, 16), c1);
  }
  v128.store(c, c0); v128.store(c, c1, 16);
}

// ---- packing operands into panels; padding is zero ----

/** Address of column i of a matrix of K steps in panels. */
@inline export function column(panels: usize, K: i32, i: i32): usize {
  return at(panels, (i & ~7) * K + (i & 7));
}

/** Packs the rows of x, ldx bytes apart, as columns: [rows/8][cols][8]. */
export function packTransposed(dst: usize, x: usize, ldx: usize, rows: i32, cols: i32): void {
  for (let j: i32 = 0; j < rows; j += 8) {
    const count = min(8, rows - j);
    let k: i32 = 0;
    if (count == 8) {
      for (; k + 4 <= cols; k += 4) {
        transpose(dst, 32, at(x, k), ldx);
        transpose(dst + 16, 32, at(x, k) + 4 * ldx, ldx);
        dst += 128;
      }
    }
    for (; k < cols; k++) {
      for (let r: i32 = 0; r < 8; r++) f32.store(at(dst, r), r < count ? load<f32>(at(x, k) + (<usize>r) * ldx) : 0);
      dst += 32;
    }
    x += ldx << 3;
  }
}

/** Packs the columns of x: [cols/8][rows][8]. */
export function packColumns(dst: usize, x: usize, ldx: usize, rows: i32, cols: i32): void {
  const step = (<usize>rows) << 5;
  for (let i: i32 = 0; i < rows; i++) {
    let d = dst, j: i32 = 0;
    for (; j + 8 <= cols; j += 8) {
      v128.store(d, v128.load(at(x, j)));
      v128.store(d, v128.load(at(x, j), 16), 16);
      d += step;
    }
    if (j < cols) for (let c: i32 = 0; c < 8; c++) f32.store(at(d, c), j + c < cols ? load<f32>(at(x, j + c)) : 0);
    x += ldx;
    dst += 32;
  }
}
