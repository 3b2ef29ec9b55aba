// Backward pass of y = x·wᵀ.   M rows, N outputs, K inputs.   x, dx [M, K]; y, dy [M, N]; w, dw [N, K] in panels [N/32][K][32], float32
//   dx_mk += Σ_n dy_mn w_nk,   dw_nk += Σ_m dy_mn x_mk
// Both are matmuls with the same tiles: the rows of dy times w, and the columns of x times dy. Sums run over blocks of KC, ascending inside
// a block, so that the bits do not depend on the range. The padding columns of the last panel stay unchanged.

import { KC, sixes, tile4, tile6, tiledRows } from "./matmul-tile";
import { at, transpose } from "./simd";
import { strip8 } from "./attention-tile";

/** Number of rows per block, which fit into the L2 cache (mc of BLIS). A multiple of 4 and 6. */
const MC: i32 = 192;

/** Maximum number of additional rows of the last block, so that its tiles are not split. */
const MAX_EXTRA_ROWS: i32 = 11;

/** Bytes of workspace: eight columns of one operand, results of a narrow panel, and a factor of 1. */
export const matmulBackwardWorkspaceBytes: i32 = (8 * KC + 8 * (MC + MAX_EXTRA_ROWS) + 1) * 4;

/** Groups of eight inputs begin to end of dx; `packed` is the result of packRows for dy. */
export function matmulBackwardX(
  dx: usize, dy: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32,
): void {
  assert(begin >= 0 && end <= (K + 7) >> 3);
  const tiled = tiledRows(M);
  for (let i: i32 = 0, last: i32 = 0; i < M; i = last) {
    last = M - i <= MC + MAX_EXTRA_ROWS ? M : i + MC;
    for (let g = begin; g < end; g++) {
      const k = g << 3, width = min(8, K - k);
      for (let n: i32 = 0; n < N; n += KC) {
        const steps = min(KC, N - n);
        columns(ws, w, n, steps, k, width, K);
        const c = dx + ((<usize>i * <usize>K + <usize>k) << 2), block = packed + (((<usize>n) * (<usize>tiled)) << 2);
        panel(c, (<usize>K) << 2, block, at(dy, n), (<usize>N) << 2, 4, M, i, last, steps, ws, width);
      }
    }
  }
}

/** Panels begin to end of dw; `packed` is the result of packColumnTiles for x. */
export function matmulBackwardW(dw: usize, dy: usize, x: usize, packed: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  assert(begin >= 0 && end <= (N + 31) >> 5);
  const tiled = tiledRows(K);
  for (let m: i32 = 0; m < M; m += KC) {
    const steps = min(KC, M - m), block = packed + (((<usize>m) * (<usize>tiled)) << 2);
    for (let i: i32 = 0, last: i32 = 0; i < K; i = last) {
      last = K - i <= MC + MAX_EXTRA_ROWS ? K : i + MC;
      for (let p = begin; p < end; p++) {
        for (let n = p << 5; n < min(N, (p + 1) << 5); n += 8) {
          const width = min(8, N - n), c = dw + ((<usize>p * <usize>K + <usize>i) << 7) + (<usize>(n & 31) << 2);
          beside(ws, dy + ((<usize>m * <usize>N + <usize>n) << 2), (<usize>N) << 2, steps, width);
          panel(c, 128, block, x + ((<usize>m * <usize>K) << 2), 4, (<usize>K) << 2, K, i, last, steps, ws, width);
        }
      }
    }
  }
}

