/**
 * The building blocks of the model: a runtime, tensors in its memory, every op on them, and the tape for gradients.
 *
 * @module lightning-m1/ops
 */
export { readRows, writeRows } from "../runtime/rows.js";
export { type KernelCall, Runtime, type RuntimeOptions } from "../runtime/runtime.js";
export { Tape, zeros } from "../runtime/tape.js";
export { type DType, reshape, sizeOf, slice, type Tensor } from "../runtime/tensor.js";
export { availableBuilds, type Build, type Kernels } from "../runtime/wasm.js";
export { ResidentWeights } from "../weights/resident.js";
export type { ResidentDType, StoredDType, WeightSpec, Weights } from "../weights/weights.js";
export { attention } from "./attention.js";
export { type Balance, balance } from "./balance.js";
export { embed } from "./embed.js";
export { joinHeads, scaleRows } from "./heads.js";
export { type KeysValues, KeyValueCache, type KVType } from "./kv-cache.js";
export { lightning, lightningState, readLightningState } from "./lightning.js";
export { groupedMatmuls, matmul, matmuls } from "./matmul.js";
export { rmsNorm } from "./norm.js";
export { mix, residual, sigmoidGate, silu, siluGate } from "./pointwise.js";
export { type Rotation, rope, rotation } from "./rope.js";
export { gather, type Routing, route, scatter, take, zerosLike } from "./route.js";
export type { Segment } from "./segment.js";
export { argmax, logSoftmax, softmax, targetLogprobs } from "./softmax.js";
