import { ShapeError } from "../base/errors.js";
import { expectShape, runtimeOf, sizeOf, type Tensor } from "../runtime/tensor.js";
import { routeTokens } from "./route.js";

/** Load balance of the experts. */
export interface Balance {
  /** `experts · Σ_e f_e P_e`. It equals the number k of experts per token if all experts are chosen equally often. */
  readonly loss: number;
  /** Per layer, the share of tokens that each expert gets. The shares sum to k. */
  readonly load: readonly Float64Array[];
}

/**
 * Computes the load-balancing loss `experts · Σ_e f_e P_e` over the tokens of all layers (Switch Transformer, eq. 4, summed over the k
 * choices). f_e is the share of tokens that chose expert e, and P_e is the mean probability of expert e. The gradient flows through the
 * probabilities, not through the choices.
 *
 * @param logits router logits, `[tokens, experts]` per layer
 * @param coefficient factor of this loss in the total loss, for the gradient
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function balance(logits: readonly Tensor[], topK: number, coefficient: number): Balance {
  const [tokens = 0, experts = 0] = logits[0]?.shape ?? [];
  if (logits.length === 0) throw new ShapeError("balance: logits: expected at least one layer, got none");
  for (const layer of logits) expectShape("balance: logits", layer, [tokens, experts]);
  const rt = runtimeOf("balance", logits[0]!, ...logits);
  const share = 1 / tokens;
  const mean = new Float64Array(experts);
  const load = logits.map((layer) =>
    rt.scope(() => {
      const { experts: chosen, probabilities } = routeTokens(layer, topK);
      const own = new Float64Array(experts);
      for (const e of rt.i32(chosen)) own[e]! += share;
      for (const [i, p] of rt.f32(probabilities).entries()) mean[i % experts]! += (p * share) / logits.length;
      return own;
    }),
  );
  const total = Float64Array.from(mean, (_, e) => load.reduce((sum, own) => sum + own[e]!, 0) / logits.length);
  const loss = experts * total.reduce((sum, f, e) => sum + f * mean[e]!, 0);

  const { tape } = rt;
  tape?.recordBackward(logits, () => {
    const slope = total.map((f) => (coefficient * experts * f * share) / logits.length);
    const dp = rt.from(slope);
    for (const layer of logits) {
      const p = rt.empty(layer.shape);
      rt.run("softmax", [p.ptr, layer.ptr, experts, 0, tokens], 20 * sizeOf(layer.shape));
      rt.run("softmaxBackward", [tape.gradient(layer).ptr, dp.ptr, p.ptr, experts, 0, 0, tokens], 4 * sizeOf(layer.shape));
    }
  });
  return { loss, load };
}
