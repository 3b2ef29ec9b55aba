// The recall study: its rules, that the committed verdict follows from the committed runs, and the whole study with tiny models.

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { graph, parseConfig } from "../../src/index.js";
// @ts-expect-error a script
import { accuracy, cells, modelOf, sequencesOf, trainingData } from "../../studies/recall/one.mjs";
// @ts-expect-error a script
import { bestRate, estimate, judge, verdictOf } from "../../studies/recall/verdict.mjs";

const study = fileURLToPath(new URL("../../studies/recall/", import.meta.url));
const config = JSON.parse(readFileSync(join(study, "config.json"), "utf8"));
const arms = ["lightning", "hybrid", "softmax"] as const;

/** A run with given accuracies for up to eight pairs and for more, and 1 in all cells of the other series. */
const runOf = (arm: string, seed: number, learned: number, pairs: number) => ({
  ...{ stage: "final", arm, seed, lr: 0.003, parameters: 1, losses: [1] },
  cells: cells(config).map((cell: { series: string; pairs: number }) => ({
    ...cell,
    accuracy: cell.series !== "pairs" ? 1 : cell.pairs <= 8 ? learned : pairs,
  })),
});
type ByArm = Record<(typeof arms)[number], number>;
const runsWith = (pairs: ByArm, learned: ByArm = { lightning: 0.95, hybrid: 0.95, softmax: 0.95 }) =>
  arms.flatMap((arm) => config.final.seeds.map((seed: number) => runOf(arm, seed, learned[arm], pairs[arm] + seed / 1000)));

describe("the rules of the study", () => {
  test("intervals are those of Student's t distribution", () => {
    // Mean 3, standard deviation 1.5811, margin 2.776 · 1.5811 / √5.
    const { mean, interval } = estimate([1, 2, 3, 4, 5]);
    expect([mean, ...interval].map((x: number) => Number(x.toFixed(3)))).toEqual([3, 1.037, 4.963]);
    expect(() => estimate([1])).toThrow("expected 2 to 10 seeds, got 1");
  });

  const around = (mean: number, margin = 0.01) => ({ mean, interval: [mean - margin, mean + margin] });
  test.each([
    ["reversed", -0.2, 0.1],
    ["no gap", 0.005, 0.1],
    ["no gap", 0.04, 0.1],
    ["not restored", 0.4, 0.005],
    ["not restored", 0.4, -0.1],
    ["partly restored", 0.4, 0.15],
    ["restored", 0.4, 0.2],
    ["restored", 0.4, 0.5],
  ])("%s: gap %d, gain %d", (verdict, gap, gain) => {
    expect(verdictOf({ gap: around(gap), gain: around(gain) })).toBe(verdict);
  });

  test("the verdict is that of the pairs, if all softmax has learned the task, and all lightning to compare keys", () => {
    const accuracies = { lightning: 0.3, hybrid: 0.7, softmax: 0.9 };
    const { verdict, measures } = judge(runsWith(accuracies), config);
    expect([verdict, measures.pairs.verdict, measures.learned.verdict, measures.needle.verdict]).toEqual([
      ...["restored", "restored", "no gap", "no gap"],
    ]);
    expect(measures.pairs.gap.mean).toBeCloseTo(0.6, 10);
    expect(measures.pairs.gain.mean).toBeCloseTo(0.4, 10);
    const learned = { lightning: 0.9, hybrid: 0.2, softmax: 0.9 };
    expect(judge(runsWith(accuracies, learned), config).verdict).toBe("restored");
    expect(judge(runsWith(accuracies, { ...learned, softmax: 0.79 }), config).verdict).toBe("not tested");
    expect(judge(runsWith(accuracies, { ...learned, lightning: 0.74 }), config).verdict).toBe("not tested");
    expect(judge(runsWith({ ...accuracies, hybrid: 0.5 }), config).verdict).toBe("partly restored");
    expect(judge(runsWith({ ...accuracies, softmax: 0.2 }), config).verdict).toBe("reversed");
    expect(() => judge(runsWith(accuracies).slice(1), config)).toThrow("expected a run");
  });

  test("the best learning rate has the lowest loss in the last quarter of the pilot run", () => {
    const pilot = (lr: number, losses: number[]) => ({ stage: "pilot", arm: "softmax", lr, seed: config.pilot.seeds[0], losses });
    const [slow, right, unstable] = config.learningRates;
    const runs = [pilot(slow, [3, 3, 3, 2.5]), pilot(right, [3, 3, 3, 1]), pilot(unstable, [1, 1, 1, 4])];
    expect(bestRate(runs, "softmax", config)).toBe(right);
  });
});

