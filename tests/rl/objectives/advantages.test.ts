import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchAdvantages, groupAdvantages } from "../../../src/rl/objectives/advantages.js";
import { facts } from "../../support/facts.js";
import { maxAbs, maxAbsDiff, OBJECTIVES, PRINTED } from "../../support/tolerance.js";

/** `size` rewards, of which the first `right` are 1 and the others 0. */
const binary = (right: number, size: number) => Array.from({ length: size }, (_, i) => Number(i < right));
const rewards = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 2, maxLength: 16 });

describe("binary rewards", () => {
  test.each([
    [8, 2, 1.62018, -0.54006, 1.73205, -0.57735],
    [8, 1, 2.47487, -0.35355, 2.64575, -0.37796],
    [8, 7, 0.35355, -2.47487, 0.37796, -2.64575],
    [16, 1, 3.74999, -0.25, 3.87298, -0.2582],
  ])("%d responses, %d right", (size, right, up, down, up0, down0) => {
    for (const [advantages, expected] of [
      [groupAdvantages(binary(right, size), { ddof: 1, eps: 1e-6 }), [up, down]],
      [groupAdvantages(binary(right, size)), [up, down]],
      [groupAdvantages(binary(right, size), { ddof: 0, eps: 0 }), [up0, down0]],
    ] as const) {
      expect(maxAbsDiff([advantages[0]!, advantages.at(-1)!], expected)).toBeLessThanOrEqual(PRINTED);
    }
  });
});

describe("equal rewards give advantages of exactly 0", () => {
  test.each([
    ["equal rewards", [0.1, 0.1, 0.1]],
    ["what float32 makes of equal ones", Float32Array.of(0.1 + 0.2, Math.fround(0.1) + Math.fround(0.2), 0.3)],
    ["large ones", [1e9, 1e9, 1e9]],
    ["zeros", [0, -0, 0]],
    ["differences without a square", [0, 1e-200]],
    ["one", [5]],
    ["one that can be scored", [null, 5, null]],
    ["none that can be scored", [null, null]],
  ])("%s", (_, group) => {
    for (const options of [{}, { ddof: 0, eps: 0 }, { scale: "none" }] as const) {
      expect(maxAbs(groupAdvantages(group, options))).toBe(0);
    }
    const [advantages, others] = batchAdvantages([group, [0, 1]], { eps: 0 });
    expect(maxAbs(advantages!)).toBe(0);
    expect(maxAbs(others!)).toBeGreaterThan(0);
  });
});

test("null rewards have advantage 0 and do not enter the baseline", () => {
  const advantages = groupAdvantages([1, null, 0, null, 0]);
  expect(advantages[1]).toBe(0);
  expect(advantages[3]).toBe(0);
  expect(maxAbsDiff([advantages[0]!, advantages[2]!, advantages[4]!], groupAdvantages([1, 0, 0]))).toBe(0);
});

describe("laws", () => {
  test("advantages of a group add up to 0", () =>
    fc.assert(
      fc.property(rewards, fc.constantFrom("group", "none"), (group, scale) => {
        const sum = groupAdvantages(group, { scale }).reduce((total, A) => total + A, 0);
        expect(Math.abs(sum)).toBeLessThanOrEqual(OBJECTIVES * 1e6);
      }),
    ));

  test("scaled rewards have the same advantages, apart from ε", () =>
    fc.assert(
      fc.property(rewards, fc.double({ min: 0.01, max: 100, noNaN: true }), fc.constantFrom(0, 1), (group, k, ddof) => {
        const spread = Math.max(...group) - Math.min(...group);
        fc.pre(spread > 1e-3);
        const scaled = groupAdvantages(
          group.map((reward) => k * reward),
          { ddof, eps: 0 },
        );
        expect(maxAbsDiff(scaled, groupAdvantages(group, { ddof, eps: 0 }))).toBeLessThanOrEqual(OBJECTIVES * 1e6);
      }),
    ));

  test("a batch of one group has the group's advantages; without scaling they are rewards minus their mean", () =>
    fc.assert(
      fc.property(rewards, (group) => {
        expect(batchAdvantages([group])).toEqual([groupAdvantages(group)]);
        fc.pre(Math.max(...group) - Math.min(...group) > 1e-3);
        const mean = group.reduce((sum, reward) => sum + reward, 0) / group.length;
        expect(
          maxAbsDiff(
            groupAdvantages(group, { scale: "none" }),
            group.map((reward) => reward - mean),
          ),
        ).toBeLessThanOrEqual(OBJECTIVES * 10);
      }),
    ));
});

test("batchAdvantages divides all groups by the same standard deviation", () => {
  const [a, b] = batchAdvantages(
    [
      [0, 1],
      [0, 10, null],
    ],
    { ddof: 0, eps: 0 },
  ) as [Float64Array, Float64Array];
  const std = Math.sqrt((0 + 1 + 0 + 100) / 4 - (11 / 4) ** 2);
  expect(maxAbsDiff(a, [-0.5 / std, 0.5 / std])).toBeLessThanOrEqual(OBJECTIVES);
  expect(maxAbsDiff(b, [-5 / std, 5 / std, 0])).toBeLessThanOrEqual(OBJECTIVES);
});

test.each([
  [() => groupAdvantages([]), "groupAdvantages: rewards: …reward"],
  [() => groupAdvantages([1, Number.NaN]), "groupAdvantages: rewards[1]: …number…[-1e9, 1e9]…null…NaN"],
  [() => groupAdvantages([1, Infinity]), "groupAdvantages: rewards[1]: expected a number"],
  [() => groupAdvantages([1, undefined as never]), "groupAdvantages: rewards[1]: expected a number"],
  [() => groupAdvantages(["1" as never, 2]), "groupAdvantages: rewards[0]: expected a number"],
  [() => groupAdvantages(1 as never), "groupAdvantages: rewards: …array…number"],
  [() => groupAdvantages(null as never), "groupAdvantages: rewards: …array…null"],
  [() => groupAdvantages([0, 1], { ddof: 2 as never }), "groupAdvantages: ddof: expected 0 or 1, got 2"],
  [() => groupAdvantages([0, 1], { eps: -1 }), "groupAdvantages: eps: …number…[0, 1e9]…-1"],
  [() => groupAdvantages([0, 1], { scale: "batch" as never }), 'groupAdvantages: scale: expected "group" or "none", got "batch"'],
  [() => batchAdvantages([[1], []]), "batchAdvantages: groups[1]: …reward"],
  [() => batchAdvantages(3 as never), "batchAdvantages: groups: …array…number"],
])("invalid rewards are errors (%#)", (call, message) => {
  expect(call).toThrow(facts(message));
});
