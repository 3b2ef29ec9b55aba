// Synthetic weights: each weight is a function of its tensor's seed and its flat index i, so that it takes no memory.
//   x = (i + seed) mod 2^32;   x ^= x >> 16;  x *= 0x7FEB352D;  x ^= x >> 15;  x *= 0x846CA68B;  x ^= x >> 16
//   u = (x >> 8) · 2^−23 − 1, exact in float32, in [−1, 1)
//   w_i = bf16(float32(u · s))          spec: the seed, then s, four bytes each
// A matmul computes one panel at a time into its workspace, where it stays in the L2 cache, and continues as with bf16 weights: same bits.

import { matmulBf16, matmulWorkspaceBytes } from "./matmul";
import { at } from "./simd";

/** Number of bytes per input of a bf16 panel. The workspace is `matmulWorkspaceBytes` and one panel of K inputs. */
const PANEL_STEP_BYTES: usize = 64;

/** Number of inputs per block. A block of a panel stays in the L1 cache while its four groups of eight outputs are filled in turn. */
const FILL_BLOCK_INPUTS: i32 = 256;

/** Panels begin to end of the matmul with synthetic weights; `spec` takes the place of the weights. */
export function matmulSynthetic(y: usize, x: usize, packed: usize, spec: usize, M: i32, N: i32, K: i32, ws: usize, begin: i32, end: i32): void {
  const panel = ws + matmulWorkspaceBytes, bytes = (<usize>K) * PANEL_STEP_BYTES;
  for (let p = begin; p < end; p++) {
    fillPanel(panel, load<u32>(spec) + <u32>(p << 5) * <u32>K, load<f32>(spec, 4), K);
    // The address at which the weights would begin if this panel were in its place.
    matmulBf16(y, x, packed, panel - (<usize>p) * bytes, M, N, K, ws, p, p + 1);
  }
}

/** y_i = float32(u · s) for n flat indices from `first` on. */
export function syntheticF32(y: usize, spec: usize, first: i32, n: i32): void {
  const scale = scaled(load<f32>(spec, 4)), seed = load<u32>(spec) + <u32>first;
  let x = lanes(seed, 1), i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(at(y, i), value(x, scale));
    x = i32x4.add(x, i32x4.splat(4));
  }
  for (; i < n; i++) f32.store(at(y, i), f32x4.extract_lane(value(i32x4.splat(seed + i), scale), 0));
}

/** Embedding: y_t = w[ids_t]. Tokens begin to end are independent. */
export function embedSynthetic(y: usize, ids: usize, spec: usize, N: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    const row = y + (((<usize>t) * (<usize>N)) << 2);
    syntheticF32(row, spec, i32.load(at(ids, t)) * N, N);
    for (let i: i32 = 0; i < N; i++) i32.store(at(row, i), round(i32.load(at(row, i))));
  }
}

// Fills a panel [K][32] in the layout of bf16 panels: outputs j and j + 4 of each eight share a 32-bit word.
function fillPanel(panel: usize, seed: u32, s: f32, K: i32): void {
  const scale = scaled(s), one = i32x4.splat(1);
  for (let begin: i32 = 0; begin < K; begin += FILL_BLOCK_INPUTS) {
    const size = min(FILL_BLOCK_INPUTS, K - begin);
    for (let n: i32 = 0; n < 32; n += 8) {
      let a = lanes(seed + <u32>n * <u32>K + begin, K), b = i32x4.add(a, i32x4.splat(4 * K));
      let dst = panel + (<usize>begin) * PANEL_STEP_BYTES + ((<usize>n) << 1);
      for (const end = dst + (<usize>size) * PANEL_STEP_BYTES; dst < end; dst += PANEL_STEP_BYTES) {
        const low = i32x4.shr_u(roundUp(value(a, scale)), 16), high = v128.and(roundUp(value(b, scale)), i32x4.splat(0xffff0000));
        v128.store(dst, v128.or(low, high));
        a = i32x4.add(a, one); b = i32x4.add(b, one);
      }
    }
  }
}

// first, first + step, first + 2 step, first + 3 step
@inline function lanes(first: u32, step: i32): v128 {
  let x = i32x4.splat(first);
  x = i32x4.replace_lane(x, 1, first + step);
  x = i32x4.replace_lane(x, 2, first + 2 * step);
  return i32x4.replace_lane(x, 3, first + 3 * step);
}

// s · 2^−23. Scaling by a power of two does not change later rounding.
@inline function scaled(s: f32): v128 {
  return f32x4.splat(s * reinterpret<f32>(0x34000000));
}

// float32(u · s) = float32(((x >> 8) − 2^23) · (s · 2^−23)), where x holds indices plus the seed.
@inline function value(x: v128, scale: v128): v128 {
  x = v128.xor(x, i32x4.shr_u(x, 16));
  x = i32x4.mul(x, i32x4.splat(0x7feb352d));
  x = v128.xor(x, i32x4.shr_u(x, 15));
  x = i32x4.mul(x, i32x4.splat(0x846ca68b));
  x = v128.xor(x, i32x4.shr_u(x, 16));
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(x, 8), i32x4.splat(0x800000))), scale);
}

// Adds the rounding increment: the upper half of the result is the bf16 of a finite float32, rounded to nearest, ties to even.
@inline function roundUp(x: v128): v128 {
  return i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), v128.and(i32x4.shr_u(x, 16), i32x4.splat(1)));
}

@inline function round(bits: i32): i32 {
  return (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
}
