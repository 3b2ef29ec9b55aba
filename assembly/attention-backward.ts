// Backward pass of causal grouped-query softmax attention. Scores are recomputed block by block, without an n × n matrix.
//   T queries, the last of n positions, H heads in groups of G = H / C over C key-value heads, D headDim.
//   q, o, do, dq [T, H, D]; k, v, dk, dv [n, C, D]; statistics [T, H, 3]: a query's M = max_s x_s, 1 / L and δ, with L = Σ e^(x_s − M)
//   x_ts = scale · q_t·k_s,   p_ts = e^(x_ts − M_t) / L_t,   o_t = Σ_{s ≤ t} p_ts v_s
//   δ_t = do_t·o_t,   dx_ts = p_ts (do_t·v_s − δ_t)
//   dq_t += scale Σ_s dx_ts k_s,   dk_s += scale Σ_t dx_ts q_t,   dv_s += Σ_t p_ts do_t
// There are two kernels, each over the outputs that it owns. attentionBackwardQ passes over the positions once, online as the forward
// kernel does, and writes the statistics; attentionBackwardKV then passes over the queries. Both compute x with the same tile, so that
// x − M ≤ 0 holds exactly. Range of both: blocks × key-value heads, the longest blocks first. The queries of a key-value head are those of
// its group, step by step. Sums run over blocks in ascending order, and only the lengths determine where blocks begin.

import { at, expNegative, hsum, madd } from "./simd";
import { column, packColumns, packTransposed, scores, update } from "./attention-tile";

/** Positions per block. */
const BLOCK_POSITIONS: i32 = 64;

/** Numbers per query in `statistics`. */
const STATISTICS_PER_QUERY: i32 = 3;

/** Returns the bytes of workspace of either kernel, for blocks of B queries and head dim D. */
export function attentionBackwardWorkspaceBytes(B: i32, D: i32): i32 {
  const b = (B + 7) & ~7, d = (D + 7) & ~7;
  return (d * (5 * b + 4 * BLOCK_POSITIONS) + 2 * b * BLOCK_POSITIONS + 4 * b + 4) << 2;
}

/** Computes units of attentionBackwardQ. The units are blocks of B queries × key-value heads. */
export function attentionBackwardQ(
  dq: usize, statistics: usize, dO: usize, o: usize, q: usize, k: usize, v: usize,
  T: i32, n: i32, H: i32, C: i32, D: i32, B: i32, scale: f32, ws: usize, begin: i32, end: i32,
): void {
  assert(T <= n && H % C == 0 && B > 0);
  const b = (B + 7) & ~7, d = (D + 7) & ~7, G = H / C, rows = T * G, blocks = (rows + B - 1) / B, ldk = (<usize>(C * D)) << 2;
  const Q = ws, dY = at(Q, b * d), A = at(dY, b * d), KT = at(A, b * d), VT = at(KT, BLOCK_POSITIONS * d);
  const K = at(VT, BLOCK_POSITIONS * d), P = at(K, BLOCK_POSITIONS * d);
  const X = at(P, b * BLOCK_POSITIONS), M = at(X, b * BLOCK_POSITIONS), L = at(M, b), delta = at(L, b), c = at(delta, b);
  for (let unit = begin; unit < end; unit++) {
    const head = unit % C, r0 = (blocks - 1 - unit / C) * B, count = min(B, rows - r0), padded = (count + 7) & ~7;
    gather(A, q, r0, count, G, H, head, D, scale);
    packTransposed(Q, A, (<usize>D) << 2, count, D);
    gather(A, dO, r0, count, G, H, head, D, 1);
    packTransposed(dY, A, (<usize>D) << 2, count, D);
    for (let r: i32 = 0; r < padded; r++) {
      f32.store(at(M, r), -Infinity);
      f32.store(at(L, r), 0);
      f32.store(at(delta, r), r < count ? dot(at(A, r * D), at(o, place(r0 + r, G, H, head) * D), D) : 0);
    }
    memory.fill(A, 0, (<usize>(padded * d)) << 2);
    // Number of positions that query r sees: first + (r0 + r) / G
    const first = n - T + 1, visible = first + (r0 + count - 1) / G;
    for (let s: i32 = 0; s < visible; s += BLOCK_POSITIONS) {
      const keys = min(BLOCK_POSITIONS, visible - s), from = (<usize>((s * C + head) * D)) << 2;
      packTransposed(KT, k + from, ldk, keys, D);
      packTransposed(VT, v + from, ldk, keys, D);
      packColumns(K, k + from, ldk, keys, D);
      // By position, with the queries side by side
      for (let j: i32 = 0; j < keys; j += 4) {
        const key = column(KT, D, j), value = column(VT, D, j);
        for (let i: i32 = 0; i < count; i += 8) {
          scores(D, key, 32, column(Q, D, i), 32, 0, at(P, i * BLOCK_POSITIONS + j * 8));
          scores(D, value, 32, column(dY, D, i), 32, 0, at(X, i * BLOCK_POSITIONS + j * 8));
        }
      }
      for (let i: i32 = 0; i < count; i += 4) {
        const own = i32x4(first + (r0 + i) / G, first + (r0 + i + 1) / G, first + (r0 + i + 2) / G, first + (r0 + i + 3) / G);
        const seen = i32x4.sub(own, i32x4.splat(s));
        online(column(P, BLOCK_POSITIONS, i), column(X, BLOCK_POSITIONS, i), at(M, i), at(L, i), at(delta, i), at(c, i), seen, keys);
      }
      for (let p: i32 = 0; p < d; p += 8) {
        for (let i: i32 = 0; i < count; i += 4) {
          update(keys, column(X, BLOCK_POSITIONS, i), at(K, p * keys), 32, at(c, i), at(A, p * padded + i * 8));
        }
      }
    }
    for (let r: i32 = 0; r < count; r++) {
      const row = place(r0 + r, G, H, head), to = at(statistics, row * STATISTICS_PER_QUERY);
      const by: f32 = 1 / load<f32>(at(L, r));
      f32.store(to, load<f32>(at(M, r)));
      f32.store(to, by, 4);
      f32.store(to, load<f32>(at(delta, r)), 8);
      addRow(at(dq, row * D), A, padded, r, D, scale * by);
    }
  }
}

