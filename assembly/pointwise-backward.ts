// Backward passes of the functions of pointwise.ts. Gradients are added to; elements begin to end are independent.
//   silu          dx += dy s (1 + x (1 − s))                                     s = σ(x)
//   siluGate      da += dy b s (1 + a (1 − s)),   db += dy a s                   s = σ(a)
//   sigmoidGate   dg += dy x s (1 − s),           dx += dy s                     s = σ(g)
//   residual      dx += α dy,                     df += β dy                     (addScaled, once each)
//   mix           da += (1 − s) dy,   db += s dy,   dc += s (1 − s) Σ dy (b − a)   s = σ(c), one per row
// The tail uses the same instructions as the other elements, one element at a time, so that the bits do not depend on the range.

import { at, hsum, sigmoid } from "./simd";

@inline function slopeOfSilu(x: v128, s: v128): v128 {
  return f32x4.mul(s, f32x4.add(f32x4.splat(1), f32x4.mul(x, f32x4.sub(f32x4.splat(1), s))));
}

@inline function slopeOfSigmoid(s: v128): v128 {
  return f32x4.mul(s, f32x4.sub(f32x4.splat(1), s));
}

// Loads four elements, or one.
@inline function read(p: usize, four: bool): v128 {
  return four ? v128.load(p) : v128.load32_zero(p);
}

@inline function add(p: usize, x: v128, four: bool): void {
  if (four) v128.store(p, f32x4.add(v128.load(p), x));
  else v128.store32_lane(p, f32x4.add(v128.load32_zero(p), x), 0);
}

@inline function siluAt(dx: usize, dy: usize, x: usize, four: bool): void {
  const v = read(x, four);
  add(dx, f32x4.mul(read(dy, four), slopeOfSilu(v, sigmoid(v))), four);
}

export function siluBackward(dx: usize, dy: usize, x: usize, begin: i32, end: i32): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) siluAt(at(dx, i), at(dy, i), at(x, i), true);
  for (; i < end; i++) siluAt(at(dx, i), at(dy, i), at(x, i), false);
}

@inline function siluGateAt(da: usize, db: usize, dy: usize, a: usize, b: usize, four: bool): void {
  const v = read(a, four), s = sigmoid(v), g = read(dy, four);
  add(da, f32x4.mul(f32x4.mul(g, read(b, four)), slopeOfSilu(v, s)), four);
  add(db, f32x4.mul(g, f32x4.mul(v, s)), four);
}

export function siluGateBackward(da: usize, db: usize, dy: usize, a: usize, b: usize, begin: i32, end: i32): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) siluGateAt(at(da, i), at(db, i), at(dy, i), at(a, i), at(b, i), true);
  for (; i < end; i++) siluGateAt(at(da, i), at(db, i), at(dy, i), at(a, i), at(b, i), false);
}

@inline function sigmoidGateAt(dg: usize, dx: usize, dy: usize, g: usize, x: usize, four: bool): void {
  const s = sigmoid(read(g, four)), d = read(dy, four);
  add(dg, f32x4.mul(f32x4.mul(d, read(x, four)), slopeOfSigmoid(s)), four);
  add(dx, f32x4.mul(d, s), four);
}

export function sigmoidGateBackward(dg: usize, dx: usize, dy: usize, g: usize, x: usize, begin: i32, end: i32): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) sigmoidGateAt(at(dg, i), at(dx, i), at(dy, i), at(g, i), at(x, i), true);
  for (; i < end; i++) sigmoidGateAt(at(dg, i), at(dx, i), at(dy, i), at(g, i), at(x, i), false);
}

/** y += factor · x */
export function addScaled(y: usize, x: usize, factor: f32, begin: i32, end: i32): void {
  const by = f32x4.splat(factor);
  let i = begin;
  for (; i + 4 <= end; i += 4) add(at(y, i), f32x4.mul(by, v128.load(at(x, i))), true);
  for (; i < end; i++) add(at(y, i), f32x4.mul(by, v128.load32_zero(at(x, i))), false);
}

/** Rows begin to end of N elements. */
export function mixBackward(da: usize, db: usize, dc: usize, dy: usize, a: usize, b: usize, c: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), s4 = sigmoid(v128.load32_splat(at(c, r))), s = f32x4.extract_lane(s4, 0);
    addScaled(da + row, dy + row, 1 - s, 0, N);
    addScaled(db + row, dy + row, s, 0, N);
    let sum = f32x4.splat(0), i: i32 = 0;
    for (; i + 4 <= N; i += 4) {
      const difference = f32x4.sub(v128.load(at(b + row, i)), v128.load(at(a + row, i)));
      sum = f32x4.add(sum, f32x4.mul(v128.load(at(dy + row, i)), difference));
    }
    let dot = hsum(sum);
    for (; i < N; i++) dot += load<f32>(at(dy + row, i)) * (load<f32>(at(b + row, i)) - load<f32>(at(a + row, i)));
    f32.store(at(dc, r), load<f32>(at(dc, r)) + s * (1 - s) * dot);
  }
}
