// Lightning attention.   T steps, H heads, D headDim.   qkv [T, H, 3, D], o [T, H, D]; state S [H, D, D] in panels; decay slope λ [H]
//   S_t = e^−λ S_{t−1} + k_t v_tᵀ,   o_t = q_tᵀ S_t
// There is no scaling, softmax or denominator. The state is float32, in panels [H, d/8, d, 8] with d = D rounded up to a multiple of 8:
// panel p holds columns 8p … 8p+7; the padding beyond D is zero.
//
// In chunks of m rows, with incoming state S and rows i, j = 0 … m−1:
//   O = e^(−λ(i+1)) ⊙ Q S + (Q Kᵀ ⊙ Δ) V,   Δ_ij = e^(−λ(i−j)) for j ≤ i, else 0
//   S ← e^(−λm) S + (e^(−λ(m−1−j)) ⊙ K)ᵀ V
// Every exponent is ≤ 0, so no slope from 0 to ∞ overflows. Heads begin to end are independent.

import { at, exp, exp1, madd } from "./simd";
import { column, output, packColumns, packTransposed, scores, update } from "./attention-tile";

/**
 * Number of heads that are computed alternately, chunk by chunk, so that whole rows are read. Their states, 64 KiB each at D = 128, fit
 * into the L2 cache.
 */
const HEADS_PER_GROUP: i32 = 8;

/** Number of floats of a head's decay table: 12 zeros, then e^(−λx) for x = 0 … b+7. */
@inline function table(b: i32): i32 {
  return TABLE_LEADING_ZEROS + b + 8;
}
const TABLE_LEADING_ZEROS: i32 = 12;

/** Returns the bytes of workspace for chunks of B rows. */
export function lightningWorkspaceBytes(B: i32, D: i32): i32 {
  const b = (B + 7) & ~7, d = (D + 7) & ~7;
  return (2 * b * D + 2 * b * d + b * b + HEADS_PER_GROUP * table(b) + 36) << 2;
}

export function lightning(
  o: usize, state: usize, qkv: usize, slopes: usize,
  T: i32, H: i32, D: i32, B: i32, ws: usize, begin: i32, end: i32,
): void {
  lightningFrom(o, state, qkv, slopes, T, H, D, B, ws, begin, end, 1);
}

/** Like `lightning`, with e^(−λ(i + age)) on the initial state in the first chunk: age 1 decays it before the first row, age 0 does not. */
export function lightningFrom(
  o: usize, state: usize, qkv: usize, slopes: usize,
  T: i32, H: i32, D: i32, B: i32, ws: usize, begin: i32, end: i32, age: i32,
): void {
  assert(B > 0 && begin >= 0 && end <= H);
  const b = (B + 7) & ~7, d = (D + 7) & ~7, ldx = (<usize>(3 * H * D)) << 2, ldo = (<usize>(H * D)) << 2;
  const Q = ws, K = at(Q, b * D), R = at(K, b * D), V = at(R, b * d), P = at(V, b * d);
  const whole = at(P, b * b), rest = at(whole, 4), decays = at(rest, 32);
  for (let g = begin; g < end; g += HEADS_PER_GROUP) {
    const last = min(g + HEADS_PER_GROUP, end), row = (<usize>(3 * (last - g) * D)) << 2;
    for (let h = g; h < last; h++) powers(at(decays, (h - g) * table(b) + TABLE_LEADING_ZEROS), load<f32>(at(slopes, h)), b + 8);
    for (let t: i32 = 0; t < T; t += B) {
      const m = min(B, T - t), from = (<usize>t) * ldx, first = t == 0 ? age : 1;
      // Prefetches the rows of the next chunk while this one is computed, in eight streams, one for every eighth of the rows.
      let next = at(qkv, 3 * g * D) + from, apart: usize = 0, step: usize = 0;
      if (last - g >= 4 && d == D && (m & 7) == 0 && t + 2 * m <= T) {
        next += (<usize>m) * ldx; apart = (<usize>(m >> 3)) * ldx; step = 48;
      }
      let until = next + row;
      for (let h = g; h < last; h++) {
        const q = at(qkv, 3 * h * D), k = at(q, D), v = at(k, D), S = at(state, h * d * d);
        const decay = at(decays, (h - g) * table(b) + TABLE_LEADING_ZEROS);
        // Rows of qkv are often a multiple of 4 KiB apart, and then share a few cache sets. Each row is therefore read only here.
        packTransposed(Q, q + from, ldx, m, D);
        packTransposed(K, k + from, ldx, m, D);
        packColumns(R, k + from, ldx, m, D);
        packColumns(V, v + from, ldx, m, D);
        scaleSteps(R, decay, m, d);
        // Pᵀ = K Qᵀ ⊙ Δᵀ, for queries that are not earlier than the keys
        for (let j: i32 = 0; j < m; j += 4) {
          for (let i = j & ~7; i < m; i += 8) scores(D, column(K, D, j), 32, column(Q, D, i), 32, at(decay, i - j), at(P, i * b + j * 8));
        }
        v128.store(whole, v128.load32_splat(at(decay, m - 1 + first)));
        for (let p: i32 = 0; p < d; p += 8) {
          const panel = at(S, p * d), values = at(V, p * m);
          // O = e^(−λ(i+1)) ⊙ Q S + P V
          for (let i: i32 = 0; i < m; i += 4) {
            touch(next, apart);
            next += step;
            if (next >= until) {
              next += ldx - row; until += ldx;
            }
            const y = at(o, ((t + i) * H + h) * D + p), inside = i + 4 <= m && p + 8 <= D;
            const to = inside ? y : rest, ld: usize = inside ? ldo : 32;
            output(D, column(Q, D, i), panel, at(decay, i + first), min(m, i + 4), column(P, b, i), values, to, ld);
            if (!inside) for (let r: i32 = 0; r < min(4, m - i); r++) memory.copy(y + (<usize>r) * ldo, at(rest, r * 8), (<usize>min(8, D - p)) << 2);
          }
          // S ← e^(−λm) S + Rᵀ V,   R = e^(−λ(m−1−j)) ⊙ K
          for (let i: i32 = 0; i < d; i += 4) update(m, column(R, m, i), values, 32, whole, at(panel, i * 8));
        }
      }
    }
  }
}

