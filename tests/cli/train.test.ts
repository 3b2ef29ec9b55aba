// A training on the command line. Killed processes are those of the built command; all else runs in this one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { type Training, trainInDirectory } from "../../src/cli/runs/train-in-directory.js";
import { expertLoadChart } from "../../src/cli/runs/training-view.js";
import { CommandEnded, openTerminal } from "../../src/cli/text/terminal.js";
import { MiniMaxM1 } from "../../src/index.js";
import type { Trainer } from "../../src/train/index.js";
import { facts } from "../support/facts.js";
import { random } from "../support/random.js";
import { Capture, run, start, temporary, tiny } from "./harness.js";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));

const plan = {
  model: {
    architectures: ["MiniMaxM1ForCausalLM"],
    model_type: "minimax_m1",
    torch_dtype: "float32",
    hidden_size: 16,
    intermediate_size: 16,
    num_hidden_layers: 2,
    attn_type_list: [0, 1],
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 8,
    rotary_dim: 4,
    num_local_experts: 4,
    num_experts_per_tok: 2,
    max_position_embeddings: 512,
  },
  tokenizer: { vocabSize: 300, specialTokens: ["<answer>", "</answer>"] },
  data: { tasks: ["boolean-expression", "dyck-completion"], texts: 20 },
  seed: 7,
  build: "simd",
  trainer: { lr: 0.01 },
  run: { steps: 6, batchTokens: 128, schedule: { warmup: 2 } },
  heldOut: { documents: 2, every: 4 },
  save: { every: 2 },
};

/** A directory with the file of a training in it, and where it trains. */
function planned(changes: object = {}, directory = temporary()): { file: string; out: string } {
  const file = join(directory, "small.train.json");
  writeFileSync(file, JSON.stringify({ ...plan, ...changes }));
  return { file, out: join(directory, "small-run") };
}

/** Where a training of two steps lies, which is made once. */
let twoSteps: Promise<string> | undefined;
afterAll(async () => twoSteps && rmSync(await twoSteps, { recursive: true, force: true }));

/** A copy of a training of two steps, for a test to change. */
async function trained(): Promise<{ file: string; out: string }> {
  twoSteps ??= (async () => {
    const directory = mkdtempSync(join(tmpdir(), "lightning-m1-"));
    expect((await train(planned({}, directory).file, "--steps", "2")).exitCode).toBe(0);
    return directory;
  })();
  const copy = planned();
  cpSync(join(await twoSteps, "small-run"), copy.out, { recursive: true });
  return copy;
}

