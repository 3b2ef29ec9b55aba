// Computes the memory of each GPU of a server from shapes, for B sequences of T tokens on p GPUs that share every layer:
//
//     weights            sharded tensors / p + replicated tensors (norms, routers, and the projections of keys and values if p > kvHeads)
//     keys and values    B · ⌈T/16⌉ · 16 · softmax layers · 2 · max(1, kvHeads/p) · headDim · width
//     states             B · lightning layers · heads/p · headDim² · 4      (float32, for any T)
//     rotary             T · rotaryDim · 4                                  (one table of cosines and sines on every GPU)
//
// Precisions are those of vLLM: head and routers in float32, all other tensors in the precision of the weight format.

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, oneOf, parseOptions } from "../base/options.js";
import { printed } from "../base/printed.js";
import type { Config } from "../model/config.js";
import { type GraphTensor, graphOf, type Model } from "../model/graph.js";
import { canShareLayers, describeTensorParallelSizes, paddedVocab } from "./tensor-parallel.js";
import { expectServedArchitecture } from "./vllm.js";

/**
 * The format of the weights. `experts_int8` stores experts as one byte per value and a float32 scale per output, and everything else in
 * bfloat16. `fp8` stores every matrix of the layers as one byte per value and one float32 scale.
 */
export type WeightScheme = "f32" | "bf16" | "fp8" | "experts_int8";

/** The format of cached keys and values. */
export type CacheScheme = "bf16" | "fp8";

export interface DeploymentMemoryOptions {
  /** Maximum length of a sequence in tokens. By default 131,072, or the model's context if that is shorter. */
  context?: number;
  /** Number of concurrent sequences (1). */
  batch?: number;
  /** Format of the weights (`"bf16"`). */
  weights?: WeightScheme;
  /** Format of cached keys and values (`"bf16"`). */
  kv?: CacheScheme;
  /** Number of GPUs that share every layer (1). */
  tensorParallel?: number;
  /** Maximum tokens per forward pass (8,192). Longer prompts are prefilled in chunks. */
  passTokens?: number;
}

/** Memory of one GPU, in bytes. */
export interface DeploymentMemory {
  /** Weights. Exact for the precisions of vLLM: head and routers in float32, all other tensors in the weight format. */
  readonly weightsBytes: number;
  /** Keys and values of all sequences at the end of their context, in blocks of 16 tokens. Exact. */
  readonly keyValueBytes: number;
  /** Lightning states of all sequences. Exact. */
  readonly stateBytes: number;
  /** Cosines and sines of every position. Exact. */
  readonly rotaryBytes: number;
  /** Activations of one forward pass, and 2 GiB for memory outside of tensors. An estimate. */
  readonly activationBytes: number;
  readonly totalBytes: number;
}

/** Memory outside of tensors: the CUDA context, communication buffers and captured graphs. Assumed, not measured. */
export const OVERHEAD_BYTES = 2 * 2 ** 30;

/** Tokens per block of cached keys and values. */
export const CACHE_BLOCK_TOKENS = 16;

const schema = v.strictObject({
  context: v.optional(count),
  batch: v.optional(count, 1),
  weights: v.optional(oneOf("f32", "bf16", "fp8", "experts_int8"), "bf16"),
  kv: v.optional(oneOf("bf16", "fp8"), "bf16"),
  tensorParallel: v.optional(count, 1),
  passTokens: v.optional(count, 8192),
});

/**
 * Computes the memory of each GPU of a server from the configuration. With `tensorParallel: 1`, one GPU holds the whole model.
 *
 * @param model a configuration (typed, or the JSON of a `config.json`), or its graph
 * @throws {InputError} invalid options, a number of GPUs that does not divide heads, experts' width or vocabulary, or a model that vLLM
 *   does not implement
 */
