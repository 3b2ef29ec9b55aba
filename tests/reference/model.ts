// The whole model in float64: the specification that the library is tested against. One sequence at a time, no cache, no chunks.

import type { Config, ResidualScale } from "../../src/model/config.js";
import { softmaxAttention, softmaxProbabilities } from "./attention.js";
import { normHeads, repeatHeads } from "./heads.js";
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

/** Logits and everything on the way to them, for any configuration of any dialect. */
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

/**
 * MiniMax-M1: `[q|k|v] = silu(x Wqkvᵀ)` per head. HypeNet: `q, k = rope(norm(x Wᵀ))` per head, `v = x Wvᵀ`, and each head of keys and values
 * serves several queries.
 *
 *     y = (σ(x Wgateᵀ) ⊙ rmsnorm(scale · o)) Woutᵀ,   the norm over all heads
 */
function lightningBlock(config: Config, w: LayerWeights, layer: number, x: Float64Array) {
  const { hiddenSize: hidden, dialect, numHiddenLayers, ropeTheta } = config;
  const { heads, keyValueHeads, headDim, projection, qkNorm, rotaryDim, scale, outputNorm, outputGate, normEps } = config.lightning;
  const joint = projection === "joint";
  const matrix = (name: string) => matmul(x, w(`self_attn.${name}.weight`), hidden);
  const own = (name: string, norm: string | undefined, count: number, rotated: number) => {
    const normed = normHeads(matrix(name), norm === undefined ? undefined : w(`self_attn.${norm}.weight`), normEps);
    const positions = [...Array(x.length / hidden).keys()];
    return repeatHeads(rope(normed, positions, count, headDim, rotated, ropeTheta), heads, count, headDim);
  };
  const [q, k, v] = joint
    ? splitJoint(map(matrix("qkv_proj"), silu), headDim)
    : [
        own("q_proj", qkNorm ? "q_norm" : undefined, heads, rotaryDim),
        own("k_proj", qkNorm ? "k_norm" : undefined, keyValueHeads, rotaryDim),
        own("v_proj", undefined, keyValueHeads, 0),
      ];
  const { o, state } = recurrentLightning(q!, k!, v!, slopes(dialect, heads, layer, numHiddenLayers), headDim);
  const scaled = map(o, (value) => scale * value);
  const normed = outputNorm ? rmsNorm(scaled, w(`self_attn.${joint ? "norm" : "o_norm"}.weight`), normEps) : scaled;
  const gated = outputGate ? zip(map(matrix(joint ? "output_gate" : "z_proj"), sigmoid), normed, (g, n) => g * n) : normed;
  const out = w(`self_attn.${joint ? "out_proj" : "o_proj"}.weight`);
  return { o: matmul(gated, out, heads * headDim), state, probabilities: undefined };
}

/** Splits `[tokens, heads, 3 · headDim]` into q, k and v. */
function splitJoint(qkv: Float64Array, headDim: number): Float64Array[] {
  return [0, 1, 2].map((which) => {
    const rows: Float64Array[] = [];
    for (let head = 0; head < qkv.length; head += 3 * headDim)
      rows.push(qkv.subarray(head + which * headDim, head + (which + 1) * headDim));
    return concat(rows);
  });
}

/**
 * `q, k = rope(norm(x Wqᵀ)), rope(norm(x Wkᵀ));   v = x Wvᵀ;   y = (σ(x Wgᵀ) ⊙ attention(s(t) q, k, v)) Woᵀ`. Norms, the factor s(t) and
 * the gate are HypeNet's.
 */
function softmaxBlock(config: Config, w: LayerWeights, x: Float64Array) {
  const { hiddenSize: hidden, numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, rotaryDim, ropeTheta, rmsNormEps } = config;
  const { qkNorm, queryScale, outputGate } = config.softmax;
  const positions = [...Array(x.length / hidden).keys()];
  const matrix = (name: string) => matmul(x, w(`self_attn.${name}.weight`), hidden);
  const own = (name: string, norm: string, count: number) =>
    rope(
      normHeads(matrix(name), qkNorm ? w(`self_attn.${norm}.weight`) : undefined, rmsNormEps),
      positions,
      count,
      headDim,
      rotaryDim,
      ropeTheta,
    );
  const s = (t: number) => (typeof queryScale === "number" ? queryScale : Math.log(t + queryScale.logBase) / Math.log(queryScale.logBase));
  const q = own("q_proj", "q_norm", heads).map((value, i) => s(Math.floor(i / (heads * headDim))) * value);
  const k = own("k_proj", "k_norm", kvHeads);
  const o = softmaxAttention(q, k, matrix("v_proj"), heads, kvHeads, headDim);
  const gated = outputGate ? zip(map(matrix("o_gate"), sigmoid), o, (g, value) => g * value) : o;
  const probabilities = softmaxProbabilities(q, k, heads, kvHeads, headDim);
  return { o: matmul(gated, w("self_attn.o_proj.weight"), heads * headDim), state: undefined, probabilities };
}

/** Without experts, a dense SwiGLU. The routed experts; with a shared one `(1 − c) · routed + c · shared`, `c = σ(x Wcoefᵀ)` per token. */
function expertBlock(config: Config, w: LayerWeights, x: Float64Array) {
  const { hiddenSize: hidden, numLocalExperts, numExpertsPerTok, sharedIntermediateSize } = config;
  if (numLocalExperts === 0) {
    const dense = { w1: w("mlp.gate_proj.weight"), w2: w("mlp.down_proj.weight"), w3: w("mlp.up_proj.weight") };
    return { y: swiglu(x, dense, hidden), routerLogits: new Float64Array(0) };
  }
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
