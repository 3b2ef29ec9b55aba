import { targetLogprobs } from "../ops/softmax.js";
import type { Tensor } from "../runtime/tensor.js";

/**
 * Weighted cross-entropy of the rows' targets: `−Σ_r w_r log p_r(target_r)`, in float64. On a tape its gradient `dlogp_r = −w_r` begins the way back.
 *
 * @param logits `[rows, vocab]`
 * @param weights of the rows: 1 / rows makes it a mean
 */
export function crossEntropy(logits: Tensor, targets: readonly number[], weights: readonly number[]): number {
  const { rt } = logits;
  const logp = targetLogprobs(logits, rt.from(targets, [targets.length], "i32"));
  let loss = 0;
  for (const [r, l] of rt.f32(logp).entries()) loss -= weights[r]! * l;
  const { tape } = rt;
  tape?.recordStep([], () => {
    const d = rt.f32(tape.gradient(logp));
    for (const [r, weight] of weights.entries()) d[r]! -= weight;
  });
  return loss;
}
