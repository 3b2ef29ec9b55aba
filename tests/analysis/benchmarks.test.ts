import { describe, expect, test } from "vitest";
import { benchmarkClaims, benchmarkModels, benchmarks, leads, scoreOf, standardError, tauAverage } from "../../src/analysis/index.js";

test("every row has a score or none for every model, in percent", () => {
  for (const { name, scores } of benchmarks) {
    expect(scores, name).toHaveLength(benchmarkModels.length);
    for (const score of scores) if (score !== undefined) expect(score > 0 && score < 100, name).toBe(true);
  }
  expect(new Set(benchmarks.map(({ name }) => name)).size).toBe(17);
});

test("both MiniMax models have all scores, and every name occurs once", () => {
  for (const benchmark of benchmarks) {
    for (const model of ["MiniMax-M1-80k", "MiniMax-M1-40k"] as const) expect(scoreOf(benchmark, model)).toBeDefined();
  }
  expect(new Set(benchmarkModels.map(({ name }) => name)).size).toBe(9);
});

describe("standard error", () => {
  /** Of the fraction right in n independent questions, from all outcomes and their probabilities. */
  function enumerated(p: number, n: number): number {
    let [probability, mean, square] = [(1 - p) ** n, 0, 0];
    for (let k = 0; k <= n; k++) {
      mean += probability * (k / n);
      square += probability * (k / n) ** 2;
      probability *= ((n - k) / (k + 1)) * (p / (1 - p));
    }
    return Math.sqrt(square - mean ** 2);
  }

  test.each([
    [56, 486],
    [62, 50],
    [86, 30],
  ])("of %d percent of %d questions", (percent, questions) => {
    expect(standardError(percent, questions)).toBeCloseTo(100 * enumerated(percent / 100, questions), 9);
  });

  test("of SWE-bench Verified's 486 tasks", () => expect(standardError(56, 486).toFixed(2)).toBe("2.25"));
});

test("80k against 40k: ahead on 13, equal on 1, behind on 3; clearly so on one", () => {
  const all = leads("MiniMax-M1-80k", "MiniMax-M1-40k");
  const signs = all.map(({ points }) => Math.sign(points));
  expect([1, 0, -1].map((sign) => signs.filter((one) => one === sign).length)).toEqual([13, 1, 3]);
  expect(all.filter(({ clear }) => clear).map(({ benchmark }) => benchmark)).toEqual(["ZebraLogic"]);
  expect(leads("MiniMax-M1-40k", "MiniMax-M1-80k").map(({ points }) => points)).toEqual(
    all.map(({ points }) => (points === 0 ? 0 : -points)),
  );
});

test("a model without a score has no lead", () => {
  expect(leads("MiniMax-M1-80k", "DeepSeek-R1").map(({ benchmark }) => benchmark)).not.toContain("TAU-bench (retail)");
  expect(tauAverage("DeepSeek-R1")).toBeUndefined();
});

test("TAU-bench: 40k is ahead of 80k on average", () => {
  expect([tauAverage("MiniMax-M1-80k"), tauAverage("MiniMax-M1-40k")]).toEqual([62.75, 63.9]);
});

test("claims of the report hold, some conclusions that readers might draw do not", () => {
  const claims = benchmarkClaims();
  expect(claims.map(({ reported, holds }) => [reported, holds])).toEqual([
    [true, true],
    [false, false],
    [true, true],
    [true, true],
    [true, true],
    [false, false],
    [true, true],
  ]);
  expect(claims.map(({ because }) => because).join("\n")).toContain("62.75 against 63.9: +2.0 ± 9.8 in airline, −4.3 ± 6.3 in retail");
});