/** Packs the columns of x [M, K] into tiles, [M block][tile][m][6 or 4]: tiles begin to end, of `rowTiles(K)`. */
export function packColumnTiles(packed: usize, x: usize, M: i32, K: i32, begin: i32, end: i32): void {
  const six = sixes(K), tiled = tiledRows(K), ldx = (<usize>K) << 2;
  for (let m: i32 = 0; m < M; m += KC) {
    const steps = min(KC, M - m), from = x + (<usize>m) * ldx, to = packed + (((<usize>m) * (<usize>tiled)) << 2);
    for (let t = begin; t < end; t++) {
      const i = t < six ? 6 * t : 6 * six + 4 * (t - six), wide = t < six;
      let dst = to + (((<usize>i) * (<usize>steps)) << 2), src = at(from, i);
      for (let s: i32 = 0; s < steps; s++) {
        v128.store(dst, v128.load(src));
        if (wide) store<u64>(dst, load<u64>(src, 16), 16);
        dst += wide ? 24 : 16; src += ldx;
      }
    }
  }
}

// Rows i to last of C += A·B, for `width` ≤ 8 columns. Rows of A that form tiles are packed. Row r of the others is at a + r · row, with
// steps `step` bytes apart. B [K, 8] is at the start of the workspace.
function panel(
  c: usize, ldc: usize, packed: usize, a: usize, row: usize, step: usize,
  rows: i32, i: i32, last: i32, K: i32, ws: usize, width: i32,
): void {
  const six = 6 * sixes(rows), tiled = tiledRows(rows), rest = ws + (KC << 5), one = rest + ((MC + MAX_EXTRA_ROWS) << 5), whole = width == 8;
  const ld: usize = whole ? ldc : 32;
  f32.store(one, 1);
  if (!whole) memory.fill(rest, 0, (<usize>(last - i)) << 5);
  let r = i, p = packed + (((<usize>i) * (<usize>K)) << 2), y = whole ? c : rest;
  for (; r < min(six, last); r += 6) {
    tile6(K, p, ws, 32, y, ld, true, false, 0, 0, 0);
    p += (<usize>K) * 24; y += 6 * ld;
  }
  for (; r < min(tiled, last); r += 4) {
    tile4(K, p, ws, 32, y, ld, true, false, 0, 0, 0);
    p += (<usize>K) << 4; y += ld << 2;
  }
  for (; r < last; r++) {
    strip8(K, a + (<usize>r) * row, step, ws, 32, one, y);
    y += ld;
  }
  if (whole) return;
  for (let j: i32 = 0; j < last - i; j++) {
    for (let n: i32 = 0; n < width; n++) f32.store(at(c, n), load<f32>(at(c, n)) + load<f32>(at(rest, j * 8 + n)));
    c += ldc;
  }
}

// Copies columns k to k + width of rows n to n + steps of w: [steps][8], padded with zeros.
function columns(dst: usize, w: usize, n: i32, steps: i32, k: i32, width: i32, K: i32): void {
  for (let s: i32 = 0; s < steps; s += 32) {
    const src = w + (((<usize>((n + s) >> 5)) * (<usize>K) + (<usize>k)) << 7), count = min(32, steps - s);
    if (width == 8) {
      for (let j: i32 = 0; j < count; j += 4) {
        transpose(at(dst, j * 8), 32, at(src, j), 128);
        transpose(at(dst, j * 8 + 4), 32, at(src, j + 128), 128);
      }
    } else {
      for (let j: i32 = 0; j < count; j++) {
        for (let c: i32 = 0; c < 8; c++) f32.store(at(dst, j * 8 + c), c < width ? load<f32>(at(src, c * 32 + j)) : 0);
      }
    }
    dst += 1024;
  }
}

// Copies up to eight columns of rows that are `ld` bytes apart: [steps][8], padded with zeros.
function beside(dst: usize, src: usize, ld: usize, steps: i32, width: i32): void {
  for (const end = dst + ((<usize>steps) << 5); dst < end; dst += 32) {
    if (width == 8) {
      v128.store(dst, v128.load(src));
      v128.store(dst, v128.load(src, 16), 16);
    } else for (let c: i32 = 0; c < 8; c++) f32.store(at(dst, c), c < width ? load<f32>(at(src, c)) : 0);
    src += ld;
  }
}