const train = (file: string, ...args: string[]) => run(["train", file, "--threads", "1", ...args]);
const state = (out: string) => readFileSync(join(out, "state.safetensors"));
const weights = (out: string) => readFileSync(join(out, "model/model.safetensors"));
const metrics = (out: string): Record<string, unknown>[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const timeless = (out: string) => metrics(out).map(({ tokensPerSecond: _, ...rest }) => rest);

test("a directory with everything in it, and a model that speaks", async () => {
  const { file, out } = planned();
  const { exitCode, stdout, stderr } = await train(file);
  expect([exitCode, stderr.includes("error")]).toEqual([0, false]);
  expect(stdout).toBe(
    `6 steps, loss ${/loss ([\d.]+)/.exec(stdout)![1]}, held out ${/held out ([\d.]+)/.exec(stdout)![1]}: ${out}/model\n`,
  );
  expect(readdirSync(out).sort()).toEqual(["loss.svg", "metrics.csv", "metrics.jsonl", "model", "state.json", "state.safetensors"]);
  expect(metrics(out).map(({ step, heldOutLoss }) => [step, typeof heldOutLoss])).toEqual([
    [1, "undefined"],
    [2, "undefined"],
    [3, "undefined"],
    [4, "number"],
    [5, "undefined"],
    [6, "number"],
  ]);
  expect(readFileSync(join(out, "loss.svg"), "utf8").match(/class="held-out"/g)).toHaveLength(2 + 1);
  using model = await MiniMaxM1.load(join(out, "model"));
  expect([model.tokenizer!.vocabSize, model.config.vocabSize, model.config.eosTokenIds]).toEqual([300, 300, [model.tokenizer!.eosId]]);
  const generated = await run(["generate", join(out, "model"), "--chat", "--prompt", "not True", "-n", "3"]);
  expect(generated.exitCode).toBe(0);
});

test("called again when all is done: the same model once more, and no step", async () => {
  const { file, out } = planned();
  const first = await train(file, "--json");
  const before = [state(out), weights(out), readFileSync(join(out, "metrics.jsonl"))];
  const second = await train(file, "--json");
  expect(second.stdout).toBe(first.stdout);
  expect(JSON.parse(first.stdout)).toEqual({
    steps: 6,
    loss: expect.any(Number),
    heldOutLoss: expect.any(Number),
    model: join(out, "model"),
  });
  expect([state(out), weights(out), readFileSync(join(out, "metrics.jsonl"))]).toEqual(before);
});

test("killed at six moments: the weights, state and metrics of an uninterrupted run", { timeout: 300_000 }, async () => {
  const changes = { run: { ...plan.run, steps: 120 }, heldOut: { documents: 2, every: 20 }, save: { every: 7 } };
  const whole = planned(changes);
  const broken = planned(changes);
  expect((await train(whole.file)).exitCode).toBe(0);
  const { uniform } = random(1);
  const path = join(broken.out, "metrics.jsonl");
  const written = () => (existsSync(path) ? statSync(path).size : 0);
  let killedInSteps = 0;
  for (let kill = 0; kill < 6; kill++) {
    const before = written();
    const child = spawn(process.execPath, [cli, "train", broken.file, "--threads", "1"], { stdio: "ignore" });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = once(child, "close");
    // Two while they prepare; the others after some steps, within a step or a save.
    if (kill % 4 === 0) await sleep(300 * uniform());
    else {
      // The last one after a save, however slow the machine is.
      const saved = () => kill < 5 || existsSync(join(broken.out, "state.safetensors"));
      while (child.exitCode === null && (written() <= before || !saved())) await sleep(2);
      await sleep(30 * uniform());
    }
    child.kill("SIGKILL");
    const [, signal] = await ended;
    if (signal === "SIGKILL" && written() > before) killedInSteps++;
  }
  expect(killedInSteps).toBeGreaterThan(2);
  const { exitCode, stderr } = await train(broken.file);
  expect(exitCode).toBe(0);
  expect(stderr).toContain("continuing after step ");
  expect(Buffer.compare(weights(broken.out), weights(whole.out))).toBe(0);
  expect(Buffer.compare(state(broken.out), state(whole.out))).toBe(0);
  expect(timeless(broken.out)).toEqual(timeless(whole.out));
  expect(readdirSync(broken.out).sort()).toEqual(readdirSync(whole.out).sort());
});

test("Ctrl-C saves and ends with 130; the next call goes on to the same bits", async () => {
  // So many steps that they do not all pass before Ctrl-C comes.
  const changes = { save: { every: 1000 }, run: { ...plan.run, steps: 200 } };
  const [whole, broken] = [planned(changes), planned(changes)];
  await train(whole.file);
  const { controller, exitCode, stdout, stderr } = start(["train", broken.file, "--threads", "1"], { tty: true });
  await stderr.has(" / 200, ");
  controller.abort(new CommandEnded(130));
  expect([await exitCode, stdout.text]).toEqual([130, ""]);
  const [, saved] = /saved after step (\d+)/.exec(stderr.text)!;
  expect(metrics(broken.out)).toHaveLength(Number(saved));
  expect(stderr.text).toMatch(/\[\?25h/);
  expect(existsSync(join(broken.out, "lock"))).toBe(false);
  expect((await train(broken.file)).stderr).toContain(`continuing after step ${saved}`);
  expect(Buffer.compare(state(broken.out), state(whole.out))).toBe(0);
  expect(timeless(broken.out)).toEqual(timeless(whole.out));
});

test("an error that comes with Ctrl-C is no reason to save: the trainer may stand within an update", async () => {
  const out = temporary();
  const controller = new AbortController();
  const { stdin, stdout, stderr } = { stdin: new PassThrough(), stdout: new Capture(false), stderr: new Capture(false) };
  const training: Training<{ step: number }, number> = {
    kind: {
      ...{ command: "train", unit: "step", figure: "none.svg", draw: () => "" },
      position: ({ steps }) => steps,
      read: ({ step }) => ({ at: step as number, point: step as number }),
    },
    ...{ file: "none.json", out, trainer: {}, total: 9, saveEvery: 9 },
    async prepare() {
      const model = await MiniMaxM1.create({ ...plan.model, vocab_size: 8, bos_token_id: 0, eos_token_id: 1 });
      async function* lines(trainer: Trainer) {
        trainer.step([[1, 2, 3]]);
        yield { step: 1 };
        trainer.step([[1, 2, 3]]);
        controller.abort(new CommandEnded(130));
        throw new Error("broken within the second step");
      }
      return { model, identity: {}, lines };
    },
    toStoredLine: (line) => line,
    toDisplay: () => ({ values: [] }),
  };
  const terminal = openTerminal({ stdin, stdout, stderr, env: {}, signal: controller.signal });
  await expect(trainInDirectory(training, terminal)).rejects.toThrow("broken within the second step");
  expect(readdirSync(out).sort()).toEqual(["metrics.jsonl", "state.json"]);
});

test("metrics beyond the state, and the beginning of a line, are cut off", async () => {
  const { file, out } = planned();
  await train(file, "--steps", "4");
  const before = timeless(out);
  const path = join(out, "metrics.jsonl");
  const lines = readFileSync(path, "utf8");
  writeFileSync(path, `${lines}{"step":5,"crossEntropy":1}\n{"step":6,"cro`);
  await train(file, "--steps", "4");
  expect(timeless(out)).toEqual(before);
  await train(file);
  expect(metrics(out).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a held-out loss that is none is refused with its line", async () => {
  const { file, out } = planned();
  await train(file, "--steps", "4");
  const path = join(out, "metrics.jsonl");
  writeFileSync(path, readFileSync(path, "utf8").replace(/"heldOutLoss":[\d.]+/, '"heldOutLoss":"low"'));
  const { exitCode, stderr } = await train(file, "--steps", "4", "--json");
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`error: ${path}: line 4: expected step 4, got "`)]);
});