export function deploymentMemory(model: Model, options: DeploymentMemoryOptions = {}): DeploymentMemory {
  const { config, tensors } = graphOf(model);
  const {
    weights,
    kv,
    batch,
    tensorParallel,
    passTokens,
    context = defaultContext(config),
  } = parseOptions(schema, options, "deploymentMemory");
  expectServedArchitecture(config, "deploymentMemory");
  if (!canShareLayers(config, tensorParallel)) {
    throw new InputError(
      `deploymentMemory: tensorParallel: expected ${describeTensorParallelSizes(config)}, got ${printed(tensorParallel)}`,
    );
  }
  const { attnTypeList, numAttentionHeads: heads, headDim, rotaryDim } = config;
  const softmaxLayers = attnTypeList.filter((type) => type === 1).length;
  const lightningLayers = attnTypeList.length - softmaxLayers;
  const kvHeads = Math.max(1, config.numKeyValueHeads / tensorParallel);
  const cached = Math.ceil(context / CACHE_BLOCK_TOKENS) * CACHE_BLOCK_TOKENS;

  // All experts of a layer have the same shapes, so the first one is counted for all.
  const copies = ({ expert }: GraphTensor) => (expert === undefined ? 1 : expert === 0 ? config.numLocalExperts : 0);
  const weightsBytes = tensors.reduce((sum, tensor) => {
    const times = copies(tensor);
    return times === 0 ? sum : sum + times * shardBytes(tensor, config, tensorParallel, weights);
  }, 0);
  const keyValueBytes = batch * cached * softmaxLayers * 2 * kvHeads * headDim * (kv === "fp8" ? 1 : 2);
  const stateBytes = batch * lightningLayers * (heads / tensorParallel) * headDim ** 2 * 4;
  const rotaryBytes = softmaxLayers > 0 ? cached * rotaryDim * 4 : 0;
  const activationBytes = activationBytesOfPass(config, tensorParallel, Math.min(passTokens, batch * context), batch) + OVERHEAD_BYTES;
  return {
    weightsBytes,
    keyValueBytes,
    stateBytes,
    rotaryBytes,
    activationBytes,
    totalBytes: weightsBytes + keyValueBytes + stateBytes + rotaryBytes + activationBytes,
  };
}

/** Returns the default length of a sequence in tokens. */
export function defaultContext(config: Config): number {
  return Math.min(config.maxPositionEmbeddings, 131_072);
}

/** Returns the bytes of one GPU's shard of a tensor. */
function shardBytes({ block, name, shape }: GraphTensor, config: Config, p: number, scheme: WeightScheme): number {
  const [rows, columns = 1] = shape as [number, number?];
  const values = rows * columns;
  const width = scheme === "f32" ? 4 : 2;
  switch (block) {
    case "norm":
      return values * width;
    case "router":
      return values * 4;
    case "embedding":
      return (paddedVocab(config) * columns * width) / p;
    case "head":
      return (paddedVocab(config) * columns * 4) / p;
    case "expert": {
      // w1 and w3 are split by rows, w2 by columns. A GPU therefore has scales for rows / p, or for all rows.
      const own = name.endsWith(".w2.weight") ? rows : rows / p;
      return (values * EXPERT_BYTES[scheme]) / p + scales(scheme, own);
    }
    default: {
      const own = values / (/\.[kv]_proj\./.test(name) ? Math.min(config.numKeyValueHeads, p) : p);
      return shape.length === 2 && scheme === "fp8" ? own + 4 : own * width;
    }
  }
}

const EXPERT_BYTES: Readonly<Record<WeightScheme, number>> = { f32: 4, bf16: 2, fp8: 1, experts_int8: 1 };

/** Returns the bytes of the float32 scales of an expert's matrix. */
function scales(scheme: WeightScheme, rows: number): number {
  return scheme === "experts_int8" ? 4 * rows : scheme === "fp8" ? 4 : 0;
}

/**
 * Estimates the activations of one forward pass over `tokens` tokens. Layers reuse the same memory. Per token:
 *
 * - six rows of the hidden size in bfloat16, around a mixer or the experts, whichever is larger;
 * - in a lightning mixer: its projection in bfloat16, in float32, after SiLU, and split in three (3 · (2 + 4 + 4 + 4) bytes per value),
 *   its result twice and its gate (10 bytes per value);
 * - in the experts: gate, value and product of each of the k experts, and their results, in bfloat16.
 *
 * In addition, the logits of every sequence, twice in float32.
 */
function activationBytesOfPass(config: Config, p: number, tokens: number, batch: number): number {
  const { hiddenSize, intermediateSize, numAttentionHeads, headDim, numExpertsPerTok, vocabSize } = config;
  const mixer = (52 * numAttentionHeads * headDim) / p;
  const experts = numExpertsPerTok * ((6 * intermediateSize) / p + 2 * hiddenSize);
  return tokens * (12 * hiddenSize + Math.max(mixer, experts)) + batch * vocabSize * 8;
}
