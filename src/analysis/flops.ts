// Counts the floating point operations of forward passes. Only the multiply-adds of matmuls with weights and of both attentions count, as
// two operations each. All other operations are left out, as in published counts: norms, activations, rotary embedding, residuals and decay
// take a few operations per value, and softmax takes one exponential per pair, compared with 4 · headDim operations of attention per pair.

import * as v from "valibot";
import { count, expectArgument, index, isObjectLike, oneOf, parseOptions } from "../base/options.js";
import { type Block, graphOf, type Model } from "../model/graph.js";
import type { KernelCall } from "../runtime/runtime.js";

/** Which query-key pairs are counted: only causal pairs (s ≤ t), or all pairs as if attention were not causal. */
export type CountingRule = "causal" | "square";

export const countingRules: readonly CountingRule[] = ["causal", "square"];

/** Operations by purpose, summed over all layers. Exact up to 2^53. */
export interface Flops {
  readonly lightningProjections: number;
  readonly lightningAttention: number;
  readonly softmaxProjections: number;
  readonly softmaxAttention: number;
  readonly router: number;
  readonly experts: number;
  readonly shared: number;
  /** Dense MLPs, in models without experts. */
  readonly mlp: number;
  readonly head: number;
  readonly total: number;
}

export interface PassOptions {
  /** Number of new tokens. */
  tokens: number;
  /** Number of tokens that the sequence already has (0). */
  past?: number;
  /** Which tokens get logits: the last one (default), or all. */
  logits?: "last" | "all";
  /** The pairs that are counted (`"causal"`). */
  rule?: CountingRule;
  /** Rows per chunk of lightning attention: 16 in this library, 256 in the published code. */
  chunk?: number;
}

export interface GenerationOptions {
  /** Number of tokens to generate. */
  tokens: number;
  /** Number of prompt tokens (0). The prefill of the prompt is not counted. */
  past?: number;
  /** The pairs that are counted (`"causal"`). */
  rule?: CountingRule;
}

const rule = v.optional(oneOf("causal", "square"), "causal");
const generationSchema = v.strictObject({ tokens: count, past: v.optional(index, 0), rule });
const passSchema = v.strictObject({
  ...generationSchema.entries,
  logits: v.optional(oneOf("last", "all"), "last"),
  chunk: v.optional(count, 16),
});

/**
 * Counts the operations of a forward pass over `n` new tokens of a sequence that already has `p` tokens. The new tokens can be a whole
 * prompt, a chunk of one, or a single token.
 *
 *     weights      2 · n · (matrices of the layers, top-k of the experts) + 2 · vocab · hidden · (tokens with logits)
 *     lightning    4 · heads · d² · n + 4 · heads · d · Σ_chunks m(m + 1)/2     per layer; without the second term if n = 1
 *     softmax      4 · heads · d · (n·p + n(n + 1)/2)                           per layer
 *
 * The square rule replaces m(m + 1)/2 by m², and the pairs of softmax attention by (p + n)² − p². The causal rule agrees exactly with the
 * work that the kernels report; see {@link countedFlops}.
 *
 * @throws {InputError} invalid options
 */
export function passFlops(model: Model, options: PassOptions): Flops {
  const { tokens, past, logits, rule, chunk } = parseOptions(passSchema, options, "passFlops");
  const rest = tokens % chunk;
  const inChunks = tokens === 1 ? 0 : ((tokens - rest) / chunk) * pairs(chunk, rule) + pairs(rest, rule);
  const heads = logits === "all" ? tokens : 1;
  return countFlops(model, tokens, heads, inChunks, pairs(past + tokens, rule) - pairs(past, rule));
}

/**
 * Counts the operations of generating `n` tokens one by one, each with logits: the sum of {@link passFlops} over passes of one token.
 *
 * @throws {InputError} invalid options
 */
export function generationFlops(model: Model, options: GenerationOptions): Flops {
  const { tokens, past, rule } = parseOptions(generationSchema, options, "generationFlops");
  return countFlops(model, tokens, tokens, 0, pairs(past + tokens, rule) - pairs(past, rule));
}

/** Returns the number of query-key pairs in a sequence of n tokens. */
export function pairs(n: number, rule: CountingRule): number {
  return rule === "causal" ? (n * (n + 1)) / 2 : n * n;
}

