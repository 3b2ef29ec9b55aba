// The memory that llama.cpp needs for each layer, for B sequences of T tokens, and how much of it a token reads:
//
//     weights    per tensor: numbers / block · bytes of a block
//     cache      per softmax layer: B · ⌈T/256⌉ · 256 · 2 · kvHeads · headDim · width      (llama_kv_cache, one stream per sequence)
//     state      per lightning layer: B · heads · headDim² · 4                             (llama_memory_recurrent, float32)
//
// The cache has no entries for lightning layers, and the states none for softmax layers (the filters of llama_memory_hybrid).

import type { Graph } from "../model/graph.js";
import { OVERHEAD_BYTES } from "./deployment-memory.js";
import { ggufTensors } from "./gguf-tensors.js";
import { CACHE_PAD_TOKENS, CHECKPOINTS } from "./llama-cpp.js";
import { CACHE_BITS, type LlamaCppSettings } from "./llama-cpp-target.js";

/** Bytes of one layer. The head with the final norm counts as the last layer. */
export interface LayerBytes {
  readonly experts: number;
  /** All other weights. */
  readonly weights: number;
  readonly keyValues: number;
  readonly states: number;
}

/** Bytes of a model and its sequences, wherever they are placed. */
export interface ModelBytes {
  /** Always in the host's memory. */
  readonly embedding: number;
  readonly layers: readonly LayerBytes[];
  /** Buffers of a forward pass on one device. An estimate. */
  readonly activations: number;
  /** Copies of lightning states in the host's memory. */
  readonly checkpoints: number;
}

/** Returns the cells of the cache of one sequence, in tokens. */
export function cacheCellsOf(context: number): number {
  return Math.ceil(context / CACHE_PAD_TOKENS) * CACHE_PAD_TOKENS;
}

/** Returns the tokens per forward pass. llama.cpp 0.5.0 aborts at its start if the number of sequences does not divide it. */
export function tokensPerPass({ passTokens, concurrency }: LlamaCppSettings): number {
  return Math.ceil(passTokens / concurrency) * concurrency;
}

/** Computes the bytes of each layer. */
export function modelBytes(model: Graph, target: LlamaCppSettings): ModelBytes {
  const { config } = model;
  const { attnTypeList, numAttentionHeads: heads, headDim, numKeyValueHeads, tieWordEmbeddings } = config;
  const { concurrency, context, kv } = target;
  const layers = Array.from({ length: attnTypeList.length + 1 }, () => ({ experts: 0, weights: 0, keyValues: 0, states: 0 }));
  let embedding = 0;
  for (const { name, layer, bytes } of ggufTensors(model, target.weights)) {
    if (name === "token_embd.weight") embedding = bytes;
    else layers[layer ?? attnTypeList.length]![name.includes("_exps.") ? "experts" : "weights"] += bytes;
  }
  // A tied head is a second copy of the embedding.
  if (tieWordEmbeddings) layers.at(-1)!.weights += embedding;
  for (const [i, type] of attnTypeList.entries()) {
    if (type === 1) layers[i]!.keyValues = (concurrency * cacheCellsOf(context) * 2 * numKeyValueHeads * headDim * CACHE_BITS[kv]) / 8;
    else layers[i]!.states = concurrency * heads * headDim ** 2 * 4;
  }
  const states = layers.reduce((sum, layer) => sum + layer.states, 0);
  return { embedding, layers, activations: activationBytes(model, target), checkpoints: CHECKPOINTS * states };
}

/**
 * Estimates the buffers of a forward pass over u tokens on one device: in a lightning layer, the projection before and after SiLU, two
 * hidden rows, and three matrices of decay of heads · u², all in float32; beside it the mask of attention, u · T in float16. Or, if that
 * is more, the logits of u tokens. Equals the sizes that llama.cpp reports for its CPU backend to within 3 %.
 */
function activationBytes({ config }: Graph, target: LlamaCppSettings): number {
  const { numAttentionHeads: heads, headDim, hiddenSize, vocabSize } = config;
  const tokens = tokensPerPass(target);
  const layer = tokens * (2 * 3 * heads * headDim + 2 * hiddenSize) * 4 + 3 * heads * tokens ** 2 * 4;
  const mask = tokens * cacheCellsOf(target.context) * 2;
  return Math.max(layer + mask, tokens * (vocabSize + hiddenSize) * 4) + OVERHEAD_BYTES;
}
