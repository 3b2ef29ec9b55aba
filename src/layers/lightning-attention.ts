import { copyTensor, lightning, lightningState, readLightningState } from "../ops/lightning.js";
import { matmul, matmuls } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { sigmoidGate, silu } from "../ops/pointwise.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../weights/weights.js";

/** The norm inside lightning attention keeps the published code's default, whatever `rms_norm_eps` says. */
const NORM_EPS = 1e-6;

/** All that a lightning layer remembers of a sequence, however long: a matrix per head, float32. */
export class LightningState {
  readonly state: Tensor;

  constructor(
    rt: Runtime,
    heads: number,
    private readonly headDim: number,
  ) {
    this.state = lightningState(rt, heads, headDim);
  }

  /** What brings the state back that is there now. */
  snapshot(): { tensors: Tensor[]; restore: () => void } {
    const { state } = this;
    const copy = copyTensor(state);
    return { tensors: [copy], restore: () => state.rt.f32(state).set(state.rt.f32(copy)) };
  }

  /** A copy as `[heads, headDim, headDim]`. */
  read(): Float32Array<ArrayBuffer> {
    return readLightningState(this.state, this.headDim);
  }

  dispose(): void {
    this.state.rt.release(this.state);
  }
}

/**
 * Lightning attention block (MiniMax-M1 report, section 1; MiniMax-01 report, section 2.2).
 * No rotary embedding, no scaling, no softmax: order comes from the decay alone. SiLU acts on q, k and v before they part,
 * and the norm is over all heads together.
 *
 *     [q|k|v] = silu(x Wqkvᵀ)                       per head
 *     S_t = e^−λ S_{t−1} + k_t v_tᵀ,   o_t = q_tᵀ S_t
 *     y = (σ(x Wgateᵀ) ⊙ rmsnorm(o)) Woutᵀ
 */
export class LightningAttention {
  constructor(
    private readonly weights: Weights,
    private readonly heads: number,
    private readonly headDim: number,
    /** λ `[heads]`, this layer's depth included. */
    private readonly slopes: Tensor,
  ) {}

  /** @param x `[tokens, hidden]` @returns `[tokens, hidden]` */
  forward(x: Tensor, segments: readonly Segment[], caches: readonly LightningState[]): Tensor {
    const { weights: w, heads, headDim, slopes } = this;
    const states = caches.map(({ state }) => state);
    const [mixed, gate] = matmuls(x, [w.at("qkv_proj.weight"), w.at("output_gate.weight")]);
    const qkv = reshape(silu(mixed), [x.shape[0]!, heads, 3 * headDim]);
    const o = lightning(qkv, slopes, segments, states);
    return matmul(sigmoidGate(gate, rmsNorm(o, w.at("norm.weight"), NORM_EPS)), w.at("out_proj.weight"));
  }
}
