import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { availableBuilds, MiniMaxM1 } from "../../src/index.js";
import { GREEDY_PROMPT, goldenCases, readGolden } from "../support/golden.js";
import { drawSeeded, SEEDED_IDS } from "../support/seeded.js";
import { GOLDEN, goldenState, maxAbsDiff } from "../support/tolerance.js";

const builds = await availableBuilds();

describe.each(["simd", "relaxed", "debug"] as const)("build %s", (build) => {
  describe.runIf(builds.includes(build)).each(goldenCases())("$name equals the published PyTorch code", ({ name, directory }) => {
    const { inputIds, greedyIds, expected } = readGolden({ name, directory });
    const vocab = expected.get("logits")!.shape[2]!;
    const length = inputIds[0]!.length;
    let model: MiniMaxM1;

    beforeAll(async () => {
      model = await MiniMaxM1.load(directory, { build });
    });
    afterAll(() => model.dispose());

    test("logits, hidden states, router logits and states of the whole prompt", () => {
      const out = model.forward(inputIds, { hiddenStates: true, routerLogits: true, states: true });
      expect(maxAbsDiff(out.logits, expected.get("logits")!.data)).toBeLessThanOrEqual(GOLDEN.logits);
      let compared = 0;
      for (const [i, hidden] of out.hiddenStates.entries()) {
        const published = expected.get(`hidden_states.${i}`);
        if (published) expect(maxAbsDiff(hidden, published.data), `hidden_states.${i}`).toBeLessThanOrEqual(GOLDEN.hiddenStates);
        compared += Number(published !== undefined);
      }
      for (const [i, logits] of out.routerLogits.entries()) {
        expect(maxAbsDiff(logits, expected.get(`router_logits.${i}`)!.data), `router_logits.${i}`).toBeLessThanOrEqual(GOLDEN.routerLogits);
      }
      for (const [i, state] of out.lightningStates.entries()) {
        const published = expected.get(`lightning_state.${i}`);
        if (published && state)
          expect(maxAbsDiff(state, published.data), `lightning_state.${i}`).toBeLessThanOrEqual(goldenState(published.data));
      }
      expect(compared).toBeGreaterThan(0);
    });

    test.each([
      ["token by token", Array.from({ length }, (_, i) => i + 1)],
      ["cut in two", [Math.floor(length / 2), length]],
      ["cut after one token", [1, length]],
      ["cut before the last token", [length - 1, length]],
      ["cut in uneven pieces", [3, 4, 20, 37, length]],
    ])("the prompt %s", (_, ends) => {
      const cache = inputIds.map(() => model.newCache());
      let begin = 0;
      for (const end of ends) {
        const { logits } = model.forward(
          inputIds.map((ids) => ids.slice(begin, end)),
          { cache },
        );
        for (const [row] of inputIds.entries()) {
          const got = logits.subarray(row * (end - begin) * vocab, (row + 1) * (end - begin) * vocab);
          const published = expected.get("logits")!.data.subarray((row * length + begin) * vocab, (row * length + end) * vocab);
          expect(maxAbsDiff(got, published)).toBeLessThanOrEqual(GOLDEN.logits);
        }
        begin = end;
      }
      for (const one of cache) one.dispose();
    });

    test("the last token's logits alone are the same bits", () => {
      const all = model.forward(inputIds).logits;
      const last = model.forward(inputIds, { logits: "last" }).logits;
      const picked = inputIds.flatMap((_, row) => [...all.subarray(((row + 1) * length - 1) * vocab, (row + 1) * length * vocab)]);
      expect([...last]).toEqual(picked);
    });

    test.runIf(name === "m1-tiny")("a seed draws the same tokens on every build", async () => {
      expect(await drawSeeded(model)).toEqual(SEEDED_IDS);
    });

    test("greedy ids, one sequence at a time and all at once, in any prefill chunks", async () => {
      const prompts = greedyIds.map((ids) => ids.slice(0, GREEDY_PROMPT));
      const maxTokens = greedyIds[0]!.length - GREEDY_PROMPT;
      for (const prefillChunk of [1, 5, 512]) {
        const together = greedyIds.map((ids) => ids.slice(0, GREEDY_PROMPT));
        for await (const { index, id } of model.generateBatch(prompts, { maxTokens, prefillChunk })) together[index]!.push(id);
        expect(together).toEqual(greedyIds);
        for (const [row, prompt] of prompts.entries()) {
          const ids = [...prompt];
          for await (const { id } of model.generate(prompt, { maxTokens, prefillChunk })) ids.push(id);
          expect(ids).toEqual(greedyIds[row]);
        }
      }
    });
  });
});
