import { matmul, type Numbers, silu, softmax, zip } from "./linear.js";

/** One SwiGLU expert: w1 gate and w3 up `[width, hidden]`, w2 down `[hidden, width]`. */
export interface Expert {
  readonly w1: Numbers;
  readonly w2: Numbers;
  readonly w3: Numbers;
}

/** `w2 (silu(w1 x) ⊙ w3 x)`.  x `[tokens, hidden]`. */
export function swiglu(x: Numbers, { w1, w2, w3 }: Expert, hidden: number): Float64Array {
  const gated = zip(matmul(x, w1, hidden), matmul(x, w3, hidden), (gate, up) => silu(gate) * up);
  return matmul(gated, w2, w1.length / hidden);
}

/** Weight of every expert for one token: softmax, all but the top-k set to zero (of equals the first stay), the rest summing to one. */
export function routeWeights(logits: Numbers, topK: number): Float64Array {
  const p = softmax(logits);
  const order = [...p.keys()].sort((a, b) => p[b]! - p[a]! || a - b);
  for (const dropped of order.slice(topK)) p[dropped] = 0;
  const kept = p.reduce((sum, value) => sum + value, 0);
  return p.map((value) => value / kept);
}

/**
 * `y = Σ_e p_e · expert_e(x)` over all experts, p from {@link routeWeights}.
 * x, y `[tokens, hidden]`; gate `[experts, hidden]`; routerLogits `[tokens, experts]`.
 */
export function mixtureOfExperts(
  x: Numbers,
  gate: Numbers,
  experts: readonly Expert[],
  topK: number,
  hidden: number,
): { y: Float64Array; routerLogits: Float64Array } {
  const routerLogits = matmul(x, gate, hidden);
  const outputs = experts.map((expert) => swiglu(x, expert, hidden));
  const y = new Float64Array(x.length);
  for (let t = 0; t < x.length / hidden; t++) {
    const p = routeWeights(routerLogits.subarray(t * experts.length, (t + 1) * experts.length), topK);
    for (let i = t * hidden; i < (t + 1) * hidden; i++) {
      for (const [e, output] of outputs.entries()) y[i]! += p[e]! * output[i]!;
    }
  }
  return { y, routerLogits };
}
