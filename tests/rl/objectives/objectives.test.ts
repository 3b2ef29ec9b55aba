import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { groupOutcome } from "../../../src/rl/curriculum/index.js";
import { groupAdvantages } from "../../../src/rl/objectives/advantages.js";
import type { PolicyBatch, PolicyLoss } from "../../../src/rl/objectives/index.js";
import * as objectives from "../../../src/rl/objectives/index.js";
import { facts } from "../../support/facts.js";
import { maxAbs, maxAbsDiff, OBJECTIVES } from "../../support/tolerance.js";
import { cases, flat } from "./policy-batches.js";

const { cispo, dapo, dualClip, fromEpsilons, grpo, gspo, reinforce, unified } = objectives;

interface Vectors {
  old: number[][];
  new: number[][];
  mask: number[][];
  rewards: number[];
  ratios: number[][];
  cases: Record<
    string,
    { params: { lo?: number; hi?: number; min?: number; max?: number; c?: number }; loss: number; grad_wrt_logp: number[][] }
  >;
  [advantages: `advantages_${string}`]: number[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL("../../golden/policy-losses/vectors.json", import.meta.url), "utf8"));
const ragged = (rows: number[][]) => rows.map((row) => Float64Array.from(row));
const fixture: PolicyBatch = {
  logp: ragged(vectors.new),
  logpOld: ragged(vectors.old),
  mask: ragged(vectors.mask),
  advantages: groupAdvantages(vectors.rewards, { ddof: 1, eps: 1e-6 }),
};

/** Each reference case as a call. */
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

