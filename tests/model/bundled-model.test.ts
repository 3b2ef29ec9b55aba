import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { availableBuilds, graph, MiniMaxM1 } from "../../src/index.js";
import { evaluateTasks, meanAccuracy, type Score, tasks } from "../../src/rl/index.js";
import { answers, answersOf } from "../support/bundled-model.js";
import { readSafetensors } from "../support/safetensors.js";
import { GOLDEN, maxAbsDiff } from "../support/tolerance.js";

const directory = fileURLToPath(new URL("../../models/m1-puzzles", import.meta.url));
const builds = (await availableBuilds()).filter((build) => build !== "debug");

test("the bundled model: 8 layers 7:1 in the published layout, bf16, at most 8 MB", () => {
  const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  expect(config).toMatchObject({
    model_type: "minimax_m1",
    num_local_experts: 8,
    num_experts_per_tok: 2,
    attn_type_list: [0, 0, 0, 0, 0, 0, 0, 1],
  });
  const stored = readSafetensors(readFileSync(join(directory, "model.safetensors")));
  const { tensors, parameterCount } = graph(config);
  expect([...stored.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
  expect(parameterCount).toBeGreaterThan(2e6);
  expect(parameterCount).toBeLessThan(4e6);
  const bytes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(8e6);
});

describe.each(builds)("the bundled model, build %s", (build) => {
  let model: MiniMaxM1;
  beforeAll(async () => {
    model = await MiniMaxM1.load(undefined, { build, threads: 1 });
  });
  afterAll(() => model.dispose());

  /** Its own greedy answers, prompt included. */
  async function texts(of: MiniMaxM1, prefillChunk?: number): Promise<number[][]> {
    const all: number[][] = [];
    for (const { question } of answers.slice(0, 2)) {
      const ids = of.tokenizer!.encode(await of.formatChat([{ role: "user", content: question }]));
      for await (const { id } of of.generate(ids.slice(), { maxTokens: 200, prefillChunk })) ids.push(id);
      all.push(ids);
    }
    return all;
  }

  test("answers the same to the token with one prompt piece or many, one thread or two, after save and load", async () => {
    const whole = await texts(model);
    expect(await texts(model, 1)).toEqual(whole);
    expect(await texts(model, 7)).toEqual(whole);
    using threaded = await MiniMaxM1.load(undefined, { build, threads: 2 });
    expect(await texts(threaded)).toEqual(whole);
    using again = await MiniMaxM1.load(await model.save(), { build, threads: 1 });
    expect(await texts(again)).toEqual(whole);

    // And so are the logits, from which perplexity is made, within the tolerance of the golden cases.
    for (const ids of whole) {
      const { logits } = model.forward([ids]);
      expect(threaded.forward([ids]).logits).toEqual(logits);
      expect(again.forward([ids]).logits).toEqual(logits);
      const cache = [model.newCache()];
      const step = model.config.vocabSize;
      for (let begin = 0; begin < ids.length; begin += 13) {
        const piece = model.forward([ids.slice(begin, begin + 13)], { cache }).logits;
        expect(maxAbsDiff(piece, logits.subarray(begin * step, begin * step + piece.length))).toBeLessThanOrEqual(GOLDEN.logits);
      }
      cache[0]!.dispose();
    }
  });

  test("solves held-out puzzles far better than guessing", async () => {
    const scores: Score[] = [];
    const perLevel = build === "simd" ? 4 : 2;
    for await (const score of evaluateTasks(model, { tasks, perLevel, temperature: 0 })) scores.push(score);
    expect(meanAccuracy(scores)).toBeGreaterThan(0.6);
    expect(scores.filter(({ level, accuracy }) => level === 1 && accuracy >= 0.75).length).toBeGreaterThanOrEqual(5);
  });
});

test("answers with a seed are those of every other engine", async () => {
  using model = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
  expect(await answersOf(model)).toEqual(answers.map(({ text }) => text));
});
