// Lightning attention.   T steps, H heads, D headDim.   qkv [T, H, 3, D], o [T, H, D]; state S [H, D, D]; decay slope λ [H]
//   S_t = e^−λ S_{t−1} + k_t v_tᵀ,   o_t = q_tᵀ S_t
// No scaling, no softmax, no denominator. The state enters and leaves row-major in float32.
//
// In chunks of m rows, with incoming state S and rows i, j = 0 … m−1:
//   O = e^(−λ(i+1)) ⊙ Q S + (Q Kᵀ ⊙ Δ) V,   Δ_ij = e^(−λ(i−j)) for j ≤ i, else 0
//   S ← e^(−λm) S + (e^(−λ(m−1−j)) ⊙ K)ᵀ V
// Every exponent is ≤ 0: nothing overflows, however steep the slope. Heads begin to end are independent.

import { at, exp, exp1, madd } from "./simd";
import { packColumns, packRows, packTransposed, tileColumns, tileRows } from "./tile";

/** Bytes of workspace for chunks of B rows. */
export function lightningWorkspaceBytes(B: i32, D: i32): i32 {
  const b = (B + 7) & ~7, d = (D + 7) & ~7;
  return (3 * b * D + 3 * b * d + b * b + d * d + 4 * b + 16) << 2;
}

export function lightning(
  o: usize, state: usize, qkv: usize, slopes: usize,
  T: i32, H: i32, D: i32, B: i32, ws: usize, begin: i32, end: i32,
): void {
  assert(B > 0 && begin >= 0 && end <= H);
  const b = (B + 7) & ~7, d = (D + 7) & ~7;
  const Q = ws, R = at(Q, b * D), K = at(R, b * D), V = at(K, b * D), W = at(V, b * d), O = at(W, b * d), P = at(O, b * d);
  const S = at(P, b * b), decay = at(S, d * d), incoming = at(decay, b), outgoing = at(incoming, b + 4);
  const row = (<usize>(3 * H * D)) << 2, ldd = (<usize>d) << 2, ldD = (<usize>D) << 2;
  for (let h = begin; h < end; h++) {
    const slope = load<f32>(at(slopes, h)), S0 = state + (<usize>h) * (<usize>D) * ldD;
    const q = at(qkv, 3 * h * D), k = at(q, D), v = at(k, D);
    powers(decay, slope, b, 0);
    powers(incoming, slope, b, 1);
    packState(S, S0, D);
    for (let t: i32 = 0; t < T; t += B) {
      const m = min(B, T - t), padded = (m + 7) & ~7, ldp = (<usize>padded) << 2, from = (<usize>t) * row;
      // Copies of q and k side by side: rows of qkv often lie a multiple of 4 KiB apart, all in the same few cache lines.
      packRows(Q, q + from, row, m, padded, D, 1);
      packRows(R, k + from, row, m, m, D, 1);
      packTransposed(K, R, ldD, m, D);
      packColumns(V, v + from, row, m, D);
      packDecayed(W, V, decay, m, d);
      // P = Q Kᵀ ⊙ Δ, its lower triangle
      for (let i: i32 = 0; i < padded; i += 4) {
        for (let j: i32 = 0; j <= i; j += 8) tileRows(D, at(Q, i * D), ldD, at(K, j * D), at(P, i * padded + j), ldp, 0);
        for (let r = i; r < i + 4; r++) causal(at(P, r * padded), decay, r, (i | 7) + 1);
      }
      // O = e^(−λ(i+1)) ⊙ Q S + P V
      for (let p: i32 = 0; p < d; p += 8) {
        for (let i: i32 = 0; i < padded; i += 4) {
          const c = at(O, i * d + p);
          tileRows(D, at(Q, i * D), ldD, at(S, p * d), c, ldd, 0);
          tileRows(min(m, i + 4), at(P, i * padded), ldp, at(V, p * m), c, ldd, at(incoming, i));
        }
      }
      // S ← e^(−λm) S + Kᵀ W
      const whole = exp1(-slope * <f32>m);
      v128.store(outgoing, f32x4.splat(whole));
      for (let p: i32 = 0; p < d; p += 8) {
        for (let i: i32 = 0; i < D; i += 4) tileColumns(m, at(R, i), ldD, at(W, p * m), at(S, p * d + i * 8), 32, outgoing);
      }
      const ldo = (<usize>(H * D)) << 2;
      for (let i: i32 = 0; i < m; i++) memory.copy(at(o, ((t + i) * H + h) * D), at(O, i * d), ldD);
    }
    unpackState(S0, S, D);
  }
}