describe("reference cases, with an empty response and a masked token", () => {
  test("all cases are covered", () => expect(Object.keys(calls).sort()).toEqual(Object.keys(vectors.cases).sort()));

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

describe("gradients by region of r", () => {
  const [low, high] = [0.5, 2];
  const regions = [
    { A: 1, r: high },
    { A: 1, r: low },
    { A: -1, r: high },
    { A: -1, r: low },
    { A: 1, r: 1.1 },
    { A: -1, r: 1.1 },
    { A: 1, r: 8 },
    { A: -1, r: 8 },
  ];
  /** The factor of −A in the gradient of a single token. */
  const weight = (objective: typeof dapo, { A, r }: { A: number; r: number }) =>
    -objective({ logp: [[-3 + Math.log(r)]], logpOld: [[-3]], mask: [[1]], advantages: [A] }).dLogp[0]![0]! / A;

  test.each([
    ["reinforce", reinforce, [2, 0.5, 2, 0.5, 1.1, 1.1, 8, 8]],
    ["grpo", grpo, [0, 0.5, 2, 0, 1.1, 1.1, 0, 8]],
    ["dapo", dapo, [0, 0.5, 2, 0, 1.1, 1.1, 0, 8]],
    ["dualClip", dualClip, [0, 0.5, 2, 0, 1.1, 1.1, 0, 0]],
    ["cispo", cispo, [2, 0.5, 2, 0.5, 1.1, 1.1, 5, 5]],
  ] as const)("%s", (_, objective, expected) => {
    expect(
      maxAbsDiff(
        regions.map((region) => weight(objective, region)),
        expected,
      ),
    ).toBeLessThanOrEqual(OBJECTIVES);
  });
});

test("the gradient passes exactly on a bound", () => {
  const d = 0.25;
  const at = (A: number, d: number): PolicyBatch => ({ logp: [[-1 + d]], logpOld: [[-1]], mask: [[1]], advantages: [A] });
  const bounds = { minWeight: Math.exp(-d), maxWeight: Math.exp(d) };
  const trust = { maxWeight: Number.POSITIVE_INFINITY, trust: bounds };
  for (const [A, moved] of [
    [1, d],
    [-1, -d],
  ] as const) {
    for (const slope of [
      grpo(at(A, moved), bounds),
      dualClip(at(A, moved), { ...bounds, cap: 2 }),
      gspo(at(A, moved), bounds),
      unified(at(A, moved), trust),
    ].map(({ dLogp }) => dLogp[0]![0]!)) {
      expect(slope).toBe(-A * Math.exp(moved));
    }
  }
  expect(dualClip(at(-1, 1), { cap: Math.E }).dLogp[0]![0]).toBe(Math.exp(1));
});

test("default options are those of the papers", () => {
  expect(grpo(fixture)).toEqual(grpo(fixture, { ...fromEpsilons(0.2, 0.2), aggregation: "sequence" }));
  expect(dapo(fixture)).toEqual(dapo(fixture, { ...fromEpsilons(0.2, 0.28), aggregation: "token" }));
  expect(dualClip(fixture)).toEqual(dualClip(fixture, { ...fromEpsilons(0.2, 0.2), cap: 3, aggregation: "token" }));
  expect(cispo(fixture)).toEqual(cispo(fixture, { ...fromEpsilons(1, 4), aggregation: "token", scope: "minibatch", empty: "count" }));
  expect(reinforce(fixture)).toEqual(reinforce(fixture, { aggregation: "token", klCoef: 0 }));
  // Responses with s just within GSPO's bounds and just outside.
  const ratios = [1 - 3.1e-4, 1 - 2.9e-4, 1 + 3.9e-4, 1 + 4.1e-4];
  const slopes = ratios.map(
    (s) => gspo({ logp: [[Math.log(s)]], logpOld: [[0]], mask: [[1]], advantages: [s > 1 ? 1 : -1] }).dLogp[0]![0]!,
  );
  expect(slopes.map((slope) => slope === 0)).toEqual([true, false, false, true]);
});

describe("an empty batch", () => {
  const nothing = { logp: [[-1, -2], []], logpOld: [[-1, -1], []], mask: [[0, 0], []], advantages: [1, -1], groups: [0, 1] };
  test.each(cases)("$name: loss and gradient are 0, and no statistic is NaN", ({ objective, options }) => {
    for (const more of [{}, { empty: "skip" }, { scope: "group" }, { scope: "group", empty: "skip", aggregation: "sequence" }] as const) {
      const { loss, dLogp, stats } = objective(nothing, { ...options, ...more });
      expect(Math.abs(loss)).toBe(0);
      expect(flat(dLogp).every((d) => d === 0)).toBe(true);
      expect(Object.values({ ...stats, ...stats.ratio, ...stats.kl, ...stats.clipFraction }).flat()).not.toContain(Number.NaN);
      expect(stats.tokens).toBe(0);
    }
    expect(objective({ logp: [], logpOld: [], mask: [], advantages: [] }, options).dLogp).toEqual([]);
  });
});

test("a group of equal rewards has no gradient and is not kept", () => {
  const advantages = groupAdvantages([0.3, 0.1 + 0.2, 0.3, 0.3]);
  for (const { objective, options } of cases) {
    expect(maxAbs(flat(objective({ ...fixture, advantages }, options).dLogp))).toBe(0);
  }
  expect(groupOutcome([true, true, true, true])).toBe("all right");
});

describe("log-ratios beyond ±20 are clamped", () => {
  const far = (d: number, A: number): PolicyBatch => ({ logp: [[d / 2]], logpOld: [[-d / 2]], mask: [[1]], advantages: [A] });
  test.each([30, -30, 1e8, -1e8])("d = %d", (d) => {
    for (const A of [1, -1]) {
      const slope = (objective: typeof dapo) => objective(far(d, A)).dLogp[0]![0]!;
      for (const objective of [grpo, dapo, dualClip, gspo]) expect(Math.abs(slope(objective))).toBe(0);
      expect(slope(cispo)).toBe(-A * Math.min(5, Math.exp(20 * Math.sign(d))));
      expect(slope(reinforce)).toBe(-A * Math.exp(20 * Math.sign(d)));
    }
    const { loss, dLogp } = cispo({ ...far(0, 0), logpRef: [[d]] }, { klCoef: 1 });
    expect(loss).toBeGreaterThan(0);
    expect(loss).toBeLessThan(Math.exp(20));
    expect(Math.abs(dLogp[0]![0]!)).toBe(0);
  });
});

test("statistics cover unmasked tokens only", () => {
  const r = vectors.ratios.flatMap((row, i) => row.filter((_, t) => vectors.mask[i]![t] === 1));
  const d = r.map(Math.log);
  const mean = (x: number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const { stats } = cispo({ ...fixture, logpRef: fixture.logpOld });
  expect(stats.tokens).toBe(8);
  expect(stats.clipFraction).toEqual({ all: 2 / 8, positive: 1 / 6, negative: 1 / 2 });
  expect(dapo(fixture).stats.clipFraction).toEqual({ all: 4 / 8, positive: 3 / 6, negative: 1 / 2 });
  expect(reinforce(fixture).stats.clipFraction).toEqual({ all: 0, positive: 0, negative: 0 });
  const sorted = [...r].sort((a, b) => a - b);
  const expected = [
    [stats.ratio.mean, mean(r)],
    [stats.ratio.min, sorted[0]!],
    [stats.ratio.p05, sorted[0]! + 0.35 * (sorted[1]! - sorted[0]!)],
    [stats.ratio.p50, (sorted[3]! + sorted[4]!) / 2],
    [stats.ratio.max, sorted[7]!],
    [stats.effectiveSampleSize, (8 * mean(r)) ** 2 / (8 * mean(r.map((x) => x * x)))],
    [stats.meanAbsLogRatio, mean(d.map(Math.abs))],
    [stats.kl.k1, -mean(d)],
    [stats.kl.k3, mean(r.map((x) => x - 1 - Math.log(x)))],
    [stats.klRef!, mean(r.map((x) => 1 / x - 1 + Math.log(x)))],
  ] as const;
  for (const [got, wanted] of expected) expect(Math.abs(got - wanted)).toBeLessThanOrEqual(OBJECTIVES * Math.max(1, wanted));
  expect(dapo(fixture).stats.klRef).toBeUndefined();
});

test("epsilons are offsets from 1", () => {
  expect(fromEpsilons(0.2, 0.28)).toEqual({ minWeight: 0.8, maxWeight: 1.28 });
  expect(fromEpsilons(10, 4)).toEqual({ minWeight: 0, maxWeight: 5 });
  expect(() => fromEpsilons(-0.2, 0.2)).toThrow(facts("fromEpsilons: low: …number…0…-0.2"));
  expect(() => fromEpsilons(0.2, Number.NaN)).toThrow(facts("fromEpsilons: high: …number…0…NaN"));
});

describe("invalid arguments", () => {
  const good = { logp: [[-1, -2], [-1]], logpOld: [[-1, -1], [-2]], mask: [[1, 1], [1]], advantages: [1, -1] };
  test.each([
    [{ logp: 3 }, "cispo: logp: …array of numbers per response…number"],
    [{ logp: [-1, -2] }, "cispo: logp[0]: …array…number"],
    [{ logp: [[-1, Number.NaN], [-1]] }, "cispo: logp[0][1]: …number…[-1e9, 1e9]…NaN"],
    [{ logp: [[-1, -Infinity], [-1]] }, "cispo: logp[0][1]: …number…[-1e9, 1e9]…-Infinity"],
    [{ logp: [[-1, "2"], [-1]] }, "cispo: logp[0][1]: …number…[-1e9, 1e9]…2"],
    [{ logpOld: [[-1, -1]] }, "cispo: logpOld: …2…1"],
    [{ logpOld: [[-1], [-2]] }, "cispo: logpOld[0]: expected 2 tokens as in logp, got 1"],
    [{ logpOld: null }, "cispo: logpOld: …array of numbers per response…null"],
    [{ mask: [[1, 1], [0.5]] }, "cispo: mask[1][0]: expected 0 or 1, got 0.5"],
    [
      {
        mask: [
          [1, 1],
          [1, 1],
        ],
      },
      "cispo: mask[1]: expected 1 tokens as in logp, got 2",
    ],
    [{ advantages: [1] }, "cispo: advantages: …2…1"],
    [{ advantages: [1, null] }, "cispo: advantages[1]: …number…[-1e9, 1e9]…null"],
    [{ advantages: undefined }, "cispo: advantages: …array…undefined"],
    [{ groups: [0] }, "cispo: groups: …2…1"],
    [{ minibatch: { mask: [[2]], first: 0 } }, "cispo: minibatch.mask[0][0]: expected 0 or 1, got 2"],
    [{ minibatch: { mask: good.mask, groups: [0], first: 0 } }, "cispo: minibatch.groups: …2…1"],
    [{ minibatch: { mask: good.mask, first: 1 } }, "cispo: minibatch.first: …2…2…1"],
    [{ minibatch: { mask: good.mask } }, "cispo: minibatch.first: …2…2…undefined"],
    [{ logpRef: [[-1, -1], []] }, "cispo: logpRef[1]: expected 1 tokens as in logp, got 0"],
  ])("a batch with %j", (wrong, message) => {
    expect(() => cispo({ ...good, ...wrong } as never)).toThrow(facts(message));
  });

  test("no batch at all", () => {
    expect(() => gspo(undefined as never)).toThrow(facts("gspo: …{ logp, logpOld, mask, advantages }…undefined"));
    expect(() => gspo(null as never)).toThrow(facts("gspo: …{ logp, logpOld, mask, advantages }…null"));
  });

  test.each([
    [{ maxWeight: 0 }, "cispo: maxWeight: …number…0…0"],
    [{ minWeight: 6 }, "cispo: maxWeight: …minWeight… 6…5"],
    [{ epsilonHigh: 0.2 }, "cispo: epsilonHigh: unknown option"],
    [{ klCoef: 0.1 }, "cispo: logpRef: …log-probabilities…klCoef"],
    [{ klCoef: -1 }, "cispo: klCoef: …number…[0, 1e9]…-1"],
    [{ scope: "group" }, 'cispo: groups: …"group"'],
    [{ scope: "batch" }, 'cispo: scope: expected "minibatch" or "group", got "batch"'],
    [{ aggregation: "mean" }, 'cispo: aggregation: …"token"…"sequence"…{ constant: above 0 }…{ mix: within [0, 1] }…"mean"'],
    [{ aggregation: { constant: 0 } }, "cispo: aggregation: expected"],
    [{ aggregation: { mix: 2 } }, "cispo: aggregation: expected"],
    [{ aggregation: { mix: 0.5, constant: 1 } }, "cispo: aggregation: expected"],
  ])("options %j", (wrong, message) => {
    expect(() => cispo(good, wrong as never)).toThrow(facts(message));
  });

  test("options of single objectives", () => {
    expect(() => unified(good, { trust: { minWeight: 2, maxWeight: 1 } })).toThrow(facts("unified: trust: maxWeight: …minWeight… 2"));
    expect(() => dualClip(good, { cap: 1.1 })).toThrow(facts("dualClip: cap: …maxWeight… 1.2…1.1"));
    expect(() => dualClip(good, { cap: 1 })).toThrow(facts("dualClip: cap: …number…1…1"));
    expect(() => reinforce(good, { maxWeight: 5 } as never)).toThrow("reinforce: maxWeight: unknown option");
  });
});

test.each([
  [cispo, "token"],
  [dapo, "token"],
  [reinforce, "token"],
  [dualClip, "token"],
  [unified, "token"],
  [grpo, "sequence"],
  [gspo, "sequence"],
] as const)("%o has the default aggregation %s", (objective, usual) => {
  const batch = { logp: [[-1], [-1, -2]], logpOld: [[-1.1], [-1, -2.1]], mask: [[1], [1, 1]], advantages: [1, -0.5] };
  const other = usual === "token" ? "sequence" : "token";
  expect(objective(batch)).toEqual(objective(batch, { aggregation: usual }));
  expect(objective(batch).dLogp).not.toEqual(objective(batch, { aggregation: other }).dLogp);
});
