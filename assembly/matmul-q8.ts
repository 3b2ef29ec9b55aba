// y = x·wᵀ with 8-bit weights.   M rows, N outputs, K inputs; see q8.ts for blocks, scales and layouts
// x [M, K] in rows, and its tiles of four rows quantized. Up to three remaining rows are quantized here: a kernel call would take longer.
//   y_mn = Σ_b s_nb t_mb Σ_{k in b} q_nk p_mk
// The inner sum is exact in 32 bits (127 · 32767 · 512 < 2^31), and the outer one rounds every product and sum. So the bits do not depend
// on the build, the code path, the batch or the range.

import { KC } from "./matmul-tile";
import { blocks, pairsOf, panelBytes, quantizeRows, rowBytes, rowPairs, SCALES_BYTES } from "./q8";
import { at } from "./simd";

/** Number of rows per block, which stay in the L2 cache while the panels are read (mc of BLIS). */
const MC: i32 = 192;

const WIDENED_BYTES: usize = 16 * KC;
const RESULTS_BYTES: usize = 32 * (MC + 3) * 4;

/**
 * Returns the bytes of workspace: for eight outputs of a block in 16 bits, for the results of the last panel (which may be wider than y), and
 * for quantized rows.
 */
export function matmulQ8WorkspaceBytes(K: i32): i32 {
  return <i32>(WIDENED_BYTES + RESULTS_BYTES + 3 * rowBytes(K));
}

/** Panels begin to end of the matmul; `quantized` is the result of quantizeRows for the tiles of x. */
export function matmulQ8(y: usize, x: usize, quantized: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  assert(begin >= 0 && end <= (N + 31) >> 5 && begin <= end);
  const ldy = (<usize>N) << 2, tiled = M & ~3, beyond = M - tiled, last = ws + WIDENED_BYTES + RESULTS_BYTES;
  quantizeRows(last, at(x, tiled * K), beyond, K, 0, beyond);
  let i: i32 = 0;
  do {
    const rows = min(MC, tiled - i), rest = i + rows == tiled ? beyond : 0;
    for (let p = begin; p < end; p++) {
      const wp = w + (<usize>p) * panelBytes(K), yp = y + (<usize>i) * ldy + ((<usize>p) << 7), outputs = min(32, N - (p << 5));
      // The last panel may be wider than y, so its results first go to the workspace.
      const c = outputs == 32 ? yp : ws + WIDENED_BYTES, ldc = outputs == 32 ? ldy : 128;
      if (rows) tiles(c, ldc, quantized, tiled, i, rows, wp, outputs, K, ws);
      if (rest) strips(c + (<usize>rows) * ldc, ldc, last, rest, wp, K);
      if (outputs < 32) for (let r: i32 = 0; r < rows + rest; r++) memory.copy(yp + (<usize>r) * ldy, c + (<usize>r) * ldc, outputs << 2);
    }
    i += rows;
  } while (i < tiled);
}

// One panel times rows i to i + rows, four at a time.
function tiles(c: usize, ldc: usize, x: usize, M: i32, i: i32, rows: i32, w: usize, outputs: i32, K: i32, ws: usize): void {
  for (let k: i32 = 0, t = at(x, i); k < K; k += KC, t += (<usize>M) << 2) {
    const pairs = pairsOf(min(KC, K - k));
    for (let n: i32 = 0; n < outputs; n += 8) {
      let a = rowPairs(x, M, K, k, i), y = at(c, n);
      widen(ws, w + SCALES_BYTES + ((<usize>n) << 2), pairs);
      for (let r: i32 = 0; r < rows; r += 4) {
        tile(pairs, a, ws, at(t, r), at(w, n), y, ldc, k > 0);
        a += (<usize>pairs) << 4; y += 4 * ldc;
      }
    }
    w += SCALES_BYTES + ((<usize>pairs) << 6);
  }
}

// One panel times M rows, fewer than in a tile, one by one. From the second row on, the panel is in a cache.
function strips(c: usize, ldc: usize, x: usize, M: i32, w: usize, K: i32): void {
  const biases = ((<usize>blocks(K)) * (<usize>M)) << 2;
  for (let k: i32 = 0, t = x; k < K; k += KC, t += (<usize>M) << 2) {
    const pairs = pairsOf(min(KC, K - k));
    let a = rowPairs(x, M, K, k, 0), y = c;
    for (let r: i32 = 0; r < M; r++) {
      strip(pairs, a, w, load<f32>(at(t, r)), i32.load(at(t, r) + biases), y, k > 0);
      a += (<usize>pairs) << 2; y += ldc;
    }
    w += SCALES_BYTES + ((<usize>pairs) << 6);
  }
}

