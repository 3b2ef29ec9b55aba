import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { expectNumber } from "../arguments.js";

/**
 * Clipping bounds of the importance ratio r = π_θ / π_old. They are values of r, not offsets from 1: `{ minWeight: 0, maxWeight: 5 }` clips
 * r to (0, 5]. A `minWeight` of 0 or a `maxWeight` of `Infinity` disables that bound.
 */
export interface Bounds {
  readonly minWeight: number;
  readonly maxWeight: number;
}

/**
 * Converts the epsilons of a paper to the bounds [1 − low, 1 + high]. For example, DAPO uses `fromEpsilons(0.2, 0.28)`. A `low` of 1 or
 * more disables the lower bound, as the M1 report does for CISPO.
 *
 * @throws {InputError} an epsilon that is not a number of at least 0
 */
export function fromEpsilons(low: number, high: number): Bounds {
  for (const [name, epsilon] of Object.entries({ low, high })) {
    expectNumber(`fromEpsilons: ${name}`, epsilon, "a number of at least 0", (x) => x >= 0);
  }
  return { minWeight: Math.max(0, 1 - low), maxWeight: 1 + high };
}

/** Clips an importance ratio: min(max(r, minWeight), maxWeight). */
export function clip(ratio: number, { minWeight, maxWeight }: Bounds): number {
  return Math.min(Math.max(ratio, minWeight), maxWeight);
}

/** Schema entries of the two bounds, with their default values. */
export function boundsEntries({ minWeight, maxWeight }: Bounds) {
  return {
    minWeight: v.optional(
      number("a number below Infinity (0 or less disables the bound)", (x) => x < Number.POSITIVE_INFINITY),
      minWeight,
    ),
    maxWeight: v.optional(
      number("a number above 0", (x) => x > 0),
      maxWeight,
    ),
  };
}

/** Checks the bounds. @throws {InputError} `minWeight` above `maxWeight` */
export function checkBounds({ minWeight, maxWeight }: Bounds, where: string): void {
  if (minWeight > maxWeight) {
    throw new InputError(
      `${where}: maxWeight: expected at least minWeight (${minWeight}), got ${printed(maxWeight)} (bounds apply to the importance ratio itself; fromEpsilons converts offsets from 1)`,
    );
  }
}
