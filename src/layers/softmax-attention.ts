import { attention } from "../ops/attention.js";
import { attentionProbabilities } from "../ops/attention-probabilities.js";
import { scaleRows } from "../ops/heads.js";
import { KeyValueCache, type KVType } from "../ops/kv-cache.js";
import { matmul, matmuls } from "../ops/matmul.js";
import { sigmoidGate } from "../ops/pointwise.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, slice, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../weights/weights.js";
import type { BatchLayout } from "./batch-layout.js";
import { splitHeads } from "./heads.js";
import type { Attention } from "./layer-cache.js";

/** Settings of the block. */
export interface SoftmaxAttentionSettings {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Whether each head of q and k is normalised. */
  readonly qkNorm: boolean;
  readonly outputGate: boolean;
  readonly normEps: number;
  /** Dtype in which caches store keys and values. */
  readonly kv: KVType;
}

/**
 * The softmax attention block: grouped queries and a causal mask. It has no bias and no sliding window.
 *
 *     MiniMax-M1   q = rope(x Wqᵀ),         k = rope(x Wkᵀ),         v = x Wvᵀ      rotary embedding on the first dims of each head
 *     HypeNet      q = s(t) norm(x Wqᵀ),    k = norm(x Wkᵀ),         v = x Wvᵀ      each norm per head; rotary embedding is optional
 *
 *     o_t = Σ_{s ≤ t} softmax_s(q_t·k_s / sqrt(headDim)) v_s
 *     y = o Woᵀ   or, with an output gate,   y = (σ(x Wgᵀ) ⊙ o) Woᵀ
 */
export class SoftmaxAttention implements Attention {
  constructor(
    private readonly weights: Weights,
    private readonly settings: SoftmaxAttentionSettings,
  ) {}

  newCache(rt: Runtime): KeyValueCache {
    const { kvHeads, headDim, kv } = this.settings;
    return new KeyValueCache(rt, kvHeads, headDim, kv);
  }

  /** Computes the block. @param x `[tokens, hidden]` @returns `[tokens, hidden]` */
  forward(x: Tensor, layout: BatchLayout, caches: readonly KeyValueCache[]): Tensor {
    const { weights: w } = this;
    const { kvHeads, headDim, qkNorm, normEps, outputGate } = this.settings;
    const projections = [w.at("q_proj.weight"), w.at("k_proj.weight"), w.at("v_proj.weight")];
    const [xq, xk, xv, gate] = matmuls(x, outputGate ? [...projections, w.at("o_gate.weight")] : projections);
    const q = this.queries(xq!, layout);
    const k = splitHeads(xk!, headDim, qkNorm ? w.at("k_norm.weight") : undefined, normEps, layout.softmaxRotation);
    const v = reshape(xv!, [x.shape[0]!, kvHeads, headDim]);
    for (const [i, { begin, end }] of layout.segments.entries()) caches[i]!.append(slice(k, begin, end), slice(v, begin, end));
    const o = attention(q, layout.segments, caches);
    return matmul(gate ? sigmoidGate(gate, o) : o, w.at("o_proj.weight"));
  }

  /** Computes the probabilities again that `forward` does not store. */
  probabilities(x: Tensor, layout: BatchLayout, caches: readonly KeyValueCache[]): Float32Array {
    const q = this.queries(matmul(x, this.weights.at("q_proj.weight")), layout);
    return attentionProbabilities(q, layout.segments, caches);
  }

  /** Normalises, rotates and scales the queries. @returns `[tokens, heads, headDim]` */
  private queries(xq: Tensor, { softmaxRotation, queryScales }: BatchLayout): Tensor {
    const { headDim, qkNorm, normEps } = this.settings;
    const q = splitHeads(xq, headDim, qkNorm ? this.weights.at("q_norm.weight") : undefined, normEps, softmaxRotation);
    return queryScales ? scaleRows(q, queryScales) : q;
  }
}
