import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { InputError, MiniMaxM1, tinyM1 } from "../../src/index.js";
import { type DirectoryRunOptions, runInDirectory } from "../../src/node-entry/index.js";
import { trainPolicy } from "../../src/rl/index.js";
import { run, type StepMetrics, Trainer, textDataset } from "../../src/train/index.js";

const folder = mkdtempSync(join(tmpdir(), "lightning-m1-runs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const data = textDataset([Int32Array.from({ length: 200 }, (_, i) => (i * i) % 31)], { seed: 1 });

/** Trains in a directory with a new model, until `until` says to stop. */
async function train(
  name: string,
  {
    steps = 5,
    until = () => false,
    ...options
  }: Partial<DirectoryRunOptions<StepMetrics>> & { steps?: number; until?: (step: number) => boolean } = {},
): Promise<number[]> {
  using model = await MiniMaxM1.create(tinyM1.source, { seed: 3, build: "simd" });
  const trainer = new Trainer(model, { lr: 1e-3 });
  const seen: number[] = [];
  const lines = runInDirectory(join(folder, name), trainer, {
    identity: { seed: 3 },
    train: (trainer) => run(trainer, data, { steps, batchTokens: 32, windows: [{ from: 0, tokens: 16 }], signal: options.signal }),
    saveEvery: 2,
    ...options,
  });
  for await (const { step } of lines) {
    seen.push(step);
    if (until(step)) break;
  }
  return seen;
}

const state = (name: string) => readFileSync(join(folder, name, "state.safetensors"));
const metrics = (name: string) =>
  readFileSync(join(folder, name, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => ({ ...JSON.parse(line), tokensPerSecond: 0 }));

describe("a run in a directory", () => {
  test("continues after a break, an abort or an error, and ends with the bits of an uninterrupted run", async () => {
    expect(await train("whole")).toEqual([1, 2, 3, 4, 5]);
    expect(readdirSync(join(folder, "whole")).sort()).toEqual(["metrics.jsonl", "state.json", "state.safetensors"]);
    expect(await train("cut", { until: (step) => step === 1 })).toEqual([1]);
    const aborted = new AbortController();
    const until = (step: number) => {
      if (step === 2) aborted.abort(new Error("enough"));
      return false;
    };
    await expect(train("cut", { until, signal: aborted.signal })).rejects.toThrow("enough");
    await expect(
      train("cut", {
        train: async function* (trainer) {
          yield* run(trainer, data, { steps: 3, batchTokens: 32, windows: [{ from: 0, tokens: 16 }] });
          throw new Error("broken");
        },
      }),
    ).rejects.toThrow("broken");
    // After an error the last save counts: the third step is computed again.
    expect(await train("cut")).toEqual([3, 4, 5]);
    expect(await train("cut")).toEqual([]);
    expect(metrics("cut")).toEqual(metrics("whole"));
    expect(state("cut").equals(state("whole"))).toBe(true);
  }, 60_000);

  test("another identity is refused, and so is a second process or an invalid interval", async () => {
    await expect(train("whole", { identity: { seed: 4 } })).rejects.toThrow(/made with another seed/);
    await expect(train("whole", { saveEvery: 0 })).rejects.toThrow(InputError);
    const inside = train("two", {
      until: () => true,
      train: async function* () {
        await expect(train("two")).rejects.toThrow(InputError);
        yield* [];
      },
    });
    await inside;
  });

  test("batches of a policy continue after a break, from a line 0 on", async () => {
    const source = {
      name: "next",
      problem: (index: number) => ({
        prompt: [index % 10],
        judge: ({ ids }: { readonly ids: readonly number[] }) => {
          const correct = ids[0] === (index + 1) % 10;
          return { correct, total: Number(correct), components: {} };
        },
      }),
    };
    async function practise(name: string, until: (batch: number) => boolean = () => false): Promise<number[]> {
      using model = await MiniMaxM1.create({ ...tinyM1.source, vocab_size: 11, eos_token_id: 10 }, { seed: 3, build: "simd" });
      const seen: number[] = [];
      const options = { batches: 5, groups: 4, groupSize: 4, minibatches: 2, maxTokens: 1, rounds: 0, seed: 2 };
      const lines = runInDirectory(join(folder, name), new Trainer(model, { lr: 1e-3 }), {
        ...({ identity: {}, unit: "batch", saveEvery: 2 } as const),
        async *train(trainer) {
          if (trainer.progress === undefined) yield { batch: 0, success: 0.5 };
          yield* trainPolicy(model, trainer, [source], options);
        },
      });
      for await (const { batch } of lines) {
        seen.push(batch);
        if (until(batch)) break;
      }
      return seen;
    }
    const stored = (name: string) => metrics(name).map(({ seconds: _, ...line }) => line);
    expect(await practise("policy whole")).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await practise("policy cut", (batch) => batch === 0)).toEqual([0]);
    expect(await practise("policy cut", (batch) => batch === 3)).toEqual([0, 1, 2, 3]);
    expect(await practise("policy cut")).toEqual([4, 5]);
    expect(await practise("policy cut")).toEqual([]);
    expect(stored("policy cut")).toEqual(stored("policy whole"));
    expect(stored("policy cut")[0]).toMatchObject({ batch: 0, success: 0.5 });
    expect(stored("policy cut")[1]).toHaveProperty("rewards.total");
    expect(state("policy cut").equals(state("policy whole"))).toBe(true);
    await expect(train("policy cut")).rejects.toThrow(/made with another command/);
    await expect(train("policy unit", { unit: "epoch" as never })).rejects.toThrow(/runInDirectory: unit: expected "step" or "batch"/);
  });
});
