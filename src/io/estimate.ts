import type { Config } from "../model/config.js";
import { type Graph, graph } from "../model/graph.js";
import { bytesOf } from "../runtime/tensor.js";
import { residentDType, type WeightSpec } from "../runtime/weights.js";

export interface MemoryOptions {
  /** Precision of matrices in memory; by default as stored. */
  dtype?: "f32" | "bf16";
  /** Tokens per sequence. */
  context?: number;
  /** Sequences at a time. */
  batch?: number;
}

/** Bytes of memory that a model takes. */
export interface MemoryEstimate {
  /** Exact, for a checkpoint stored as the configuration says. */
  readonly weightsBytes: number;
  /** Exact: the states of all sequences at the end of their context. */
  readonly cacheBytes: number;
  /** An upper estimate of what a pass needs besides. */
  readonly scratchBytes: number;
  readonly totalBytes: number;
}

/** Tokens that a pass is assumed to take in at once. */
const PASS_TOKENS = 512;

/** Rows that a cache of keys and values begins with; it doubles from there. */
const FIRST_ROWS = 64;

/** Kernels' workspaces, and the staging of rows while loading. */
const WORK_BYTES = 4 << 20;

/**
 * What a model needs in memory, known before anything is loaded.
 *
 *     cache = batch · (Σ_lightning heads · headDim² + Σ_softmax 2 · kvHeads · headDim · rows) · 4,   rows = 64 · 2^j ≥ context
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 */
export function estimateMemory(model: Graph | Config | Record<string, unknown>, options: MemoryOptions = {}): MemoryEstimate {
  const { config, tensors } = "tensors" in model ? (model as Graph) : graph(model);
  const { dtype, batch = 1, context = Math.min(config.maxPositionEmbeddings, 4096) } = options;
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, hiddenSize: hidden, intermediateSize: width, vocabSize } = config;
  const rows = FIRST_ROWS * 2 ** Math.max(0, Math.ceil(Math.log2(context / FIRST_ROWS)));
  const state = config.attnTypeList.reduce(
    (sum: number, type) => sum + (type === 0 ? heads * headDim ** 2 : 2 * kvHeads * headDim * rows),
    0,
  );
  const tokens = batch * Math.min(context, PASS_TOKENS);
  const mixer = 9 * heads * headDim;
  const experts = 4 * width + 3 * hidden;
  const weightsBytes = residentBytes(tensors, dtype);
  const cacheBytes = 4 * batch * state;
  const scratchBytes = WORK_BYTES + 4 * (tokens * (6 * hidden + mixer + experts) + batch * vocabSize);
  return { weightsBytes, cacheBytes, scratchBytes, totalBytes: weightsBytes + cacheBytes + scratchBytes };
}

/** Bytes of wasm memory that weights take. */
export function residentBytes(specs: readonly WeightSpec[], dtype: "f32" | "bf16" | undefined): number {
  const bytes = specs.map((spec) => bytesOf(spec.shape, residentDType(spec, dtype), spec.shape.length === 2 ? "panels" : "rows"));
  return bytes.reduce((sum, size) => sum + size, 0);
}
