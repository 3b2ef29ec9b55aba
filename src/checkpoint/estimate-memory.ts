import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, number, oneOf, parseOptions } from "../base/options.js";
import { cacheBytes, type KVType } from "../model/cache.js";
import { type GraphTensor, graphOf, type Model, residentDType } from "../model/graph.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { bytesOf } from "../runtime/tensor.js";
import type { ResidentDType } from "../weights/weights.js";

export interface MemoryOptions {
  /** Precision of matrices in memory. By default as stored. */
  dtype?: ResidentDType;
  /** Precision of keys and values in the cache of softmax layers. By default float32. */
  kv?: KVType;
  /** Number of tokens per sequence. By default 4,096, or the model's maximum if that is smaller. */
  context?: number;
  /** Number of concurrent sequences (1). */
  batch?: number;
  /**
   * Where matrices are kept, as in `load`. With `"streamed"`, they stay in their files, and at most `budgetBytes` of them are in memory at
   * a time.
   */
  residency?: "resident" | "streamed";
  /** Maximum memory for streamed matrices, in bytes (1 GiB). */
  budgetBytes?: number;
}

/** Memory that a model needs, in bytes. */
export interface MemoryEstimate {
  /** Weights. Exact if the checkpoint has the dtype of its configuration. For streamed weights, the maximum that is in memory at a time. */
  readonly weightsBytes: number;
  /** Caches of all sequences at the end of their context. Exact. */
  readonly cacheBytes: number;
  /** Other memory that a forward pass needs. An upper estimate. */
  readonly scratchBytes: number;
  readonly totalBytes: number;
  /** Whether it fits into the 4 GiB of wasm32. */
  readonly fits: boolean;
}

const schema = v.strictObject({
  dtype: v.optional(oneOf("q4", "q8", "bf16", "f32")),
  kv: v.optional(oneOf("f32", "bf16", "q8"), "f32"),
  context: v.optional(count),
  batch: v.optional(count, 1),
  residency: v.optional(oneOf("resident", "streamed"), "resident"),
  budgetBytes: v.optional(number("a number of bytes above 0", (x) => x > 0)),
});

/** Default budget of streamed weights, in bytes. */
export const DEFAULT_STREAMING_BUDGET_BYTES = 2 ** 30;

/** Maximum number of tokens per sequence and forward pass that the estimate assumes. */
const ASSUMED_TOKENS_PER_PASS = 512;

/** Memory for the workspaces of kernels, and for the buffer of rows while loading. */
const WORKSPACE_BYTES = 4 << 20;

/**
 * Estimates the memory that a model needs, before anything is loaded.
 *
 *     cache = batch · (Σ_lightning heads · d² · 4 + Σ_softmax kvHeads · 2 · rows · (d · width + scale))
 *     d = 8⌈headDim/8⌉,   rows = 64⌈context/64⌉,   width = 4, 2 or 1 bytes,   scale = 4 for int8, else 0
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {InputError} invalid options
 */
export function estimateMemory(model: Model, options: MemoryOptions = {}): MemoryEstimate {
  const { config, tensors } = graphOf(model);
  const given = parseOptions(schema, options, "estimateMemory");
  const {
    dtype,
    kv,
    batch,
    residency,
    context = Math.min(config.maxPositionEmbeddings, 4096),
    budgetBytes = DEFAULT_STREAMING_BUDGET_BYTES,
  } = given;
  if (given.budgetBytes !== undefined && residency !== "streamed") {
    throw new InputError(
      `estimateMemory: budgetBytes: expected only with residency "streamed", got ${given.budgetBytes} (leave it out for resident weights)`,
    );
  }
  const { numAttentionHeads, headDim, lightning, hiddenSize: hidden, intermediateSize: width, vocabSize } = config;
  const tokens = batch * Math.min(context, ASSUMED_TOKENS_PER_PASS);
  // Separate projections have copies of q, k and v before and after norms, rotary embedding and joining.
  const lightningCopies = lightning.projection === "joint" ? 9 : 15;
  const mixer = Math.max(
    (config.softmax.qkNorm ? 12 : 9) * numAttentionHeads * headDim,
    lightningCopies * lightning.heads * lightning.headDim,
  );
  const experts = 4 * width + 3 * hidden;
  const streamedBytes = residency === "streamed" ? residentBytes(tensors.filter(isStreamed), dtype) : 0;
  const weightsBytes = residentBytes(tensors, dtype) - streamedBytes + Math.min(streamedBytes, budgetBytes);
  const stateBytes = batch * cacheBytes(config, context, kv);
  const scratchBytes = WORKSPACE_BYTES + 4 * (tokens * (6 * hidden + mixer + experts) + batch * vocabSize);
  const totalBytes = weightsBytes + stateBytes + scratchBytes;
  return { weightsBytes, cacheBytes: stateBytes, scratchBytes, totalBytes, fits: totalBytes <= MAX_MEMORY_BYTES };
}

/** Returns whether streaming leaves a weight in its file. This holds for every matrix except the routers. */
export function isStreamed({ shape, block }: Pick<GraphTensor, "shape" | "block">): boolean {
  return shape.length === 2 && block !== "router";
}

/** Returns the bytes of wasm memory that weights take. */
export function residentBytes(specs: readonly Pick<GraphTensor, "shape" | "block" | "dtype">[], dtype: ResidentDType | undefined): number {
  const bytes = specs.map((spec) => bytesOf(spec.shape, residentDType(spec, dtype), spec.shape.length === 2 ? "panels" : "rows"));
  return bytes.reduce((sum, size) => sum + size, 0);
}
