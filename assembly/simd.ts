// Helpers of all kernels. Instructions that differ between builds are used in this file only.
//
//   at(p, i)          address of the i-th float32 after p
//   madd(a, b, c)     a·b + c: fused in the relaxed build, rounded twice in the others
//   hsum, hmax, hmin  over the four lanes, always in the same order; isum of integers
//   exp               e^x, see its bound below
//   expNegative       e^x for x ≤ 0: the same bits, inlined, with half the work
//   sigmoid           1 / (1 + e^−x)
//   low, high         the two halves of one step of a panel: 8 weights, float32 or bf16
//   upperHalf         the mask for `high`
//   transpose         of 4 × 4 floats

@inline export function at(p: usize, i: i32): usize {
  return p + ((<usize>i) << 2);
}

@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

@inline export function hsum(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 2) + (f32x4.extract_lane(x, 1) + f32x4.extract_lane(x, 3));
}

@inline export function hmax(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 2)), max(f32x4.extract_lane(x, 1), f32x4.extract_lane(x, 3)));
}

@inline export function isum(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}

@inline export function hmin(x: v128): f32 {
  return min(min(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 2)), min(f32x4.extract_lane(x, 1), f32x4.extract_lane(x, 3)));
}

// Constants of the exponential, in memory, because V8 rebuilds a vector constant with several instructions wherever it is used.
const LOG2_E: usize = memory.data<f32>([1.44269504088896341]);
// ln 2 in two parts, the first short enough that n·high is exact
const LN2_HIGH: usize = memory.data<f32>([0.693359375]);
const LN2_LOW: usize = memory.data<f32>([-2.12194440054690583e-4]);
const EXP_COEFFICIENTS: usize = memory.data<f32>([1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0]);
// 1.5 · 2^23 + 127
const EXP_ROUNDER: usize = memory.data<f32>([12583039]);
const EXP_MIN_X: usize = memory.data<f32>([-87.3365]);
const EXP_MAX_X: usize = memory.data<f32>([88.7228]);

// The number at p, or the i-th after it, in all lanes.
@inline function broadcast(p: usize, i: i32 = 0): v128 {
  return v128.load32_splat(at(p, i));
}

// e^x / 2^n by the series of e^r to r^7 (remainder below 2^−27), r = x − n ln 2, |r| ≤ ln 2 / 2
@inline function mantissa(x: v128, n: v128): v128 {
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, broadcast(LN2_HIGH))), f32x4.mul(n, broadcast(LN2_LOW)));
  let p = madd(broadcast(EXP_COEFFICIENTS, 7), r, broadcast(EXP_COEFFICIENTS, 6));
  p = madd(p, r, broadcast(EXP_COEFFICIENTS, 5));
  p = madd(p, r, broadcast(EXP_COEFFICIENTS, 4));
  p = madd(p, r, broadcast(EXP_COEFFICIENTS, 3));
  p = madd(p, r, broadcast(EXP_COEFFICIENTS, 2));
  return f32x4.add(madd(p, f32x4.mul(r, r), r), broadcast(EXP_COEFFICIENTS));
}

// e^x = 2^n · mantissa, n = round(x / ln 2).
// Relative error below 2^−23 (measured: 0.73 of it) for −87.33 ≤ x ≤ 88.72; 0 below (no subnormals), +∞ above, NaN stays NaN.
export function exp(x: v128): v128 {
  const n = f32x4.nearest(f32x4.mul(x, broadcast(LOG2_E)));
  // 2^n in two factors, because 2^128 alone is not a float32
  const k = i32x4.trunc_sat_f32x4_s(f32x4.min(f32x4.max(n, f32x4.splat(-127)), f32x4.splat(128))), half = i32x4.shr_s(k, 1);
  let p = f32x4.mul(mantissa(x, n), i32x4.shl(i32x4.add(half, i32x4.splat(127)), 23));
  p = f32x4.mul(p, i32x4.shl(i32x4.add(i32x4.sub(k, half), i32x4.splat(127)), 23));
  p = v128.andnot(p, f32x4.lt(x, broadcast(EXP_MIN_X)));
  return v128.bitselect(f32x4.splat(Infinity), p, f32x4.gt(x, broadcast(EXP_MAX_X)));
}

// For x ≤ 0 one factor 2^n is enough, and adding 1.5 · 2^23 + 127 rounds and leaves its exponent n + 127 in the low bits.
@inline export function expNegative(x: v128): v128 {
  const t = f32x4.add(f32x4.mul(x, broadcast(LOG2_E)), broadcast(EXP_ROUNDER)), n = f32x4.sub(t, broadcast(EXP_ROUNDER));
  return v128.andnot(f32x4.mul(mantissa(x, n), i32x4.shl(t, 23)), f32x4.lt(x, broadcast(EXP_MIN_X)));
}

@inline export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(x)), 0);
}

// By e = e^−|x| ≤ 1:   1 / (1 + e) for x ≥ 0, else e / (1 + e)
@inline export function sigmoid(x: v128): v128 {
  const one = broadcast(EXP_COEFFICIENTS), e = expNegative(f32x4.neg(f32x4.abs(x)));
  return f32x4.div(v128.bitselect(e, one, f32x4.lt(x, f32x4.splat(0))), f32x4.add(one, e));
}

// A panel step has the weights of 8 outputs. bf16 is stored in pairs (output j low, output j + 4 high in one 32-bit word), so that one
// instruction widens each half: a bf16 is the upper half of a float32.
@inline export function low<W>(p: usize): v128 {
  if (sizeof<W>() == 2) return i32x4.shl(v128.load(p), 16);
  return v128.load(p);
}

/** `mask` is upperHalf(), loaded once before the loop. */
@inline export function high<W>(p: usize, mask: v128): v128 {
  if (sizeof<W>() == 2) return v128.and(v128.load(p), mask);
  return v128.load(p, 16);
}

const UPPER_HALVES_MASK: usize = memory.data<u32>([0xffff0000, 0xffff0000, 0xffff0000, 0xffff0000], 16);

/**
 * Loaded from memory, because V8 rebuilds a constant with three instructions wherever it is used: loops over bf16 ran at 0.6 of the speed.
 */
@inline export function upperHalf(): v128 {
  return v128.load(UPPER_HALVES_MASK);
}

// Transposes four rows of four floats, `stride` bytes apart, to four columns at dst, `step` bytes apart.
@inline export function transpose(dst: usize, step: usize, src: usize, stride: usize): void {
  const r0 = v128.load(src), r1 = v128.load(src + stride), r2 = v128.load(src + 2 * stride), r3 = v128.load(src + 3 * stride);
  const a = i8x16.shuffle(r0, r1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const b = i8x16.shuffle(r0, r1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const c = i8x16.shuffle(r2, r3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const d = i8x16.shuffle(r2, r3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(dst, i8x16.shuffle(a, c, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(dst + step, i8x16.shuffle(a, c, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
  v128.store(dst + 2 * step, i8x16.shuffle(b, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(dst + 3 * step, i8x16.shuffle(b, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
}
