// Backward pass of lightning attention.   T steps, H heads, D headDim; qkv, dqkv [T, H, 3, D]; do [T, H, D]; states in panels
//   dq_t = S_t do_t,                 S_t = e^−λ S_{t−1} + k_t v_tᵀ
//   dk_t = Z_t v_t,  dv_t = Z_tᵀ k_t,    Z_t = e^−λ Z_{t+1} + q_t do_tᵀ,   dS_0 = e^−λ Z_1
// Each of these lines is lightning attention itself, the second one backwards in time:
//   dq = lightning(do, v, k) from S_0ᵀ,   dv = lightning(k, q, do) from dS_T and dk = lightning(v, do, q) from dS_Tᵀ
// The forward pass decays a state before its first step. dS_T decays one step later, so the two backward runs start with age 0.
// All runs go in pieces of P steps, so that memory does not grow with the sequence. Heads begin to end are independent. dqkv is added to.

import { lightning, lightningFrom, lightningWorkspaceBytes } from "./lightning";
import { at, exp1 } from "./simd";

/** Returns the bytes of workspace for pieces of P steps in chunks of B rows. */
export function lightningBackwardWorkspaceBytes(P: i32, B: i32, D: i32): i32 {
  const d = (D + 7) & ~7;
  return lightningWorkspaceBytes(B, D) + ((4 * P * D + d * d) << 2);
}

/** On entry, `dstate` is the gradient of the state after the last step; on return, that of the state before the first step. */
export function lightningBackward(
  dqkv: usize, dstate: usize, dO: usize, state: usize, qkv: usize, slopes: usize,
  T: i32, H: i32, D: i32, P: i32, B: i32, ws: usize, begin: i32, end: i32,
): void {
  const d = (D + 7) & ~7, x = ws + <usize>lightningWorkspaceBytes(B, D), y = at(x, 3 * P * D), S = at(y, P * D);
  const row = (<usize>(3 * H * D)) << 2, half = (<usize>(H * D)) << 2;
  for (let h = begin; h < end; h++) {
    const q = at(qkv, 3 * h * D), k = at(q, D), v = at(k, D), o = at(dO, h * D), dq = at(dqkv, 3 * h * D), slope = at(slopes, h);
    const Z = at(dstate, h * d * d);
    transposeState(S, at(state, h * d * d), d);
    for (let t: i32 = 0; t < T; t += P) {
      const n = min(P, T - t), i = <usize>t;
      part(x, o + i * half, half, n, D, 0, false);
      part(x, v + i * row, row, n, D, 1, false);
      part(x, k + i * row, row, n, D, 2, false);
      lightning(y, S, x, slope, n, 1, D, min(B, n), ws, 0, 1);
      addRows(dq + i * row, row, y, n, D, false);
    }
    transposeState(S, Z, d);
    for (let e = T; e > 0; e -= P) {
      const n = min(P, e), i = <usize>(e - n), age = e == T ? 0 : 1;
      part(x, v + i * row, row, n, D, 0, true);
      part(x, o + i * half, half, n, D, 1, true);
      part(x, q + i * row, row, n, D, 2, true);
      lightningFrom(y, S, x, slope, n, 1, D, min(B, n), ws, 0, 1, age);
      addRows(at(dq, D) + i * row, row, y, n, D, true);
      part(x, k + i * row, row, n, D, 0, true);
      part(x, q + i * row, row, n, D, 1, true);
      part(x, o + i * half, half, n, D, 2, true);
      lightningFrom(y, Z, x, slope, n, 1, D, min(B, n), ws, 0, 1, age);
      addRows(at(dq, 2 * D) + i * row, row, y, n, D, true);
    }
    scaleState(Z, exp1(-load<f32>(slope)), d);
  }
}

// Copies n rows of D into part `which` of x [n, 3, D], in order or reversed.
function part(x: usize, src: usize, ld: usize, n: i32, D: i32, which: i32, backwards: bool): void {
  let dst = at(x, which * D);
  for (let t: i32 = 0; t < n; t++) {
    memory.copy(dst, src + (<usize>(backwards ? n - 1 - t : t)) * ld, (<usize>D) << 2);
    dst += (<usize>(3 * D)) << 2;
  }
}

function addRows(dst: usize, ld: usize, y: usize, n: i32, D: i32, backwards: bool): void {
  for (let t: i32 = 0; t < n; t++) {
    const to = dst + (<usize>(backwards ? n - 1 - t : t)) * ld;
    let i: i32 = 0;
    for (; i + 4 <= D; i += 4) v128.store(at(to, i), f32x4.add(v128.load(at(to, i)), v128.load(at(y, i))));
    for (; i < D; i++) f32.store(at(to, i), load<f32>(at(to, i)) + load<f32>(at(y, i)));
    y += (<usize>D) << 2;
  }
}

// Element (i, j) of a state in panels: at(S, (j / 8 · d + i) · 8 + j % 8)
function transposeState(dst: usize, src: usize, d: i32): void {
  for (let i: i32 = 0; i < d; i++) {
    for (let j: i32 = 0; j < d; j++) {
      f32.store(at(dst, ((i & ~7) * d) + j * 8 + (i & 7)), load<f32>(at(src, ((j & ~7) * d) + i * 8 + (j & 7))));
    }
  }
}

function scaleState(S: usize, by: f32, d: i32): void {
  for (let i: i32 = 0; i < d * d; i += 4) v128.store(at(S, i), f32x4.mul(f32x4.splat(by), v128.load(at(S, i))));
}
