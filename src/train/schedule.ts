import * as v from "valibot";
import { index, number } from "../runtime/options.js";

/** How the learning rate moves over a run, as shares of the trainer's. */
export interface Schedule {
  /** Steps over which it rises linearly: step t of them has the share (t + 1) / warmup (0). */
  readonly warmup?: number;
  /** Afterwards it falls along a cosine to `floor`, or stays (`"cosine"`). */
  readonly decay?: "cosine" | "constant";
  /** Share of the learning rate that is left at the end (0.1). */
  readonly floor?: number;
}

export const schedule = v.strictObject({
  warmup: v.optional(index, 0),
  decay: v.optional(v.picklist(["cosine", "constant"], '"cosine" or "constant"'), "cosine"),
  floor: v.optional(
    number("a number within [0, 1]", (x) => x >= 0 && x <= 1),
    0.1,
  ),
});

/**
 * The share of the learning rate at step t of n, from 0 on: `(t + 1) / warmup` first, then `floor + (1 − floor) (1 + cos(π p)) / 2` with p from 0 to 1 (Loshchilov and
 * Hutter 2017).
 */
export function rateAt(t: number, n: number, { warmup = 0, decay = "cosine", floor = 0.1 }: Schedule): number {
  if (t < warmup) return (t + 1) / warmup;
  if (decay === "constant") return 1;
  const progress = n > warmup ? (t - warmup) / (n - warmup) : 1;
  return floor + ((1 - floor) * (1 + Math.cos(Math.PI * Math.min(1, progress)))) / 2;
}