function countFlops(model: Model, tokens: number, headTokens: number, lightningPairs: number, softmaxPairs: number): Flops {
  const { config, tensors } = graphOf(model);
  const { attnTypeList, numAttentionHeads, headDim, lightning, vocabSize, hiddenSize } = config;
  const softmaxLayers = attnTypeList.filter((type) => type === 1).length;
  const softmaxHeads = numAttentionHeads * softmaxLayers;
  const lightningHeads = lightning.heads * (attnTypeList.length - softmaxLayers);
  const d = lightning.headDim;
  const weights = (block: Block) => matrixElements(tensors, block);
  const parts = {
    lightningProjections: 2 * tokens * weights("lightning"),
    lightningAttention: 4 * lightningHeads * d * (d * tokens + lightningPairs),
    softmaxProjections: 2 * tokens * weights("softmax"),
    softmaxAttention: 4 * softmaxHeads * headDim * softmaxPairs,
    router: 2 * tokens * weights("router"),
    experts: 2 * tokens * ((weights("expert") * config.numExpertsPerTok) / Math.max(1, config.numLocalExperts)),
    shared: 2 * tokens * weights("shared"),
    mlp: 2 * tokens * weights("mlp"),
    head: 2 * headTokens * vocabSize * hiddenSize,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}

function matrixElements(tensors: readonly { readonly block: Block; readonly shape: readonly number[] }[], block: Block): number {
  let elements = 0;
  for (const tensor of tensors) if (tensor.block === block && tensor.shape.length === 2) elements += tensor.shape[0]! * tensor.shape[1]!;
  return elements;
}

/** The cost of generating n tokens: `perToken · n + perPair · pairs(n)` operations. */
export interface GenerationCost {
  readonly perToken: number;
  readonly perPair: number;
}

/** Returns the two coefficients of {@link generationFlops}. */
export function generationCost(model: Model): GenerationCost {
  const { total, softmaxAttention } = generationFlops(model, { tokens: 1 });
  return { perToken: total - softmaxAttention, perPair: softmaxAttention };
}

/** Computes the operations of generating n tokens from a cost. */
export function costOf(cost: GenerationCost, tokens: number, rule: CountingRule): number {
  expectArgument("costOf: cost", isObjectLike(cost), "a result of generationCost", cost);
  const { perToken, perPair } = cost;
  return perToken * tokens + perPair * pairs(tokens, rule);
}

/** The operations of kernel calls, by kind. */
export interface CountedFlops {
  /** Projections, routers, experts, dense MLPs and the head. */
  readonly products: number;
  readonly lightningAttention: number;
  readonly softmaxAttention: number;
  readonly total: number;
}

/** The kernels whose reported work is exact, with the sum that their work is added to. */
const FLOPS_KIND_OF_KERNEL: Readonly<Record<string, Exclude<keyof CountedFlops, "total">>> = {
  matmulF32: "products",
  matmulBf16: "products",
  matmulQ8: "products",
  matmulQ4: "products",
  matmulListF32: "products",
  matmulListBf16: "products",
  matmulListQ8: "products",
  matmulListQ4: "products",
  lightning: "lightningAttention",
  lightningStep: "lightningAttention",
  lightningSteps: "lightningAttention",
  attention: "softmaxAttention",
};

/**
 * Sums the work of kernel calls that `onKernel` reports. Counts matmuls and both attentions under the causal rule. Other kernels are left
 * out, because the work that they report is an estimate.
 */
export function countedFlops(calls: Iterable<Pick<KernelCall, "kernel" | "work">>): CountedFlops {
  expectArgument("countedFlops: calls", isObjectLike(calls) && Symbol.iterator in calls, "kernel calls", calls);
  const sums = { products: 0, lightningAttention: 0, softmaxAttention: 0, total: 0 };
  for (const { kernel, work } of calls) {
    const kind = Object.hasOwn(FLOPS_KIND_OF_KERNEL, kernel) ? FLOPS_KIND_OF_KERNEL[kernel] : undefined;
    if (!kind) continue;
    sums[kind] += work;
    sums.total += work;
  }
  return sums;
}
