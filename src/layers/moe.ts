import { groupedMatmuls, matmul, matmuls } from "../ops/matmul.js";
import { siluGate } from "../ops/pointwise.js";
import { gather, type Routing, route, scatter, zerosLike } from "../ops/route.js";
import type { Tensor } from "../runtime/tensor.js";
import { type Weights, withPrefix } from "../weights/weights.js";

/** Computes SwiGLU: `down(silu(gate(x)) ⊙ up(x))`. */
export function swiglu(x: Tensor, gate: Tensor, up: Tensor, down: Tensor): Tensor {
  const [a, b] = matmuls(x, [gate, up]);
  return matmul(siluGate(a, b), down);
}

/** Maximum total number of rows of the experts that share one kernel call. A call per expert would have too little work. */
const MAX_GROUPED_EXPERT_ROWS = 32;

/**
 * A mixture of experts. There is no capacity limit: every token is computed by its top-k experts.
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
    this.experts = Array.from({ length: experts }, (_, e) => withPrefix(weights, `experts.${e}.`));
  }

  /**
   * Computes the experts.
   *
   * @param x `[tokens, hidden]`
   * @returns y `[tokens, hidden]` and routerLogits `[tokens, experts]`
   */
  forward(x: Tensor): { y: Tensor; routerLogits: Tensor } {
    const routerLogits = matmul(x, this.weights.at("gate.weight"));
    const routing = route(routerLogits, this.topK);
    const y = zerosLike(x);
    const { stable, prefetch } = this.weights;
    const groups = groupSmallExperts(routing, stable ? MAX_GROUPED_EXPERT_ROWS : 0);
    // Weights that are not resident are read one by one, in this order.
    if (prefetch)
      for (const { experts } of groups) for (const e of experts) for (const w of ["w1", "w3", "w2"]) prefetch(`experts.${e}.${w}.weight`);
    for (const { experts, offsets } of groups) {
      const [first, end] = [experts[0]!, experts.at(-1)! + 1];
      x.rt.scope(() => {
        const own = gather(x, routing, first, end);
        const [a, b] = groupedMatmuls(own, offsets, [this.expertWeights(experts, "w1.weight"), this.expertWeights(experts, "w3.weight")]);
        const [out] = groupedMatmuls(siluGate(a!, b!), offsets, [this.expertWeights(experts, "w2.weight")]);
        scatter(y, out!, routing, first, end);
      });
    }
    return { y, routerLogits };
  }

  private expertWeights(experts: readonly number[], name: string): Tensor[] {
    return experts.map((e) => this.experts[e]!.at(name));
  }
}

/**
 * Groups consecutive active experts so that each group has at most `maxRows` rows in total. An expert with more rows forms its own group.
 * `offsets` lists each expert's first row within its group, followed by the number of rows of the group.
 */
function groupSmallExperts({ offsets }: Routing, maxRows: number): { experts: number[]; offsets: number[] }[] {
  const groups: { experts: number[]; offsets: number[] }[] = [];
  for (let e = 0; e + 1 < offsets.length; e++) {
    const rows = offsets[e + 1]! - offsets[e]!;
    if (rows === 0) continue;
    const group = groups.at(-1);
    const others = group?.offsets.at(-1) ?? 0;
    if (group && others + rows <= maxRows) {
      group.experts.push(e);
      group.offsets.push(others + rows);
    } else groups.push({ experts: [e], offsets: [0, rows] });
  }
  return groups;
}
