import { attention } from "../ops/attention.js";
import { attentionProbabilities } from "../ops/attention-probabilities.js";
import { KeyValueCache, type KVType } from "../ops/kv-cache.js";
import { matmul, matmuls } from "../ops/matmul.js";
import { type Rotation, rope } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, slice, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../weights/weights.js";
import type { Attention } from "./layer-cache.js";

/**
 * The softmax attention block: grouped queries, rotary embedding on the first dims of each head, and a causal mask. It has no bias, no
 * sliding window and no gate.
 *
 *     q, k = rope(x Wqᵀ), rope(x Wkᵀ);   v = x Wvᵀ
 *     o_t = Σ_{s ≤ t} softmax_s(q_t·k_s / sqrt(headDim)) v_s
 *     y = o Woᵀ
 */
export class SoftmaxAttention implements Attention {
  constructor(
    private readonly weights: Weights,
    private readonly heads: number,
    private readonly kvHeads: number,
    private readonly headDim: number,
    /** Dtype in which caches store keys and values. */
    private readonly kv: KVType,
  ) {}

  newCache(rt: Runtime): KeyValueCache {
    return new KeyValueCache(rt, this.kvHeads, this.headDim, this.kv);
  }

  /** Computes the block. @param x `[tokens, hidden]` @returns `[tokens, hidden]` */
  forward(x: Tensor, segments: readonly Segment[], caches: readonly KeyValueCache[], rotation: Rotation): Tensor {
    const { weights: w, heads, kvHeads, headDim } = this;
    const tokens = x.shape[0]!;
    const [xq, xk, xv] = matmuls(x, [w.at("q_proj.weight"), w.at("k_proj.weight"), w.at("v_proj.weight")]);
    const q = rope(reshape(xq, [tokens, heads, headDim]), rotation);
    const k = rope(reshape(xk, [tokens, kvHeads, headDim]), rotation);
    const v = reshape(xv, [tokens, kvHeads, headDim]);
    for (const [i, { begin, end }] of segments.entries()) caches[i]!.append(slice(k, begin, end), slice(v, begin, end));
    return matmul(attention(q, segments, caches), w.at("o_proj.weight"));
  }

  /** Computes the probabilities again that `forward` does not store. */
  probabilities(x: Tensor, segments: readonly Segment[], caches: readonly KeyValueCache[], rotation: Rotation): Float32Array {
    const xq = matmul(x, this.weights.at("q_proj.weight"));
    const q = rope(reshape(xq, [x.shape[0]!, this.heads, this.headDim]), rotation);
    return attentionProbabilities(q, segments, caches);
  }
}
