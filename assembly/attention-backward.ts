// The way back through causal grouped-query softmax attention, with every score computed again: never an n × n matrix.
//   T queries, the last of n positions; H heads in groups of G = H / C over C key-value heads, D headDim
//   q, o, do, dq [T, H, D]; k, v, dk, dv [n, C, D];   p_ts = e^(x_ts − l_t),   x_ts = scale · q_t·k_s,   l_t = log Σ_s e^x_ts
//   δ_t = do_t·o_t,   dx_ts = p_ts (do_t·v_s − δ_t)
//   dq_t += scale Σ_s dx_ts k_s,   dk_s += scale Σ_t dx_ts q_t,   dv_s += Σ_t p_ts do_t
// First by blocks of queries, which own dq and leave l and δ as `stats` [T, H, 2]; then by blocks of positions, which own dk and dv.
// A head's queries are its group's, step by step. Blocks are the same for every range: the bits depend on none.

import { at, expNegative, hsum } from "./simd";
import { kvHeadBytes, PAGE } from "./kv-pages";
import { column, packColumns, packTransposed, scores, update } from "./tile";

/** Queries per block, a multiple of 8. */
const ROWS: i32 = 48;

/** Units of the first pass. */
export function attentionBackwardBlocks(T: i32, H: i32, C: i32): i32 {
  return C * ((T * (H / C) + ROWS - 1) / ROWS);
}

/** Bytes of workspace for heads of D. */
export function attentionBackwardWorkspaceBytes(D: i32): i32 {
  const d = (D + 7) & ~7;
  return (ROWS * D + 4 * ROWS * d + 5 * PAGE * d + 2 * ROWS * PAGE + 4 * ROWS + 8) << 2;
}

/** Key-value heads × blocks of queries, begin to end. */
export function attentionBackwardQ(
  dq: usize, stats: usize, dO: usize, o: usize, q: usize, k: usize, v: usize,
  T: i32, n: i32, H: i32, C: i32, D: i32, scale: f32, ws: usize, begin: i32, end: i32,
): void {
  const d = (D + 7) & ~7, G = H / C, rows = T * G, blocks = (rows + ROWS - 1) / ROWS, first = n - T + 1, ldk = (<usize>(C * D)) << 2;
  const x = ws, Q = at(x, ROWS * D), dOs = at(Q, ROWS * d), dQ = at(dOs, ROWS * d), P = at(dQ, ROWS * d), R = at(P, ROWS * PAGE);
  const M = at(R, ROWS * PAGE), L = at(M, ROWS), delta = at(L, ROWS), one = at(delta, ROWS), K = at(one, 8), V = at(K, PAGE * d), N = at(V, PAGE * d);
  for (let i: i32 = 0; i < 8; i++) f32.store(at(one, i), 1);
  for (let unit = begin; unit < end; unit++) {
    const c = unit / blocks, r0 = unit % blocks * ROWS, count = min(ROWS, rows - r0), padded = (count + 7) & ~7;
    takeRows(x, q, c, r0, count, H, G, D, scale);
    packTransposed(Q, x, (<usize>D) << 2, count, D);
    takeRows(x, dO, c, r0, count, H, G, D, 1);
    packTransposed(dOs, x, (<usize>D) << 2, count, D);
    for (let r: i32 = 0; r < padded; r++) {
      f32.store(at(delta, r), r < count ? dot(at(x, r * D), at(o, row(c, r0 + r, H, G) * D), D) : 0);
      f32.store(at(M, r), -Infinity);
      f32.store(at(L, r), 0);
    }
    const visible = first + (r0 + count - 1) / G;
    // l = M + log L, page by page
    for (let s: i32 = 0; s < visible; s += PAGE) {
      const keys = min(PAGE, visible - s);
      packTransposed(K, at(k, (s * C + c) * D), ldk, keys, D);
      for (let j: i32 = 0; j < keys; j += 4) {
        for (let i: i32 = 0; i < padded; i += 8) scores(D, column(K, D, j), 32, column(Q, D, i), 32, 0, at(P, i * PAGE + j * 8));
      }
      for (let i: i32 = 0; i < padded; i += 4) {
        const p = column(P, PAGE, i), own = sees(first, r0 + i, G, s), stop = p + ((<usize>keys) << 5), old = v128.load(at(M, i));
        let top = old, j: i32 = 0;
        for (let y = p; y < stop; y += 32) {
          const value = v128.bitselect(v128.load(y), f32x4.splat(-Infinity), i32x4.gt_s(own, i32x4.splat(j++)));
          v128.store(y, value);
          top = f32x4.max(top, value);
        }
        let sum = f32x4.mul(v128.load(at(L, i)), expNegative(f32x4.sub(old, top)));
        for (let y = p; y < stop; y += 32) sum = f32x4.add(sum, expNegative(f32x4.sub(v128.load(y), top)));
        v128.store(at(M, i), top);
        v128.store(at(L, i), sum);
      }
    }
    for (let r: i32 = 0; r < padded; r++) {
      const l: f32 = load<f32>(at(M, r)) + <f32>Math.log(load<f32>(at(L, r)));
      f32.store(at(L, r), l);
      if (r < count) {
        const to = at(stats, 2 * row(c, r0 + r, H, G));
        f32.store(to, l);
        f32.store(to, load<f32>(at(delta, r)), 4);
      }
    }
    memory.fill(dQ, 0, (<usize>(padded * d)) << 2);
    for (let s: i32 = 0; s < visible; s += PAGE) {
      const keys = min(PAGE, visible - s);
      packTransposed(K, at(k, (s * C + c) * D), ldk, keys, D);
      packTransposed(V, at(v, (s * C + c) * D), ldk, keys, D);
      packColumns(N, at(k, (s * C + c) * D), ldk, keys, D);
      for (let j: i32 = 0; j < keys; j += 4) {
        for (let i: i32 = 0; i < padded; i += 8) {
          scores(D, column(K, D, j), 32, column(Q, D, i), 32, 0, at(P, i * PAGE + j * 8));
          scores(D, column(V, D, j), 32, column(dOs, D, i), 32, 0, at(R, i * PAGE + j * 8));
        }
      }
      for (let i: i32 = 0; i < padded; i += 4) {
        const l = v128.load(at(L, i)), own = sees(first, r0 + i, G, s), shift = v128.load(at(delta, i));
        let p = column(P, PAGE, i), r = column(R, PAGE, i);
        for (let j: i32 = 0; j < keys; j++) {
          const e = v128.and(expNegative(f32x4.min(f32x4.sub(v128.load(p), l), f32x4.splat(0))), i32x4.gt_s(own, i32x4.splat(j)));
          v128.store(p, f32x4.mul(e, f32x4.sub(v128.load(r), shift)));
          p += 32; r += 32;
        }
      }
      for (let p: i32 = 0; p < d; p += 8) {
        for (let i: i32 = 0; i < padded; i += 4) update(keys, column(P, PAGE, i), at(N, p * keys), 32, one, at(dQ, p * padded + i * 8));
      }
    }
    for (let r: i32 = 0; r < count; r++) addRow(at(dq, row(c, r0 + r, H, G) * D), at(dQ, r * 8), padded, D, scale);
  }
}

