import type { Surrogate } from "./policy-loss.js";
import { type Bounds, clip } from "./ratio-bounds.js";

/**
 * Returns PPO's clipped surrogate (Schulman et al. 2017) or, with a cap, the surrogate of dual-clip PPO (Ye et al. 2020):
 *
 *     J = min(r A, clip(r, minWeight, maxWeight) A)        for A < 0: at least cap · A
 *     dJ/dlogp = r A                                       0 where a bound takes effect
 *
 * A ratio exactly on a bound passes its gradient, as with PyTorch's clamp.
 */
export function clippedSurrogate(bounds: Bounds, cap = Number.POSITIVE_INFINITY): Surrogate {
  return ({ ratio: r, advantage: A, saturated }) => {
    const clipped = Math.min(r * A, clip(r, bounds) * A);
    const value = A < 0 ? Math.max(clipped, cap * A) : clipped;
    const out = saturated || (A > 0 && r > bounds.maxWeight) || (A < 0 && (r < bounds.minWeight || r > cap));
    return { value, slope: out ? 0 : r * A, clipped: out };
  };
}
