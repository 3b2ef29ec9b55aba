import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { availableBuilds, MiniMaxM1 } from "../../src/index.js";
import configUrl from "../golden/m1-tiny/config.json?url";
import expectedUrl from "../golden/m1-tiny/expected.safetensors?url";
import modelUrl from "../golden/m1-tiny/model.safetensors?url";
import { answers, answersOf } from "../support/bundled-model.js";
import { readSafetensors } from "../support/safetensors.js";
import { drawSeeded, SEEDED_IDS } from "../support/seeded.js";
import { threadEveryCall } from "../support/threads.js";
import { GOLDEN, maxAbsDiff } from "../support/tolerance.js";

const fetched = async (url: string) => (await fetch(url)).blob();
const files = async () => [new File([await fetched(configUrl)], "config.json"), new File([await fetched(modelUrl)], "model.safetensors")];
const builds = await availableBuilds();

describe.each(builds.flatMap((build) => [1, 2].map((threads) => [build, threads] as const)))(
  "m1-tiny in the browser, build %s, threads: %i",
  (build, threads) => {
    let model: MiniMaxM1;
    let expected: ReturnType<typeof readSafetensors>;
    const rowsOf = (name: string) => {
      const { shape, data } = expected.get(name)!;
      return Array.from({ length: shape[0]! }, (_, row) => [...data.subarray(row * shape[1]!, (row + 1) * shape[1]!)]);
    };

    beforeAll(async () => {
      expected = readSafetensors(new Uint8Array(await (await fetched(expectedUrl)).arrayBuffer()));
      const fractions: number[] = [];
      const threading = threadEveryCall();
      model = await MiniMaxM1.load(await files(), { build, threads, onProgress: ({ fraction }) => fractions.push(fraction) });
      threading.restore();
      expect(fractions.at(-1)).toBe(1);
      expect(model.threads).toBe(threads);
    });
    afterAll(() => model.dispose());

    test("logits equal the published PyTorch code", () => {
      const { logits } = model.forward(rowsOf("input_ids"));
      expect(maxAbsDiff(logits, expected.get("logits")!.data)).toBeLessThanOrEqual(GOLDEN.logits);
    });

    test("greedy ids equal the published PyTorch code's", async () => {
      for (const row of rowsOf("greedy_ids")) {
        const ids = row.slice(0, 16);
        for await (const { id } of model.generate(row.slice(0, 16), { maxTokens: row.length - 16 })) ids.push(id);
        expect(ids).toEqual(row);
      }
    });

    test("the same seed draws the same tokens as in Node", async () => {
      expect(await drawSeeded(model)).toEqual(SEEDED_IDS);
    });
  },
);

test.each([1, 2])("the bundled model answers as in Node, threads: %i", async (threads) => {
  using model = await MiniMaxM1.load(undefined, { build: "simd", threads });
  expect(await answersOf(model)).toEqual(answers.map(({ text }) => text));
});
