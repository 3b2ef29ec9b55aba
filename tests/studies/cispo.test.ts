import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error a script
import { heldOut } from "../../studies/cispo/tasks.mjs";
// @ts-expect-error a script
import { collapsed, compare, interval, medianSteps, plateauOf, stepsTo, verdictOf } from "../../studies/cispo/verdict.mjs";

const study = fileURLToPath(new URL("../../studies/cispo/", import.meta.url));

/** A run whose accuracy is `curve`, evaluated every two batches. */
const runOf = (curve: number[], entropy: number[] = []) => ({ curves: { accuracy: curve, batch: curve.map((_, i) => 2 * i), entropy } });
const rising = (delay: number) => runOf(Array.from({ length: 31 }, (_, i) => Math.min(0.9, 0.1 + Math.max(0, i - delay) * 0.08)));

describe("the rules of the study", () => {
  test("steps count until the mean of three evaluations reaches the goal, or to the end", () => {
    expect(stepsTo(runOf([0, 0.2, 0.5, 0.8, 0.9]), 0.5, 16)).toEqual({ steps: 64, censored: false });
    expect(stepsTo(runOf([0, 0.2, 0.5, 0.8, 0.9]), 0.7, 16)).toEqual({ steps: 96, censored: false });
    expect(stepsTo(runOf([0, 0.9, 0, 0, 0]), 0.7, 16)).toEqual({ steps: 128, censored: true });
  });

  test("an arm has a ratio of 1 against itself, and a delayed arm a larger one", () => {
    const runs = [rising(0), rising(1), rising(2)];
    expect(compare(runs, runs, 0.7, 16)).toMatchObject({ ratio: 1, interval: [1, 1], censored: [0, 0] });
    const late = [rising(5), rising(6), rising(7)];
    const { ratio, interval: within, censored } = compare(late, runs, 0.7, 16);
    expect(ratio).toBeGreaterThan(1.3);
    expect(within[0]).toBeGreaterThan(1);
    expect(censored).toEqual([0, 0]);
  });

  test("intervals contain the mean, are wider for fewer seeds, and are reproducible", () => {
    const five = interval([0.4, 0.5, 0.6, 0.7, 0.8]);
    expect(five).toEqual(interval([0.4, 0.5, 0.6, 0.7, 0.8]));
    expect(five[0]).toBeGreaterThan(0.4);
    expect(five[1]).toBeLessThan(0.8);
    const ten = interval([0.4, 0.5, 0.6, 0.7, 0.8, 0.4, 0.5, 0.6, 0.7, 0.8]);
    expect(ten[1] - ten[0]).toBeLessThan(five[1] - five[0]);
  });

  test("medians include censored runs", () => {
    const at = (steps: number, censored = false) => ({ steps, censored });
    expect(medianSteps([at(10), at(20), at(30)])).toBe(20);
    expect(medianSteps([at(10), at(20), at(90, true), at(90, true)])).toBe(20);
    expect(medianSteps([at(10), at(90, true), at(90, true)])).toBeUndefined();
  });

  test("the comparison is inconclusive if DAPO reaches the goal late", () => {
    const late = [rising(20), rising(20)];
    const compared = (others: ReturnType<typeof rising>[]) => plateauOf(compare(others, late, 0.8, 16), late, 0.8, 16);
    // DAPO reaches the goal after 58 of 60 batches.
    expect(compared(late)).toEqual({ largest: expect.closeTo(60 / 58, 10), conclusive: false });
    expect(compared([rising(0), rising(0)]).conclusive).toBe(true);
    expect(compared([runOf(Array(31).fill(0.1)), runOf(Array(31).fill(0.1))])).toMatchObject({ conclusive: true });
    const early = [rising(0), rising(0)];
    expect(plateauOf(compare(early, early, 0.8, 16), early, 0.8, 16)).toMatchObject({
      conclusive: true,
      largest: expect.closeTo(60 / 18, 10),
    });
  });

  test("a collapse is a fall of 20 points, or low entropy below the goal", () => {
    expect(collapsed(runOf([0.1, 0.9, 0.9, 0.6]), 0.5)).toBe(true);
    expect(collapsed(runOf([0.1, 0.8, 0.9, 0.75]), 0.5)).toBe(false);
    expect(collapsed(runOf([0.1, 0.3, 0.3, 0.3], [1, 0.1, 0.001]), 0.5)).toBe(true);
  });

  test.each([
    ["reproduced", { ratio: 0.5, interval: [0.4, 0.7] }],
    ["directionally reproduced", { ratio: 0.5, interval: [0.4, 0.8] }],
    ["directionally reproduced", { ratio: 0.9, interval: [0.8, 0.99] }],
    ["not reproduced", { ratio: 0.9, interval: [0.7, 1.1] }],
    ["contradicted", { ratio: 1.3, interval: [1.1, 1.5] }],
    ["contradicted", { ratio: 0.5, interval: [0.4, 0.7], collapses: { cispo: 3, alone: 2 } }],
    ["directionally reproduced", { ratio: 0.5, interval: [0.4, 0.7], collapses: { cispo: 1, alone: 1 } }],
    ["not tested: DAPO clips next to nothing", { ratio: 0.5, interval: [0.4, 0.7], valid: false }],
    ["not tested: DAPO clips next to nothing", { ratio: 1.5, interval: [1.2, 1.7], valid: false }],
  ])("%s: %o", (verdict, figures) => {
    expect(verdictOf({ collapses: { cispo: 0, alone: 0 }, valid: true, ...figures })).toBe(verdict);
  });
});

