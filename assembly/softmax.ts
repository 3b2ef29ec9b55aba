// Row softmax and its logarithm.   x, y [rows, N]
//   softmax: y_i = e^(x_i − M) / Σ_j e^(x_j − M),   logSoftmax: y_i = x_i − M − log Σ_j e^(x_j − M),   M = max_j x_j
// Rows begin to end are independent; y may be x.

import { at, exp1, expNegative, hmax, hsum } from "./simd";

export function softmax(y: usize, x: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) softmaxRow(at(y, 0) + (((<usize>r) * (<usize>N)) << 2), x + (((<usize>r) * (<usize>N)) << 2), N);
}

export function logSoftmax(y: usize, x: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), top = maximum(x + row, N);
    let sum: f64 = 0;
    let i: i32 = 0;
    for (; i + 4 <= N; i += 4) sum += hsum(expNegative(f32x4.sub(v128.load(at(x + row, i)), f32x4.splat(top))));
    for (; i < N; i++) sum += exp1(load<f32>(at(x + row, i)) - top);
    const shift = top + <f32>Math.log(sum);
    for (i = 0; i < N; i++) f32.store(at(y + row, i), load<f32>(at(x + row, i)) - shift);
  }
}

export function softmaxRow(y: usize, x: usize, N: i32): void {
  const top = maximum(x, N);
  let sum: f32 = 0;
  let i: i32 = 0;
  for (; i + 4 <= N; i += 4) {
    const e = expNegative(f32x4.sub(v128.load(at(x, i)), f32x4.splat(top)));
    v128.store(at(y, i), e);
    sum += hsum(e);
  }
  for (; i < N; i++) {
    const e = exp1(load<f32>(at(x, i)) - top);
    f32.store(at(y, i), e);
    sum += e;
  }
  const scale = f32x4.splat(1 / sum);
  for (i = 0; i + 4 <= N; i += 4) v128.store(at(y, i), f32x4.mul(v128.load(at(y, i)), scale));
  for (; i < N; i++) f32.store(at(y, i), load<f32>(at(y, i)) / sum);
}

function maximum(x: usize, N: i32): f32 {
  let top: f32 = -Infinity, i: i32 = 0;
  for (; i + 4 <= N; i += 4) top = max(top, hmax(v128.load(at(x, i))));
  for (; i < N; i++) top = max(top, load<f32>(at(x, i)));
  return top;
}
