import { describe, expect, test } from "vitest";
import { deploymentMemory, guideClaims, usableBytes } from "../../src/analysis/index.js";
import { graph, minimaxM1, tinyM1 } from "../../src/index.js";

const m1 = graph(minimaxM1);

describe("MiniMax's deployment guide: int8 experts on 8 GPUs, up to 2 million tokens on H800, up to 5 million on H20", () => {
  const claims = guideClaims(m1);
  const at = (context: number) => deploymentMemory(m1, { weights: "experts_int8", tensorParallel: 8, context });
  /** One sequence of that many tokens, and `states` states: vLLM takes room for all of them when it starts. */
  const total = (context: number, states: number): number => at(context).totalBytes + (states - 1) * at(16).stateBytes;

  test("both statements", () => {
    expect(claims.map(({ gpu, gpuCount, claimedTokens }) => [gpu.name, gpuCount, claimedTokens])).toEqual([
      ["H800", 8, 2_000_000],
      ["H20", 8, 5_000_000],
    ]);
  });

  test("with room for 1 and for 128 states both fit, and 5 million not on H800", () => {
    const h800 = claims[0]!.usableBytes;
    for (const { gpu, claimedTokens, usableBytes: usable, verdicts } of claims) {
      expect(usable).toBe(usableBytes(gpu, 0.95));
      for (const { states, totalBytes, holds } of verdicts) {
        expect(holds).toBe(true);
        expect(totalBytes).toBe(total(claimedTokens, states));
        expect(totalBytes).toBeLessThanOrEqual(usable);
        expect(total(5_000_000, states)).toBeGreaterThan(h800);
      }
    }
  });

  test("the limits are 3.2 and 6.3 million with one state, 2.4 and 5.4 million with 128, and exact", () => {
    const millions = claims.map(({ verdicts }) => verdicts.map(({ states, mostTokens }) => [states, (mostTokens / 1e6).toFixed(1)]));
    expect(millions).toEqual([
      [
        [1, "3.2"],
        [128, "2.4"],
      ],
      [
        [1, "6.3"],
        [128, "5.4"],
      ],
    ]);
    for (const { usableBytes: usable, verdicts } of claims) {
      for (const { states, mostTokens } of verdicts) {
        expect(total(mostTokens, states)).toBeLessThanOrEqual(usable);
        expect(total(mostTokens + 16, states)).toBeGreaterThan(usable);
      }
    }
  });

  test("where less may be used they do not hold", () => {
    const verdicts = guideClaims(minimaxM1, 0.8).flatMap(({ verdicts }) => verdicts);
    expect(verdicts.filter(({ holds }) => holds)).toEqual([]);
    for (const { mostTokens } of verdicts) expect(mostTokens).toBeLessThan(5_000_000);
  });
});

test("nothing is said of another model", () => expect(guideClaims(tinyM1)).toEqual([]));
