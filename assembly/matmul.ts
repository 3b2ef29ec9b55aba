// y = x·wᵀ.   M rows, N outputs, K inputs.   x [M, K] rows, and its tiles packed; w [N, K] in panels [N/8][K][8], float32 or bf16; y [M, N]
//   y_mn = Σ_k x_mk w_nk
// Each y_mn is summed over blocks of KC inputs, k ascending inside a block, for every M, path and range. So a row's result does
// not depend on which rows are computed with it: one token alone, a prompt, or an expert's batch give the same bits.

import { KC, row1, row4, sixes, tile4, tile6, tiledRows } from "./product-tile";
import { at, high, low, upperHalf } from "./simd";

/** Rows per block, a multiple of 4 and 6: they stay in the second cache while the panels stream by. A last block takes up to MORE beyond. */
const MC: i32 = 96;
const MORE: i32 = 8;

/** Bytes of workspace: one widened panel, and a last panel's results, which may be wider than y. */
export const matmulWorkspaceBytes: i32 = (8 * KC + 8 * (MC + MORE + 3)) * 4;

/** Panels begin to end of the product with float32 weights; `packed` is what packRows made of x. */
export function matmulF32(y: usize, x: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  matmul<f32>(y, x, packed, w, M, N, K, ws, begin, end);
}

/** Panels begin to end of the product with bf16 weights; sums stay float32. */
export function matmulBf16(y: usize, x: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  matmul<u16>(y, x, packed, w, M, N, K, ws, begin, end);
}

@inline function matmul<W>(y: usize, x: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  assert(begin >= 0 && end <= (N + 7) >> 3 && begin <= end);
  const ldx = (<usize>K) << 2, ldy = (<usize>N) << 2, stride = (<usize>K) * 8 * sizeof<W>();
  const tiled = tiledRows(M), whole = min(end, N >> 3), narrow = ws + (<usize>(8 * KC) << 2);
  let i: i32 = 0;
  do {
    const rows = tiled - i <= MC + MORE ? tiled - i : MC, rest = i + rows == tiled ? M - tiled : 0;
    const yi = y + (<usize>i) * ldy, xt = x + (<usize>tiled) * ldx;
    for (let p = begin; p < whole; p += 4) {
      const c = at(yi, p << 3), wp = w + (<usize>p) * stride, count = min(4, whole - p);
      if (rows) for (let q: i32 = 0; q < count; q++) tiles<W>(c + (<usize>(q << 5)), ldy, packed, M, i, rows, wp + (<usize>q) * stride, K, ws);
      if (rest) strips<W>(c + (<usize>rows) * ldy, ldy, xt, rest, wp, count, K);
    }
    if (whole < end) {
      // The last panel is wider than y: its results go through rows of their own.
      const wp = w + (<usize>whole) * stride;
      if (rows) tiles<W>(narrow, 32, packed, M, i, rows, wp, K, ws);
      if (rest) strips<W>(narrow + (<usize>(rows << 5)), 32, xt, rest, wp, 1, K);
      for (let r: i32 = 0; r < rows + rest; r++) memory.copy(at(yi, whole << 3) + (<usize>r) * ldy, narrow + (<usize>(r << 5)), ((<usize>N) & 7) << 2);
    }
    i += rows;
  } while (i < tiled);
}

// One panel times rows i to i + rows of the packed ones. Block after block of the panel: memory is read strictly forward.
function tiles<W>(c: usize, ldc: usize, packed: usize, M: i32, i: i32, rows: i32, w: usize, K: i32, ws: usize): void {
  const tiled = tiledRows(M), six = min(max(6 * sixes(M) - i, 0), rows);
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), add = k > 0;
    let a = packed + (((<usize>k) * (<usize>tiled) + (<usize>i) * (<usize>kc)) << 2), b = w, y = c, r: i32 = 0;
    if (sizeof<W>() == 2) {
      widen(ws, b, kc);
      b = ws;
    }
    for (; r < six; r += 6) {
      tile6(kc, a, b, y, ldc, add);
      a += (<usize>kc) * 24; y += 6 * ldc;
    }
    for (; r < rows; r += 4) {
      tile4(kc, a, b, y, ldc, add);
      a += (<usize>kc) << 4; y += 4 * ldc;
    }
    w += (<usize>kc) * 8 * sizeof<W>();
  }
}

// Up to four panels times rows as they are. The weights are near by the second row.
@inline function strips<W>(c: usize, ldc: usize, x: usize, rows: i32, w: usize, count: i32, K: i32): void {
  const step: usize = 8 * sizeof<W>(), stride = (<usize>K) * step, ldx = (<usize>K) << 2;
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), add = k > 0;
    for (let r: i32 = 0; r < rows; r++) {
      const xr = x + (<usize>r) * ldx, y = c + (<usize>r) * ldc;
      if (count == 4) row4<W>(kc, xr, w, stride, y, add);
      else for (let p: i32 = 0; p < count; p++) row1<W>(kc, xr, w + (<usize>p) * stride, y + (<usize>(p << 5)), add);
    }
    x += (<usize>kc) << 2;
    w += (<usize>kc) * step;
  }
}

function widen(dst: usize, src: usize, K: i32): void {
  const mask = upperHalf();
  for (const end = src + ((<usize>K) << 4); src < end; src += 16) {
    v128.store(dst, low<u16>(src));
    v128.store(dst, high<u16>(src, mask), 16);
    dst += 32;
  }
}