/** Computes units of attentionBackwardKV. The units are blocks of 64 positions × key-value heads. */
export function attentionBackwardKV(
  dk: usize, dv: usize, statistics: usize, dO: usize, q: usize, k: usize, v: usize,
  T: i32, n: i32, H: i32, C: i32, D: i32, B: i32, scale: f32, ws: usize, begin: i32, end: i32,
): void {
  assert(T <= n && H % C == 0 && B > 0);
  const b = (B + 7) & ~7, d = (D + 7) & ~7, G = H / C, rows = T * G, past = n - T, ldk = (<usize>(C * D)) << 2, ld = (<usize>D) << 2;
  const KT = ws, VT = at(KT, BLOCK_POSITIONS * d), dK = at(VT, BLOCK_POSITIONS * d), dV = at(dK, BLOCK_POSITIONS * d);
  const QT = at(dV, BLOCK_POSITIONS * d), YT = at(QT, b * d), Q = at(YT, b * d), Y = at(Q, b * d), fresh = at(Y, b * d);
  const P = at(fresh, b * d), X = at(P, b * BLOCK_POSITIONS);
  const M = at(X, b * BLOCK_POSITIONS), L = at(M, b), delta = at(L, b), ones = at(delta, b);
  v128.store(ones, f32x4.splat(1));
  for (let unit = begin; unit < end; unit++) {
    const head = unit % C, s = unit / C * BLOCK_POSITIONS, count = min(BLOCK_POSITIONS, n - s), padded = (count + 7) & ~7;
    const from = (<usize>((s * C + head) * D)) << 2;
    packTransposed(KT, k + from, ldk, count, D);
    packTransposed(VT, v + from, ldk, count, D);
    memory.fill(dK, 0, (<usize>(padded * d)) << 2);
    memory.fill(dV, 0, (<usize>(padded * d)) << 2);
    for (let r0 = max(0, s - past) * G; r0 < rows; r0 += B) {
      const queries = min(B, rows - r0);
      gather(fresh, q, r0, queries, G, H, head, D, scale);
      packTransposed(QT, fresh, ld, queries, D);
      packColumns(Q, fresh, ld, queries, D);
      gather(fresh, dO, r0, queries, G, H, head, D, 1);
      packTransposed(YT, fresh, ld, queries, D);
      packColumns(Y, fresh, ld, queries, D);
      for (let i: i32 = 0; i < queries; i++) {
        const row = at(statistics, place(r0 + i, G, H, head) * STATISTICS_PER_QUERY);
        f32.store(at(M, i), load<f32>(row));
        f32.store(at(L, i), load<f32>(row, 4));
        f32.store(at(delta, i), load<f32>(row, 8));
      }
      // Number of positions of this block that the first and the last of the queries see
      const least = past + 1 + r0 / G - s, most = min(count, past + 1 + (r0 + queries - 1) / G - s);
      // By query, with the positions side by side
      for (let i: i32 = 0; i < queries; i += 4) {
        const query = column(QT, D, i), y = column(YT, D, i);
        for (let j: i32 = 0; j < most; j += 8) {
          scores(D, query, 32, column(KT, D, j), 32, 0, at(P, j * b + i * 8));
          scores(D, y, 32, column(VT, D, j), 32, 0, at(X, j * b + i * 8));
        }
      }
      for (let j: i32 = 0; j < most; j += 4) {
        if (least < j + 4) hide(column(P, b, j), queries, past + 1 - s - j, r0, G);
        weights(column(P, b, j), column(X, b, j), M, L, delta, queries);
      }
      for (let p: i32 = 0; p < d; p += 8) {
        for (let j: i32 = 0; j < most; j += 4) {
          update(queries, column(P, b, j), at(Y, p * queries), 32, ones, at(dV, p * padded + j * 8));
          update(queries, column(X, b, j), at(Q, p * queries), 32, ones, at(dK, p * padded + j * 8));
        }
      }
    }
    for (let j: i32 = 0; j < count; j++) {
      const row = ((s + j) * C + head) * D;
      addRow(at(dk, row), dK, padded, j, D, 1);
      addRow(at(dv, row), dV, padded, j, D, 1);
    }
  }
}

