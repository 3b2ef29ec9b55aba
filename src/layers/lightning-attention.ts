import { copyTensor, lightning, lightningState, readLightningState } from "../ops/lightning.js";
import { matmul, matmuls } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { sigmoidGate, silu } from "../ops/pointwise.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../weights/weights.js";
import type { Attention, LayerCache } from "./layer-cache.js";

/** Epsilon of the norm. The published code does not pass `rms_norm_eps` to this norm, so it always uses the default of its norm class. */
const NORM_EPS = 1e-6;

/** The state of one sequence in a lightning layer: one float32 matrix per head, for any sequence length. */
export class LightningState implements LayerCache {
  readonly state: Tensor;

  constructor(
    rt: Runtime,
    heads: number,
    private readonly headDim: number,
  ) {
    this.state = lightningState(rt, heads, headDim);
  }

  get tensors(): readonly Tensor[] {
    return [this.state];
  }

  /** Does nothing: the size is fixed. */
  reserve(): void {}

  /** Does nothing: the size is fixed. */
  resize(): void {}

  snapshot(): { readonly tensors: readonly Tensor[]; restore(): void } {
    const { state } = this;
    const copy = copyTensor(state);
    return { tensors: [copy], restore: () => state.rt.f32(state).set(state.rt.f32(copy)) };
  }

  /** Copies the state as `[heads, headDim, headDim]`. */
  readState(): Float32Array<ArrayBuffer> {
    return readLightningState(this.state, this.headDim);
  }

  dispose(): void {
    this.state.rt.release(this.state);
  }
}

/**
 * The lightning attention block (MiniMax-M1 report, section 1; MiniMax-01 report, section 2.2). It has no rotary embedding, no scaling and
 * no softmax; only the decay encodes the order of tokens. SiLU is applied to q, k and v before they are split. The norm spans all heads
 * together.
 *
 *     [q|k|v] = silu(x Wqkvᵀ)                       per head
 *     S_t = e^−λ S_{t−1} + k_t v_tᵀ,   o_t = q_tᵀ S_t
 *     y = (σ(x Wgateᵀ) ⊙ rmsnorm(o)) Woutᵀ
 */
export class LightningAttention implements Attention {
  constructor(
    private readonly weights: Weights,
    private readonly heads: number,
    private readonly headDim: number,
    /** Decay slopes λ `[heads]` of this layer. They include the factor for the layer's depth. */
    private readonly slopes: Tensor,
  ) {}

  newCache(rt: Runtime): LightningState {
    return new LightningState(rt, this.heads, this.headDim);
  }

  /** Computes the block. @param x `[tokens, hidden]` @returns `[tokens, hidden]` */
  forward(x: Tensor, segments: readonly Segment[], caches: readonly LightningState[]): Tensor {
    const { weights: w, heads, headDim, slopes } = this;
    const states = caches.map(({ state }) => state);
    const [mixed, gate] = matmuls(x, [w.at("qkv_proj.weight"), w.at("output_gate.weight")]);
    const qkv = reshape(silu(mixed), [x.shape[0]!, heads, 3 * headDim]);
    const o = lightning(qkv, slopes, segments, states);
    return matmul(sigmoidGate(gate, rmsNorm(o, w.at("norm.weight"), NORM_EPS)), w.at("out_proj.weight"));
  }
}
