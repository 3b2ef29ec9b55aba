import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { deploymentMemory, guideClaims, usableBytes, VLLM_DEFAULTS } from "../../src/analysis/index.js";
import { graph, minimaxM1, tinyM1 } from "../../src/index.js";

const m1 = graph(minimaxM1);

describe("MiniMax's deployment guide: int8 experts on 8 GPUs, up to 2 million tokens on H800, up to 5 million on H20", () => {
  const claims = guideClaims(m1);
  const at = (context: number) => deploymentMemory(m1, { weights: "experts_int8", tensorParallel: 8, context });
  /** One sequence of that many tokens, and `states` states: vLLM takes room for all of them when it starts. */
  const total = (context: number, states: number): number => at(context).totalBytes + (states - 1) * at(16).stateBytes;

  test("both claims", () => {
    expect(claims.map(({ gpu, gpuCount, claimedTokens }) => [gpu.name, gpuCount, claimedTokens])).toEqual([
      ["H800", 8, 2_000_000],
      ["H20", 8, 5_000_000],
    ]);
  });

  test("both fit with room for one state; neither fits with room for the 256 that vLLM's V0 engine takes by default", () => {
    for (const { gpu, claimedTokens, verdicts } of claims) {
      expect(verdicts.map(({ states, utilization, holds }) => [states, utilization, holds])).toEqual([
        [1, 0.95, true],
        [1, 0.9, true],
        [256, 0.95, false],
        [256, 0.9, false],
      ]);
      expect(verdicts.at(-1)).toMatchObject({ states: VLLM_DEFAULTS.maxSequences, utilization: VLLM_DEFAULTS.utilization });
      for (const { states, utilization, totalBytes, usableBytes: usable } of verdicts) {
        expect(usable).toBe(usableBytes(gpu, utilization));
        expect(totalBytes).toBe(total(claimedTokens, states));
      }
    }
  });

  test("5 million tokens do not fit on H800", () => {
    for (const { states, usableBytes } of claims[0]!.verdicts) expect(total(5_000_000, states)).toBeGreaterThan(usableBytes);
  });

  test("the limits are exact", () => {
    expect(claims.map(({ verdicts }) => verdicts.map(({ mostTokens }) => (mostTokens / 1e6).toFixed(1)))).toEqual([
      ["3.2", "2.4", "1.5", "0.7"],
      ["6.3", "5.3", "4.5", "3.6"],
    ]);
    for (const { usableBytes: usable, states, mostTokens } of claims.flatMap(({ verdicts }) => verdicts)) {
      expect(total(mostTokens, states)).toBeLessThanOrEqual(usable);
      expect(total(mostTokens + 16, states)).toBeGreaterThan(usable);
    }
  });

  test("the tables of docs/ agree", () => {
    const limits = claims.map(({ verdicts }) => verdicts.map(({ mostTokens }) => `${(mostTokens / 1e6).toFixed(1)} million`));
    const guide = readFileSync(new URL("../../docs/deployment.md", import.meta.url), "utf8");
    for (const [i, { states, utilization, holds }] of claims[0]!.verdicts.entries()) {
      const [h800, h20] = limits.map((row) => `${holds ? "holds" : "does not"}, ${row[i]}`);
      expect(guide).toContain(`| ${states}, ${utilization.toFixed(2)} | ${h800} | ${h20} |`);
    }
  });

  test("they do not hold for a smaller share of memory", () => {
    const all = guideClaims(minimaxM1, 0.8).flatMap(({ verdicts }) => verdicts);
    const verdicts = all.filter(({ utilization }) => utilization === 0.8);
    expect(verdicts).toHaveLength(4);
    expect(verdicts.filter(({ holds }) => holds)).toEqual([]);
    for (const { mostTokens } of verdicts) expect(mostTokens).toBeLessThan(5_000_000);
  });
});

test("there are no claims about other models", () => expect(guideClaims(tinyM1)).toEqual([]));
