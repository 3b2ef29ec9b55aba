// y = x·wᵀ.   M rows, N outputs, K inputs.   x [M, K] rows; w [N, K] in panels [N/8][K][8], float32 or bf16; y [M, N] rows.
//   y_mn = Σ_k x_mk w_nk
// Each y_mn is summed over blocks of KC inputs, k ascending inside a block, for every M, path and range. So a row's result does
// not depend on which rows are computed with it: one token alone, a prompt, or an expert's batch give the same bits.

import { at, high, low, madd, transpose } from "./simd";
import { ONES, tileColumns } from "./tile";

/** Inputs per block, rows per block. */
const KC: i32 = 512;
const MC: i32 = 96;

/** Bytes of workspace: packed rows, one widened panel, results of the last panel. */
export const matmulWorkspaceBytes: i32 = (MC * KC + 8 * KC + 8 * MC) * 4;

/** Panels begin to end of the product with float32 weights. */
export function matmulF32(y: usize, x: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  matmul<f32>(y, x, w, M, N, K, ws, begin, end);
}

/** Panels begin to end of the product with bf16 weights; sums stay float32. */
export function matmulBf16(y: usize, x: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  matmul<u16>(y, x, w, M, N, K, ws, begin, end);
}

@inline function matmul<W>(y: usize, x: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  assert(begin >= 0 && end <= (N + 7) >> 3 && begin <= end);
  const tiled = M & ~3;
  for (let i: i32 = 0; i < tiled; i += MC) {
    tiles<W>(y + (((<usize>i) * (<usize>N)) << 2), x + (((<usize>i) * (<usize>K)) << 2), w, min(MC, tiled - i), N, K, ws, begin, end);
  }
  if (tiled < M) {
    singles<W>(y + (((<usize>tiled) * (<usize>N)) << 2), x + (((<usize>tiled) * (<usize>K)) << 2), w, M - tiled, N, K, ws, begin, end);
  }
}

// A block of rows, four at a time. M is a multiple of 4, at most MC.
function tiles<W>(y: usize, x: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  const wide = ws + (<usize>(MC * KC) << 2), last = wide + (<usize>(8 * KC) << 2);
  const ldx = (<usize>K) << 2, ldy = (<usize>N) << 2, step: usize = 8 * sizeof<W>();
  const whole = min(end, N >> 3);
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), g = k ? ONES : 0;
    for (let i: i32 = 0; i < M; i += 4) packPanel(ws + (((<usize>i) * (<usize>kc)) << 2), at(x, k) + (<usize>i) * ldx, ldx, kc);
    for (let p = begin; p < end; p++) {
      let b = w + ((<usize>p) * (<usize>K) + (<usize>k)) * step;
      if (sizeof<W>() == 2) {
        widen(wide, b, kc);
        b = wide;
      }
      // The last panel may be wider than y: it goes through its own rows of eight.
      const c = p < whole ? at(y, p << 3) : last, ldc: usize = p < whole ? ldy : 32;
      for (let i: i32 = 0; i < M; i += 4) tileColumns(kc, ws + (((<usize>i) * (<usize>kc)) << 2), 16, b, c + (<usize>i) * ldc, ldc, g);
    }
  }
  if (whole < end) {
    const rest = ((<usize>N) & 7) << 2;
    for (let i: i32 = 0; i < M; i++) memory.copy(at(y, whole << 3) + (<usize>i) * ldy, last + ((<usize>i) << 5), rest);
  }
}

// Rows one by one, four panels at a time: weights stream once and every row uses them while they are near.
function singles<W>(y: usize, x: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  const ldx = (<usize>K) << 2, ldy = (<usize>N) << 2, step: usize = 8 * sizeof<W>(), stride = (<usize>K) * step;
  const whole = min(end, N >> 3);
  let p = begin;
  for (; p + 4 <= whole; p += 4) {
    for (let i: i32 = 0; i < M; i++) {
      for (let k: i32 = 0; k < K; k += KC) {
        row4<W>(min(KC, K - k), at(x, k) + (<usize>i) * ldx, w + (<usize>p) * stride + (<usize>k) * step, stride, at(y, p << 3) + (<usize>i) * ldy, k > 0);
      }
    }
  }
  for (; p < end; p++) {
    for (let i: i32 = 0; i < M; i++) {
      const c = p < whole ? at(y, p << 3) + (<usize>i) * ldy : ws;
      for (let k: i32 = 0; k < K; k += KC) row1<W>(min(KC, K - k), at(x, k) + (<usize>i) * ldx, w + (<usize>p) * stride + (<usize>k) * step, c, k > 0);
      if (p >= whole) memory.copy(at(y, p << 3) + (<usize>i) * ldy, ws, ((<usize>N) & 7) << 2);
    }
  }
}

function row4<W>(K: i32, x: usize, b: usize, stride: usize, y: usize, add: bool): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
  let c4 = f32x4.splat(0), c5 = f32x4.splat(0), c6 = f32x4.splat(0), c7 = f32x4.splat(0);
  const step: usize = 8 * sizeof<W>();
  let b1 = b + stride, b2 = b1 + stride, b3 = b2 + stride;
  const end = b + (<usize>K) * step;
  while (b < end) {
    const v = v128.load32_splat(x);
    c0 = madd(v, low<W>(b), c0); c1 = madd(v, high<W>(b), c1);
    if (b == end) break; // never true here: it ends a basic block, so that V8 does not hoist all eight loads and spill
    c2 = madd(v, low<W>(b1), c2); c3 = madd(v, high<W>(b1), c3);
    if (b == end) break;
    c4 = madd(v, low<W>(b2), c4); c5 = madd(v, high<W>(b2), c5);
    if (b == end) break;
    c6 = madd(v, low<W>(b3), c6); c7 = madd(v, high<W>(b3), c7);
    x += 4;
    b += step; b1 += step; b2 += step; b3 += step;
  }
  if (add) {
    c0 = f32x4.add(v128.load(y), c0); c1 = f32x4.add(v128.load(y, 16), c1);
    c2 = f32x4.add(v128.load(y, 32), c2); c3 = f32x4.add(v128.load(y, 48), c3);
    c4 = f32x4.add(v128.load(y, 64), c4); c5 = f32x4.add(v128.load(y, 80), c5);
    c6 = f32x4.add(v128.load(y, 96), c6); c7 = f32x4.add(v128.load(y, 112), c7);
  }
  v128.store(y, c0); v128.store(y, c1, 16); v128.store(y, c2, 32); v128.store(y, c3, 48);
  v128.store(y, c4, 64); v128.store(y, c5, 80); v128.store(y, c6, 96); v128.store(y, c7, 112);
}

function row1<W>(K: i32, x: usize, b: usize, y: usize, add: bool): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0);
  for (const end = b + (<usize>K) * 8 * sizeof<W>(); b < end; b += 8 * sizeof<W>()) {
    const v = v128.load32_splat(x);
    c0 = madd(v, low<W>(b), c0); c1 = madd(v, high<W>(b), c1);
    x += 4;
  }
  if (add) { c0 = f32x4.add(v128.load(y), c0); c1 = f32x4.add(v128.load(y, 16), c1); }
  v128.store(y, c0);
  v128.store(y, c1, 16);
}

// Four rows of x become [K][4], the order in which a tile reads them.
function packPanel(dst: usize, x: usize, ldx: usize, K: i32): void {
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

function widen(dst: usize, src: usize, K: i32): void {
  for (const end = src + ((<usize>K) << 4); src < end; src += 16) {
    v128.store(dst, low<u16>(src));
    v128.store(dst, high<u16>(src), 16);
    dst += 32;
  }
}
