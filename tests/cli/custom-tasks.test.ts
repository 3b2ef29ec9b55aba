// Tasks of a plan's owner: modules and files, and what is said of those that are none.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadCustomTasks } from "../../src/cli/inputs/custom-tasks.js";
import type { CustomTasks } from "../../src/rl/loop/policy-plan.js";
import { facts } from "../support/facts.js";
import { run, temporary } from "./harness.js";

const MODULE = `
const sums = (name) => ({
  name,
  levels: 2,
  generate: (random, level) => Array.from({ length: level + 1 }, () => Math.floor(10 * random.next())),
  question: (terms) => "Compute " + terms.join(" + "),
  // A verifier may take its time, as one on a server does.
  verify: async (terms, answer) => answer === String(terms.reduce((a, b) => a + b, 0)),
});
export const tasks = [sums("sums"), { ...sums("more"), levels: undefined }];
`;
const questions = Array.from({ length: 64 }, (_, i) => JSON.stringify({ prompt: `Compute ${i} + 1`, answer: i + 1 })).join("\n");

/** A directory with these files, and what is loaded of one of them. */
async function load(name: string, text: string, more: object = {}) {
  const directory = temporary();
  writeFileSync(join(directory, name), text);
  const kind = name.endsWith("jsonl") ? { file: name, verifier: "number", answer: "tagged" } : { module: name };
  return loadCustomTasks([{ ...kind, weight: 1, at: "PLAN: tasks.0", ...more } as CustomTasks], directory);
}

describe("own tasks", () => {
  test("of a module are all that it exports, level by level", async () => {
    const levels = await load("tasks.mjs", MODULE, { weight: 3 });
    expect(levels.map(({ task, level, weight }) => [task.name, level, weight])).toEqual([
      ["sums", 1, 3],
      ["sums", 2, 3],
      ["more", 1, 3],
    ]);
    expect(new Set(levels.map(({ sha256 }) => sha256)).size).toBe(1);
  });

  test.each([
    ["a default export", MODULE.replace("export const tasks =", "export default")],
    ["a single one", MODULE.replace("[sums(", "(sums(").replace('), { ...sums("more"), levels: undefined }]', "))")],
  ])("of a module with %s", async (_, text) => {
    expect((await load("tasks.mjs", text))[0]!.task.name).toBe("sums");
  });

  test("of a file are called as it is, or as the plan says", async () => {
    const [level] = await load("capitals.jsonl", questions);
    expect([level!.task.name, level!.level]).toEqual(["capitals", 1]);
    expect((await load("capitals.jsonl", questions, { name: "other" }))[0]!.task.name).toBe("other");
  });

  test.each<[string, string, string]>([
    ["tasks.mjs", "export const tasks = [", "tasks.0.module: "],
    ["tasks.mjs", "throw new Error('no server')", "tasks.mjs: …module…no server"],
    ["tasks.mjs", "export const other = 1", "tasks.mjs: …export…tasks"],
    ["tasks.mjs", "export const tasks = []", "export…tasks"],
    ["tasks.mjs", "export const tasks = [5]", "tasks.mjs: tasks[0]: …name"],
    ["tasks.mjs", "export const tasks = [null]", "tasks.mjs: tasks[0]: …name"],
    ["tasks.mjs", MODULE.replace("verify:", "check:"), "tasks[0]: sums: …generate…question…verify"],
    ["tasks.mjs", MODULE.replace("levels: 2", "levels: 0"), "tasks[0]: sums: levels: …integer…[1, 1000]…0"],
    ["tasks.mjs", MODULE.replace('"Compute " +', "5 ||"), "tasks.mjs: sums: level 1: question: …5"],
    ["tasks.mjs", MODULE.replace("random, level) =>", "random, level) => level.x.y ||"), "sums: level 1: …question…error"],
    ["tasks.mjs", MODULE.replace('"more"', '"sums"'), "PLAN: tasks.0: …level…1 of sums"],
    ["rows.jsonl", "{", "rows.jsonl: line 1, column 2: expected a key"],
  ])("that are none: %s, %j", async (name, text, message) => {
    await expect(load(name, text)).rejects.toThrow(facts(message));
  });

  test("that cannot be read are told with their place in the plan", async () => {
    const directory = temporary();
    const at = (file: string) => [{ file, verifier: "exact", answer: "text", weight: 1, at: "PLAN: tasks.0" } as CustomTasks];
    await expect(loadCustomTasks(at("none.jsonl"), directory)).rejects.toThrow(
      /PLAN: tasks\.0\.file: .*none\.jsonl: expected a file, got nothing/,
    );
    await expect(loadCustomTasks(at("."), directory)).rejects.toThrow("got a directory");
    await expect(loadCustomTasks(at("/dev/zero"), directory)).rejects.toThrow("got a device");
  });
});

test("a run learns from a module and a file beside what comes along, measures them, and goes on only with the same file", {
  timeout: 300_000,
}, async () => {
  const directory = temporary();
  writeFileSync(join(directory, "tasks.mjs"), MODULE);
  writeFileSync(join(directory, "adding.jsonl"), questions);
  const plan = {
    model: fileURLToPath(new URL("../../models/m1-puzzles-supervised", import.meta.url)),
    tasks: [{ name: "arithmetic-chain", levels: [1] }, { module: "./tasks.mjs" }, { file: "adding.jsonl", verifier: "number", weight: 2 }],
    objective: { name: "cispo" },
    run: { batches: 1, groups: 6, groupSize: 2, minibatches: 1, maxTokens: 48, rounds: 0, judging: { concurrency: 2 } },
    heldOut: { perLevel: 1, every: 1 },
    build: "simd",
  };
  const file = join(directory, "own.json");
  writeFileSync(file, JSON.stringify(plan));
  const { exitCode, stderr } = await run(["rl", "run", file, "--threads", "1"]);
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining("batch 1 of 1")]);
  const lines = readFileSync(join(directory, "own-run", "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const heldOut = (lines[1].heldOut as { task: string; level: number }[]).map(({ task, level }) => `${task} ${level}`);
  expect(heldOut).toEqual(["arithmetic-chain 1", "sums 1", "sums 2", "more 1", "adding 1"]);
  expect(heldOut).toEqual(expect.arrayContaining(Object.keys(lines[1].sources)));
  writeFileSync(join(directory, "adding.jsonl"), `${questions}\n{"prompt": "Compute 0 + 0", "answer": 0}`);
  writeFileSync(file, JSON.stringify({ ...plan, run: { ...plan.run, batches: 2, judging: { concurrency: 5 } } }));
  const changed = await run(["rl", "run", file, "--threads", "1"]);
  expect([changed.exitCode, changed.stderr]).toEqual([1, expect.stringContaining("made with another tasks.4.sha256: expected ")]);
});
