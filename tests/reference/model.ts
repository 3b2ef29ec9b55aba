// The whole model in float64: the specification that the library is tested against. One sequence at a time, no cache, no chunks.

import type { Config, ResidualScale } from "../../src/model/config.js";
import { softmaxAttention, softmaxProbabilities } from "./attention.js";
import { recurrentLightning } from "./lightning.js";
import { map, matmul, rmsNorm, sigmoid, silu, zip } from "./linear.js";
import { mixtureOfExperts, swiglu } from "./moe.js";
import { rope } from "./rope.js";
import { slopes } from "./slopes.js";

/** One weight, its values widened exactly to float64. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Weights by their published names. */
export type WeightMap = ReadonlyMap<string, Weight>;

/** What {@link referenceForward} computes; the layouts are those of `MiniMaxM1.forward`, for sequences of one length. */
export interface Reference {
  /** `[batch, seq, vocab]` */
  readonly logits: Float64Array;
  /** Input of every layer, then the output of the final norm: `[batch, seq, hidden]` each. */
  readonly hiddenStates: Float64Array[];
  /** Per layer `[batch · seq, experts]`. */
  readonly routerLogits: Float64Array[];
  /** Per layer `[batch, heads, headDim, headDim]` after the last token; undefined for softmax layers. */
  readonly lightningStates: (Float64Array | undefined)[];
  /** Per layer `[batch, heads, seq, seq]`; undefined for lightning layers. */
  readonly attention: (Float64Array | undefined)[];
}

/** Logits and everything on the way to them, for any configuration of either dialect. */
export function referenceForward(config: Config, weights: WeightMap, ids: readonly (readonly number[])[]): Reference {
  const sequences = ids.map((sequence) => forwardSequence(config, weights, sequence));
  return {
    logits: concat(sequences.map(({ logits }) => logits)),
    hiddenStates: [...config.attnTypeList, "norm"].map((_, i) => concat(sequences.map(({ hiddenStates }) => hiddenStates[i]!))),
    routerLogits: config.attnTypeList.map((_, i) => concat(sequences.map(({ routerLogits }) => routerLogits[i]!))),
    lightningStates: config.attnTypeList.map((type, i) =>
      type === 0 ? concat(sequences.map(({ lightningStates }) => lightningStates[i]!)) : undefined,
    ),
    attention: config.attnTypeList.map((type, i) => (type === 1 ? concat(sequences.map(({ attention }) => attention[i]!)) : undefined)),
  };
}

function forwardSequence(config: Config, weights: WeightMap, ids: readonly number[]): Reference {
  const { hiddenSize: hidden, rmsNormEps, tieWordEmbeddings } = config;
  const embedding = at(weights, "model.embed_tokens.weight");
  const result: Omit<Reference, "logits"> = { hiddenStates: [], routerLogits: [], lightningStates: [], attention: [] };

  let x = concat(ids.map((id) => embedding.subarray(id * hidden, (id + 1) * hidden)));
  for (const layer of config.attnTypeList.keys()) {
    result.hiddenStates.push(x);
    const { y, routerLogits, state, probabilities } = decoderLayer(config, weights, layer, x);
    result.routerLogits.push(routerLogits);
    result.lightningStates.push(state);
    result.attention.push(probabilities);
    x = y;
  }
  x = rmsNorm(x, at(weights, "model.norm.weight"), rmsNormEps);
  result.hiddenStates.push(x);
  return { ...result, logits: matmul(x, tieWordEmbeddings ? embedding : at(weights, "lm_head.weight"), hidden) };
}

/**
 * One layer, x and y `[tokens, hidden]`:
 *
 *     u = norm(x);   h = α · (postnorm ? u : x) + β · attention(u)
 *     v = norm(h);   y = α · (postnorm ? v : h) + β · experts(v)
 */
export function decoderLayer(
  config: Config,
  weights: WeightMap,
  layer: number,
  x: Float64Array,
): { y: Float64Array; routerLogits: Float64Array; state: Float64Array | undefined; probabilities: Float64Array | undefined } {
  const { attnTypeList, postnorm, residual, rmsNormEps } = config;
  const w = (name: string) => at(weights, `model.layers.${layer}.${name}`);
  const lightning = attnTypeList[layer] === 0;

  const u = rmsNorm(x, w("input_layernorm.weight"), rmsNormEps);
  const { o, state, probabilities } = lightning ? lightningBlock(config, w, layer, u) : softmaxBlock(config, w, u);
  const h = branch(lightning ? residual.lightning : residual.softmax, postnorm ? u : x, o);
  const v = rmsNorm(h, w("post_attention_layernorm.weight"), rmsNormEps);
  const { y, routerLogits } = expertBlock(config, w, v);
  return { y: branch(residual.mlp, postnorm ? v : h, y), routerLogits, state, probabilities };
}

