import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type ComparisonRule,
  compareGeneration,
  comparisonRules,
  costOf,
  deepseekR1,
  figurePoints,
  generationCost,
  generationFlops,
  isMiniMaxM1,
  peerCost,
  peerParameters,
  qwen3,
  ratioToDeepSeekR1,
} from "../../src/analysis/index.js";
import { minimaxM1, tinyM1 } from "../../src/index.js";

const rules = Object.keys(comparisonRules) as ComparisonRule[];

describe("peers: counts from their configurations agree with published ones", () => {
  test("total parameters, exactly those of their files", () => {
    expect(peerParameters(deepseekR1).total).toBe(671_026_419_200);
    expect(peerParameters(qwen3).total).toBe(235_093_634_560);
  });

  test.each([deepseekR1, qwen3])("activated: $name", (peer) => {
    const { total, activated, activatedWithHead } = peerParameters(peer);
    expect([total, activatedWithHead].map((count) => Math.round(count / 1e9))).toEqual([
      peer.published.parameters,
      peer.published.activated,
    ]);
    // Two operations for every activated parameter of a matrix; vectors are few.
    expect(peerCost(peer).perToken / (2 * activatedWithHead)).toBeGreaterThan(0.9999);
    expect(peerCost(peer).perToken).toBeLessThan(2 * activatedWithHead);
    expect(activated).toBeLessThan(activatedWithHead);
  });

  test("operations per pair of query and key, per layer", () => {
    expect(peerCost(deepseekR1).perPair).toBe(61 * 2 * 128 * (192 + 128));
    expect(peerCost(deepseekR1, "absorbed").perPair).toBe(61 * 2 * 128 * (576 + 512));
    expect(peerCost(qwen3).perPair).toBe(94 * 4 * 64 * 128);
    expect(generationCost(minimaxM1).perPair).toBe(10 * 4 * 64 * 128);
  });
});

test("the cost of generation has two coefficients", () => {
  for (const rule of ["causal", "square"] as const) {
    expect(costOf(generationCost(minimaxM1), 65_536, rule)).toBe(generationFlops(minimaxM1, { tokens: 65_536, rule }).total);
  }
});

test("ratios to DeepSeek-R1 at 65,536 and 100,000 tokens", () => {
  const { ratioToDeepSeekR1: ratios } = compareGeneration(minimaxM1);
  const rounded = Object.fromEntries(rules.map((rule) => [rule, Object.values(ratios[rule]).map((ratio) => Number(ratio.toFixed(4)))]));
  expect(rounded).toEqual({
    causal: [0.4446, 0.3436],
    square: [0.2897, 0.2224],
    causalAbsorbed: [0.1673, 0.1203],
    squareAbsorbed: [0.0978, 0.0719],
  });
});

test("docs/ have these ratios, and quote the report's introduction", () => {
  const guide = readFileSync(new URL("../../docs/analysis.md", import.meta.url), "utf8");
  const { ratioToDeepSeekR1: ratios } = compareGeneration(minimaxM1);
  const rows = {
    causal: "causal, expanded",
    square: "square, expanded",
    causalAbsorbed: "causal, absorbed",
    squareAbsorbed: "square, absorbed",
  };
  for (const rule of rules) {
    const [half, quarter] = Object.values(ratios[rule]).map((ratio) => `${(100 * ratio).toFixed(1)} %`);
    expect(guide.replaceAll("**", "")).toContain(`| ${rows[rule]} | ${half} | ${quarter} |`);
  }
  expect(guide).toContain(`"Approximately 25 % at 100K" agrees with the square rule: ${(100 * ratios.square[100_000]!).toFixed(1)} %.`);
});

test("with the published 45.9B and 37B in place of counted weights the ratios differ by less than a point", () => {
  const [m1, r1] = [
    { perToken: 2 * 45.9e9, perPair: 327_680 },
    { perToken: 2 * 37e9, perPair: 4_997_120 },
  ];
  const ratio = (rule: "causal" | "square") => costOf(m1, 100_000, rule) / costOf(r1, 100_000, rule);
  const { causal, square } = compareGeneration(minimaxM1).ratioToDeepSeekR1;
  for (const [crude, counted] of [
    [ratio("causal"), causal[100_000]!],
    [ratio("square"), square[100_000]!],
  ] as const) {
    expect(Math.abs(crude - counted)).toBeLessThan(0.01);
  }
});

test("the claim for 64K holds under every rule, the claim for 100K not under the causal rules", () => {
  const [half, quarter] = compareGeneration(minimaxM1).claims;
  expect(half!.holds).toEqual({ causal: true, square: true, causalAbsorbed: true, squareAbsorbed: true });
  expect(quarter!.holds).toEqual({ causal: false, square: true, causalAbsorbed: true, squareAbsorbed: true });
});

test("a claim holds from reachedAt on, and not before", () => {
  const cost = generationCost(minimaxM1);
  for (const { claimed, reachedAt } of compareGeneration(minimaxM1).claims) {
    for (const rule of rules) {
      expect(ratioToDeepSeekR1(cost, reachedAt[rule], rule)).toBeLessThanOrEqual(claimed);
      expect(ratioToDeepSeekR1(cost, reachedAt[rule] - 1, rule)).toBeGreaterThan(claimed);
    }
  }
});

test("readings of the figure lie between the rules, except MiniMax-M1 at 64,000 tokens", () => {
  const outside = compareGeneration(minimaxM1).readings.filter(({ flops, causal, square }) => flops < causal || flops > square);
  expect(outside.map(({ model, tokens }) => [model, tokens])).toEqual([["MiniMax-M1", 64_000]]);
});

test("claims are checked for MiniMax-M1 only, recognised by its numbers", () => {
  expect(isMiniMaxM1(minimaxM1.source)).toBe(true);
  expect(isMiniMaxM1(tinyM1)).toBe(false);
  const { claims, readings, series } = compareGeneration(tinyM1, "tiny");
  expect([claims, readings, series.map(({ model }) => model)]).toEqual([[], [], ["DeepSeek-R1", "Qwen3-235B-A22B", "tiny"]]);
});

test("points of the figure: 0 at 0 tokens, and increasing", () => {
  const { series } = compareGeneration(minimaxM1);
  const points = figurePoints(series, [0, 1, 1000, 1e6]).filter(({ model }) => model === "DeepSeek-R1");
  for (const rule of rules) {
    const values = points.map((point) => point[rule]!);
    expect(values[0]).toBe(0);
    expect(values).toEqual([...values].sort((a, b) => a - b));
  }
});