/** Key-value heads × blocks of 64 positions, begin to end; after the first pass. */
export function attentionBackwardKV(
  dk: usize, dv: usize, stats: usize, dO: usize, q: usize, k: usize, v: usize,
  T: i32, n: i32, H: i32, C: i32, D: i32, scale: f32, ws: usize, begin: i32, end: i32,
): void {
  const d = (D + 7) & ~7, G = H / C, rows = T * G, blocks = (n + PAGE - 1) / PAGE, first = n - T + 1, ldk = (<usize>(C * D)) << 2;
  const x = ws, Q = at(x, ROWS * D), dOs = at(Q, ROWS * d), N = at(dOs, ROWS * d), F = at(N, ROWS * d), P = at(F, ROWS * d);
  const R = at(P, ROWS * PAGE), one = at(R, ROWS * PAGE), K = at(one, 8), V = at(K, PAGE * d), dK = at(V, PAGE * d), dV = at(dK, PAGE * d);
  for (let i: i32 = 0; i < 8; i++) f32.store(at(one, i), 1);
  for (let unit = begin; unit < end; unit++) {
    const c = unit / blocks, s = unit % blocks * PAGE, keys = min(PAGE, n - s), whole = (keys + 7) & ~7;
    packTransposed(K, at(k, (s * C + c) * D), ldk, keys, D);
    packTransposed(V, at(v, (s * C + c) * D), ldk, keys, D);
    memory.fill(dK, 0, (<usize>(2 * PAGE * d)) << 2);
    // The first query that sees position s.
    const from = max(0, s - first + 1) * G;
    for (let r0 = from - from % ROWS; r0 < rows; r0 += ROWS) {
      const count = min(ROWS, rows - r0), padded = (count + 7) & ~7;
      takeRows(x, q, c, r0, count, H, G, D, scale);
      packTransposed(Q, x, (<usize>D) << 2, count, D);
      packColumns(N, x, (<usize>D) << 2, count, D);
      takeRows(x, dO, c, r0, count, H, G, D, 1);
      packTransposed(dOs, x, (<usize>D) << 2, count, D);
      packColumns(F, x, (<usize>D) << 2, count, D);
      for (let i: i32 = 0; i < padded; i += 4) {
        for (let j: i32 = 0; j < keys; j += 8) {
          scores(D, column(Q, D, i), 32, column(K, D, j), 32, 0, at(P, j * ROWS + i * 8));
          scores(D, column(dOs, D, i), 32, column(V, D, j), 32, 0, at(R, j * ROWS + i * 8));
        }
      }
      for (let i: i32 = 0; i < count; i++) {
        const stat = at(stats, 2 * row(c, r0 + i, H, G)), l = v128.load32_splat(stat), shift = v128.load32_splat(stat, 4);
        const own = i32x4.splat(first + (r0 + i) / G - s);
        for (let j: i32 = 0; j < keys; j += 4) {
          const p = at(P, (j & ~7) * ROWS + i * 8 + (j & 4)), r = at(R, (j & ~7) * ROWS + i * 8 + (j & 4));
          const mask = i32x4.gt_s(own, i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3)));
          const e = v128.and(expNegative(f32x4.min(f32x4.sub(v128.load(p), l), f32x4.splat(0))), mask);
          v128.store(p, e);
          v128.store(r, f32x4.mul(e, f32x4.sub(v128.load(r), shift)));
        }
      }
      for (let p: i32 = 0; p < d; p += 8) {
        for (let j: i32 = 0; j < whole; j += 4) {
          update(count, column(P, ROWS, j), at(F, p * count), 32, one, at(dV, p * PAGE + j * 8));
          update(count, column(R, ROWS, j), at(N, p * count), 32, one, at(dK, p * PAGE + j * 8));
        }
      }
    }
    for (let j: i32 = 0; j < keys; j++) {
      const to = ((s + j) * C + c) * D;
      addRow(at(dk, to), at(dK, j * 8), PAGE, D, 1);
      addRow(at(dv, to), at(dV, j * 8), PAGE, D, 1);
    }
  }
}