/** One step: the recurrence as it stands, on the row-major state. */
export function lightningStep(o: usize, state: usize, qkv: usize, slopes: usize, H: i32, D: i32, begin: i32, end: i32): void {
  const ldD = (<usize>D) << 2;
  for (let h = begin; h < end; h++) {
    const lambda = exp1(-load<f32>(at(slopes, h))), decay = f32x4.splat(lambda);
    const q = at(qkv, 3 * h * D), k = at(q, D), v = at(k, D), y = at(o, h * D), S0 = at(state, h * D * D);
    let e: i32 = 0;
    for (; e + 16 <= D; e += 16) {
      const v0 = v128.load(at(v, e)), v1 = v128.load(at(v, e), 16), v2 = v128.load(at(v, e), 32), v3 = v128.load(at(v, e), 48);
      let o0 = f32x4.splat(0), o1 = f32x4.splat(0), o2 = f32x4.splat(0), o3 = f32x4.splat(0);
      let s = at(S0, e);
      for (let i: i32 = 0; i < D; i++) {
        const x = v128.load32_splat(at(k, i)), z = v128.load32_splat(at(q, i));
        const s0 = madd(x, v0, f32x4.mul(decay, v128.load(s))), s1 = madd(x, v1, f32x4.mul(decay, v128.load(s, 16)));
        const s2 = madd(x, v2, f32x4.mul(decay, v128.load(s, 32))), s3 = madd(x, v3, f32x4.mul(decay, v128.load(s, 48)));
        v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
        o0 = madd(z, s0, o0); o1 = madd(z, s1, o1); o2 = madd(z, s2, o2); o3 = madd(z, s3, o3);
        s += ldD;
      }
      const out = at(y, e);
      v128.store(out, o0); v128.store(out, o1, 16); v128.store(out, o2, 32); v128.store(out, o3, 48);
    }
    for (; e < D; e++) {
      let sum: f32 = 0;
      for (let i: i32 = 0; i < D; i++) {
        const s = at(S0, i * D + e);
        const x = lambda * load<f32>(s) + load<f32>(at(k, i)) * load<f32>(at(v, e));
        f32.store(s, x);
        sum += load<f32>(at(q, i)) * x;
      }
      f32.store(at(y, e), sum);
    }
  }
}

// dst_i = e^(−λ (i + first))
function powers(dst: usize, slope: f32, n: i32, first: i32): void {
  for (let i: i32 = 0; i < n; i += 4) {
    const x = f32x4.add(f32x4.splat(<f32>(i + first)), f32x4(0, 1, 2, 3));
    v128.store(at(dst, i), exp(f32x4.mul(x, f32x4.splat(-slope))));
  }
}

// Row i of the scores: times e^(−λ(i−j)) up to the diagonal, zero behind it.
function causal(p: usize, decay: usize, i: i32, width: i32): void {
  for (let j: i32 = 0; j <= i; j++) f32.store(at(p, j), load<f32>(at(p, j)) * load<f32>(at(decay, i - j)));
  for (let j = i + 1; j < width; j++) f32.store(at(p, j), 0);
}

// W = e^(−λ(m−1−j)) ⊙ V, in panels of m rows
function packDecayed(dst: usize, v: usize, decay: usize, m: i32, d: i32): void {
  for (let p: i32 = 0; p < d; p += 8) {
    for (let j: i32 = 0; j < m; j++) {
      const g = v128.load32_splat(at(decay, m - 1 - j));
      v128.store(dst, f32x4.mul(g, v128.load(v)));
      v128.store(dst, f32x4.mul(g, v128.load(v, 16)), 16);
      v += 32;
      dst += 32;
    }
  }
}

// Row-major [D, D] ⇄ panels of 8 columns; a panel has d rows, of which D are used.
function packState(panels: usize, state: usize, D: i32): void {
  const d = (D + 7) & ~7;
  for (let p: i32 = 0; p < d; p += 8) packColumns(at(panels, p * d), at(state, p), (<usize>D) << 2, D, min(8, D - p));
}

function unpackState(state: usize, panels: usize, D: i32): void {
  const d = (D + 7) & ~7;
  for (let p: i32 = 0; p < D; p += 8) {
    const width = (<usize>min(8, D - p)) << 2;
    for (let i: i32 = 0; i < D; i++) memory.copy(at(state, i * D + p), at(panels, p * d + i * 8), width);
  }
}
