// y = x·wᵀ.   M rows, N outputs, K inputs
//   x [M, K] in rows, with its tiles packed; w [N, K] in panels [N/32][K][32], float32 or bf16; y [M, N]
//   y_mn = Σ_k x_mk w_nk
// For every M, code path and range, y_mn is summed over blocks of KC inputs, k ascending inside a block. So a row's result does not depend
// on the other rows: a single token, a prompt and an expert's batch give the same bits.

import { KC, READ_AHEAD_INPUTS, READ_AHEAD_LOADS, sixes, strip, tile4, tile4Keeping, tile6, tiledRows } from "./matmul-tile";
import { at, high, low, upperHalf } from "./simd";

/** Number of rows per block, which stay in the L2 cache while the panels are read (mc of BLIS). A multiple of 4 and 6. */
const MC: i32 = 192;

/** Maximum number of additional rows of the last block. */
const MAX_EXTRA_ROWS: i32 = 8;

/**
 * Minimum number of rows for which the float32 weights of eight outputs are copied side by side. Tiles of six rows are as fast without it.
 */
const MIN_ROWS_TO_WIDEN: i32 = ASC_FEATURE_RELAXED_SIMD ? i32.MAX_VALUE : 24;

/** Bytes of workspace: the weights of eight outputs, and the results of the last panel, which may be wider than y. */
export const matmulWorkspaceBytes: i32 = (8 * KC + 32 * (MC + MAX_EXTRA_ROWS + 3)) * 4;

/** Panels begin to end of the matmul with float32 weights; `packed` is the result of packRows for x. */
export function matmulF32(y: usize, x: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  matmul<f32>(y, x, packed, w, M, N, K, ws, begin, end);
}

/** Panels begin to end of the matmul with bf16 weights; sums are float32. */
export function matmulBf16(y: usize, x: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  matmul<u16>(y, x, packed, w, M, N, K, ws, begin, end);
}

@inline function matmul<W>(y: usize, x: usize, packed: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  assert(begin >= 0 && end <= (N + 31) >> 5 && begin <= end);
  const ldx = (<usize>K) << 2, ldy = (<usize>N) << 2, step: usize = 32 * sizeof<W>(), tiled = tiledRows(M);
  const stop = w + (<usize>end) * (<usize>K) * step;
  let i: i32 = 0;
  do {
    const rows = tiled - i <= MC + MAX_EXTRA_ROWS ? tiled - i : MC, rest = i + rows == tiled ? M - tiled : 0;
    for (let p = begin; p < end; p++) {
      const wp = w + (<usize>p) * (<usize>K) * step, yp = y + (<usize>i) * ldy + ((<usize>p) << 7), outputs = min(32, N - (p << 5));
      // The last panel may be wider than y, so its results first go to the workspace.
      const c = outputs == 32 ? yp : ws + 32 * KC, ldc = outputs == 32 ? ldy : 128;
      if ((ASC_FEATURE_RELAXED_SIMD || sizeof<W>() == 4) && fetches(rows)) tilesAhead<W>(c, ldc, packed, M, i, rows, wp, outputs, K, ws, stop);
      else if (rows) tilesAlone<W>(c, ldc, packed, M, i, rows, wp, outputs, K, ws);
      for (let k: i32 = 0; rest && k < K; k += KC) {
        for (let r: i32 = 0; r < rest; r++) {
          strip<W>(min(KC, K - k), at(x, k) + (<usize>(tiled + r)) * ldx, wp + (<usize>k) * step, c + (<usize>(rows + r)) * ldc, k > 0);
        }
      }
      if (outputs < 32) for (let r: i32 = 0; r < rows + rest; r++) memory.copy(yp + (<usize>r) * ldy, c + (<usize>r) * ldc, outputs << 2);
    }
    i += rows;
  } while (i < tiled);
}

