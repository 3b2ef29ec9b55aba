import { matmul } from "../ops/matmul.js";
import { rmsNorm } from "../ops/norm.js";
import { mix, residual } from "../ops/pointwise.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import { type Weights, withPrefix } from "../weights/weights.js";
import type { BatchLayout } from "./batch-layout.js";
import type { Attention, LayerCache } from "./layer-cache.js";
import { MixtureOfExperts, swiglu } from "./moe.js";

/** Settings of a decoder layer. */
export interface DecoderLayerSettings {
  readonly eps: number;
  /** Whether the residual branch carries the normalised input (true, as in DeepNorm) or the raw input (false). */
  readonly postnorm: boolean;
  /** Scales of the residual branch around attention. */
  readonly attentionScale: { readonly alpha: number; readonly beta: number };
  /** Scales of the residual branch around the experts, or around the dense MLP. */
  readonly mlpScale: { readonly alpha: number; readonly beta: number };
  /** Number of experts. 0: the layer has a dense MLP. */
  readonly experts: number;
  readonly topK: number;
  readonly sharedExpert: boolean;
}

/**
 * A decoder layer: softmax or lightning attention, then a mixture of experts or a dense MLP. Each of them is in a scaled residual branch.
 *
 *     u = norm(x);   h = α · (postnorm ? u : x) + β · attention(u)
 *     v = norm(h);   y = α · (postnorm ? v : h) + β · mlp(v)
 */
export class DecoderLayer {
  private readonly moe: MixtureOfExperts;

  constructor(
    private readonly weights: Weights,
    private readonly attention: Attention,
    private readonly settings: DecoderLayerSettings,
  ) {
    this.moe = new MixtureOfExperts(withPrefix(weights, "block_sparse_moe."), settings.experts, settings.topK);
  }

  /** Allocates the empty state of one sequence in this layer. */
  newCache(rt: Runtime): LayerCache {
    return this.attention.newCache(rt);
  }

  /**
   * Computes the layer.
   *
   * @param x `[tokens, hidden]`
   * @returns y `[tokens, hidden]` and routerLogits `[tokens, experts]`, which are empty if the MLP is dense
   */
  forward(x: Tensor, layout: BatchLayout, caches: readonly LayerCache[]): { y: Tensor; routerLogits: Tensor } {
    const { weights: w, settings } = this;
    return x.rt.scope(() => {
      const u = rmsNorm(x, w.at("input_layernorm.weight"), settings.eps);
      // This part has its own scope, because a weight that is not resident stays in memory until the enclosing scope ends.
      const mixed = x.rt.scope(() => this.attention.forward(u, layout, caches));
      const h = residual(settings.postnorm ? u : x, mixed, settings.attentionScale);
      const v = rmsNorm(h, w.at("post_attention_layernorm.weight"), settings.eps);
      const { y: mlp, routerLogits } = settings.experts === 0 ? this.denseMlp(v) : this.mixExperts(v);
      return { y: residual(settings.postnorm ? v : h, mlp, settings.mlpScale), routerLogits };
    });
  }

  /**
   * Computes the attention probabilities of the last `forward`, from the same arguments. Returns undefined for lightning attention.
   *
   * @returns `[batch, heads, queries, positions]`
   */
  attentionProbabilities(x: Tensor, layout: BatchLayout, caches: readonly LayerCache[]): Float32Array | undefined {
    const { weights: w, settings, attention } = this;
    if (!attention.probabilities) return undefined;
    return x.rt.scope(() => {
      const u = rmsNorm(x, w.at("input_layernorm.weight"), settings.eps);
      return attention.probabilities!(u, layout, caches);
    });
  }

  /** Computes `down(silu(gate(v)) ⊙ up(v))`. */
  private denseMlp(v: Tensor): { y: Tensor; routerLogits: Tensor } {
    const { weights: w } = this;
    const y = swiglu(v, w.at("mlp.gate_proj.weight"), w.at("mlp.up_proj.weight"), w.at("mlp.down_proj.weight"));
    return { y, routerLogits: v.rt.empty([v.shape[0]!, 0]) };
  }

  /** Computes the routed experts. If there is a shared expert, returns `(1 − c) · routed + c · shared` with `c = σ(v Wcoefᵀ)`. */
  private mixExperts(v: Tensor): { y: Tensor; routerLogits: Tensor } {
    const { weights: w, settings } = this;
    const routed = this.moe.forward(v);
    if (!settings.sharedExpert) return routed;
    const shared = swiglu(v, w.at("shared_mlp.gate_proj.weight"), w.at("shared_mlp.up_proj.weight"), w.at("shared_mlp.down_proj.weight"));
    const coefficient = matmul(v, w.at("coefficient.weight"));
    return { y: mix(routed.y, shared, coefficient), routerLogits: routed.routerLogits };
  }
}