/** Float32 pages as rows: positions begin to end of k, v [n, C, D]. */
export function loadKeysValues(k: usize, v: usize, pages: usize, C: i32, D: i32, begin: i32, end: i32): void {
  const d = (D + 7) & ~7;
  for (let s = begin; s < end; s++) {
    const i = s & (PAGE - 1);
    let head = <usize>i32.load(at(pages, s / PAGE));
    for (let c: i32 = 0; c < C; c++) {
      const to = (s * C + c) * D, values = at(head, PAGE * d);
      for (let j: i32 = 0; j < D; j++) {
        const p = j & ~31, width = min(32, d - p);
        f32.store(at(k, to + j), load<f32>(at(head, (i >> 5) * d * 32 + j * 32 + (i & 31))));
        f32.store(at(v, to + j), load<f32>(at(values, p * PAGE + i * width + (j & 31))));
      }
      head += kvHeadBytes(D, 4);
    }
  }
}

// Where query r of key-value head c lies among all T · H.
@inline function row(c: i32, r: i32, H: i32, G: i32): i32 {
  return r / G * H + c * G + r % G;
}

// How many positions from s on four queries see.
@inline function sees(first: i32, r: i32, G: i32, s: i32): v128 {
  return i32x4.sub(i32x4(first + r / G, first + (r + 1) / G, first + (r + 2) / G, first + (r + 3) / G), i32x4.splat(s));
}

function takeRows(dst: usize, x: usize, c: i32, r0: i32, count: i32, H: i32, G: i32, D: i32, by: f32): void {
  for (let r: i32 = 0; r < count; r++) {
    const src = at(x, row(c, r0 + r, H, G) * D);
    let i: i32 = 0;
    for (; i + 4 <= D; i += 4) v128.store(at(dst, i), f32x4.mul(f32x4.splat(by), v128.load(at(src, i))));
    for (; i < D; i++) f32.store(at(dst, i), by * load<f32>(at(src, i)));
    dst = at(dst, D);
  }
}

// dst += by · row of D numbers in panels of `steps` rows
function addRow(dst: usize, x: usize, steps: i32, D: i32, by: f32): void {
  for (let i: i32 = 0; i < D; i++) {
    f32.store(at(dst, i), load<f32>(at(dst, i)) + by * load<f32>(at(x, (i & ~7) * steps + (i & 7))));
  }
}

function dot(x: usize, y: usize, n: i32): f32 {
  let sum = f32x4.splat(0), i: i32 = 0;
  for (; i + 4 <= n; i += 4) sum = f32x4.add(sum, f32x4.mul(v128.load(at(x, i)), v128.load(at(y, i))));
  let total = hsum(sum);
  for (; i < n; i++) total += load<f32>(at(x, i)) * load<f32>(at(y, i));
  return total;
}
