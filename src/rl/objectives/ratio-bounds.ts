import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { number } from "../../base/options.js";
import { printed } from "../../base/printed.js";

/** Bounds of an importance weight r = π_θ / π_old, as they are: `{ minWeight: 0, maxWeight: 5 }` lets r be within (0, 5]. 0 below and `Infinity` above are none. */
export interface Bounds {
  readonly minWeight: number;
  readonly maxWeight: number;
}

/**
 * The bounds [1 − low, 1 + high] that papers write as epsilons: DAPO's are `fromEpsilons(0.2, 0.28)`. A `low` of 1 or more, as the M1 report has it, bounds nothing.
 *
 * @throws {InputError} an epsilon below 0
 */
export function fromEpsilons(low: number, high: number): Bounds {
  for (const [name, epsilon] of Object.entries({ low, high })) {
    if (!(epsilon >= 0)) throw new InputError(`fromEpsilons: ${name}: expected a number of at least 0, got ${printed(epsilon)}`);
  }
  return { minWeight: Math.max(0, 1 - low), maxWeight: 1 + high };
}

/** `clip(r, minWeight, maxWeight)` */
export function clip(ratio: number, { minWeight, maxWeight }: Bounds): number {
  return Math.min(Math.max(ratio, minWeight), maxWeight);
}

/** The two bounds as options, with these for those that are not given. */
export function boundsEntries({ minWeight, maxWeight }: Bounds) {
  return {
    minWeight: v.optional(
      number("a number below Infinity; 0 or less is no bound", (x) => x < Number.POSITIVE_INFINITY),
      minWeight,
    ),
    maxWeight: v.optional(
      number("a number above 0", (x) => x > 0),
      maxWeight,
    ),
  };
}

/** @throws {InputError} bounds with nothing between them */
export function checkBounds({ minWeight, maxWeight }: Bounds, where: string): void {
  if (minWeight > maxWeight) {
    throw new InputError(
      `${where}: maxWeight: expected at least minWeight, ${minWeight}, got ${printed(maxWeight)} (bounds are of the weight itself; fromEpsilons makes them of offsets from 1)`,
    );
  }
}
