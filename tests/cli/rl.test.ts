// Reinforcement learning on the command line: once with the supervised model from which the bundled one was trained, otherwise with a model
// of a few thousand parameters. Tests that kill processes start the built command; all others run in this process.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { drawSvg, PALETTE } from "../../src/cli/figures/figure.js";
import { policyFigure } from "../../src/cli/figures/policy-figure.js";
import { CommandEnded } from "../../src/cli/text/terminal.js";
import { MiniMaxM1 } from "../../src/index.js";
import { parsePolicyPlan } from "../../src/rl/loop/policy-plan.js";
import { Trainer } from "../../src/train/index.js";
import { facts } from "../support/facts.js";
import { random } from "../support/random.js";
import { run, start, temporary, tiny } from "./harness.js";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));

const plan = {
  // It makes more mistakes than the bundled model, so there is more to learn.
  model: fileURLToPath(new URL("../../models/m1-puzzles-supervised", import.meta.url)),
  tasks: [
    { name: "number-target", levels: [1, 2] },
    { name: "arithmetic-chain", levels: [2] },
  ],
  objective: { name: "cispo", maxWeight: 5 },
  trainer: { lr: 1e-3, weightDecay: 0, auxLossCoef: 0 },
  // Learns from all groups, whatever their outcome, so that there is something to learn from in few of them.
  run: { batches: 3, groups: 2, groupSize: 4, minibatches: 2, maxTokens: 64, rounds: 0 },
  rewards: { correct: 1, format: 0.1 },
  heldOut: { perLevel: 1, every: 2 },
  seed: 1,
  build: "simd",
  save: { every: 2 },
};

/** Models of a few thousand parameters that have learned nothing: their states are saved and read at once. */
const untrained = mkdtempSync(join(tmpdir(), "lightning-m1-"));
const untrainedModel = join(untrained, "run/model");
/** Of another seed. */
const otherModel = join(untrained, "other/model");
beforeAll(async () => {
  const model = {
    ...{ architectures: ["MiniMaxM1ForCausalLM"], model_type: "minimax_m1", torch_dtype: "float32" },
    ...{ hidden_size: 16, intermediate_size: 16, num_hidden_layers: 2, attn_type_list: [0, 1] },
    ...{ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 8, rotary_dim: 4 },
    ...{ num_local_experts: 4, num_experts_per_tok: 2, max_position_embeddings: 512 },
  };
  const training = {
    model,
    tokenizer: { vocabSize: 300 },
    data: { tasks: ["dyck-completion"], texts: 4 },
    build: "simd",
    run: { steps: 1, batchTokens: 512 },
  };
  const file = join(untrained, "untrained.json");
  for (const [directory, seed] of [
    ["run", 1],
    ["other", 2],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...training, seed }));
    const { exitCode, stderr } = await run(["train", file, "--threads", "1", "--out", join(untrained, directory)]);
    expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining("error")]);
  }
  writeFileSync(join(untrained, "lengths.mjs"), LENGTHS);
});
afterAll(() => rmSync(untrained, { recursive: true, force: true }));

/** A task that random bytes solve half of the time, so that there is something to learn without any training before. */
const LENGTHS = `
export const tasks = [1, 2].map((name) => ({
  name: "length-" + name,
  generate: (random) => Math.floor(1000 * random.next()),
  question: (n) => "Write " + n,
  parse: (response) => (response.length % 3 === 0 ? undefined : response),
  verify: (n, response) => (response.length + n) % 2 === 0,
}));`;

/** A run of which every response takes milliseconds, and which has something to learn. */
const light = { model: untrainedModel, tasks: [{ module: join(untrained, "lengths.mjs") }], run: { ...plan.run, maxTokens: 12 } };

/** A directory with the file of a run in it, and where it goes. */
function planned(changes: object = {}, directory = temporary()): { file: string; out: string } {
  const file = join(directory, "small.json");
  writeFileSync(file, JSON.stringify({ ...plan, ...changes }));
  return { file, out: join(directory, "small-run") };
}

const rl = (file: string, ...args: string[]) => run(["rl", "run", file, "--threads", "1", ...args]);
/** Of a file, which may be large. */
const hash = (...path: string[]) =>
  createHash("sha256")
    .update(readFileSync(join(...path)))
    .digest("hex");
