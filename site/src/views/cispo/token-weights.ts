// The weights of tokens, computed by the library's objectives.

import { cispo, dapo, dualClip, grpo, type PolicyBatch, type PolicyLoss, reinforce, unified } from "lightning-m1/rl";

/** The bounds that a reader can set. */
export interface Bounds {
  readonly cispoMin: number;
  readonly cispoMax: number;
  readonly low: number;
  readonly high: number;
  readonly dapoHigh: number;
  readonly cap: number;
}

/** The bounds of the report's figure 1 and of the papers. */
export const initialBounds: Bounds = { cispoMin: 0, cispoMax: 5, low: 0.2, high: 0.2, dapoHigh: 0.28, cap: 3 };

export const objectives = {
  cispo: { label: "CISPO", loss: (batch, b) => cispo(batch, { minWeight: b.cispoMin, maxWeight: b.cispoMax }) },
  grpo: { label: "GRPO, PPO", loss: (batch, b) => grpo(batch, { minWeight: 1 - b.low, maxWeight: 1 + b.high }) },
  dapo: { label: "DAPO", loss: (batch, b) => dapo(batch, { minWeight: 1 - b.low, maxWeight: 1 + b.dapoHigh }) },
  "dual-clip": {
    label: "Dual-clip PPO",
    loss: (batch, b) => dualClip(batch, { minWeight: 1 - b.low, maxWeight: 1 + b.high, cap: Math.max(b.cap, 1 + b.high) }),
  },
  unified: {
    label: "CISPO with DAPO's mask",
    loss: (batch, b) =>
      unified(batch, { minWeight: b.cispoMin, maxWeight: b.cispoMax, trust: { minWeight: 1 - b.low, maxWeight: 1 + b.dapoHigh } }),
  },
  reinforce: { label: "REINFORCE", loss: (batch) => reinforce(batch) },
} satisfies Record<string, { label: string; loss: (batch: PolicyBatch, bounds: Bounds) => PolicyLoss }>;

export type ObjectiveName = keyof typeof objectives;
export const objectiveNames = Object.keys(objectives) as ObjectiveName[];

/**
 * Computes the weight of one token for each importance ratio: the factor of A ∇log π_θ in the gradient. Every ratio is a response of one
 * token, so that the mean over responses and the mean over tokens are the same.
 */
export function tokenWeights(name: ObjectiveName, ratios: readonly number[], advantage: 1 | -1, bounds: Bounds): number[] {
  const logpOld = -3;
  const batch: PolicyBatch = {
    logp: ratios.map((r) => [logpOld + Math.log(r)]),
    logpOld: ratios.map(() => [logpOld]),
    mask: ratios.map(() => [1]),
    advantages: ratios.map(() => advantage),
  };
  const { dLogp } = objectives[name].loss(batch, bounds);
  // A weight of -0 would be printed as such.
  return dLogp.map(([d]) => (-d! * ratios.length) / advantage + 0);
}