// Row r of a key-value head's queries is query head head · G + r % G at step r / G.
@inline function place(r: i32, G: i32, H: i32, head: i32): i32 {
  return r / G * H + head * G + r % G;
}

function gather(dst: usize, x: usize, r0: i32, count: i32, G: i32, H: i32, head: i32, D: i32, by: f32): void {
  const factor = f32x4.splat(by);
  for (let r: i32 = 0; r < count; r++) {
    const row = at(x, place(r0 + r, G, H, head) * D);
    let i: i32 = 0;
    for (; i + 4 <= D; i += 4) v128.store(at(dst, i), f32x4.mul(v128.load(at(row, i)), factor));
    for (; i < D; i++) f32.store(at(dst, i), load<f32>(at(row, i)) * by);
    dst = at(dst, D);
  }
}

function dot(x: usize, y: usize, n: i32): f32 {
  let sum = f32x4.splat(0), i: i32 = 0;
  for (; i + 4 <= n; i += 4) sum = madd(v128.load(at(x, i)), v128.load(at(y, i)), sum);
  let total = hsum(sum);
  for (; i < n; i++) total += load<f32>(at(x, i)) * load<f32>(at(y, i));
  return total;
}

// x holds the scores of four queries side by side, position by position, and dx holds do·v. dx becomes e^(x − M) (do·v − δ). `own` is the
// number of positions that each query sees.
function online(x: usize, dx: usize, M: usize, L: usize, delta: usize, c: usize, own: v128, keys: i32): void {
  const old = v128.load(M), less = v128.load(delta), end = x + ((<usize>keys) << 5);
  let top = old;
  if (v128.any_true(i32x4.lt_s(own, i32x4.splat(keys)))) {
    for (let j: i32 = 0, y = x; j < keys; j++, y += 32) {
      v128.store(y, v128.bitselect(v128.load(y), f32x4.splat(-Infinity), i32x4.gt_s(own, i32x4.splat(j))));
    }
  }
  for (let y = x; y < end; y += 32) top = f32x4.pmax(top, v128.load(y));
  const factor = expNegative(f32x4.sub(old, top));
  let sum = f32x4.mul(v128.load(L), factor);
  for (; x < end; x += 32, dx += 32) {
    const e = expNegative(f32x4.sub(v128.load(x), top));
    sum = f32x4.add(sum, e);
    v128.store(dx, f32x4.mul(e, f32x4.sub(v128.load(dx), less)));
  }
  v128.store(M, top);
  v128.store(L, sum);
  v128.store(c, factor);
}

// x holds the scores of four positions side by side, query by query. Scores of positions that a query does not see become −∞. `own` is the
// number of positions that the first query of all sees.
function hide(x: usize, queries: i32, own: i32, r0: i32, G: i32): void {
  const j = i32x4(0, 1, 2, 3), none = f32x4.splat(-Infinity);
  for (let i: i32 = 0; i < queries; i++, x += 32) {
    v128.store(x, v128.bitselect(v128.load(x), none, i32x4.lt_s(j, i32x4.splat(own + (r0 + i) / G))));
  }
}

// Scores in x become p, and do·v in dx becomes p (do·v − δ).
function weights(x: usize, dx: usize, M: usize, L: usize, delta: usize, queries: i32): void {
  for (const end = x + ((<usize>queries) << 5); x < end; x += 32, dx += 32) {
    const p = f32x4.mul(expNegative(f32x4.sub(v128.load(x), v128.load32_splat(M))), v128.load32_splat(L));
    v128.store(x, p);
    v128.store(dx, f32x4.mul(p, f32x4.sub(v128.load(dx), v128.load32_splat(delta))));
    M += 4; L += 4; delta += 4;
  }
}

// y += by · row r of a matrix in panels of `rows` rows
function addRow(y: usize, panels: usize, rows: i32, r: i32, D: i32, by: f32): void {
  const factor = f32x4.splat(by);
  let x = at(panels, r * 8), i: i32 = 0;
  for (; i + 8 <= D; i += 8) {
    v128.store(at(y, i), f32x4.add(v128.load(at(y, i)), f32x4.mul(factor, v128.load(x))));
    v128.store(at(y, i), f32x4.add(v128.load(at(y, i), 16), f32x4.mul(factor, v128.load(x, 16))), 16);
    x = at(x, rows * 8);
  }
  for (let c: i32 = 0; i < D; i++, c++) f32.store(at(y, i), load<f32>(at(y, i)) + by * load<f32>(at(x, c)));
}