const metrics = (out: string): Record<string, unknown>[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
/** Rows of the table, by column. */
const table = (out: string): Record<string, string>[] => {
  const [header, ...rows] = readFileSync(join(out, "metrics.csv"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(","));
  return rows.map((row) => Object.fromEntries(header!.map((name, i) => [name, row[i]!])));
};
const timelessTable = (out: string) => table(out).map(({ samplingSeconds: _, learningSeconds: __, tokensPerSecond: ___, ...rest }) => rest);
const timeless = (out: string) => metrics(out).map(({ seconds: _, tokensPerSecond: __, ...rest }) => rest);
/** Of all that is left behind, what may not depend on where it was interrupted, in a run that learns. */
const expectSame = (one: string, other: string) => {
  const updates = metrics(one).flatMap((line) => (line.updates ?? []) as { gradNorm: number }[]);
  expect(updates.filter(({ gradNorm }) => gradNorm > 0).length).toBeGreaterThan(updates.length / 2);
  expect(timeless(one)).toEqual(timeless(other));
  expect(timelessTable(one)).toEqual(timelessTable(other));
  for (const file of ["state.safetensors", "model/model.safetensors", "curves.svg"]) expect(hash(one, file), file).toBe(hash(other, file));
  expect(readdirSync(one).sort()).toEqual(readdirSync(other).sort());
};

describe("a run", () => {
  /** Of the first test; to the second one, all is done there already. */
  const shared = mkdtempSync(join(tmpdir(), "lightning-m1-"));
  afterAll(() => rmSync(shared, { recursive: true, force: true }));

  test("leaves everything in its directory, and a model that speaks", async () => {
    const { file, out } = planned({}, shared);
    const { exitCode, stdout, stderr } = await rl(file);
    expect([exitCode, stderr.includes("error")]).toEqual([0, false]);
    expect(stdout).toMatch(/^3 batches, [1-6] steps, held out \d+\.\d %: .*\/small-run\/model\n$/);
    expect(stderr).toContain("3,411,392 parameters, simd kernels on 1 thread; starting, in ");
    expect(stderr.match(/^batch [0-3] of 3: (held out \d+\.\d %)?/gm)).toEqual([
      expect.stringContaining("batch 0 of 3: held out"),
      "batch 1 of 3: ",
      expect.stringContaining("batch 2 of 3: held out"),
      expect.stringContaining("batch 3 of 3: held out"),
    ]);
    expect(readdirSync(out).sort()).toEqual(["curves.svg", "metrics.csv", "metrics.jsonl", "model", "state.json", "state.safetensors"]);
    expect(table(out).map(({ batch, window, accuracy }) => [batch, window, accuracy])).toEqual(
      metrics(out).map(({ batch, length, accuracy }) => [
        `${batch}`,
        `${(length as { window: number })?.window ?? ""}`,
        `${accuracy ?? ""}`,
      ]),
    );
    expect(readFileSync(join(out, "curves.svg"), "utf8")).toContain("share of sampled responses cut off at the window");
    const lines = metrics(out);
    expect(Object.keys(lines[0]!)).toEqual(["batch", "heldOut"]);
    const levels = [
      { task: "number-target", level: 1 },
      { task: "number-target", level: 2 },
      { task: "arithmetic-chain", level: 2 },
    ];
    for (const { heldOut } of [lines[0]!, lines[2]!, lines[3]!]) expect(heldOut).toMatchObject(levels);
    expect(lines[1]!.heldOut).toBeUndefined();
    for (const [i, line] of lines.slice(1).entries()) {
      expect(line).toMatchObject({ batch: i + 1, groups: { sampled: 2, kept: 2 }, length: { window: 64 } });
      const { rewards, accuracy } = line as { rewards: Record<string, number>; accuracy: number };
      expect(rewards.correct).toBe(accuracy);
      expect(rewards.total).toBeCloseTo(rewards.correct! + rewards.format!, 12);
    }
    const updates = lines.slice(1).flatMap((line) => line.updates as { gradNorm: number }[]);
    expect(updates.some(({ gradNorm }) => gradNorm > 0)).toBe(true);
    using model = await MiniMaxM1.load(join(out, "model"));
    using box = await MiniMaxM1.load();
    expect([model.config.dtype, model.parameters]).toEqual([box.config.dtype, box.parameters]);
  });

  test("gives the same bits on two threads; called again when all is done, it does nothing", async () => {
    const [one, two] = [planned({}, shared), planned()];
    await rl(one.file, "--json");
    await run(["rl", "run", two.file, "--threads", "2"]);
    expectSame(one.out, two.out);
    const again = await rl(one.file, "--json");
    expect(JSON.parse(again.stdout)).toEqual({
      ...{ batches: 3, steps: expect.any(Number), heldOut: expect.any(Number), model: join(one.out, "model") },
    });
    expectSame(one.out, two.out);
  });

  test("of fewer batches goes on to more", async () => {
    const changes = { ...light, heldOut: undefined };
    const [whole, broken] = [planned(changes), planned(changes)];
    await rl(whole.file);
    await rl(broken.file, "--batches", "1");
    expect(metrics(broken.out)).toHaveLength(1);
    expect((await rl(broken.file)).stderr).toContain("continuing after batch 1");
    expectSame(broken.out, whole.out);
  });

  test("killed at five moments ends as one that was not", { timeout: 300_000 }, async () => {
    // So many batches that they do not all pass before the last kill.
    const changes = { ...light, run: { ...light.run, batches: 32 }, heldOut: { perLevel: 1, every: 20 }, save: { every: 4 } };
    const [whole, broken] = [planned(changes), planned(changes)];
    expect((await rl(whole.file)).exitCode).toBe(0);
    const { uniform } = random(1);
    const path = join(broken.out, "metrics.jsonl");
    const written = () => (existsSync(path) ? statSync(path).size : 0);
    const saved = () => existsSync(join(broken.out, "state.safetensors"));
    let killedInBatches = 0;
    for (let kill = 0; kill < 5; kill++) {
      const before = written();
      const child = spawn(process.execPath, [cli, "rl", "run", broken.file, "--threads", "1"], { stdio: "ignore" });
      onTestFinished(() => void child.kill("SIGKILL"));
      const ended = once(child, "close");
      // One while it prepares; the others after some batches, within a batch or a save.
      if (kill === 0) await sleep(300 * uniform());
      else {
        // On a busy machine a save takes longer than what follows it here; the last kill is after one in any case.
        while (child.exitCode === null && (written() <= before || (kill === 4 && !saved()))) await sleep(2);
        await sleep(40 * uniform());
      }
      child.kill("SIGKILL");
      const [, signal] = await ended;
      if (signal === "SIGKILL" && written() > before) killedInBatches++;
    }
    expect(killedInBatches).toBeGreaterThan(2);
    const { exitCode, stderr } = await rl(broken.file);
    expect([exitCode, /continuing after batch \d/.test(stderr)]).toEqual([0, true]);
    expectSame(broken.out, whole.out);
  });

  test("ended by Ctrl-C saves, ends with 130, and goes on to the same bits", async () => {
    // So many batches that they do not all pass before Ctrl-C comes.
    const changes = { ...light, run: { ...light.run, batches: 30 }, save: { every: 100 } };
    const [whole, broken] = [planned(changes), planned(changes)];
    await rl(whole.file);
    const { controller, exitCode, stdout, stderr } = start(["rl", "run", broken.file, "--threads", "1"], { tty: true });
    const path = join(broken.out, "metrics.jsonl");
    while (!existsSync(path) || readFileSync(path, "utf8").split("\n").length < 4) await sleep(5);
    controller.abort(new CommandEnded(130));
    expect([await exitCode, stdout.text]).toEqual([130, ""]);
    const [, saved] = /saved after batch (\d+)/.exec(stderr.text)!;
    expect(metrics(broken.out)).toHaveLength(1 + Number(saved));
    expect(existsSync(join(broken.out, "lock"))).toBe(false);
    expect((await rl(broken.file)).stderr).toContain(`continuing after batch ${saved}`);
    expectSame(broken.out, whole.out);
  });

  test("is shown on a terminal in lines no wider than it", async () => {
    const { file } = planned({ model: untrainedModel });
    const { exitCode, stderr } = await run(["rl", "run", file, "--threads", "1"], { tty: true });
    expect(exitCode).toBe(0);
    const lines = stripVTControlCharacters(stderr.slice(stderr.lastIndexOf("\u001b[J") + 3)).split("\n");
    expect(lines[0]).toMatch(/^█{40} 3 \/ 3, 0 s left$/);
    for (const name of ["held out", "right", "reward", "length", "tokens/s"]) expect(lines.slice(1).join("\n")).toContain(`${name} `);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);
  });
});

test.each<[object, string]>([
  [{ tasks: [{ name: "number-target", levels: [1] }] }, 'made with another tasks.1: expected {"task":"number-target","level":2'],
  [{ objective: { name: "cispo", maxWeight: 4 } }, "made with another objective.maxWeight: expected 5, got 4"],
  [{ rewards: { correct: 1 } }, "made with another rewards.format: expected 0.1, got 0"],
])("a state of another run is refused: %j", async (changes, message) => {
  const small = { model: untrainedModel, heldOut: undefined };
  const { file, out } = planned(small);
  await rl(file, "--batches", "1");
  const files = ["state.safetensors", "state.json", "metrics.jsonl"];
  const before = files.map((name) => hash(out, name));
  planned({ ...small, ...changes }, join(file, ".."));
  const { exitCode, stdout, stderr } = await rl(file);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(facts(`error: ${out}/state.safetensors: ${message}`));
  expect(files.map((name) => hash(out, name))).toEqual(before);
});

describe("what is left of a run", () => {
  const names = ["state.safetensors", "state.json", "metrics.jsonl"];
  const hashes = (out: string) => names.map((name) => existsSync(join(out, name)) && hash(out, name));
  const changes = { model: untrainedModel, heldOut: { perLevel: 1, every: 2 } };

  test("lines up to the state have to be there, one for each batch", async () => {
    const { file, out } = planned(changes);
    await rl(file, "--batches", "2");
    const path = join(out, "metrics.jsonl");
    const whole = readFileSync(path, "utf8");
    const [first, second, third] = whole.trimEnd().split("\n") as [string, string, string];
    for (const [lines, message] of [
      [[`x${first.slice(1)}`, second, third], 'line 1: expected batch 0, got "x'],
      [[second, third], "line 1: expected batch 0, got batch 1"],
      [[first, second, second], "line 3: expected batch 2, got batch 1"],
      [[first, third], "line 2: expected batch 1, got batch 2"],
      [[first, second, third.slice(0, -5)], 'line 3: expected batch 2, got "'],
      [[first, second], "line 3: expected batch 2, got none"],
      [['{"batch":0,"heldOut":5}', second, third], "line 1: expected batch 0, got "],
      [['{"batch":0,"heldOut":[{"task":"a"}]}', second, third], "line 1: expected batch 0, got "],
      [[first, '{"batch":1,"accuracy":"all"}', third], "line 2: expected batch 1, got "],
      [undefined, "line 1: expected batch 0, got none"],
    ] as const) {
      if (lines) writeFileSync(path, `${lines.join("\n")}\n`);
      else rmSync(path);
      const before = hashes(out);
      const { exitCode, stderr } = await rl(file);
      expect([message, exitCode, stderr]).toEqual([message, 1, expect.stringMatching(facts(`error: ${path}: ${message}`))]);
      expect(stderr).toMatch(facts(`--out…remove ${out}/state.safetensors`));
      expect(hashes(out)).toEqual(before);
    }
    // What follows is cut off, and the end of the last line written again.
    for (const text of [`${whole}{"batch":7`, whole.trimEnd()]) {
      writeFileSync(path, text);
      expect((await rl(file, "--batches", "2")).exitCode).toBe(0);
      expect(readFileSync(path, "utf8")).toBe(whole);
    }
  });

  test("lines without a state, of another run or another command, are left as they are", async () => {
    const { file, out } = planned(changes);
    await rl(file, "--batches", "1");
    rmSync(join(out, "state.safetensors"));
    const made = JSON.parse(readFileSync(join(out, "state.json"), "utf8"));
    for (const [other, message] of [
      [{ ...made, seed: 8 }, "made with another seed: expected 8, got 1"],
      [{ ...made, command: "train" }, 'made with another command: expected "train", got "rl"'],
    ] as const) {
      writeFileSync(join(out, "state.json"), JSON.stringify(other));
      const before = hashes(out);
      const { exitCode, stderr } = await rl(file);
      expect([exitCode, stderr]).toEqual([1, expect.stringMatching(facts(`error: ${out}/metrics.jsonl: ${message}`))]);
      expect(hashes(out)).toEqual(before);
    }
    writeFileSync(join(out, "state.json"), JSON.stringify(made));
    expect((await rl(file, "--batches", "1")).stderr).toContain("starting");
  });

  test("a state says itself whose it is", async () => {
    const [one, other] = [planned(changes), planned({ ...changes, seed: 8 })];
    for (const { file } of [one, other]) await rl(file, "--batches", "1");
    const state = join(one.out, "state.safetensors");
    cpSync(join(other.out, "state.safetensors"), state);
    const mixed = await rl(one.file);
    expect([mixed.exitCode, mixed.stderr]).toEqual([
      1,
      expect.stringContaining(`error: ${state}: made with another seed: expected 8, got 1`),
    ]);
    using model = await MiniMaxM1.load(untrainedModel, { dtype: "f32" });
    const trainer = new Trainer(model);
    trainer.steps = 500;
    writeFileSync(state, trainer.save());
    const foreign = await rl(one.file);
    expect([foreign.exitCode, foreign.stderr]).toEqual([1, expect.stringMatching(facts(`error: ${state}: …state`))]);
  });
});

describe("a file", () => {
  const parse = (changes: object) => parsePolicyPlan(new TextEncoder().encode(JSON.stringify({ ...plan, ...changes })), "FILE");

  test.each<[object, string]>([
    [{ taks: [] }, "taks: unknown option"],
    [{ model: 5 }, "model: …5"],
    [{ tasks: undefined }, "tasks:"],
    [{ tasks: [] }, "tasks: …task"],
    [{ tasks: "all" }, 'tasks: …array…{ name }…{ module }…{ file, verifier }…"all"'],
    [{ tasks: [{ module: "" }] }, "tasks.0.module: …characters"],
    [{ tasks: [{ module: "a.mjs", levels: [1] }] }, "tasks.0.levels: unknown option"],
    [{ tasks: [{ file: "a.jsonl" }] }, "tasks.0.verifier:"],
    [{ tasks: [{ file: "a.jsonl", verifier: "judge" }] }, 'tasks.0.verifier: expected "exact" or "words" or "number", got "judge"'],
    [{ tasks: [{ file: "a.jsonl", verifier: "exact", answer: "last" }] }, 'tasks.0.answer: expected "tagged" or "text", got "last"'],
    [{ reference: 5 }, "reference: …5"],
    [{ run: { ...plan.run, judging: { concurrency: 0 } } }, "run.judging.concurrency: …integer…1…0"],
    [{ tasks: [{ name: "chess" }] }, 'tasks.0.name: expected one of "dyck-completion", '],
    [{ tasks: [{ name: "sudoku", level: 1 }] }, "tasks.0.level: unknown option"],
    [{ tasks: [{ name: "sudoku", levels: [] }] }, "tasks.0.levels: expected at least one level, got "],
    [{ tasks: [{ name: "sudoku", levels: [0] }] }, "tasks.0.levels.0: …integer…1…0"],
    [{ tasks: [{ name: "sudoku", levels: [1, 9] }] }, "tasks.0.levels: …1…3…9"],
    [{ tasks: [{ name: "sudoku", weight: 0 }] }, "tasks.0.weight: …number…[1e-9, 1e9]…0"],
    [{ tasks: [{ name: "sudoku", weight: 1e300 }] }, "tasks.0.weight: …number…[1e-9, 1e9]…1e+300"],
    [{ heldOut: { perLevel: 1e8, every: 1 } }, "heldOut.perLevel: …integer…[1, 100,000]…100000000"],
    [{ tasks: [{ name: "sudoku" }, { name: "sudoku", levels: [2] }] }, "tasks.1: …level…2 of sudoku"],
    [{ rewards: { right: 1 } }, "rewards.right: unknown option"],
    [{ rewards: { correct: -1 } }, "rewards.correct: …number…[0, 1e6]…-1"],
    [{ rewards: { correct: 0 } }, "rewards: …0"],
    [{ objective: "cispo" }, 'objective: …object…"name"…"cispo"'],
    [{ objective: { name: "ppo" } }, 'objective.name: expected one of "cispo", "grpo", "dapo", '],
    [{ objective: { name: "toString" } }, 'objective.name: expected one of "cispo", '],
    [{ objective: { name: "cispo", maxWieght: 5 } }, "objective: cispo: maxWieght: unknown option"],
    [{ objective: { name: "cispo", maxWeight: 0 } }, "objective: cispo: maxWeight: …number…0…0"],
    [{ objective: { name: "dual-clip", cap: 1 } }, "objective: dualClip: cap: …number…1…1"],
    [{ objective: { name: "cispo", klCoef: -1 } }, "objective: cispo: klCoef: …number…[0, 1e9]…-1"],
    [{ aggregation: "token" }, "aggregation: unknown option"],
    [
      { objective: { name: "grpo", aggregation: "mean" } },
      'objective: grpo: aggregation: …"token"…"sequence"…{ constant: above 0 }…{ mix: within [0, 1] }…"mean"',
    ],
    [{ trainer: { lr: 0 } }, "trainer.lr: …number…0…0"],
    [{ trainer: { decays: 1 } }, "trainer.decays: unknown option"],
    [{ run: undefined }, "run:"],
    [{ run: { groups: 2 } }, "run.batches:"],
    [{ run: { ...plan.run, seed: 1 } }, "run.seed: unknown option"],
    [{ run: { ...plan.run, groups: 65_536, groupSize: 32 } }, "run: groups: …1,048,576"],
    [{ run: { ...plan.run, groupSize: 1 } }, "run.groupSize: …integer…[2, 65,536]…1"],
    [{ run: { ...plan.run, minibatches: 3 } }, "run: minibatches: …2…3"],
    [{ run: { ...plan.run, advantages: { ddof: 2 } } }, "run: advantages: groupAdvantages: ddof: expected 0 or 1, got 2"],
    [{ run: { ...plan.run, maxTokens: { windows: [] } } }, "run: maxTokens: nextWindow: windows: …ascending"],
    [{ run: { ...plan.run, repetition: { tokens: 0 } } }, "run.repetition.tokens: …integer…1…0"],
    [{ heldOut: { perLevel: 2 } }, "heldOut.every:"],
    [{ seed: -1 }, "seed: …integer…[0, 2^32)…-1"],
    [{ build: "fast" }, 'build: expected "auto" or "simd" or "relaxed" or "debug", got "fast"'],
    [{ save: { every: 0 } }, "save.every: …integer…1…0"],
  ])("that does not fit: %j", (changes, message) => {
    expect(() => parse(changes)).toThrow(facts(`FILE: ${message}`));
  });

  test("names all levels of a task if it names none", () => {
    const { levels } = parse({ tasks: [{ name: "sudoku", weight: 2 }] });
    expect(levels.map(({ task, level, weight }) => [task.name, level, weight])).toEqual([
      ["sudoku", 1, 2],
      ["sudoku", 2, 2],
      ["sudoku", 3, 2],
    ]);
  });

  test("of the examples can be read", () => {
    const file = fileURLToPath(new URL("../../examples/cispo-tiny.json", import.meta.url));
    expect(parsePolicyPlan(readFileSync(file), file)).toMatchObject({ objective: { name: "cispo" }, build: "simd" });
  });
});

describe("a penalty of the divergence from a reference", () => {
  const penalised = { ...light, objective: { name: "grpo", klCoef: 0.5 }, heldOut: undefined };
  const klRefs = (out: string) => metrics(out).flatMap(({ updates }) => (updates as { klRef?: number }[]).map(({ klRef }) => klRef));

  test("is that from the model of the beginning, also after a stop", async () => {
    const [whole, broken] = [planned(penalised), planned(penalised)];
    expect((await rl(whole.file)).exitCode).toBe(0);
    const found = klRefs(whole.out);
    expect(found[0]).toBe(0);
    expect(found.at(-1)).toBeGreaterThan(0);
    expect(table(whole.out).some(({ klReference }) => Number(klReference) > 0)).toBe(true);
    await rl(broken.file, "--batches", "1");
    await rl(broken.file, "--batches", "2");
    expect((await rl(broken.file)).exitCode).toBe(0);
    expectSame(broken.out, whole.out);
  });

  test("cannot change its reference on the way, by its weights", async () => {
    const { file } = planned(penalised);
    await rl(file, "--batches", "1");
    planned({ ...penalised, reference: otherModel }, join(file, ".."));
    const { exitCode, stderr } = await rl(file);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("state.safetensors: made with another reference: expected ")]);
  });

  test("needs one of the same vocabulary; a reference alone is measured", async () => {
    const other = await rl(planned({ ...penalised, reference: tiny }).file);
    expect([other.exitCode, other.stderr]).toEqual([1, expect.stringMatching(/reference:.*\d+.*\d+/)]);
    const measured = planned({ ...light, heldOut: undefined, reference: untrainedModel });
    expect((await rl(measured.file)).exitCode).toBe(0);
    expect(klRefs(measured.out)[0]).toBe(0);
  });
});