test("a task with too few held-out instances is an error instead of an endless search", () => {
  const few = { name: "few", levels: 1, generate: (random: { next(): number }) => Math.floor(64 * random.next()), question: String };
  expect(heldOut(few, 2)).toHaveLength(2);
  expect(() => heldOut(few, 64)).toThrow("few: expected 64 held-out instances, got");
});

test("the committed verdict follows from the committed results", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(study, "study.mjs")]);
  expect(stdout).toMatch(/^fork: .*CISPO needs .*\n(?:.*\n)?brackets: .*CISPO needs /m);
});

describe("a study that takes seconds", () => {
  const folder = mkdtempSync(join(tmpdir(), "lightning-m1-study-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const config = JSON.parse(readFileSync(join(study, "config.json"), "utf8"));
  const small = {
    ...config,
    tasks: Object.fromEntries(
      Object.entries(config.tasks as Record<string, { warmStart: object[] }>).map(([name, { warmStart }]) => [
        name,
        { warmStart: warmStart.map((stage) => ({ ...stage, steps: 2, batchTokens: 256 })) },
      ]),
    ),
    run: { ...config.run, groups: 4, minibatches: 2, rounds: 1 },
    heldOut: { instances: 8, samples: 1, every: 1 },
    arms: { dapo: config.arms.dapo, cispo: config.arms.cispo, grpo: config.arms.grpo },
    learningRates: [0.001],
    pilot: { seeds: [101], batches: 2 },
    final: { seeds: [1, 2], batches: 2 },
  };
  const file = join(folder, "small.json");
  const results = join(folder, "results.jsonl");
  const call = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(study, "study.mjs"), "--config", file, "--folder", folder, ...args]).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stderr }) => ({ code, text: stderr as string }),
    );

  let first: Awaited<ReturnType<typeof call>>;
  beforeAll(async () => {
    writeFileSync(file, JSON.stringify(small));
    first = await call("--run", "--jobs", "2", "--write");
  }, 120_000);

  test("runs every cell once, from the same warm starts, and comes to a verdict", () => {
    expect(first).toMatchObject({ code: 0 });
    expect(first.text).toMatch(/^fork: .*CISPO needs \d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\) of DAPO's updates/m);
    const runs = readFileSync(results, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(runs).toHaveLength(2 * 3 * (1 + 2));
    for (const task of ["fork", "brackets"]) {
      const starts = runs.filter((run) => run.task === task).map(({ curves }) => curves.accuracy[0]);
      expect(new Set(starts).size).toBe(1);
    }
  });

  test("resumes: finished runs stay, missing runs are repeated with the same results", async () => {
    const whole = readFileSync(results, "utf8");
    const lines = whole.trim().split("\n");
    cpSync(results, join(folder, "whole.jsonl"));
    // The run stopped in the middle of a line.
    writeFileSync(results, `${lines.slice(0, -1).join("\n")}\n${lines.at(-1)!.slice(0, 40)}`);
    expect(await call("--run", "--jobs", "1")).toMatchObject({ code: 0 });
    const timeless = (text: string) => text.replace(/"seconds":\d+/g, "");
    expect(timeless(readFileSync(results, "utf8"))).toBe(timeless(whole));
  }, 60_000);

  test("incomplete arms are left out and reported; without DAPO and CISPO there is no verdict", async () => {
    const whole = readFileSync(results, "utf8");
    const without = (arm: string, task: string) =>
      whole
        .split("\n")
        .filter((line) => !(line.includes(`"arm":"${arm}"`) && line.includes(`"task":"${task}"`) && line.includes('"seed":2')));
    const kept = join(folder, "verdict.json");
    const verdict = readFileSync(kept, "utf8");
    writeFileSync(results, without("grpo", "fork").join("\n"));
    const { code, text } = await call("--write");
    expect([code, text]).toEqual([0, expect.stringMatching(/^fork: without grpo, .*\nfork: .*CISPO needs/m)]);
    expect(text).not.toContain("brackets: without");
    const [fork, brackets] = JSON.parse(readFileSync(kept, "utf8"));
    const known = (one: { rates: object }) => Object.keys(one.rates);
    expect([known(fork), known(brackets)]).toEqual([
      ["dapo", "cispo"],
      ["dapo", "cispo", "grpo"],
    ]);
    expect([fork.headline, brackets]).toEqual([JSON.parse(verdict)[0].headline, JSON.parse(verdict)[1]]);
    writeFileSync(results, without("cispo", "fork").join("\n"));
    expect(await call()).toEqual({ code: 1, text: expect.stringContaining("expected a result of fork, cispo, 0.001, seed 2, got none") });
    writeFileSync(results, whole);
    writeFileSync(kept, verdict);
  });

  test("results of another configuration and invalid lines are errors", async () => {
    const other = join(folder, "other.json");
    writeFileSync(other, JSON.stringify({ ...small, learningRates: [0.1] }));
    const { code, text } = await call("--config", other);
    expect(code).toBe(1);
    expect(text).toContain("another --folder for another study");
    const whole = readFileSync(results, "utf8");
    writeFileSync(results, `oops\n${whole}`);
    expect((await call()).text).toContain("line 1: expected a result as JSON");
    writeFileSync(results, whole);
  });

  test("a verdict that differs from the committed one is an error", async () => {
    writeFileSync(join(folder, "verdict.json"), "[]\n");
    const { code, text } = await call();
    expect(code).toBe(1);
    expect(text).toContain("expected the verdict in");
  });
});
