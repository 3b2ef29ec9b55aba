import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/model/config.js";
import { GREEDY_PROMPT, goldenCases, readGolden } from "../support/golden.js";
import { GOLDEN, goldenState, maxAbsDiff, REFERENCE_SHARE, rounding } from "../support/tolerance.js";
import { referenceForward } from "./model.js";
import { slopes } from "./slopes.js";

describe.each(goldenCases())("the float64 reference ≡ the published code: $name", (directory) => {
  const golden = readGolden(directory);
  const { expected, inputIds, greedyIds, weights } = golden;
  const config = parseConfig(golden.config);
  const actual = referenceForward(config, weights, inputIds);
  // HypeNet's published float32 results differ from float64 by up to 1.7e-5 in logits, 2.6e-5 in hidden states, and 1.1e-6 of a state's largest entry.
  const share = config.dialect === "hypenet" ? 3 * REFERENCE_SHARE : REFERENCE_SHARE;

  test("logits", () => {
    expect(maxAbsDiff(actual.logits, expected.get("logits")!.data)).toBeLessThanOrEqual(share * GOLDEN.logits);
  });

  test("hidden states", () => {
    const kept = actual.hiddenStates.filter((_, i) => expected.has(`hidden_states.${i}`));
    expect(kept).toContain(actual.hiddenStates.at(-1));
    for (const [i, states] of actual.hiddenStates.entries()) {
      const published = expected.get(`hidden_states.${i}`);
      if (published) expect(maxAbsDiff(states, published.data), `layer ${i}`).toBeLessThanOrEqual(share * GOLDEN.hiddenStates);
    }
  });

  test("router logits", () => {
    for (const [i, logits] of actual.routerLogits.entries()) {
      // HypeNet has no routers.
      const published = expected.get(`router_logits.${i}`)?.data ?? [];
      expect(published.length).toBe(logits.length);
      expect(maxAbsDiff(logits, published), `layer ${i}`).toBeLessThanOrEqual(share * GOLDEN.routerLogits);
    }
  });

  // transformers does not return its states.
  if (config.dialect !== "minimax") {
    test("lightning states", () => {
      for (const [i, state] of actual.lightningStates.entries()) {
        const published = expected.get(`lightning_state.${i}`)?.data;
        expect(published === undefined).toBe(state === undefined);
        if (state && published) {
          expect(maxAbsDiff(state, published), `layer ${i}`).toBeLessThanOrEqual(share * goldenState(published));
        }
      }
    });
  }

  test("greedy ids: every generated token is the argmax after those before it", () => {
    const { logits } = referenceForward(config, weights, greedyIds);
    const length = greedyIds[0]!.length;
    const argmax = (row: number) => {
      const values = logits.subarray(row * config.vocabSize, (row + 1) * config.vocabSize);
      return values.indexOf(Math.max(...values));
    };
    for (const [sequence, ids] of greedyIds.entries()) {
      expect(ids.slice(0, GREEDY_PROMPT)).toEqual(inputIds[sequence]!.slice(0, GREEDY_PROMPT));
      const predicted = ids.map((_, t) => argmax(sequence * length + t)).slice(GREEDY_PROMPT - 1, -1);
      expect(predicted).toEqual(ids.slice(GREEDY_PROMPT));
    }
  });
});

test("the six cases of the repository are found", () => {
  const names = ["hf-minimax", "hypenet-options", "hypenet-tiny", "m1-blocks", "m1-tiny", "prenorm-shared"];
  expect(goldenCases().map(({ name }) => name)).toEqual(expect.arrayContaining(names));
});

test("the slopes of transformers ≡ the buffers in its own file", () => {
  const { config: json, weights } = readGolden(goldenCases().find(({ name }) => name === "hf-minimax")!);
  const config = parseConfig(json);
  for (const [layer, type] of config.attnTypeList.entries()) {
    const buffer = weights.get(`model.layers.${layer}.self_attn.slope_rate`);
    expect(buffer === undefined).toBe(type === 1);
    if (!buffer) continue;
    const expected = slopes("minimax", config.numAttentionHeads, layer, config.numHiddenLayers);
    for (const [h, slope] of expected.entries()) expect(Math.abs(buffer.data[h]! - slope)).toBeLessThanOrEqual(rounding(2, slope));
  }
});
