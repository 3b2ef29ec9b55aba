// Queries, keys and values that come from separate projections.
//   joinHeads   y [T, H, 3, D]:   y_th = (α q_th, k_tg, v_tg),   g = ⌊h / (H/K)⌋      q [T, H, D];   k, v [T, K, D]
//   scaleRows   y [T, N]:         y_t = s_t x_t
// Rows (steps) begin to end are independent.

import { at } from "./simd";

/** y = α x for N elements. y may be x. */
@inline function scaled(y: usize, x: usize, alpha: f32, N: i32): void {
  const a = f32x4.splat(alpha);
  let i: i32 = 0;
  for (; i + 4 <= N; i += 4) v128.store(at(y, i), f32x4.mul(a, v128.load(at(x, i))));
  for (; i < N; i++) f32.store(at(y, i), alpha * load<f32>(at(x, i)));
}

/** y += α x for N elements. */
@inline function addTo(y: usize, x: usize, alpha: f32, N: i32): void {
  const a = f32x4.splat(alpha);
  let i: i32 = 0;
  for (; i + 4 <= N; i += 4) v128.store(at(y, i), f32x4.add(v128.load(at(y, i)), f32x4.mul(a, v128.load(at(x, i)))));
  for (; i < N; i++) f32.store(at(y, i), load<f32>(at(y, i)) + alpha * load<f32>(at(x, i)));
}

export function joinHeads(y: usize, q: usize, k: usize, v: usize, H: i32, K: i32, D: i32, alpha: f32, begin: i32, end: i32): void {
  const group = H / K;
  const bytes = (<usize>D) << 2;
  for (let t = begin; t < end; t++) {
    for (let h: i32 = 0; h < H; h++) {
      const to = at(y, 3 * D * (t * H + h)), from = D * (t * K + h / group);
      scaled(to, at(q, D * (t * H + h)), alpha, D);
      memory.copy(at(to, D), at(k, from), bytes);
      memory.copy(at(to, 2 * D), at(v, from), bytes);
    }
  }
}

/** dq_th += α dy_th0,   dk_tg += Σ dy_th1,   dv_tg += Σ dy_th2, the sums over the heads h of group g in ascending order. */
export function joinHeadsBackward(
  dq: usize, dk: usize, dv: usize, dy: usize, H: i32, K: i32, D: i32, alpha: f32, begin: i32, end: i32,
): void {
  const group = H / K;
  for (let t = begin; t < end; t++) {
    for (let h: i32 = 0; h < H; h++) {
      const from = at(dy, 3 * D * (t * H + h)), to = D * (t * K + h / group);
      addTo(at(dq, D * (t * H + h)), from, alpha, D);
      addTo(at(dk, to), at(from, D), 1, D);
      addTo(at(dv, to), at(from, 2 * D), 1, D);
    }
  }
}

export function scaleRows(y: usize, x: usize, s: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) scaled(at(y, t * N), at(x, t * N), load<f32>(at(s, t)), N);
}

/** dx_t += s_t dy_t. The scales are constants. */
export function scaleRowsBackward(dx: usize, dy: usize, s: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) addTo(at(dx, t * N), at(dy, t * N), load<f32>(at(s, t)), N);
}
