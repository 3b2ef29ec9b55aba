import * as v from "valibot";
import { count, index, number } from "../base/options.js";

/** Learning rate schedule of a run. It gives a factor of the trainer's learning rate for each step. */
export interface Schedule {
  /** Number of steps of linear warm-up (0). Step t has the factor (t + 1) / warmup. */
  readonly warmup?: number;
  /**
   * Shape after the warm-up (`"cosine"`).
   *
   * - `"cosine"` decays along a cosine to `floor` over the remaining steps.
   * - `"constant"` does not decay.
   * - `"wsd"` (warm-up, stable, decay) is constant, and then decays linearly to `floor` over the last `decaySteps`.
   */
  readonly decay?: "cosine" | "constant" | "wsd";
  /** Number of steps of the linear decay of `"wsd"` (a tenth of the run). */
  readonly decaySteps?: number;
  /** Factor at the end of the run (0.1). */
  readonly floor?: number;
}

export const scheduleSchema = v.pipe(
  v.strictObject({
    warmup: v.optional(index, 0),
    decay: v.optional(v.picklist(["cosine", "constant", "wsd"], '"cosine", "constant" or "wsd"'), "cosine"),
    decaySteps: v.optional(count),
    floor: v.optional(
      number("a number within [0, 1]", (x) => x >= 0 && x <= 1),
      0.1,
    ),
  }),
  v.forward(
    v.check(({ decay, decaySteps }) => decaySteps === undefined || decay === "wsd", 'no value unless decay is "wsd"'),
    ["decaySteps"],
  ),
);

/**
 * Computes the factor of the learning rate at step t of n, counted from 0. During the warm-up it is `(t + 1) / warmup`. After that:
 *
 *     cosine   floor + (1 − floor) (1 + cos(π p)) / 2    p from 0 to 1 over all remaining steps (Loshchilov and Hutter 2017)
 *     wsd      floor + (1 − floor) (1 − p)               p = 0, then to 1 over the last `decaySteps` (Hu et al. 2024, Hägele et al. 2024)
 */
export function scheduleFactor(t: number, n: number, { warmup = 0, decay = "cosine", decaySteps, floor = 0.1 }: Schedule): number {
  if (t < warmup) return (t + 1) / warmup;
  if (decay === "constant") return 1;
  const begin = decay === "wsd" ? Math.max(warmup, n - (decaySteps ?? Math.ceil(n / 10))) : warmup;
  const progress = n > begin ? Math.min(1, Math.max(0, (t - begin) / (n - begin))) : 1;
  const left = decay === "wsd" ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2;
  return floor + (1 - floor) * left;
}
