import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { availableBuilds, type Cache, MiniMaxM1 } from "../../src/index.js";
import { GREEDY_PROMPT, goldenCases, readGolden } from "../support/golden.js";
import { quick } from "../support/quick.js";
import { drawSeeded, SEEDED_IDS } from "../support/seeded.js";
import { threadEveryCall } from "../support/threads.js";
import { GOLDEN, goldenState, maxAbsDiff, narrowCache } from "../support/tolerance.js";

const builds = await availableBuilds();

let threading: ReturnType<typeof threadEveryCall>;
beforeAll(() => {
  threading = threadEveryCall();
});
afterAll(() => threading.restore());

const runs = [
  ["simd", 1],
  ["simd", 2],
  ["relaxed", 1],
  ["relaxed", 2],
  ["debug", 1],
] as const;

describe.each(quick ? runs.slice(0, 1) : runs)("build %s, threads: %i", (build, threads) => {
  describe.runIf(builds.includes(build)).each(goldenCases())("$name equals the published PyTorch code", ({ name, directory }) => {
    const { inputIds, greedyIds, expected } = readGolden({ name, directory });
    const vocab = expected.get("logits")!.shape[2]!;
    const length = inputIds[0]!.length;
    let model: MiniMaxM1;

    beforeAll(async () => {
      model = await MiniMaxM1.load(directory, { build, threads });
    });
    afterAll(() => model.dispose());

    /** Holds what a pass over tokens `begin` to `end` gave against the published results; returns what was compared. */
    function compare(begin: number, end: number, cache?: Cache[]): string[] {
      const pieces = inputIds.map((ids) => ids.slice(begin, end));
      const out = model.forward(pieces, { hiddenStates: true, routerLogits: true, states: true, cache });
      const tokens: [string, Float32Array, number][] = [
        ["logits", out.logits, GOLDEN.logits],
        ...out.hiddenStates.map((x, i): [string, Float32Array, number] => [`hidden_states.${i}`, x, GOLDEN.hiddenStates]),
        ...out.routerLogits.map((x, i): [string, Float32Array, number] => [`router_logits.${i}`, x, GOLDEN.routerLogits]),
      ];
      const compared: string[] = [];
      for (const [key, got, allowed] of tokens) {
        const all = expected.get(key)?.data;
        if (!all) continue;
        const width = all.length / inputIds.length / length;
        const rows = inputIds.flatMap((_, row) => [...all.subarray((row * length + begin) * width, (row * length + end) * width)]);
        expect(maxAbsDiff(got, rows), key).toBeLessThanOrEqual(allowed);
        compared.push(key);
      }
      for (const [i, state] of out.lightningStates.entries()) {
        const published = end === length && expected.get(`lightning_state.${i}`)?.data;
        if (!published) continue;
        expect(maxAbsDiff(state!, published), `lightning_state.${i}`).toBeLessThanOrEqual(
          model.config.dialect === "hypenet" ? GOLDEN.hiddenStates : goldenState(published),
        );
        compared.push(`lightning_state.${i}`);
      }
      return compared;
    }

    test("logits, hidden states, router logits and states of the whole prompt: everything that was published", () => {
      const published = [...expected.keys()].filter((key) => !key.endsWith("_ids"));
      expect(compare(0, length).sort()).toEqual(published.sort());
    });

    test.each([
      ["token by token", Array.from({ length }, (_, i) => i + 1)],
      ["cut in two", [Math.floor(length / 2), length]],
      ["cut after one token", [1, length]],
      ["cut before the last token", [length - 1, length]],
      ["cut in uneven pieces", [3, 4, 20, 37, length]],
    ])("all of it with the prompt %s", (_, ends) => {
      const cache = inputIds.map(() => model.newCache());
      let begin = 0;
      for (const end of ends) {
        compare(begin, end, cache);
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

    test.each(["bf16", "q8"] as const)("logits with keys and values in %s, whole and in pieces", async (kv) => {
      using narrow = await MiniMaxM1.load(directory, { build, kv });
      const published = expected.get("logits")!.data;
      const tolerance = narrowCache(kv, published, narrow.config.softmax.qkNorm ? Math.sqrt(narrow.config.headDim) : 1);
      const whole = narrow.forward(inputIds).logits;
      expect(maxAbsDiff(whole, published)).toBeLessThanOrEqual(tolerance);
      expect(maxAbsDiff(whole, published)).toBeGreaterThan(GOLDEN.logits);
      const cache = inputIds.map(() => narrow.newCache());
      for (const [begin, end] of [
        [0, 5],
        [5, length],
      ] as const) {
        const pieces = narrow.forward(
          inputIds.map((ids) => ids.slice(begin, end)),
          { cache },
        ).logits;
        const rows = inputIds.flatMap((_, row) => [...whole.subarray((row * length + begin) * vocab, (row * length + end) * vocab)]);
        expect(maxAbsDiff(pieces, rows)).toBeLessThanOrEqual(tolerance);
      }
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

  test.runIf(builds.includes(build))("a seed draws the same tokens as on every other build and engine", async () => {
    const model = await MiniMaxM1.load(goldenCases().find(({ name }) => name === "m1-tiny")!.directory, { build, threads });
    expect(await drawSeeded(model)).toEqual(SEEDED_IDS);
    model.dispose();
  });
});
