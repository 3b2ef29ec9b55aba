import * as v from "valibot";
import { count, flag, number } from "../base/options.js";

export interface TrainerOptions {
  /** Learning rate η (1e-3). A call of `step` can override it, and `run` multiplies it by the schedule's factor. */
  lr?: number;
  /** β₁ and β₂, the decay rates of AdamW's moments (0.9 and 0.95, as in section 3.2 of the report). */
  betas?: readonly [number, number];
  /** ε of AdamW (1e-15, as in section 3.2 of the report, where most gradients are below 1e-14 and some as small as 1e-18). */
  eps?: number;
  /** Weight decay λ of the parameters that `decays` selects (0.01). The report does not state one. */
  weightDecay?: number;
  /** Selects by checkpoint name the parameters that have weight decay. By default, all have it. */
  decays?: (name: string) => boolean;
  /** Maximum Euclidean norm of all gradients together (1). Larger gradients are scaled down to it. `Infinity` disables clipping. */
  clipNorm?: number;
  /** Weight of the load-balancing loss `balance`. The default is `router_aux_loss_coef` of the configuration. */
  auxLossCoef?: number;
  /**
   * Maximum number of tokens per micro-batch (8,192). A larger batch is computed in several micro-batches, whose gradients are added up.
   * Documents are never cut. The load-balancing loss is computed per micro-batch, and therefore depends on this option.
   */
  microBatchTokens?: number;
  /** Divisor of the logits before the softmax (1). For sampled data, use the temperature of the sampling. */
  temperature?: number;
  /**
   * Whether only the input of each layer is kept, and the rest is recomputed in the backward pass (false). It saves memory at the cost of
   * one more forward pass.
   */
  checkpointing?: boolean;
}

/** @internal */
export const trainerSchema = v.strictObject({
  lr: v.optional(
    number("a number above 0", (x) => Number.isFinite(x) && x > 0),
    1e-3,
  ),
  betas: v.optional(
    v.custom<readonly [number, number]>(
      (x) => Array.isArray(x) && x.length === 2 && x.every((beta) => typeof beta === "number" && beta >= 0 && Math.fround(beta) < 1),
      "two numbers within [0, 1), in float32 too",
    ),
    [0.9, 0.95],
  ),
  // The optimiser scales ε like the moments. The result must be a float32 number above 0.
  eps: v.optional(
    number("a number within [1e-56, 1e26]", (x) => x >= 1e-56 && x <= 1e26),
    1e-15,
  ),
  weightDecay: v.optional(
    number("a number of at least 0", (x) => Number.isFinite(x) && x >= 0),
    0.01,
  ),
  decays: v.optional(
    v.custom<(name: string) => boolean>((x) => typeof x === "function", "a function"),
    () => () => true,
  ),
  clipNorm: v.optional(
    number("a number above 0", (x) => x > 0),
    1,
  ),
  auxLossCoef: v.optional(number("a number of at least 0", (x) => Number.isFinite(x) && x >= 0)),
  microBatchTokens: v.optional(count, 8192),
  temperature: v.optional(
    number("a number within [1e-3, 1e3]", (x) => x >= 1e-3 && x <= 1e3),
    1,
  ),
  checkpointing: v.optional(flag, false),
});
