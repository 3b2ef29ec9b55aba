import { joinHeads } from "../ops/heads.js";
import { copyTensor, lightning, lightningState, readLightningState } from "../ops/lightning.js";
import { matmul, matmuls } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { sigmoidGate, silu } from "../ops/pointwise.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../weights/weights.js";
import type { BatchLayout } from "./batch-layout.js";
import { splitHeads } from "./heads.js";
import type { Attention, LayerCache } from "./layer-cache.js";

/** Settings of the block. MiniMax-M1 and HypeNet differ in all of them but the head dim. */
export interface LightningAttentionSettings {
  readonly heads: number;
  readonly headDim: number;
  /** `joint`: q, k and v come from one matrix, followed by SiLU. `separate`: from three matrices, without SiLU. */
  readonly projection: "joint" | "separate";
  /** Whether each head of q and k is normalised. */
  readonly qkNorm: boolean;
  /** Factor of the scores. */
  readonly scale: number;
  /** Whether the results of all heads are normalised together. */
  readonly outputNorm: boolean;
  readonly outputGate: boolean;
  readonly normEps: number;
}

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

/** Names of the matrices and the norm after attention. */
const OUTPUT_NAMES = {
  joint: { norm: "norm.weight", out: "out_proj.weight" },
  separate: { norm: "o_norm.weight", out: "o_proj.weight" },
} as const;

/**
 * The lightning attention block. Only the decay, and in HypeNet the rotary embedding, encode the order of tokens. There is no softmax. The
 * norm of o spans all heads together.
 *
 *     MiniMax-M1   [q|k|v] = silu(x Wqkvᵀ)                                      per head
 *     HypeNet      q = rope(norm(x Wqᵀ)),  k = rope(norm(x Wkᵀ)),  v = x Wvᵀ      each norm per head
 *
 *     S_t = e^−λ S_{t−1} + k_t v_tᵀ,   o_t = scale · q_tᵀ S_t
 *     y = (σ(x Wgateᵀ) ⊙ rmsnorm(o)) Woutᵀ
 *
 * Sources: MiniMax-M1 report, section 1, and MiniMax-01 report, section 2.2; HypeNet (arXiv 2601.22156), section 5.
 */
export class LightningAttention implements Attention {
  constructor(
    private readonly weights: Weights,
    private readonly settings: LightningAttentionSettings,
    /** Decay slopes λ `[heads]` of this layer. They include the factor for the layer's depth, if there is one. */
    private readonly slopes: Tensor,
  ) {}

  newCache(rt: Runtime): LightningState {
    return new LightningState(rt, this.settings.heads, this.settings.headDim);
  }

  /** Computes the block. @param x `[tokens, hidden]` @returns `[tokens, hidden]` */
  forward(x: Tensor, layout: BatchLayout, caches: readonly LightningState[]): Tensor {
    const { weights: w, settings, slopes } = this;
    const states = caches.map(({ state }) => state);
    const { qkv, gate } = settings.projection === "joint" ? this.projectJointly(x) : this.projectSeparately(x, layout);
    const o = lightning(qkv, slopes, layout.segments, states);
    const { norm, out } = OUTPUT_NAMES[settings.projection];
    const normed = settings.outputNorm ? rmsNorm(o, w.at(norm), settings.normEps) : o;
    return matmul(gate ? sigmoidGate(gate, normed) : normed, w.at(out));
  }

  private projectJointly(x: Tensor): { qkv: Tensor; gate: Tensor } {
    const { weights: w, settings } = this;
    const [mixed, gate] = matmuls(x, [w.at("qkv_proj.weight"), w.at("output_gate.weight")]);
    return { qkv: reshape(silu(mixed), [x.shape[0]!, settings.heads, 3 * settings.headDim]), gate };
  }

  private projectSeparately(x: Tensor, { lightningRotation: rotation }: BatchLayout): { qkv: Tensor; gate: Tensor | undefined } {
    const { weights: w, settings } = this;
    const { headDim, qkNorm, normEps, scale, outputGate } = settings;
    const projections = [w.at("q_proj.weight"), w.at("k_proj.weight"), w.at("v_proj.weight")];
    const [xq, xk, xv, gate] = matmuls(x, outputGate ? [...projections, w.at("z_proj.weight")] : projections);
    const q = splitHeads(xq!, headDim, qkNorm ? w.at("q_norm.weight") : undefined, normEps, rotation);
    const k = splitHeads(xk!, headDim, qkNorm ? w.at("k_norm.weight") : undefined, normEps, rotation);
    const v = splitHeads(xv!, headDim, undefined, normEps, undefined);
    return { qkv: joinHeads(q, k, v, scale), gate };
  }
}
