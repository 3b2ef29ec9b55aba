// Softmax of rows, its logarithm, and argmax.   x, y [rows, N]
//   softmax: y_i = e^(x_i − M) / Σ_j e^(x_j − M),   logSoftmax: y_i = x_i − M − log Σ_j e^(x_j − M),   M = max_j x_j
// Rows begin to end are independent; y may be x.

import { at, exp1, expNegative, hmax, hsum } from "./simd";

export function softmax(y: usize, x: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) softmaxRow(at(y, 0) + (((<usize>r) * (<usize>N)) << 2), x + (((<usize>r) * (<usize>N)) << 2), N);
}

export function logSoftmax(y: usize, x: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), shift = logSumExp(x + row, N);
    let i: i32 = 0;
    for (; i + 4 <= N; i += 4) v128.store(at(y + row, i), f32x4.sub(v128.load(at(x + row, i)), f32x4.splat(shift)));
    for (; i < N; i++) f32.store(at(y + row, i), load<f32>(at(x + row, i)) - shift);
  }
}

// M + log Σ_i e^(x_i − M), summed in float64
function logSumExp(x: usize, N: i32): f32 {
  const top = maximum(x, N);
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0), i: i32 = 0;
  for (; i + 4 <= N; i += 4) {
    const e = expNegative(f32x4.sub(v128.load(at(x, i)), f32x4.splat(top)));
    s0 = f64x2.add(s0, f64x2.promote_low_f32x4(e));
    s1 = f64x2.add(s1, f64x2.promote_low_f32x4(i8x16.shuffle(e, e, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)));
  }
  s0 = f64x2.add(s0, s1);
  let sum = f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1);
  for (; i < N; i++) sum += exp1(load<f32>(at(x, i)) - top);
  return top + <f32>Math.log(sum);
}

/** y_r: the element of row r's logSoftmax at its target. Rows begin to end. */
export function targetLogprobs(y: usize, x: usize, targets: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = x + (((<usize>r) * (<usize>N)) << 2);
    f32.store(at(y, r), load<f32>(at(row, i32.load(at(targets, r)))) - logSumExp(row, N));
  }
}

/** Backward pass: dx_r += dy_r (1_target − softmax(x_r)). Rows begin to end. */
export function targetLogprobsBackward(dx: usize, dy: usize, x: usize, targets: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), a = x + row, b = dx + row, d = load<f32>(at(dy, r));
    if (d == 0) continue;
    const shift = logSumExp(a, N);
    let i: i32 = 0;
    for (; i + 4 <= N; i += 4) {
      const p = expNegative(f32x4.sub(v128.load(at(a, i)), f32x4.splat(shift)));
      v128.store(at(b, i), f32x4.sub(v128.load(at(b, i)), f32x4.mul(f32x4.splat(d), p)));
    }
    for (; i < N; i++) f32.store(at(b, i), load<f32>(at(b, i)) - d * exp1(load<f32>(at(a, i)) - shift));
    const target = at(b, i32.load(at(targets, r)));
    f32.store(target, load<f32>(target) + d);
  }
}

/**
 * Backward pass of y = softmax(x):   dx_r += y_r ⊙ (dy_r − Σ_i y_ri dy_ri). Rows begin to end. Rows of dy are ld numbers apart; with ld = 0
 * all rows share one.
 */
export function softmaxBackward(dx: usize, dy: usize, y: usize, N: i32, ld: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), p = y + row, b = dx + row, d = dy + (((<usize>r) * (<usize>ld)) << 2);
    let mean: f32 = 0;
    for (let i: i32 = 0; i < N; i++) mean += load<f32>(at(p, i)) * load<f32>(at(d, i));
    for (let i: i32 = 0; i < N; i++) f32.store(at(b, i), load<f32>(at(b, i)) + load<f32>(at(p, i)) * (load<f32>(at(d, i)) - mean));
  }
}

/** Backward pass of y = logSoftmax(x):   dx_r += dy_r − e^y_r Σ_i dy_ri. Rows begin to end. */
export function logSoftmaxBackward(dx: usize, dy: usize, y: usize, N: i32, begin: i32, end: i32): void {
  for (let r = begin; r < end; r++) {
    const row = (((<usize>r) * (<usize>N)) << 2), p = y + row, b = dx + row, d = dy + row;
    let sum: f32 = 0;
    for (let i: i32 = 0; i < N; i++) sum += load<f32>(at(d, i));
    for (let i: i32 = 0; i < N; i++) f32.store(at(b, i), load<f32>(at(b, i)) + load<f32>(at(d, i)) - exp1(load<f32>(at(p, i))) * sum);
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

/** Returns the index of the largest of N numbers, or the first such index. Returns 0 if one of the numbers is NaN. */
export function argmax(x: usize, N: i32): i32 {
  const top = maximum(x, N), tops = f32x4.splat(top);
  let i: i32 = 0;
  while (i + 4 <= N && !v128.any_true(f32x4.eq(v128.load(at(x, i)), tops))) i += 4;
  for (; i < N; i++) if (load<f32>(at(x, i)) == top) return i;
  return 0;
}

function maximum(x: usize, N: i32): f32 {
  let tops = f32x4.splat(-Infinity), i: i32 = 0;
  for (; i + 4 <= N; i += 4) tops = f32x4.max(tops, v128.load(at(x, i)));
  let top = hmax(tops);
  for (; i < N; i++) top = max(top, load<f32>(at(x, i)));
  return top;
}