test.each<[object, string]>([
  [{ model: { ...plan.model, head_dim: 4 } }, "…model.head_dim…8…4…--out"],
  [{ tokenizer: { vocabSize: 299 } }, "made with another tokenizer.vocabSize: expected 300, got 299"],
  [
    { data: { ...plan.data, tasks: ["boolean-expression", "sudoku"] } },
    'made with another data.tasks.1: expected "dyck-completion", got "sudoku"',
  ],
  [{ data: { ...plan.data, texts: 21 } }, "made with another data.texts: expected 20, got 21"],
  [{ seed: 8 }, "made with another seed: expected 7, got 8"],
  [{ build: "debug" }, 'made with another build: expected "simd", got "debug"'],
  [{ trainer: { lr: 0.02 } }, "made with another trainer.lr: expected 0.01, got 0.02"],
  [{ trainer: { lr: 0.01, auxLossCoef: 0.1 } }, "made with another trainer.auxLossCoef: expected none, got 0.1"],
])("a state of another training is refused: %j", async (changes, message) => {
  const { file, out } = await trained();
  const before = [state(out), readFileSync(join(out, "metrics.jsonl")), readFileSync(join(out, "state.json"))];
  planned(changes, join(file, ".."));
  const { exitCode, stdout, stderr } = await train(file);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(facts(`error: ${out}/state.safetensors: ${message}`));
  expect([state(out), readFileSync(join(out, "metrics.jsonl")), readFileSync(join(out, "state.json"))]).toEqual(before);
});

test("what does not decide the numbers so far may change, and so may the order of keys and defaults that are written out", async () => {
  const { file, out } = await trained();
  const model = Object.fromEntries(Object.entries(plan.model).reverse());
  planned({ model, trainer: { weightDecay: 0.01, lr: 0.01 }, heldOut: undefined, save: undefined }, join(file, ".."));
  expect((await train(file, "--steps", "3")).stderr).toContain("continuing after step 2");
  expect(metrics(out)).toHaveLength(3);
});

test.each<[string, (whole: Buffer) => Uint8Array, string]>([
  ["cut off", (whole) => whole.subarray(0, -1), "truncated"],
  ["empty", () => new Uint8Array(), "safetensors…0 bytes"],
  ["other bytes", () => new TextEncoder().encode("no state at all, but long enough"), "header"],
  ["a model", () => readFileSync(join(tiny, "model.safetensors")), 'expected "lightning-m1 training state 2"'],
])("a state that is damaged is refused and left as it is: %s", async (_, damage, message) => {
  const { file, out } = await trained();
  const damaged = Buffer.from(damage(state(out)));
  writeFileSync(join(out, "state.safetensors"), damaged);
  const { exitCode, stderr } = await train(file);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`error: ${out}/state.safetensors: training state: `);
  expect(stderr).toMatch(facts(message));
  expect(stderr).toContain("remove this file");
  expect(Buffer.compare(state(out), damaged)).toBe(0);
});