// Widens eight outputs of a panel block to 16 bits.
function widen(dst: usize, src: usize, pairs: i32): void {
  const mask = v128.load(LOW_BYTES_MASK), half = i16x8.splat(128);
  for (const end = dst + ((<usize>pairs) << 5); dst < end; dst += 64) {
    const w0 = v128.load(src), w1 = v128.load(src, 16);
    v128.store(dst, i16x8.sub(v128.and(w0, mask), half));
    v128.store(dst, i16x8.sub(v128.and(w1, mask), half), 16);
    v128.store(dst, i16x8.shr_s(w0, 8), 32);
    v128.store(dst, i16x8.shr_s(w1, 8), 48);
    src += 128;
  }
}

// The low byte of every 16-bit lane. It is in memory for the same reason as the mask of upperHalf.
const LOW_BYTES_MASK: usize = memory.data<u32>([0x00ff00ff, 0x00ff00ff, 0x00ff00ff, 0x00ff00ff], 16);

// Adds the products of a pair of inputs with the pairs of four outputs.
@inline function dot(x: v128, w: v128, c: v128): v128 {
  return i32x4.add(c, i32x4.dot_i16x8_s(x, w));
}

// Four rows times eight widened outputs.
@inline function tile(pairs: i32, a: usize, b: usize, t: usize, s: usize, c: usize, ldc: usize, add: bool): void {
  let c00 = i32x4.splat(0), c01 = i32x4.splat(0), c10 = i32x4.splat(0), c11 = i32x4.splat(0);
  let c20 = i32x4.splat(0), c21 = i32x4.splat(0), c30 = i32x4.splat(0), c31 = i32x4.splat(0);
  for (const end = b + ((<usize>pairs) << 5); b < end; b += 32) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a);
    c00 = dot(x0, b0, c00); c01 = dot(x0, b1, c01);
    const x1 = v128.load32_splat(a, 4);
    c10 = dot(x1, b0, c10); c11 = dot(x1, b1, c11);
    const x2 = v128.load32_splat(a, 8);
    c20 = dot(x2, b0, c20); c21 = dot(x2, b1, c21);
    const x3 = v128.load32_splat(a, 12);
    c30 = dot(x3, b0, c30); c31 = dot(x3, b1, c31);
    a += 16;
  }
  put(c, s, load<f32>(t), c00, c01, add); c += ldc;
  put(c, s, load<f32>(t, 4), c10, c11, add); c += ldc;
  put(c, s, load<f32>(t, 8), c20, c21, add); c += ldc;
  put(c, s, load<f32>(t, 12), c30, c31, add);
}

// Adds the products of four inputs with four outputs: low bytes with the first pair of x, high bytes with the second pair.
@inline function dots(x: v128, z: v128, w: v128, mask: v128, c: v128): v128 {
  return dot(z, i16x8.shr_s(w, 8), dot(x, v128.and(w, mask), c));
}

// One row times one panel block. Two instructions widen sixteen weights, 1.17 times as fast as sign extension, which takes four.
@inline function strip(pairs: i32, x: usize, b: usize, t: f32, bias: i32, c: usize, add: bool): void {
  let c0 = i32x4.splat(bias), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  const s = b, mask = v128.load(LOW_BYTES_MASK);
  b += SCALES_BYTES;
  for (const end = x + ((<usize>pairs) << 2); x < end; x += 8) {
    const v = v128.load32_splat(x), z = v128.load32_splat(x, 4);
    c0 = dots(v, z, v128.load(b), mask, c0); c1 = dots(v, z, v128.load(b, 16), mask, c1);
    c2 = dots(v, z, v128.load(b, 32), mask, c2); c3 = dots(v, z, v128.load(b, 48), mask, c3);
    if (x == end) break; // never true here: see the float32 strip
    c4 = dots(v, z, v128.load(b, 64), mask, c4); c5 = dots(v, z, v128.load(b, 80), mask, c5);
    c6 = dots(v, z, v128.load(b, 96), mask, c6); c7 = dots(v, z, v128.load(b, 112), mask, c7);
    b += 128;
  }
  put(c, s, t, c0, c1, add);
  put(c + 32, s + 32, t, c2, c3, add);
  put(c + 64, s + 64, t, c4, c5, add);
  put(c + 96, s + 96, t, c6, c7, add);
}

// Stores eight results: the integer sums times both scales.
@inline function put(c: usize, s: usize, t: f32, c0: v128, c1: v128, add: bool): void {
  let y0 = f32x4.mul(f32x4.convert_i32x4_s(c0), f32x4.mul(v128.load(s), f32x4.splat(t)));
  let y1 = f32x4.mul(f32x4.convert_i32x4_s(c1), f32x4.mul(v128.load(s, 16), f32x4.splat(t)));
  if (add) {
    y0 = f32x4.add(v128.load(c), y0);
    y1 = f32x4.add(v128.load(c, 16), y1);
  }
  v128.store(c, y0);
  v128.store(c, y1, 16);
}
