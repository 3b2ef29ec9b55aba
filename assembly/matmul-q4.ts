// y = x·wᵀ with 4-bit weights.   M rows, N outputs, K inputs; see q4.ts for groups, scales, offsets and layouts
// x [M, K] in rows, and its tiles of four rows quantized. Up to three remaining rows are quantized here: a kernel call would take longer.
//   y_mn = Σ_g (s_ng t_mg Σ_{k in g} q_nk p_mk + m_ng b_mg),   b_mg = t_mg Σ_{k in g} p_mk
// The inner sums are exact, and every other product and sum is rounded. So the bits do not depend on the build, the code path, the batch or
// the range.

import { addGroup, dot, groups, nibbleMask, nibbles, quantizeRowsQ4, q4RowBytes } from "./q4";
import { ROW_GROUP_BYTES, STEPS, STEP_WORDS, stripBytes, STRIP_GROUP_BYTES, STRIP_STEP_BYTES } from "./q4";
import { at, upperHalf } from "./simd";

/** Number of rows per block, which stay in the L2 cache while the panels are read (mc of BLIS). */
const MC: i32 = 192;

/** Number of groups that are unpacked at a time. */
const UNPACKED_GROUPS: i32 = 16;

/** Bytes of an unpacked group of eight outputs. */
const UNPACKED_BYTES: usize = 32 * STEPS * STEP_WORDS;

const ALL_UNPACKED_BYTES: usize = UNPACKED_GROUPS * UNPACKED_BYTES;
const RESULTS_BYTES: usize = 32 * (MC + 3) * 4;

/** Returns the bytes of workspace: unpacked weights, the results of the last panel (which may be wider than y), and quantized rows. */
export function matmulQ4WorkspaceBytes(K: i32): i32 {
  return <i32>(ALL_UNPACKED_BYTES + RESULTS_BYTES) + 3 * q4RowBytes(K);
}

/** Panels begin to end of the matmul; `quantized` is the result of quantizeRowsQ4 for the tiles of x. */
export function matmulQ4(y: usize, x: usize, quantized: usize, w: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  assert(begin >= 0 && end <= (N + 31) >> 5 && begin <= end);
  const ldy = (<usize>N) << 2, tiled = M & ~3, beyond = M - tiled, results = ws + ALL_UNPACKED_BYTES, last = results + RESULTS_BYTES;
  const bytes = <usize>q4RowBytes(K);
  quantizeRowsQ4(last, at(x, tiled * K), beyond, K, 0, beyond);
  let i: i32 = 0;
  do {
    const rows = min(MC, tiled - i), rest = i + rows == tiled ? beyond : 0;
    for (let p = begin; p < end; p++) {
      const wp = w + (<usize>p) * 2 * stripBytes(K), yp = y + (<usize>i) * ldy + ((<usize>p) << 7), outputs = min(32, N - (p << 5));
      // The last panel may be wider than y, so its results first go to the workspace.
      const c = outputs == 32 ? yp : results, ldc = outputs == 32 ? ldy : 128;
      if (rows) tiles(c, ldc, quantized + (<usize>i) * bytes, rows, wp, outputs, K, ws);
      for (let r: i32 = 0; r < rest; r++) {
        const to = c + (<usize>(rows + r)) * ldc, from = last + (<usize>r) * bytes;
        strip(to, from, wp, K);
        if (outputs > 16) strip(to + 64, from, wp + stripBytes(K), K);
      }
      if (outputs < 32) for (let r: i32 = 0; r < rows + rest; r++) memory.copy(yp + (<usize>r) * ldy, c + (<usize>r) * ldc, outputs << 2);
    }
    i += rows;
  } while (i < tiled);
}

// One row times 16 outputs. Their results are in memory, because registers are needed for the words of the row.
function strip(c: usize, x: usize, w: usize, K: i32): void {
  const m0 = nibbleMask(0), m1 = nibbleMask(1), m2 = nibbleMask(2);
  memory.fill(c, 0, 64);
  for (const end = w + stripBytes(K); w < end;) {
    let q0 = i32x4.splat(0), q1 = q0, q2 = q0, q3 = q0;
    const t = v128.load32_splat(x), b = v128.load32_splat(x, 4), words = w;
    w += STRIP_STEP_BYTES; x += 8;
    for (const stop = w + STEPS * STRIP_STEP_BYTES; w < stop; w += STRIP_STEP_BYTES) {
      const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x, 4);
      const x2 = STEP_WORDS > 2 ? v128.load32_splat(x, 8) : x0, x3 = STEP_WORDS > 2 ? v128.load32_splat(x, 12) : x1;
      q0 = dots(x0, x1, x2, x3, v128.load(w), m0, m1, m2, q0);
      q1 = dots(x0, x1, x2, x3, v128.load(w, 16), m0, m1, m2, q1);
      if (w == stop) break; // never true here: see the float32 strip
      q2 = dots(x0, x1, x2, x3, v128.load(w, 32), m0, m1, m2, q2);
      q3 = dots(x0, x1, x2, x3, v128.load(w, 48), m0, m1, m2, q3);
      x += 4 * STEP_WORDS;
    }
    const mask = upperHalf();
    addTo(c, q0, v128.load(words), t, b, mask);
    addTo(c + 16, q1, v128.load(words, 16), t, b, mask);
    addTo(c + 32, q2, v128.load(words, 32), t, b, mask);
    addTo(c + 48, q3, v128.load(words, 48), t, b, mask);
  }
}

