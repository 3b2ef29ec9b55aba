// Causal grouped-query softmax attention over pages of keys and values, computed online, without an n × n matrix.
//   T new steps after n − T earlier ones, H query heads in groups of G = H / C over C key-value heads, D headDim.
//   q, o [T, H, D]; pages of 64 positions (see kv-pages.ts) with W bytes per number
//   o_t = Σ_{s ≤ t} p_ts v_s,   p_t = softmax_s(scale · q_t·k_s)
// A block of queries goes through the keys page by page. Per query, it updates the running maximum M, sum L and output O:
//   M' = max(M, max_s x_s),   c = e^(M − M'),   L ← c L + Σ e^(x_s − M'),   O ← c O + Σ e^(x_s − M') v_s;   o = O / L
// Range: key-value heads × blocks of B queries. The queries of a key-value head are those of its group, step by step. Every sum runs over
// positions in ascending order, page by page, so that the bits of a query depend neither on its block nor on the code path.

import { at, exp1, expNegative, hmax, transpose } from "./simd";
import { keyColumn, kvHeadBytes, PAGE_POSITIONS, valueColumn, valueStep, widenPage } from "./kv-pages";
import { column, packTransposed, scores, strip, strip8, update } from "./attention-tile";

/** Minimum number of queries of a block that is computed as a whole. In smaller blocks, queries are computed one at a time. */
const MIN_BLOCKED_QUERIES: i32 = 4;

/** Returns the bytes of workspace for blocks of B queries, head dim D and W bytes per number. */
export function attentionWorkspaceBytes(B: i32, D: i32, W: i32): i32 {
  const b = (B + 7) & ~7, d = (D + 7) & ~7;
  return (b * (2 * d + PAGE_POSITIONS + 3) + 32 + (W == 4 ? 0 : 2 * PAGE_POSITIONS * d)) << 2;
}

export function attention(
  o: usize, q: usize, pages: usize,
  T: i32, n: i32, H: i32, C: i32, D: i32, W: i32, B: i32, scale: f32, ws: usize, begin: i32, end: i32,
): void {
  assert(T <= n && H % C == 0 && B > 0);
  const b = (B + 7) & ~7, d = (D + 7) & ~7, G = H / C, rows = T * G, blocks = (rows + B - 1) / B;
  const Q = ws, O = at(Q, b * d), P = at(O, b * d), M = at(P, b * PAGE_POSITIONS), L = at(M, b), c = at(L, b), tile = at(c, b), wide = at(tile, 32);
  for (let unit = begin; unit < end; unit++) {
    // Row r is query head head·G + r % G at step r / G.
    const head = unit / blocks, r0 = unit % blocks * B, count = min(B, rows - r0), padded = (count + 7) & ~7;
    for (let r: i32 = 0; r < count; r++) scaled(at(O, r * D), at(q, ((r0 + r) / G * H + head * G + (r0 + r) % G) * D), D, scale);
    packTransposed(Q, O, (<usize>D) << 2, count, D);
    memory.fill(O, 0, (<usize>(padded * d)) << 2);
    memory.fill(L, 0, (<usize>padded) << 2);
    for (let r: i32 = 0; r < padded; r++) f32.store(at(M, r), -Infinity);
    // Number of positions that query r sees: first + (r0 + r) / G
    const first = n - T + 1, visible = first + (r0 + count - 1) / G;
    for (let s: i32 = 0; s < visible; s += PAGE_POSITIONS) {
      let K = (<usize>i32.load(at(pages, s / PAGE_POSITIONS))) + (<usize>head) * (<usize>kvHeadBytes(D, W)), V = at(K, PAGE_POSITIONS * d);
      // A small block reads bf16 directly if all panels are 32 wide. Otherwise the page is first widened to float32.
      const direct = count < MIN_BLOCKED_QUERIES && W == 2 && (d & 31) == 0;
      if (direct) V = K + <usize>(PAGE_POSITIONS * d * W);
      else if (W != 4) {
        widenPage(wide, at(wide, PAGE_POSITIONS * d), K, D, W);
        K = wide;
        V = at(wide, PAGE_POSITIONS * d);
      }
      const keys = min(PAGE_POSITIONS, visible - s);
      if (count < MIN_BLOCKED_QUERIES) {
        for (let r: i32 = 0; r < count; r++) {
          const own = min(keys, first + (r0 + r) / G - s), x = at(P, r * PAGE_POSITIONS);
          if (own <= 0) continue;
          for (let j: i32 = 0; j < own; j += 32) {
            if (direct) strip<u16>(D, column(Q, D, r), 32, K + <usize>(j * d * 2), 0, at(x, j), 32);
            else strip<f32>(D, column(Q, D, r), 32, at(K, j * d), 0, at(x, j), 32);
          }
          online(x, at(M, r), at(L, r), at(c, r), own);
          let p: i32 = 0;
          for (; p + 32 <= d; p += 32) {
            const y = at(O, p * padded + r * 8), ldo = (<usize>padded) << 5;
            if (direct) strip<u16>(own, x, 4, V + <usize>(p * PAGE_POSITIONS * 2), at(c, r), y, ldo);
            else strip<f32>(own, x, 4, at(V, p * PAGE_POSITIONS), at(c, r), y, ldo);
          }
          for (; p < d; p += 8) strip8(own, x, 4, valueColumn(V, p), valueStep(d, p), at(c, r), at(O, p * padded + r * 8));
        }
      } else {
        // Scores are stored by position, with queries side by side. If the last panel is half empty, scores are stored the other way round,
        // so that nothing is wasted.
        const whole = (count + 3) & ~7;
        for (let j: i32 = 0; j < keys; j += 4) {
          for (let i: i32 = 0; i < whole; i += 8) scores(D, keyColumn(K, d, j), 128, column(Q, D, i), 32, 0, at(P, i * PAGE_POSITIONS + j * 8));
        }
        if (whole < count) {
          for (let j: i32 = 0; j < keys; j += 8) {
            const x = at(P, whole * PAGE_POSITIONS + j * 8);
            scores(D, column(Q, D, whole), 32, keyColumn(K, d, j), 128, 0, tile);
            transpose(x, 32, tile, 32);
            transpose(at(x, 32), 32, at(tile, 4), 32);
          }
        }
        for (let i: i32 = 0; i < count; i += 4) {
          const own = i32x4(seen(first, r0 + i, G), seen(first, r0 + i + 1, G), seen(first, r0 + i + 2, G), seen(first, r0 + i + 3, G));
          online4(column(P, PAGE_POSITIONS, i), at(M, i), at(L, i), at(c, i), i32x4.sub(own, i32x4.splat(s)), keys);
        }
        for (let p: i32 = 0; p < d; p += 8) {
          const values = valueColumn(V, p), ldv = valueStep(d, p);
          for (let i: i32 = 0; i < count; i += 4) update(keys, column(P, PAGE_POSITIONS, i), values, ldv, at(c, i), at(O, p * padded + i * 8));
        }
      }
    }
    for (let r: i32 = 0; r < count; r++) {
      const y = at(o, ((r0 + r) / G * H + head * G + (r0 + r) % G) * D);
      const by: f32 = 1 / load<f32>(at(L, r));
      for (let p: i32 = 0; p < D; p += 8) scaled(at(y, p), at(O, p * padded + r * 8), min(8, D - p), by);
    }
  }
}

