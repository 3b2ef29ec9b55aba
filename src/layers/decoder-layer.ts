import type { KeyValueCache } from "../ops/kv-pages.js";
import { matmul } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { mix, residual } from "../ops/pointwise.js";
import type { Rotation } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Tensor } from "../runtime/tensor.js";
import { type Weights, withPrefix } from "../weights/weights.js";
import type { LightningAttention, LightningState } from "./lightning-attention.js";
import { MixtureOfExperts, swiglu } from "./moe.js";
import type { SoftmaxAttention } from "./softmax-attention.js";

/** What one layer remembers of one sequence. */
export type LayerCache = LightningState | KeyValueCache;

/** Where a batch's tokens stand: its sequences, one after the other, and every token's rotary angles. */
export interface BatchLayout {
  readonly segments: readonly Segment[];
  readonly rotation: Rotation;
}

/** What the residual path of a layer is made of. */
export interface DecoderLayerSettings {
  readonly eps: number;
  /** Whether the residual carries the normalised input (DeepNorm) or the raw one. */
  readonly postnorm: boolean;
  readonly attention: { readonly alpha: number; readonly beta: number };
  readonly mlp: { readonly alpha: number; readonly beta: number };
  readonly experts: number;
  readonly topK: number;
  readonly sharedExpert: boolean;
}

/**
 * One layer: attention of either kind, then experts, each on a scaled residual branch.
 *
 *     u = norm(x);   h = α · (postnorm ? u : x) + β · attention(u)
 *     v = norm(h);   y = α · (postnorm ? v : h) + β · experts(v)
 */
export class DecoderLayer {
  private readonly moe: MixtureOfExperts;

  constructor(
    private readonly weights: Weights,
    readonly mixer: LightningAttention | SoftmaxAttention,
    private readonly shape: DecoderLayerSettings,
  ) {
    this.moe = new MixtureOfExperts(withPrefix(weights, "block_sparse_moe."), shape.experts, shape.topK);
  }

  /** @param x `[tokens, hidden]` @returns y `[tokens, hidden]` and routerLogits `[tokens, experts]` */
  forward(x: Tensor, { segments, rotation }: BatchLayout, caches: readonly LayerCache[]): { y: Tensor; routerLogits: Tensor } {
    const { weights: w, shape } = this;
    return x.rt.scope(() => {
      const u = rmsNorm(x, w.at("input_layernorm.weight"), shape.eps);
      // The cache was made by this mixer, so its kind fits. Weights that are not resident stay until the scope in which they were asked for ends.
      const mixed = x.rt.scope(() => this.mixer.forward(u, segments, caches as never, rotation));
      const h = residual(shape.postnorm ? u : x, mixed, shape.attention);
      const v = rmsNorm(h, w.at("post_attention_layernorm.weight"), shape.eps);
      const { y: experts, routerLogits } = this.experts(v);
      return { y: residual(shape.postnorm ? v : h, experts, shape.mlp), routerLogits };
    });
  }

  /** The routed experts; with a shared one, `(1 − c) · routed + c · shared`, `c = σ(v Wcoefᵀ)`. */
  private experts(v: Tensor): { y: Tensor; routerLogits: Tensor } {
    const { weights: w, shape } = this;
    const routed = this.moe.forward(v);
    if (!shape.sharedExpert) return routed;
    const shared = swiglu(v, w.at("shared_mlp.gate_proj.weight"), w.at("shared_mlp.up_proj.weight"), w.at("shared_mlp.down_proj.weight"));
    const coefficient = matmul(v, w.at("coefficient.weight"));
    return { y: mix(routed.y, shared, coefficient), routerLogits: routed.routerLogits };
  }
}