// Adds the products of eight inputs with four outputs.
@inline function dots(x0: v128, x1: v128, x2: v128, x3: v128, w: v128, m0: v128, m1: v128, m2: v128, q: v128): v128 {
  q = dot(x1, nibbles(w, 1, m1), dot(x0, nibbles(w, 0, m0), q));
  return STEP_WORDS > 2 ? dot(x3, nibbles(w, 3, m0), dot(x2, nibbles(w, 2, m2), q)) : q;
}

// Adds a group to four results. `words` are scales and offsets.
@inline function addTo(c: usize, q: v128, words: v128, t: v128, b: v128, mask: v128): void {
  v128.store(c, addGroup(v128.load(c), q, v128.and(words, mask), i32x4.shl(words, 16), t, b));
}

// One panel times rows, four at a time.
function tiles(c: usize, ldc: usize, x: usize, rows: i32, w: usize, outputs: i32, K: i32, ws: usize): void {
  const bytes = 4 * <usize>q4RowBytes(K), mask = upperHalf();
  for (let r: i32 = 0; r < rows; r++) memory.fill(c + (<usize>r) * ldc, 0, 128);
  for (let g: i32 = 0; g < groups(K); g += UNPACKED_GROUPS) {
    const count = min(UNPACKED_GROUPS, groups(K) - g), stop = ws + (<usize>count) * UNPACKED_BYTES;
    for (let n: i32 = 0; n < outputs; n += 8) {
      const words = at(w + (n & 16 ? stripBytes(K) : 0) + (<usize>g) * STRIP_GROUP_BYTES, n & 8);
      unpack(ws, words, count);
      let row = x + (<usize>g) * 4 * ROW_GROUP_BYTES, y = at(c, n);
      for (let r: i32 = 0; r < rows; r += 4) {
        for (let b = ws, a = row, s = words; b < stop; b += UNPACKED_BYTES) {
          tile(a, b, s, y, ldc, mask);
          a += 4 * ROW_GROUP_BYTES; s += STRIP_GROUP_BYTES;
        }
        row += bytes; y += 4 * ldc;
      }
    }
  }
}

// Unpacks groups of eight outputs, in the order in which a tile reads them.
function unpack(dst: usize, w: usize, count: i32): void {
  const m0 = nibbleMask(0), m1 = nibbleMask(1), m2 = nibbleMask(2);
  for (; count > 0; count--) {
    for (let step: i32 = 0; step < STEPS; step++) {
      w += STRIP_STEP_BYTES;
      const w0 = v128.load(w), w1 = v128.load(w, 16);
      v128.store(dst, nibbles(w0, 0, m0)); v128.store(dst, nibbles(w1, 0, m0), 16);
      v128.store(dst, nibbles(w0, 1, m1), 32); v128.store(dst, nibbles(w1, 1, m1), 48);
      if (STEP_WORDS > 2) {
        v128.store(dst, nibbles(w0, 2, m2), 64); v128.store(dst, nibbles(w1, 2, m2), 80);
        v128.store(dst, nibbles(w0, 3, m0), 96); v128.store(dst, nibbles(w1, 3, m0), 112);
      }
      dst += 32 * STEP_WORDS;
    }
    w += STRIP_STEP_BYTES;
  }
}

// Adds a group of four rows times eight outputs.   a quantized rows, b unpacked weights, s scales and offsets
@inline function tile(a: usize, b: usize, s: usize, c: usize, ldc: usize, mask: v128): void {
  let q00 = i32x4.splat(0), q01 = q00, q10 = q00, q11 = q00, q20 = q00, q21 = q00, q30 = q00, q31 = q00;
  const t = a;
  a += 32;
  for (const end = b + UNPACKED_BYTES; b < end; b += 32) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a);
    q00 = dot(x0, b0, q00); q01 = dot(x0, b1, q01);
    const x1 = v128.load32_splat(a, 4);
    q10 = dot(x1, b0, q10); q11 = dot(x1, b1, q11);
    const x2 = v128.load32_splat(a, 8);
    q20 = dot(x2, b0, q20); q21 = dot(x2, b1, q21);
    const x3 = v128.load32_splat(a, 12);
    q30 = dot(x3, b0, q30); q31 = dot(x3, b1, q31);
    a += 16;
  }
  const w0 = v128.load(s), w1 = v128.load(s, 16), s0 = v128.and(w0, mask), s1 = v128.and(w1, mask);
  const m0 = i32x4.shl(w0, 16), m1 = i32x4.shl(w1, 16);
  put(c, q00, q01, s0, s1, m0, m1, t); c += ldc;
  put(c, q10, q11, s0, s1, m0, m1, t + 4); c += ldc;
  put(c, q20, q21, s0, s1, m0, m1, t + 8); c += ldc;
  put(c, q30, q31, s0, s1, m0, m1, t + 12);
}

// Adds a group to eight results of the row whose t and b are at t and 16 bytes after it.
@inline function put(c: usize, q0: v128, q1: v128, s0: v128, s1: v128, m0: v128, m1: v128, t: usize): void {
  const scale = v128.load32_splat(t), b = v128.load32_splat(t, 16);
  v128.store(c, addGroup(v128.load(c), q0, s0, m0, scale, b));
  v128.store(c, addGroup(v128.load(c, 16), q1, s1, m1, scale, b), 16);
}