// Returns whether to prefetch the next block of weights while the current one is used, which takes a few tiles. With 32 rows and 50 MB of
// weights, it is 1.13 times as fast. Without fused multiply-add, prefetching costs more than it saves from 128 rows on, and in bf16.
@inline function fetches(rows: i32): bool {
  return ASC_FEATURE_RELAXED_SIMD ? rows >= 12 : rows >= MIN_ROWS_TO_WIDEN && rows < 128;
}

// These are two functions, because the code around a register tile affects its speed.
function tilesAhead<W>(
  c: usize, ldc: usize, packed: usize, M: i32, i: i32, rows: i32, w: usize, outputs: i32, K: i32, ws: usize, stop: usize,
): void {
  tiles<W>(c, ldc, packed, M, i, rows, w, outputs, K, ws, true, stop);
}

function tilesAlone<W>(c: usize, ldc: usize, packed: usize, M: i32, i: i32, rows: i32, w: usize, outputs: i32, K: i32, ws: usize): void {
  tiles<W>(c, ldc, packed, M, i, rows, w, outputs, K, ws, false, 0);
}

// One panel times packed rows i to i + rows, block by block. Weights are read strictly forward, up to `stop`.
@inline function tiles<W>(
  c: usize, ldc: usize, packed: usize, M: i32, i: i32, rows: i32, w: usize, outputs: i32, K: i32, ws: usize, ahead: bool, stop: usize,
): void {
  const tiled = tiledRows(M), six = min(max(6 * sixes(M) - i, 0), rows), beside = sizeof<W>() == 2 || rows >= MIN_ROWS_TO_WIDEN;
  const count = 4 * <usize>(six / 6 + ((rows - six) >> 2));
  for (let k: i32 = 0; k < K; k += KC) {
    const kc = min(KC, K - k), bytes = (<usize>kc) * 32 * sizeof<W>();
    const reads = <usize>((kc + READ_AHEAD_INPUTS - 1) / READ_AHEAD_INPUTS * READ_AHEAD_LOADS);
    // Prefetches as many bytes as this block has, in two streams, spread over the reads of its `count` tiles. At the end, nothing is
    // prefetched.
    let next = w, half: usize = 0, each: usize = 0, moves: usize = 0;
    if (ahead && w + 2 * bytes <= stop) {
      next += bytes; half = bytes >> 1; each = half / (count * reads); moves = each * reads;
    }
    for (let n: i32 = 0; n < outputs; n += 8) {
      let a = packed + (((<usize>k) * (<usize>tiled) + (<usize>i) * (<usize>kc)) << 2), b = w + (<usize>n) * sizeof<W>();
      let y = at(c, n), r: i32 = 0;
      const ldb: usize = beside ? 32 : 128;
      if (beside) {
        // Prefetched weights are in a cache, so the first tile reads them unpacked and copies them. This is 1.04 times as fast at 32 rows.
        if (ahead && !ASC_FEATURE_RELAXED_SIMD) {
          tile4Keeping(kc, a, b, 128, ws, y, ldc, k > 0, ahead, next, half, each);
          a += (<usize>kc) << 4; y += 4 * ldc; next += moves; r = 4;
        } else widen<W>(ws, b, kc);
        b = ws;
      }
      for (; r < six; r += 6) {
        tile6(kc, a, b, ldb, y, ldc, k > 0, ahead, next, half, each);
        a += (<usize>kc) * 24; y += 6 * ldc; next += moves;
      }
      for (; r < rows; r += 4) {
        tile4(kc, a, b, ldb, y, ldc, k > 0, ahead, next, half, each);
        a += (<usize>kc) << 4; y += 4 * ldc; next += moves;
      }
    }
    w += bytes;
  }
}

// Copies eight outputs of a panel side by side, as float32.
function widen<W>(dst: usize, src: usize, K: i32): void {
  const mask = upperHalf();
  for (const end = dst + ((<usize>K) << 5); dst < end; dst += 32) {
    v128.store(dst, low<W>(src));
    v128.store(dst, high<W>(src, mask), 16);
    src += 32 * sizeof<W>();
  }
}
