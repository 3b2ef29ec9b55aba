// Elementwise functions. Elements begin to end are independent, and y may be any of the inputs.
//   silu          y = x σ(x)
//   siluGate      y = a σ(a) · b            (the expert's w1 and w3)
//   sigmoidGate   y = σ(g) · x              (lightning attention's output gate)
//   residual      y = α x + β f
//   mix           y = (1 − σ(c)) a + σ(c) b, one c per row of N   (routed and shared expert)

import { at, sigmoid } from "./simd";

@inline function sigmoid1(x: f32): f32 {
  return f32x4.extract_lane(sigmoid(f32x4.splat(x)), 0);
}

export function silu(y: usize, x: usize, begin: i32, end: i32): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    const v = v128.load(at(x, i));
    v128.store(at(y, i), f32x4.mul(v, sigmoid(v)));
  }
  for (; i < end; i++) {
    const v = load<f32>(at(x, i));
    f32.store(at(y, i), v * sigmoid1(v));
  }
}

export function siluGate(y: usize, a: usize, b: usize, begin: i32, end: i32): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    const v = v128.load(at(a, i));
    v128.store(at(y, i), f32x4.mul(f32x4.mul(v, sigmoid(v)), v128.load(at(b, i))));
  }
  for (; i < end; i++) {
    const v = load<f32>(at(a, i));
    f32.store(at(y, i), v * sigmoid1(v) * load<f32>(at(b, i)));
  }
}

export function sigmoidGate(y: usize, g: usize, x: usize, begin: i32, end: i32): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) v128.store(at(y, i), f32x4.mul(sigmoid(v128.load(at(g, i))), v128.load(at(x, i))));
  for (; i < end; i++) f32.store(at(y, i), sigmoid1(load<f32>(at(g, i))) * load<f32>(at(x, i)));
}

export function residual(y: usize, x: usize, f: usize, alpha: f32, beta: f32, begin: i32, end: i32): void {
  const a = f32x4.splat(alpha), b = f32x4.splat(beta);
  let i = begin;
  for (; i + 4 <= end; i += 4) v128.store(at(y, i), f32x4.add(f32x4.mul(a, v128.load(at(x, i))), f32x4.mul(b, v128.load(at(f, i)))));
  for (; i < end; i++) f32.store(at(y, i), alpha * load<f32>(at(x, i)) + beta * load<f32>(at(f, i)));
}

/** Rows begin to end of N elements. */
export function mix(y: usize, a: usize, b: usize, c: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), shared = sigmoid1(load<f32>(at(c, r))), routed: f32 = 1 - shared;
    residual(y + row, a + row, b + row, routed, shared, 0, N);
  }
}
