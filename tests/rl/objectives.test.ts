import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { groupAdvantages } from "../../src/rl/advantages.js";
import type { PolicyBatch, PolicyLoss } from "../../src/rl/objectives/index.js";
import * as objectives from "../../src/rl/objectives/index.js";
import { maxAbsDiff, OBJECTIVES } from "../support/tolerance.js";
import { flat } from "./policies.js";

const { cispo, dapo, dualClip, fromEpsilons, grpo, gspo, reinforce, unified } = objectives;

interface Vectors {
  old: number[][];
  new: number[][];
  mask: number[][];
  rewards: number[];
  cases: Record<
    string,
    { params: { lo?: number; hi?: number; min?: number; max?: number; c?: number }; loss: number; grad_wrt_logp: number[][] }
  >;
  [advantages: `advantages_${string}`]: number[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL("../golden/policy-losses/vectors.json", import.meta.url), "utf8"));
const ragged = (rows: number[][]) => rows.map((row) => Float64Array.from(row));
const fixture: PolicyBatch = {
  logp: ragged(vectors.new),
  logpOld: ragged(vectors.old),
  mask: ragged(vectors.mask),
  advantages: groupAdvantages(vectors.rewards, { ddof: 1, eps: 1e-6 }),
};

/** Each case of the vectors as a call. */
const calls: Record<string, (params: Required<Vectors["cases"][string]["params"]>) => PolicyLoss> = {
  grpo_clip: ({ lo, hi }) => grpo(fixture, fromEpsilons(lo, hi)),
  grpo_clip_verl_nonempty: ({ lo, hi }) => grpo(fixture, { ...fromEpsilons(lo, hi), empty: "skip" }),
  dapo: ({ lo, hi }) => dapo(fixture, fromEpsilons(lo, hi)),
  verl_vanilla_dualclip: ({ lo, hi, c }) => dualClip(fixture, { ...fromEpsilons(lo, hi), cap: c }),
  dr_grpo_Lmax8: ({ lo, hi }) => grpo(fixture, { ...fromEpsilons(lo, hi), aggregation: { constant: 8 } }),
  reinforce_is: () => reinforce(fixture),
  cispo_max5: ({ min, max }) => cispo(fixture, { minWeight: min, maxWeight: max }),
  cispo_max2: ({ min, max }) => cispo(fixture, { minWeight: min, maxWeight: max }),
  "cispo_trl_default_max0.2": ({ min, max }) => cispo(fixture, { minWeight: min, maxWeight: max }),
  "cispo_verl_default_0.8_1.2": ({ min, max }) => cispo(fixture, { minWeight: min, maxWeight: max }),
  "cispo_verl_example_max1.2": ({ min, max }) => cispo(fixture, { minWeight: min, maxWeight: max }),
  unified_inf_mask_eq_dapo: ({ min, max, lo, hi }) => unified(fixture, { minWeight: min, maxWeight: max, trust: fromEpsilons(lo, hi) }),
  unified_max2_mask: ({ min, max, lo, hi }) => unified(fixture, { minWeight: min, maxWeight: max, trust: fromEpsilons(lo, hi) }),
  gspo: ({ lo, hi }) => gspo(fixture, fromEpsilons(lo, hi)),
};

describe("the vectors: an empty response, a masked token", () => {
  test("all of them are here", () => expect(Object.keys(calls).sort()).toEqual(Object.keys(vectors.cases).sort()));

  test.each(Object.keys(calls))("%s", (name) => {
    const { params, loss: expected, grad_wrt_logp } = vectors.cases[name]!;
    const { loss, dLogp } = calls[name]!(params as never);
    expect(Math.abs(loss - expected)).toBeLessThanOrEqual(OBJECTIVES);
    expect(dLogp.map((row) => row.length)).toEqual(grad_wrt_logp.map((row) => row.length));
    expect(maxAbsDiff(flat(dLogp), flat(grad_wrt_logp))).toBeLessThanOrEqual(OBJECTIVES);
  });

  test.each([
    ["advantages_ddof1_eps1e-6", { ddof: 1, eps: 1e-6 }],
    ["advantages_ddof1_eps1e-4", { ddof: 1, eps: 1e-4 }],
    ["advantages_ddof0_eps0", { ddof: 0, eps: 0 }],
  ] as const)("%s", (name, options) => {
    expect(maxAbsDiff(groupAdvantages(vectors.rewards, options), vectors[name]!)).toBeLessThanOrEqual(OBJECTIVES);
  });
});
