// The exported kernels. They are functions of pointers and numbers that never allocate and keep no state.
//
// The order of arguments is: outputs, inputs, dims, scalars, workspace, and then the range (begin, end). The range is over an axis of the
// outputs. Its parts can be computed separately, in any order, with the same bits.

import { exp, expNegative, madd } from "./simd";

/** First address after the module's own data. The caller owns the memory from here on. */
export const heapBase: usize = __heap_base;

/** a·b + c as this build computes it, to test whether the engine's multiply-add is correct. */
export function probe(a: f32, b: f32, c: f32): f32 {
  return f32x4.extract_lane(madd(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c)), 3);
}

/** Returns the product of bytes that a 4-bit matmul of the relaxed build computes, to test whether the engine multiplies them correctly. */
export function probeBytes(a: i32, b: i32): i32 {
  const x = i8x16.splat(<i8>a), w = i8x16.splat(<i8>b);
  return ASC_FEATURE_RELAXED_SIMD ? i16x8.extract_lane_s(i16x8.relaxed_dot_i8x16_i7x16_s(x, w), 7) : 2 * a * b;
}

/** y = e^x for elements begin to end, begin and end multiples of 4. */
export function exponential(y: usize, x: usize, begin: i32, end: i32): void {
  for (let i = begin; i < end; i += 4) v128.store(y + ((<usize>i) << 2), exp(v128.load(x + ((<usize>i) << 2))));
}

/** y = e^x for x ≤ 0, with the bits of `exponential`. */
export function exponentialNegative(y: usize, x: usize, begin: i32, end: i32): void {
  for (let i = begin; i < end; i += 4) v128.store(y + ((<usize>i) << 2), expNegative(v128.load(x + ((<usize>i) << 2))));
}

export { attention, attentionWorkspaceBytes } from "./attention";
export { attentionBackwardKV, attentionBackwardQ, attentionBackwardWorkspaceBytes } from "./attention-backward";
export { embedBackward, embedBf16, embedF32, embedQ4, embedQ8 } from "./embed";
export { embedSynthetic, syntheticF32, matmulSynthetic } from "./synthetic";
export { joinHeads, joinHeadsBackward, scaleRows, scaleRowsBackward } from "./heads";
export { loadKeysValues, storeKeysValues } from "./kv-pages";
export { lightning, lightningStep, lightningSteps, lightningWorkspaceBytes } from "./lightning";
export { lightningBackward, lightningBackwardWorkspaceBytes } from "./lightning-backward";
export { matmulBf16, matmulF32, matmulWorkspaceBytes } from "./matmul";
export { matmulBackwardW, matmulBackwardWorkspaceBytes, matmulBackwardX, packColumnTiles } from "./matmul-backward";
export { matmulQ4, matmulQ4WorkspaceBytes } from "./matmul-q4";
export { matmulQ8, matmulQ8WorkspaceBytes } from "./matmul-q8";
export { rmsNorm, rmsNormBackwardW, rmsNormBackwardX } from "./norm";
export { adamW, sumOfSquares } from "./optimizer";
export { packRows, rowTiles } from "./matmul-tile";
export { matmulListBf16, matmulListF32, matmulListQ4, matmulListQ8, matmulListSynthetic } from "./matmul-list";
export { bf16ToF32, countNonFinite, f16ToF32, f32ToBf16, f32ToF16, packBf16, packF32, unpackBf16, unpackF32 } from "./pack";
export { mix, residual, sigmoidGate, silu, siluGate } from "./pointwise";
export { addScaled, mixBackward, sigmoidGateBackward, siluBackward, siluGateBackward } from "./pointwise-backward";
export { packQ4, q4RowBytes, quantizeRowsQ4, unpackQ4 } from "./q4";
export { packQ8, quantizeRows, unpackQ8 } from "./q8";
export { rope, ropeBackward } from "./rope";
export { gather, gatherBackward, groupByExpert, route, routeBackward, scatter, scatterBackward } from "./route";
export { argmax, logSoftmax, logSoftmaxBackward, softmax, softmaxBackward, targetLogprobs, targetLogprobsBackward } from "./softmax";
