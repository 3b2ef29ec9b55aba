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
  const tiled = tiledRows(M), six = 6 * sixes(M), whole = min(end, N >> 3);
  const narrow = ws + (<usize>(8 * KC) << 2);
  let i: i32 = 0;
  do {
    const tiles = tiled - i <= MC + MORE ? tiled - i : MC, i6 = min(max(six - i, 0), tiles), rest = i + tiles == tiled ? M - tiled : 0;
    const yi = y + (<usize>i) * ldy, xi = x + (<usize>tiled) * ldx;
    for (let p = begin; p < whole; p += 4) {
      panels<W>(at(yi, p << 3), ldy, packed, i, i6, tiles, tiled, xi, rest, w + (<usize>p) * stride, min(4, whole - p), K, ws);
    }
    if (whole < end) {
      // The last panel is wider than y: its results go through rows of their own.
      panels<W>(narrow, 32, packed, i, i6, tiles, tiled, xi, rest, w + (<usize>whole) * stride, 1, K, ws);
      for (let r: i32 = 0; r < tiles + rest; r++) memory.copy(at(yi, whole << 3) + (<usize>r) * ldy, narrow + (<usize>(r << 5)), ((<usize>N) & 7) << 2);
    }
    i += tiles;
  } while (i < tiled);
}

// `count` panels (at most four) of a block of rows: `tiles` rows of the `tiled` packed ones, from i, the first i6 of them by six;
// then `rest` rows as they are, at x. One K block after the other, so that weights come from memory once.
function panels<W>(
  c: usize, ldc: usize, packed: usize, i: i32, i6: i32, tiles: i32, tiled: i32, x: usize, rest: i32, w: usize, count: i32, K: i32, ws: usize,
): void {
  const step: usize = 8 * sizeof<W>(), stride = (<usize>K) * step, ldx = (<usize>K) << 2;
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), add = k > 0;
    const wk = w + (<usize>k) * step, block = packed + (((<usize>k) * (<usize>tiled) + (<usize>i) * (<usize>kc)) << 2);
    if (tiles) {
      for (let p: i32 = 0; p < count; p++) {
        let a = block, b = wk + (<usize>p) * stride, cp = c + (<usize>(p << 5)), r: i32 = 0;
        if (sizeof<W>() == 2) {
          widen(ws, b, kc);
          b = ws;
        }
        for (; r < i6; r += 6) {
          tile6(kc, a, b, cp, ldc, add);
          a += (<usize>kc) * 24; cp += 6 * ldc;
        }
        for (; r < tiles; r += 4) {
          tile4(kc, a, b, cp, ldc, add);
          a += (<usize>kc) << 4; cp += 4 * ldc;
        }
      }
    }
    for (let r: i32 = 0; r < rest; r++) {
      const xr = at(x, k) + (<usize>r) * ldx, cr = c + (<usize>(tiles + r)) * ldc;
      if (count == 4) row4<W>(kc, xr, wk, stride, cr, add);
      else for (let p: i32 = 0; p < count; p++) row1<W>(kc, xr, wk + (<usize>p) * stride, cr + (<usize>(p << 5)), add);
    }
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
