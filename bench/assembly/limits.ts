// What the machine can do at most: twelve independent chains s += x · y in registers, and a block read in four streams.

// @ts-ignore: decorator
@inline function step(acc: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, acc);
  return f32x4.add(acc, f32x4.mul(a, b));
}

/** 96 floating point operations an iteration. `x` and `y` are arguments because the engine would build constants anew each time. */
export function peak(iterations: i32, x: f32, y: f32): f32 {
  const a = f32x4.splat(x), b = f32x4.splat(y);
  let s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b, s8 = b, s9 = b, s10 = b, s11 = b;
  for (let i = 0; i < iterations; i++) {
    s0 = step(s0, a, b); s1 = step(s1, a, b); s2 = step(s2, a, b); s3 = step(s3, a, b);
    s4 = step(s4, a, b); s5 = step(s5, a, b); s6 = step(s6, a, b); s7 = step(s7, a, b);
    s8 = step(s8, a, b); s9 = step(s9, a, b); s10 = step(s10, a, b); s11 = step(s11, a, b);
  }
  s0 = f32x4.add(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7)));
  s0 = f32x4.add(s0, f32x4.add(f32x4.add(s8, s9), f32x4.add(s10, s11)));
  return f32x4.extract_lane(s0, 0);
}

/** Reads `bytes` (a multiple of 256) from `begin`, four quarters side by side. */
export function read(begin: usize, bytes: usize): i32 {
  const quarter = bytes >> 2, end = begin + quarter;
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let p = begin; p < end; p += 64) {
    s0 = v128.xor(s0, v128.xor(v128.xor(v128.load(p), v128.load(p, 16)), v128.xor(v128.load(p, 32), v128.load(p, 48))));
    const p1 = p + quarter;
    s1 = v128.xor(s1, v128.xor(v128.xor(v128.load(p1), v128.load(p1, 16)), v128.xor(v128.load(p1, 32), v128.load(p1, 48))));
    const p2 = p1 + quarter;
    s2 = v128.xor(s2, v128.xor(v128.xor(v128.load(p2), v128.load(p2, 16)), v128.xor(v128.load(p2, 32), v128.load(p2, 48))));
    const p3 = p2 + quarter;
    s3 = v128.xor(s3, v128.xor(v128.xor(v128.load(p3), v128.load(p3, 16)), v128.xor(v128.load(p3, 32), v128.load(p3, 48))));
  }
  return i32x4.extract_lane(v128.xor(v128.xor(s0, s1), v128.xor(s2, s3)), 0);
}