test.each([
  ["", "invalid JSON"],
  [undefined, "no such file"],
])("a state without what it was made with is refused: %j", async (content, got) => {
  const { file, out } = await trained();
  if (content === undefined) rmSync(join(out, "state.json"));
  else writeFileSync(join(out, "state.json"), content);
  const { exitCode, stderr } = await train(file);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(facts(`error: ${out}/state.json:…${got}`));
});

test.each(["metrics.jsonl", "loss.svg"])("a directory with a %s that no training made is left as it is", async (name) => {
  const { file, out } = planned();
  mkdirSync(out);
  writeFileSync(join(out, name), "mine");
  const { exitCode, stderr } = await train(file);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(facts(`error: ${out}…directory…${name}…another --out`));
  expect(readFileSync(join(out, name), "utf8")).toBe("mine");
});

test("the file of a training may lie in its own directory, whatever its name", async () => {
  const directory = temporary();
  const file = join(directory, "train.json");
  writeFileSync(file, JSON.stringify(plan));
  for (const steps of ["2", "4"]) expect((await train(file, "--out", directory, "--steps", steps)).exitCode).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(plan);
});

test("a lock that cannot be read is an error", async () => {
  const { file, out } = planned();
  mkdirSync(join(out, "lock"), { recursive: true });
  const { exitCode, stderr } = await train(file);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(facts(`error: ${out}/lock: …file…directory…Remove`));
});