/** Computes one step of the recurrence, panel by panel. A single stream reads states from memory twice as fast as two streams. */
export function lightningStep(o: usize, state: usize, qkv: usize, slopes: usize, H: i32, D: i32, begin: i32, end: i32): void {
  const d = (D + 7) & ~7;
  for (let h = begin; h < end; h++) {
    const lambda = exp1(-load<f32>(at(slopes, h))), decay = f32x4.splat(lambda);
    const q = at(qkv, 3 * h * D), k = at(q, D), v = at(k, D), y = at(o, h * D), S = at(state, h * d * d);
    let e: i32 = 0;
    for (; e + 8 <= D; e += 8) {
      const v0 = v128.load(at(v, e)), v1 = v128.load(at(v, e), 16);
      let o0 = f32x4.splat(0), o1 = f32x4.splat(0), s = at(S, e * d);
      for (let i: i32 = 0; i < D; i++) {
        const x = v128.load32_splat(at(k, i)), z = v128.load32_splat(at(q, i));
        const s0 = madd(x, v0, f32x4.mul(decay, v128.load(s))), s1 = madd(x, v1, f32x4.mul(decay, v128.load(s, 16)));
        v128.store(s, s0); v128.store(s, s1, 16);
        o0 = madd(z, s0, o0); o1 = madd(z, s1, o1);
        s += 32;
      }
      v128.store(at(y, e), o0); v128.store(at(y, e), o1, 16);
    }
    for (; e < D; e++) {
      let sum: f32 = 0, s = at(S, (e & ~7) * d + (e & 7));
      for (let i: i32 = 0; i < D; i++) {
        const x = lambda * load<f32>(s) + load<f32>(at(k, i)) * load<f32>(at(v, e));
        f32.store(s, x);
        sum += load<f32>(at(q, i)) * x;
        s += 32;
      }
      f32.store(at(y, e), sum);
    }
  }
}

/** One step of each of several sequences. Range: heads of all sequences in order. list [sequence][3]: addresses of o, state and qkv. */
export function lightningSteps(list: usize, slopes: usize, H: i32, D: i32, begin: i32, end: i32): void {
  while (begin < end) {
    const sequence = begin / H, first = sequence * H, last = min(end, first + H), at3 = at(list, 3 * sequence);
    lightningStep(<usize>load<u32>(at3), <usize>load<u32>(at3, 4), <usize>load<u32>(at3, 8), slopes, H, D, begin - first, last - first);
    begin = last;
  }
}

// Reads a byte at eight addresses that are `apart` bytes apart, to prefetch their cache lines.
function touch(p: usize, apart: usize): void {
  for (const end = p + 8 * apart; p < end; p += apart) load<u8>(p);
}

// For this slope e^−λ is 0 in float32. Steeper slopes have the same table, and clamping avoids 0 · ∞ = NaN.
const MAX_SLOPE: f32 = 128;

// e^(−λx) for x = 0 … n−1, after zeros for x < 0: a key later than its query has weight 0.
function powers(dst: usize, slope: f32, n: i32): void {
  memory.fill(at(dst, -TABLE_LEADING_ZEROS), 0, TABLE_LEADING_ZEROS << 2);
  const lambda = f32x4.splat(-min(slope, MAX_SLOPE));
  for (let i: i32 = 0; i < n; i += 4) {
    const x = f32x4.add(f32x4.splat(<f32>i), f32x4(0, 1, 2, 3));
    v128.store(at(dst, i), exp(f32x4.mul(x, lambda)));
  }
}

// Multiplies step j of every panel by e^(−λ(m−1−j)).
function scaleSteps(x: usize, decay: usize, m: i32, d: i32): void {
  for (let p: i32 = 0; p < d; p += 8) {
    for (let j: i32 = 0; j < m; j++) {
      const g = v128.load32_splat(at(decay, m - 1 - j));
      v128.store(x, f32x4.mul(g, v128.load(x)));
      v128.store(x, f32x4.mul(g, v128.load(x, 16)), 16);
      x += 32;
    }
  }
}