test("what is refused when the model is there, or before", async () => {
  const few = await rl(planned({ tasks: [{ name: "dyck-completion", levels: [1] }], heldOut: { perLevel: 3000, every: 1 } }).file);
  expect([few.exitCode, few.stderr]).toEqual([1, expect.stringMatching(/error: .*small\.json: heldOut: evaluateTasks: perLevel:.*\d+/)]);
  const silent = await rl(planned({ model: tiny }).file);
  expect([silent.exitCode, silent.stderr]).toEqual([1, expect.stringMatching(facts("model: …checkpoint"))]);
  const none = await rl(planned({ model: "no/such" }).file);
  expect([none.exitCode, none.stderr]).toEqual([1, expect.stringContaining("no such path")]);
});

test.each([
  [["walk", "x.json"], 2, 'rl: expected "run", got "walk"'],
  [["run"], 2, "CONFIG"],
  [[], 2, "ACTION"],
  [["run", "no/such.json"], 1, "error: no/such.json: …JSON file"],
  [["run", "x.json", "--batches", "0"], 2, '--batches: …integer…1…"0"'],
  [["run", "x.json", "--threads", "x"], 2, '--threads: …"auto"…integer…[1, 64]…"x"'],
  [["run", "x.json", "--out", ""], 2, '--out: …directory…""'],
  [["run", "x.json", "--steps", "1"], 2, "--steps"],
])("rl %j: exit code %i", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["rl", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toMatch(facts(message));
});

