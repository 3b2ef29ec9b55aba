// Optimizer updates of a tensor.   w weights, g gradients, m and v moments, n elements
//   AdamW (Loshchilov and Hutter 2019) at step t, with g multiplied by `scale` first:
//     m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
//     w ← (1 − η λ) w − η (m / (1 − β₁ᵗ)) / (sqrt(v / (1 − β₂ᵗ)) + ε)
// Elements begin to end are independent.

import { at } from "./simd";

/** AdamW, with `keep` = 1 − η λ, `rate` = η / (1 − β₁ᵗ), `unbias` = 1 / sqrt(1 − β₂ᵗ). */
export function adamW(
  w: usize, m: usize, v: usize, g: usize,
  scale: f32, beta1: f32, beta2: f32, keep: f32, rate: f32, unbias: f32, eps: f32, begin: i32, end: i32,
): void {
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    const x = f32x4.mul(v128.load(at(g, i)), f32x4.splat(scale));
    const first = f32x4.add(f32x4.mul(f32x4.splat(beta1), v128.load(at(m, i))), f32x4.mul(f32x4.splat(1 - beta1), x));
    const second = f32x4.add(f32x4.mul(f32x4.splat(beta2), v128.load(at(v, i))), f32x4.mul(f32x4.splat(1 - beta2), f32x4.mul(x, x)));
    const below = f32x4.add(f32x4.mul(f32x4.sqrt(second), f32x4.splat(unbias)), f32x4.splat(eps));
    const step = f32x4.div(f32x4.mul(f32x4.splat(rate), first), below);
    v128.store(at(m, i), first);
    v128.store(at(v, i), second);
    v128.store(at(w, i), f32x4.sub(f32x4.mul(f32x4.splat(keep), v128.load(at(w, i))), step));
  }
  for (; i < end; i++) {
    const x = load<f32>(at(g, i)) * scale;
    const first = beta1 * load<f32>(at(m, i)) + (1 - beta1) * x, second = beta2 * load<f32>(at(v, i)) + (1 - beta2) * (x * x);
    const step = rate * first / (sqrt<f32>(second) * unbias + eps);
    f32.store(at(m, i), first);
    f32.store(at(v, i), second);
    f32.store(at(w, i), keep * load<f32>(at(w, i)) - step);
  }
}

/** Σ x² in float64, always added in the same order. */
export function sumOfSquares(x: usize, n: i32): f64 {
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0), i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    const v = v128.load(at(x, i)), low = f64x2.promote_low_f32x4(v);
    const high = f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    s0 = f64x2.add(s0, f64x2.mul(low, low));
    s1 = f64x2.add(s1, f64x2.mul(high, high));
  }
  s0 = f64x2.add(s0, s1);
  let sum = f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1);
  for (; i < n; i++) sum += <f64>load<f32>(at(x, i)) * <f64>load<f32>(at(x, i));
  return sum;
}