@inline function seen(first: i32, r: i32, G: i32): i32 {
  return first + r / G;
}

// Scores of one query and its `own` positions become weights.
function online(p: usize, M: usize, L: usize, c: usize, own: i32): void {
  const old = load<f32>(M), all = (own + 3) & ~3;
  for (let j = own; j < all; j++) f32.store(at(p, j), -Infinity);
  let top = f32x4.splat(old);
  for (let j: i32 = 0; j < all; j += 4) top = f32x4.pmax(top, v128.load(at(p, j)));
  const most = hmax(top), factor = exp1(old - most);
  let sum = load<f32>(L) * factor;
  for (let j: i32 = 0; j < all; j += 4) {
    const e = expNegative(f32x4.sub(v128.load(at(p, j)), f32x4.splat(most)));
    v128.store(at(p, j), e);
    sum += f32x4.extract_lane(e, 0); sum += f32x4.extract_lane(e, 1); sum += f32x4.extract_lane(e, 2); sum += f32x4.extract_lane(e, 3);
  }
  f32.store(M, most);
  f32.store(L, sum);
  f32.store(c, factor);
}

// Like `online`, for four queries side by side, position by position. `own` is the number of positions that each query sees.
function online4(p: usize, M: usize, L: usize, c: usize, own: v128, keys: i32): void {
  const old = v128.load(M), end = p + ((<usize>keys) << 5);
  let top = old;
  if (v128.any_true(i32x4.lt_s(own, i32x4.splat(keys)))) {
    for (let j: i32 = 0, x = p; j < keys; j++, x += 32) {
      v128.store(x, v128.bitselect(v128.load(x), f32x4.splat(-Infinity), i32x4.gt_s(own, i32x4.splat(j))));
    }
  }
  for (let x = p; x < end; x += 32) top = f32x4.pmax(top, v128.load(x));
  const factor = expNegative(f32x4.sub(old, top));
  let sum = f32x4.mul(v128.load(L), factor);
  for (let x = p; x < end; x += 32) {
    const e = expNegative(f32x4.sub(v128.load(x), top));
    v128.store(x, e);
    sum = f32x4.add(sum, e);
  }
  v128.store(M, top);
  v128.store(L, sum);
  v128.store(c, factor);
}

function scaled(dst: usize, x: usize, n: i32, by: f32): void {
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) v128.store(at(dst, i), f32x4.mul(v128.load(at(x, i)), f32x4.splat(by)));
  for (; i < n; i++) f32.store(at(dst, i), load<f32>(at(x, i)) * by);
}