function branch({ alpha, beta }: ResidualScale, residual: Float64Array, output: Float64Array): Float64Array {
  return zip(residual, output, (r, b) => alpha * r + beta * b);
}

type LayerWeights = (name: string) => Float64Array;

/** `[q|k|v] = silu(x Wqkvᵀ)` per head;   `y = (σ(x Wgateᵀ) ⊙ rmsnorm(o)) Woutᵀ`, the norm over all heads with eps 1e-6. */
function lightningBlock(config: Config, w: LayerWeights, layer: number, x: Float64Array) {
  const { hiddenSize: hidden, numAttentionHeads: heads, headDim, dialect, numHiddenLayers } = config;
  const qkv = map(matmul(x, w("self_attn.qkv_proj.weight"), hidden), silu);
  const part = (which: number) => {
    const rows: Float64Array[] = [];
    for (let head = 0; head < qkv.length; head += 3 * headDim)
      rows.push(qkv.subarray(head + which * headDim, head + (which + 1) * headDim));
    return concat(rows);
  };
  const { o, state } = recurrentLightning(part(0), part(1), part(2), slopes(dialect, heads, layer, numHiddenLayers), headDim);
  const gate = map(matmul(x, w("self_attn.output_gate.weight"), hidden), sigmoid);
  const gated = zip(gate, rmsNorm(o, w("self_attn.norm.weight"), 1e-6), (g, n) => g * n);
  return { o: matmul(gated, w("self_attn.out_proj.weight"), heads * headDim), state, probabilities: undefined };
}

/** `q, k = rope(x Wqᵀ), rope(x Wkᵀ);   v = x Wvᵀ;   y = attention(q, k, v) Woᵀ`. */
function softmaxBlock(config: Config, w: LayerWeights, x: Float64Array) {
  const { hiddenSize: hidden, numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, rotaryDim, ropeTheta } = config;
  const positions = [...Array(x.length / hidden).keys()];
  const q = rope(matmul(x, w("self_attn.q_proj.weight"), hidden), positions, heads, headDim, rotaryDim, ropeTheta);
  const k = rope(matmul(x, w("self_attn.k_proj.weight"), hidden), positions, kvHeads, headDim, rotaryDim, ropeTheta);
  const v = matmul(x, w("self_attn.v_proj.weight"), hidden);
  const o = softmaxAttention(q, k, v, heads, kvHeads, headDim);
  const probabilities = softmaxProbabilities(q, k, heads, kvHeads, headDim);
  return { o: matmul(o, w("self_attn.o_proj.weight"), heads * headDim), state: undefined, probabilities };
}

/** The routed experts; with a shared one `(1 − c) · routed + c · shared`, `c = σ(x Wcoefᵀ)` per token. */
function expertBlock(config: Config, w: LayerWeights, x: Float64Array) {
  const { hiddenSize: hidden, numLocalExperts, numExpertsPerTok, sharedIntermediateSize } = config;
  const experts = Array.from({ length: numLocalExperts }, (_, e) => ({
    w1: w(`block_sparse_moe.experts.${e}.w1.weight`),
    w2: w(`block_sparse_moe.experts.${e}.w2.weight`),
    w3: w(`block_sparse_moe.experts.${e}.w3.weight`),
  }));
  const routed = mixtureOfExperts(x, w("block_sparse_moe.gate.weight"), experts, numExpertsPerTok, hidden);
  if (sharedIntermediateSize === 0) return routed;

  const own = { w1: w("shared_mlp.gate_proj.weight"), w2: w("shared_mlp.down_proj.weight"), w3: w("shared_mlp.up_proj.weight") };
  const shared = swiglu(x, own, hidden);
  const c = map(matmul(x, w("coefficient.weight"), hidden), sigmoid);
  const y = routed.y.map((value, i) => (1 - c[Math.floor(i / hidden)]!) * value + c[Math.floor(i / hidden)]! * shared[i]!);
  return { y, routerLogits: routed.routerLogits };
}

function at(weights: WeightMap, name: string): Float64Array {
  const weight = weights.get(name);
  if (!weight) throw new Error(`reference: ${name}: missing`);
  return weight.data;
}

function concat(parts: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
