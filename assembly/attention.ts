// Causal grouped-query softmax attention, online: never an n × n matrix.
//   T new steps after n − T earlier ones, H query heads in groups of G = H / C over C key-value heads, D headDim.
//   q, o [T, H, D]; k, v [n, C, D]
//   o_t = Σ_{s ≤ t} p_ts v_s,   p_t = softmax_s(scale · q_t·k_s)
// A block of queries meets the keys block by block and keeps, per row, the running maximum M, sum L and output O:
//   M' = max(M, max_s x_s),   c = e^(M − M'),   L ← c L + Σ e^(x_s − M'),   O ← c O + Σ e^(x_s − M') v_s;   o = O / L
// Key-value heads begin to end are independent.

import { at, exp, exp1, hmax, hsum } from "./simd";
import { packColumns, packTransposed, tileRows } from "./tile";

/** Queries and keys per block. */
const QUERIES: i32 = 64;
const KEYS: i32 = 64;

/** Bytes of workspace for heads of D. */
export function attentionWorkspaceBytes(D: i32): i32 {
  const d = (D + 7) & ~7;
  return (QUERIES * D + KEYS * D + KEYS * d + QUERIES * d + QUERIES * KEYS + 3 * QUERIES) << 2;
}

export function attention(
  o: usize, q: usize, k: usize, v: usize,
  T: i32, n: i32, H: i32, C: i32, D: i32, scale: f32, ws: usize, begin: i32, end: i32,
): void {
  assert(T <= n && H % C == 0 && end <= C);
  const d = (D + 7) & ~7, G = H / C, rows = T * G, past = n - T;
  const Q = ws, K = at(Q, QUERIES * D), V = at(K, KEYS * D), O = at(V, KEYS * d), P = at(O, QUERIES * d);
  const M = at(P, QUERIES * KEYS), L = at(M, QUERIES), c = at(L, QUERIES);
  const ldk = (<usize>(C * D)) << 2, ldD = (<usize>D) << 2, ldd = (<usize>d) << 2, ldp: usize = (<usize>KEYS) << 2;
  for (let head = begin; head < end; head++) {
    // Row r is query head head·G + r % G at step r / G.
    for (let r0: i32 = 0; r0 < rows; r0 += QUERIES) {
      const count = min(QUERIES, rows - r0), padded = (count + 3) & ~3;
      for (let r: i32 = 0; r < count; r++) scaled(at(Q, r * D), at(q, ((r0 + r) / G * H + head * G + (r0 + r) % G) * D), D, scale);
      memory.fill(at(Q, count * D), 0, (<usize>(padded - count)) * ldD);
      memory.fill(O, 0, (<usize>padded) * ldd);
      for (let r: i32 = 0; r < padded; r++) {
        f32.store(at(M, r), -Infinity);
        f32.store(at(L, r), 0);
      }
      const visible = past + (r0 + count - 1) / G + 1;
      for (let s: i32 = 0; s < visible; s += KEYS) {
        const keys = min(KEYS, visible - s);
        packTransposed(K, at(k, (s * C + head) * D), ldk, keys, D);
        packColumns(V, at(v, (s * C + head) * D), ldk, keys, D);
        for (let i: i32 = 0; i < padded; i += 4) {
          for (let j: i32 = 0; j < keys; j += 8) tileRows(D, at(Q, i * D), ldD, at(K, j * D), at(P, i * KEYS + j), ldp, 0);
          for (let r = i; r < i + 4; r++) {
            const own = past + (r0 + r) / G + 1 - s;
            online(at(P, r * KEYS), at(M, r), at(L, r), at(c, r), min(max(own, 0), keys), keys);
          }
          for (let p: i32 = 0; p < d; p += 8) tileRows(keys, at(P, i * KEYS), ldp, at(V, p * keys), at(O, i * d + p), ldd, at(c, i));
        }
      }
      for (let r: i32 = 0; r < count; r++) scaled(at(o, ((r0 + r) / G * H + head * G + (r0 + r) % G) * D), at(O, r * d), D, 1 / load<f32>(at(L, r)));
    }
  }
}

// Scores of one row become weights: `own` keys are visible, the others of the block's `keys` weigh nothing.
function online(p: usize, M: usize, L: usize, c: usize, own: i32, keys: i32): void {
  let j: i32 = 0;
  if (own == 0) {
    for (; j < keys; j++) f32.store(at(p, j), 0);
    f32.store(c, 1);
    return;
  }
  const old = load<f32>(M);
  let top = old;
  for (; j + 4 <= own; j += 4) top = max(top, hmax(v128.load(at(p, j))));
  for (; j < own; j++) top = max(top, load<f32>(at(p, j)));
  const factor = exp1(old - top);
  let sum: f32 = load<f32>(L) * factor;
  for (j = 0; j + 4 <= own; j += 4) {
    const e = exp(f32x4.sub(v128.load(at(p, j)), f32x4.splat(top)));
    v128.store(at(p, j), e);
    sum += hsum(e);
  }
  for (; j < own; j++) {
    const e = exp1(load<f32>(at(p, j)) - top);
    f32.store(at(p, j), e);
    sum += e;
  }
  for (; j < keys; j++) f32.store(at(p, j), 0);
  f32.store(M, top);
  f32.store(L, sum);
  f32.store(c, factor);
}

function scaled(dst: usize, x: usize, n: i32, by: f32): void {
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) v128.store(at(dst, i), f32x4.mul(v128.load(at(x, i)), f32x4.splat(by)));
  for (; i < n; i++) f32.store(at(dst, i), load<f32>(at(x, i)) * by);
}
