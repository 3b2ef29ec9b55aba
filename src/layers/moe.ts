import { matmul, matmuls } from "../ops/matmul.js";
import { siluGate } from "../ops/pointwise.js";
import { gather, route, scatter, zerosLike } from "../ops/route.js";
import type { Tensor } from "../runtime/tensor.js";
import { under, type Weights } from "../runtime/weights.js";

/** SwiGLU: `down(silu(gate(x)) ⊙ up(x))`. */
export function swiglu(x: Tensor, gate: Tensor, up: Tensor, down: Tensor): Tensor {
  const [a, b] = matmuls(x, [gate, up]);
  return matmul(siluGate(a, b), down);
}

/**
 * Mixture of experts. No capacity and no dropped token: every token reaches its top-k experts.
 *
 *     p = softmax(x Wgateᵀ);   top-k of p, renormalised
 *     y = Σ_e p_e · w2_e(silu(w1_e x) ⊙ w3_e x)
 */
export class MixtureOfExperts {
  private readonly experts: Weights[];

  constructor(
    private readonly weights: Weights,
    experts: number,
    private readonly topK: number,
  ) {
    this.experts = Array.from({ length: experts }, (_, e) => under(weights, `experts.${e}.`));
  }

  /** @param x `[tokens, hidden]` @returns y `[tokens, hidden]` and routerLogits `[tokens, experts]` */
  forward(x: Tensor): { y: Tensor; routerLogits: Tensor } {
    const routerLogits = matmul(x, this.weights.at("gate.weight"));
    const routing = route(routerLogits, this.topK);
    const y = zerosLike(x);
    for (const [e, w] of this.experts.entries()) {
      if (routing.offsets[e] === routing.offsets[e + 1]) continue;
      x.rt.scope(() => {
        const own = gather(x, routing, e);
        scatter(y, swiglu(own, w.at("w1.weight"), w.at("w3.weight"), w.at("w2.weight")), routing, e);
      });
    }
    return { y, routerLogits };
  }
}