// In a process of its own: it would hold this one up if it went on for ever.
test("a lock that leads nowhere is an error", async () => {
  const { file, out } = planned();
  mkdirSync(out);
  symlinkSync(join(out, "nothing"), join(out, "lock"));
  const child = spawn(process.execPath, [cli, "train", file, "--threads", "1"], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  const [stderr, [exitCode]] = await Promise.all([text(child.stderr), once(child, "close")]);
  expect([exitCode, stderr]).toEqual([1, expect.stringMatching(facts(`error: ${out}/lock: …file…symbolic link…Remove`))]);
});

test("two at once: the second is refused; a lock of a process that is gone counts for nothing", async () => {
  const { file, out } = planned({ run: { ...plan.run, steps: 4000 } });
  const first = start(["train", file, "--threads", "1"], { tty: true });
  await first.stderr.has(" / 4000, ");
  const second = await train(file);
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toMatch(facts(`error: ${out}: …training…process ${process.pid}…--out`));
  expect(existsSync(join(out, "lock"))).toBe(true);
  first.controller.abort(new CommandEnded(130));
  expect(await first.exitCode).toBe(130);
  for (const stale of ["4194305 12345\n", `${process.pid} 1\n`, "", "other text"]) {
    writeFileSync(join(out, "lock"), stale);
    const { exitCode } = await train(file, "--steps", "1");
    expect([stale, exitCode, existsSync(join(out, "lock"))]).toEqual([stale, 0, false]);
  }
});

test("text: learned from all but its end; another text is another training", async () => {
  const directory = temporary();
  const line = (i: number) => `The ${["quick", "slow", "brown"][i % 3]} fox no. ${i} jumps over ${i % 7} dogs 👍\n`;
  writeFileSync(join(directory, "a.txt"), Array.from({ length: 60 }, (_, i) => line(i)).join(""));
  mkdirSync(join(directory, "more"));
  writeFileSync(join(directory, "more/b.txt"), Array.from({ length: 40 }, (_, i) => line(3 * i)).join(""));
  const { file, out } = planned(
    {
      data: { text: ["a.txt", "more/b.txt"] },
      run: {
        steps: 60,
        batchTokens: 128,
        windows: [
          { from: 0, tokens: 32 },
          { from: 30, tokens: 64 },
        ],
      },
    },
    directory,
  );
  const { exitCode, stdout } = await train(file, "--json");
  expect(exitCode).toBe(0);
  const losses = metrics(out).map(({ crossEntropy }) => crossEntropy as number);
  expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
  expect(JSON.parse(stdout).heldOutLoss).toBeLessThan(0.95 * losses[0]!);
  writeFileSync(join(directory, "a.txt"), "another text, at another time\n".repeat(50));
  const other = await train(file);
  expect([other.exitCode, /made with another data\.sha256/.test(other.stderr)]).toEqual([1, true]);
});

test("from a checkpoint, with its tokenizer", async () => {
  const first = planned();
  await train(first.file);
  const directory = join(first.file, "..");
  const next = planned({ model: "small-run/model", tokenizer: undefined, seed: 9 }, directory);
  const { exitCode } = await train(next.file, "--out", join(directory, "next"));
  expect(exitCode).toBe(0);
  expect(readFileSync(join(directory, "next/model/tokenizer.json"))).toEqual(readFileSync(join(first.out, "model/tokenizer.json")));
  expect(metrics(join(directory, "next"))[0]!.crossEntropy).toBeLessThan(metrics(first.out)[0]!.crossEntropy as number);
});

const inFile: [object, string][] = [
  [{ modle: {} }, "modle: unknown option"],
  [{ trainer: { lr: -1 } }, "trainer.lr: …number…0…-1"],
  [{ trainer: { decays: 1 } }, "trainer.decays: unknown option"],
  [{ trainer: { betas: [0.9] } }, "trainer.betas: …[0, 1)…float32"],
  [{ run: { steps: 0, batchTokens: 128 } }, "run.steps: …integer…1…0"],
  [{ run: { steps: 10 } }, "run.batchTokens:"],
  [{ run: undefined }, "run:"],
  [{ run: 5 }, "run: …object…5"],
  [{ run: { ...plan.run, schedule: { decay: "linear" } } }, 'run.schedule.decay: …"cosine"…"constant"…"wsd"…"linear"'],
  [{ run: { ...plan.run, windows: [{ from: 0 }] } }, "run.windows.0.tokens:"],
  [{ heldOut: { documents: 2, every: 0.5 } }, "heldOut.every: …integer…1…0.5"],
  [{ save: { every: "2" } }, 'save.every: …integer…1…"2"'],
  [{ seed: 2 ** 32 }, "seed: …integer…[0, 2^32)…4294967296"],
  [{ build: "fast" }, 'build: expected "auto" or "simd" or "relaxed" or "debug", got "fast"'],
  [{ data: {} }, "data: …tasks…text…jsonl"],
  [{ data: { tasks: "all", text: ["a.txt"] } }, "data: …tasks…text…jsonl…tasks…text"],
  [{ data: { text: ["a.txt"], texts: 3 } }, "data.texts: …tasks…3…text"],
  [{ data: { text: [] } }, "data.text: expected paths of text files, got"],
  [{ data: { tasks: "some" } }, 'data.tasks: …"all"…"some"'],
  [{ data: { tasks: ["sudoku", "chess"] } }, 'data.tasks.1: expected one of "dyck-completion", '],
  [{ data: { text: ["missing.txt"] } }, "data.text.0: DIR/missing.txt: …file"],
  [{ data: { text: ["short.txt"] } }, "data.text: …1…1…longer"],
  [{ data: { text: ["latin.txt"] } }, "data.text.0: DIR/latin.txt: …UTF-8"],
  [{ tokenizer: undefined }, 'tokenizer: …{ "vocabSize": … }'],
  [{ tokenizer: { vocabSize: 300, specialTokens: ["<a b>"] } }, 'tokenizer.specialTokens.0: …"<answer>"…"<a b>"'],
  [{ model: "checkpoint" }, "tokenizer: …checkpoint"],
  [{ model: 5 }, "model: …JSON…5"],
  [{ model: { ...plan.model, vocab_size: 300 } }, "model.vocab_size: …tokenizer"],
  [{ model: tiny, tokenizer: undefined }, "model: …checkpoint"],
];

test.each(inFile)("a file that does not fit: %j", async (changes, message) => {
  const { file } = planned(changes);
  const directory = join(file, "..");
  writeFileSync(join(directory, "short.txt"), "abcd");
  writeFileSync(join(directory, "latin.txt"), Buffer.from([0xe9, 0x20, 0xff]));
  const { exitCode, stdout, stderr } = await train(file);
  expect([exitCode, stdout]).toEqual([1, ""]);
  const [error] = /^error: .*$/m.exec(stderr)!;
  expect(error.replaceAll(`${directory}/`, "DIR/")).toMatch(facts(`error: DIR/small.train.json: ${message}`));
});

test.each<[object, string]>([
  [{ model: { ...plan.model, hidden_size: "16" } }, "hidden_size"],
  [{ model: { ...plan.model, model_type: "llama" } }, "llama"],
  [{ model: "no/such/checkpoint", tokenizer: undefined }, "no such path"],
  [{ tokenizer: { vocabSize: 100 } }, "vocabSize: …262"],
  [{ run: { steps: 2, batchTokens: 4096 }, data: { text: ["long.txt"] } }, "token"],
])("what the library refuses: %j", async (changes, message) => {
  const { file, out } = planned(changes);
  writeFileSync(join(file, "../long.txt"), "a text, and so on. ".repeat(1000));
  const { exitCode, stderr } = await train(file);
  expect([exitCode, stderr.match(/^error: /gm)]).toEqual([1, ["error: "]]);
  expect(stderr).toMatch(facts(message));
  expect(existsSync(join(out, "lock"))).toBe(false);
});

test.each([
  [["no/such.json"], 1, "error: no/such.json: …JSON file"],
  [[fileURLToPath(new URL("../../README.md", import.meta.url))], 1, "README.md: line 1, column 1: expected a value"],
  [[], 2, "CONFIG"],
  [["x.json", "--steps", "0"], 2, '--steps: …integer…1…"0"'],
  [["x.json", "--threads", "0"], 2, '--threads: …"auto"…integer…[1, 64]…"0"'],
  [["x.json", "--out", ""], 2, '--out: …directory…""'],
  [["x.json", "--dtype", "q8"], 2, "--dtype"],
])("train %j: exit code %i", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["train", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toMatch(facts(message));
});

test("a directory that cannot be made", async () => {
  const { file } = planned();
  const { exitCode, stderr } = await train(file, "--out", join(file, "run"));
  expect([exitCode, /error: .*small\.train\.json\/run: cannot be written: E(NOTDIR|EXIST)/.test(stderr)]).toEqual([1, true]);
});

test("on a terminal: a panel no wider than it, redrawn in place", async () => {
  const { file } = planned();
  const { exitCode, stdout, stderr } = await run(["train", file, "--threads", "1"], { tty: true });
  expect(exitCode).toBe(0);
  const frame = stderr.slice(stderr.lastIndexOf("\u001b[J") + 3);
  const lines = stripVTControlCharacters(frame).split("\n");
  expect(lines.slice(0, 3)).toEqual([
    expect.stringMatching(/^█{40} 6 \/ 6, 0 s left$/),
    expect.stringMatching(/^loss [\d.]+ {2}held out [\d.]+ {2}tokens\/s \d+ {2}gradient [\d.]+ {2}rate [\d.e-]+$/),
    expect.stringMatching(/^experts [▁▂▃▄▅▆▇█]{4} {2}[▁▂▃▄▅▆▇█]{4}$/),
  ]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);
  expect(stdout).toMatch(/^6 steps, loss /);
});

test("the load of experts: even, twice, none, not a number; many layers in few lines", () => {
  expect(expertLoadChart([[0.5, 0.5, 0.5, 0.5]], 79)).toEqual(["experts ▅▅▅▅"]);
  expect(
    expertLoadChart(
      [
        [1, 0, 0.25, 0.75],
        [Number.NaN, 1],
      ],
      79,
    )[0],
  ).toMatch(/^experts █▁▃▇ {2}▁▁$/);
  const many = expertLoadChart(
    Array.from({ length: 80 }, () => new Float64Array(32).fill(1)),
    79,
  );
  expect(many).toHaveLength(4);
  expect(many.every((line) => line.length <= 79)).toBe(true);
  expect(many.at(-1)!.endsWith("…")).toBe(true);
});

test("the repository's own file can be read", async () => {
  const { parseTrainingPlan } = await import("../../src/train/training-plan.js");
  const file = fileURLToPath(new URL("../../models/m1-puzzles.train.json", import.meta.url));
  expect(parseTrainingPlan(readFileSync(file), file)).toMatchObject({ seed: 7, data: { tasks: { length: 8 }, texts: 8000 } });
});