describe("the setting", () => {
  test("the arms have the same number of parameters within half a percent, and the layers of their names", () => {
    const counts = arms.map((arm) => graph(parseConfig(modelOf(config, arm))).parameterCount);
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.005);
    expect(counts[0]).toBe(counts[2]);
    expect(arms.map((arm) => config.arms[arm].attn_type_list.join(""))).toEqual(["00000000", "00000001", "11111111"]);
  });

  test("the last stage of training has the pairs, lengths and vocabulary that the evaluation counts as trained", () => {
    const last = config.training.stages.at(-1);
    expect([Math.max(...last.contexts), last.pairs]).toEqual([config.evaluation.length, [1, config.training.maxPairs]]);
    expect([last.keys, last.values, last.until]).toEqual([config.vocabulary.keys, config.vocabulary.values, config.final.steps]);
  });

  test("runs of one seed learn from the same sequences, and no run from those of the evaluation", () => {
    const draw = (seed: number): { ids: number[] }[] => {
      const data = trainingData(config.training.stages.at(-1), config, seed);
      return Array.from({ length: 50 }, (_, i) => data.document(i));
    };
    expect(draw(1)).toEqual(draw(1));
    const key = ({ ids }: { ids: number[] }) => ids.join();
    const known = new Set(draw(1).map(key));
    expect(draw(2).filter((one) => known.has(key(one)))).toEqual([]);
    const cell = { series: "pairs", pairs: 8, context: 64, asked: 4 };
    expect(sequencesOf(cell, 0, config).filter((one: { ids: number[] }) => known.has(key(one)))).toEqual([]);
  });

  test("a stage with a part of the vocabulary uses the first keys and values, and all fillers", () => {
    const { keys, values, fillers } = config.vocabulary;
    const data = trainingData({ contexts: [16], pairs: [2, 2], asked: 1, keys: 8, values: 4 }, config, 1);
    const used = new Set(Array.from({ length: 300 }, (_, i) => data.document(i).ids).flat());
    const range = (from: number, size: number) => Array.from({ length: size }, (_, i) => from + i);
    expect([...used].sort((a, b) => a - b)).toEqual([...range(0, 8), ...range(keys, 4), ...range(keys + values, fillers)]);
  });

  test("accuracy counts the answers with the highest logit", () => {
    const sequences = sequencesOf({ series: "pairs", pairs: 4, context: 16, asked: 4 }, 0, config);
    const vocabSize = 96;
    /** A model that knows the next token of every second sequence of a batch. */
    const model = {
      config: { vocabSize },
      forward: (batch: number[][]) => ({
        logits: Float32Array.from(
          batch.flatMap((ids, i) =>
            ids.flatMap((_, t) => Array.from({ length: vocabSize }, (_, v) => (v === (ids[t + 1] ?? 0) + (i % 2) ? 1 : -1))),
          ),
        ),
      }),
    };
    expect(accuracy(model, sequences)).toBe(0.5);
  });
});

test("the committed verdict follows from the committed runs", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(study, "study.mjs")]);
  expect(stdout).toMatch(/^pairs: lightning .*\n(?:.*\n)*By the rules: .*\.$/m);
});

describe("a study that takes seconds", () => {
  const folder = mkdtempSync(join(tmpdir(), "lightning-m1-recall-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const small = {
    ...config,
    training: {
      ...config.training,
      batchTokens: 64,
      stages: config.training.stages.map((stage: object, i: number) => ({ ...stage, until: 5 * (i + 1) })),
    },
    evaluation: { ...config.evaluation, sequences: 2, pairs: [2, 16], lengths: [1, 2], depths: [0, 1] },
    learningRates: [0.003],
    pilot: { seeds: [101], steps: 25 },
    final: { seeds: [1, 2], steps: 25 },
  };
  const file = join(folder, "small.json");
  const call = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(study, "study.mjs"), "--config", file, "--folder", join(folder, "runs"), ...args]).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stderr }) => ({ code, text: stderr as string }),
    );
  const results = () => readdirSync(join(folder, "runs")).filter((name) => /^(pilot|final)-/.test(name));
  const read = (name: string) => readFileSync(join(folder, "runs", name), "utf8").replace(/,"cpuSeconds":\d+/, "");

  let first: Awaited<ReturnType<typeof call>>;
  beforeAll(async () => {
    writeFileSync(file, JSON.stringify(small));
    first = await call("--run", "--jobs", "2", "--write");
  }, 240_000);

  test("makes every run once, and comes to a verdict", () => {
    expect(first).toMatchObject({ code: 0, text: expect.stringMatching(/^By the rules: not tested\.$/m) });
    expect(results()).toHaveLength(3 * (1 + 2));
    const { stage, arm, seed, parameters, tokens, losses, cells: own } = JSON.parse(read("final-hybrid-0.003-2.json"));
    expect({ stage, arm, seed, losses: losses.length, cells: own.length }).toEqual({
      ...{ stage: "final", arm: "hybrid", seed: 2, losses: 1 },
      cells: 8,
    });
    expect(parameters).toBe(graph(parseConfig(modelOf(small, "hybrid"))).parameterCount);
    expect(tokens).toBeGreaterThan(25 * 32);
  });

  test("continues after an interruption with the same results", async () => {
    const name = "final-softmax-0.003-1.json";
    const whole = read(name);
    rmSync(join(folder, "runs", name));
    expect(await call()).toMatchObject({ code: 1, text: expect.stringContaining("expected a run, got none") });
    expect(await call("--run", "--jobs", "1")).toMatchObject({ code: 0 });
    expect(read(name)).toBe(whole);
  }, 60_000);

  test("another configuration, damaged runs and another verdict are errors", async () => {
    const name = join(folder, "runs", "final-softmax-0.003-1.json");
    const whole = readFileSync(name);
    writeFileSync(name, whole.subarray(0, 40));
    expect(await call()).toMatchObject({ code: 1, text: expect.stringContaining("expected JSON (remove the file") });
    writeFileSync(name, whole);
    const verdict = join(folder, "runs", "verdict.json");
    writeFileSync(verdict, "{}\n");
    expect(await call()).toMatchObject({ code: 1, text: expect.stringContaining("expected the verdict in") });
    writeFileSync(file, JSON.stringify({ ...small, learningRates: [0.1] }));
    expect(await call()).toMatchObject({ code: 1, text: expect.stringContaining("another --folder for another study") });
    expect(await call("--jobs", "0")).toMatchObject({ code: 1, text: expect.stringContaining("--jobs: expected an integer") });
    writeFileSync(file, JSON.stringify(small));
  }, 60_000);
});