test("--help within 100 columns", async () => {
  const { exitCode, stdout } = await run(["rl", "--help"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("lightning-m1 rl run ");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});

describe("curves", () => {
  const heldOut = (share: number) =>
    ["a", "b", "c", "d", "e"].flatMap((task) => [1, 2].map((level) => ({ task, level, accuracy: share * (level / 2) })));
  const lines = (svg: string, width: string) => [...svg.matchAll(new RegExp(`stroke-width="${width}"`, "g"))].length;

  test("have a line for every task, one for their mean, and one of what was sampled", async () => {
    const svg = await drawSvg(
      policyFigure([
        { batch: 0, heldOut: heldOut(0.2) },
        { batch: 1, accuracy: 0.3 },
        { batch: 2, accuracy: 0.4, heldOut: heldOut(0.8) },
      ]),
    );
    expect([lines(svg, "1.5"), lines(svg, "3.5")]).toEqual([5, 1]);
    for (const task of "abcde") expect(svg).toContain(`>${task}</text>`);
    expect(svg).toContain(PALETTE.grey);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  test("of no batch, of one, and without held-out puzzles can be drawn", async () => {
    for (const points of [[], [{ batch: 0, heldOut: heldOut(1) }], [{ batch: 1, accuracy: 0.5 }]]) {
      expect(await drawSvg(policyFigure(points))).not.toMatch(/NaN|undefined/);
    }
  });
});
