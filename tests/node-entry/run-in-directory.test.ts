import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { InputError, MiniMaxM1, tinyM1 } from "../../src/index.js";
import { type DirectoryRunOptions, runInDirectory } from "../../src/node-entry/index.js";
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
});
