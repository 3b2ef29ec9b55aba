// A training on data of one's own: JSONL, a held-out fraction, files that are none.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";
import { withoutChecksum } from "../support/training-state.js";
import { run, start, temporary } from "./harness.js";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));

const plan = {
  model: {
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
  tokenizer: { vocabSize: 300 },
  data: { jsonl: ["rows.jsonl"] } as object,
  build: "simd",
  trainer: { lr: 0.01 },
  run: { steps: 4, batchTokens: 128, windows: [{ from: 0, tokens: 64 }] },
  heldOut: { documents: 4, every: 2 } as object | undefined,
  save: { every: 2 },
};

const rows = [
  ...Array.from({ length: 60 }, (_, i) => ({ prompt: `What is ${i % 30} + 1?`, answer: `${(i % 30) + 1}`, id: i })),
  {
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello!" },
      { role: "user", content: "Bye" },
      { role: "assistant", content: "Ciao" },
    ],
  },
  { text: "The quick brown fox jumps over the lazy dog." },
];

function planned(changes: object = {}, directory = temporary()): { directory: string; file: string; out: string } {
  const file = join(directory, "small.train.json");
  writeFileSync(file, JSON.stringify({ ...plan, ...changes }));
  if (!existsSync(join(directory, "rows.jsonl")))
    writeFileSync(join(directory, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return { directory, file, out: join(directory, "small-run") };
}

const train = (file: string, ...args: string[]) => run(["train", file, "--threads", "1", ...args]);
const lines = (out: string) =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const table = (out: string) =>
  readFileSync(join(out, "metrics.csv"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(","));

test("rows of all forms are learned, answers alone are targets, and metrics come as lines and as a table", async () => {
  const { file, out } = planned();
  const { exitCode, stdout, stderr } = await train(file);
  expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^4 steps, loss [\d.]+, held out [\d.]+: /)]);
  expect(stderr).toMatch(facts('rows.jsonl: …keys…"id"'));
  const metrics = lines(out);
  for (const { targets, tokens } of metrics) expect(targets).toBeLessThan(tokens / 2);
  for (const { expertImbalance } of metrics) {
    expect(expertImbalance).toHaveLength(2);
    for (const layer of expertImbalance) expect(layer >= 1 && layer <= 2).toBe(true);
  }
  const [header, ...cells] = table(out);
  expect(header).toEqual(
    "step,documents,loss,crossEntropy,auxLoss,heldOutLoss,targets,tokens,gradNorm,lr,tokensPerSecond,expertImbalance".split(","),
  );
  expect(cells).toEqual(
    metrics.map((line) => header!.map((name) => `${name === "expertImbalance" ? Math.max(...line[name]) : (line[name] ?? "")}`)),
  );
  using model = await MiniMaxM1.load(join(out, "model"));
  expect(model.tokenizer!.vocabSize).toBe(300);
});

test("the table is whole again when a run goes on, whatever became of it", async () => {
  // Of a rate that does not depend on the number of steps.
  const constant = { run: { ...plan.run, schedule: { decay: "constant" } } };
  const [one, two] = [planned(constant), planned(constant)];
  await train(one.file, "--steps", "6");
  await train(two.file, "--steps", "2");
  writeFileSync(join(two.out, "metrics.csv"), "step,lo");
  appendFileSync(join(two.out, "metrics.jsonl"), '{"step":3,"crossEntropy":1}\n');
  await train(two.file, "--steps", "4");
  rmSync(join(two.out, "metrics.csv"));
  await train(two.file, "--steps", "6");
  const timeless = (out: string) => table(out).map((cells) => cells.filter((_, i) => ![9, 10].includes(i)));
  expect(timeless(two.out)).toEqual(timeless(one.out));
  const mine = planned();
  mkdirSync(mine.out);
  writeFileSync(join(mine.out, "metrics.csv"), "mine");
  expect((await train(mine.file)).stderr).toMatch(facts("directory…metrics.csv"));
});

test("a conversation is continued by the trained model in its chat format", async () => {
  const directory = temporary();
  writeFileSync(join(directory, "rows.jsonl"), `${JSON.stringify({ prompt: "Ping", answer: "Pong" })}\n`.repeat(3));
  const { file, out } = planned({ heldOut: undefined, run: { steps: 60, batchTokens: 128 } }, directory);
  expect((await train(file)).exitCode).toBe(0);
  const { stdout } = await run(["generate", join(out, "model"), "--chat", "--prompt", "Ping", "-n", "20", "--threads", "1"]);
  expect(stdout).toBe("Pong\n");
});

test("of the rows a fraction is held out and makes another run; without heldOut all are learned", async () => {
  const { file, out, directory } = planned({ heldOut: { documents: 4, every: 2, fraction: 0.2 } });
  expect((await train(file)).exitCode).toBe(0);
  expect(JSON.parse(readFileSync(join(out, "state.json"), "utf8")).data).toEqual({ sha256: expect.any(String), heldOut: 0.2 });
  planned({ heldOut: { documents: 2, every: 1, fraction: 0.2 } }, directory);
  expect((await train(file, "--steps", "6")).exitCode).toBe(0);
  planned({ heldOut: { documents: 4, every: 2, fraction: 0.1 } }, directory);
  expect((await train(file)).stderr).toContain("made with another data.heldOut: expected 0.2, got 0.1");
  planned({ heldOut: undefined }, directory);
  expect((await train(file)).stderr).toContain("made with another data.heldOut: expected 0.2, got none");
  const { file: all, out: whole } = planned({ heldOut: undefined });
  await train(all);
  expect(JSON.parse(readFileSync(join(whole, "state.json"), "utf8")).data).toEqual({ sha256: expect.any(String) });
});

test("of texts a fraction that is spread over them is held out, so that both parts are measured alike", async () => {
  const directory = temporary();
  const letters = (from: number) =>
    Array.from({ length: 400 }, (_, i) => `${String.fromCharCode(97 + from + (i % 5)).repeat(6)} ${i}\n`).join("");
  writeFileSync(join(directory, "a.txt"), letters(0));
  writeFileSync(join(directory, "b.txt"), letters(15));
  const data = { text: ["a.txt", "b.txt"] };
  const spread = planned({ data, run: { ...plan.run, steps: 60 }, heldOut: { documents: 30, every: 60, fraction: 0.1 } }, directory);
  expect((await train(spread.file)).exitCode).toBe(0);
  const { heldOutLoss, crossEntropy } = lines(spread.out).at(-1);
  expect(Math.abs(heldOutLoss - crossEntropy)).toBeLessThan(0.35 * crossEntropy);
});

test("long rows: the windows' cuts are told, and prompts that fill a window are left out", async () => {
  const directory = temporary();
  const long = [
    { prompt: "a ".repeat(200), answer: "b" },
    { prompt: "a", answer: "b ".repeat(200) },
    { prompt: "c", answer: "d" },
  ];
  writeFileSync(join(directory, "rows.jsonl"), long.map((row) => JSON.stringify(row)).join("\n"));
  const { file } = planned({ heldOut: undefined }, directory);
  const { exitCode, stderr } = await train(file);
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(facts("data.jsonl: 2 of 3 documents…window…64 tokens"));
  expect(stderr).toMatch(facts("data.jsonl: 1 of 3 documents…target…window…64 tokens"));
  writeFileSync(join(directory, "rows.jsonl"), JSON.stringify(long[0]));
  const none = await train(file, "--out", join(directory, "other"));
  expect([none.exitCode, none.stderr]).toEqual([1, expect.stringMatching(facts("target…64 tokens"))]);
});

test.each<[string, object, string]>([
  ["a row that cannot be read", {}, "data.jsonl.0: DIR/bad.jsonl: line 2: …answer"],
  [
    "a conversation that cannot be written",
    { data: { jsonl: ["role.jsonl"] } },
    "data.jsonl.0: DIR/role.jsonl: line 1: chat: messages[0].role: expected",
  ],
  ["no rows", { data: { jsonl: ["empty.jsonl"] } }, "data.jsonl.0: DIR/empty.jsonl: …empty"],
  ["two kinds of data", { data: { jsonl: ["bad.jsonl"], text: ["a.txt"] } }, "data: …tasks…text…jsonl…text…jsonl"],
  ["a fraction of puzzles", { data: { tasks: "all" }, heldOut: { documents: 1, every: 1, fraction: 0.1 } }, "heldOut.fraction: …0.1"],
  ["a fraction of everything", { heldOut: { documents: 1, every: 1, fraction: 1 } }, "heldOut.fraction: …number…0…1…1"],
  ["nothing to hold out", { data: { jsonl: ["one.jsonl"] } }, "heldOut: …1"],
])("is refused: %s", async (_, changes, message) => {
  const { directory, file } = planned({ data: { jsonl: ["bad.jsonl"] }, ...changes });
  writeFileSync(join(directory, "bad.jsonl"), '{"prompt": "Q", "answer": "A"}\n{"prompt": "Q"}\n');
  writeFileSync(
    join(directory, "role.jsonl"),
    '{"messages": [{"role": "human", "content": "Q"}, {"role": "assistant", "content": "A"}]}\n{"text": "a"}\n',
  );
  writeFileSync(join(directory, "empty.jsonl"), "\n\n");
  writeFileSync(join(directory, "one.jsonl"), '{"prompt": "Q", "answer": "A"}\n');
  const { exitCode, stderr } = await train(file);
  expect(exitCode).toBe(1);
  expect(/^error: .*$/m.exec(stderr)![0].replaceAll(`${directory}/`, "DIR/")).toMatch(facts(`error: DIR/small.train.json: ${message}`));
});

test("JSONL that is given as text is read as text, with a warning", async () => {
  const { file, directory } = planned({ data: { text: ["rows.jsonl"] } });
  const { exitCode, stderr } = await train(file);
  expect([exitCode, stderr]).toEqual([0, expect.stringMatching(facts(`data.text.0: ${directory}/rows.jsonl: …plain text…data.jsonl`))]);
});

/** Paths that are no regular files, or have no end. */
async function oddities(directory: string): Promise<Record<string, string>> {
  execFileSync("mkfifo", [join(directory, "pipe")]);
  mkdirSync(join(directory, "directory"));
  symlinkSync("/dev/zero", join(directory, "link"));
  writeFileSync(join(directory, "sparse"), "");
  truncateSync(join(directory, "sparse"), 2 ** 40);
  const server = createServer().listen(join(directory, "socket"));
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return {
    "/dev/zero": "a device",
    link: "a device",
    pipe: "a pipe",
    socket: "a socket",
    directory: "a directory",
    sparse: "a file of 1,049,000 MiB",
  };
}

test.skipIf(process.platform === "win32")(
  "only regular files of limited size are read, as data, plan, state, metrics or lock",
  async () => {
    const { directory, file, out } = planned();
    await train(file);
    for (const [path, got] of Object.entries(await oddities(directory))) {
      for (const key of ["text", "jsonl"]) {
        planned({ data: { [key]: [path] } }, directory);
        const { exitCode, stderr } = await train(file, "--out", join(directory, "new"));
        expect([exitCode, stderr]).toEqual([
          1,
          expect.stringMatching(new RegExp(`data\\.${key}\\.0: .*: expected a (text|JSONL) file, got ${got}`)),
        ]);
      }
      const full = join(directory, path.replace("/dev/zero", "link"));
      expect((await train(full, "--out", join(directory, "new"))).stderr).toMatch(facts(`JSON…plan…${got}`));
      planned({}, directory);
      for (const name of ["state.safetensors", "state.json", "metrics.jsonl", "lock"]) {
        const copy = join(directory, "copy");
        rmSync(copy, { recursive: true, force: true });
        cpSync(out, copy, { recursive: true });
        rmSync(join(copy, name), { force: true });
        symlinkSync(full, join(copy, name));
        const { exitCode, stderr } = await train(file, "--out", copy, "--steps", "5");
        expect([name, exitCode, stderr]).toEqual([name, 1, expect.stringContaining(got)]);
      }
    }
  },
);

test("SIGTERM ends a training while it encodes a long text", async () => {
  const { directory, file } = planned({ data: { text: ["long.txt"] } });
  writeFileSync(join(directory, "long.txt"), "The quick brown fox jumps over the lazy dog.\n".repeat(1_000_000));
  const child = spawn(process.execPath, [cli, "train", file, "--threads", "1"], { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stderr = text(child.stderr);
  // Its preparations take far longer than this.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  expect(child.exitCode).toBe(null);
  child.kill("SIGTERM");
  const [code] = await once(child, "close");
  expect([code, await stderr]).toEqual([143, expect.not.stringContaining("error")]);
});

test("a changed byte in a state, and files of another run beside it, are errors with a remedy; a state without a checksum goes on", async () => {
  const [one, two] = [planned(), planned({ seed: 9 })];
  await train(one.file);
  await train(two.file);
  const path = join(one.out, "state.safetensors");
  const state = readFileSync(path);
  const attempt = async (change: () => void) => {
    change();
    const { exitCode, stderr } = await train(one.file, "--steps", "5");
    writeFileSync(path, state);
    return [exitCode, /^error: .*$/m.exec(stderr)?.[0]];
  };
  const damaged = Buffer.from(state);
  damaged[20_000]! ^= 0x10;
  expect(await attempt(() => writeFileSync(path, damaged))).toEqual([
    1,
    expect.stringMatching(facts(`error: ${path}: training state: …checksum…copy…remove`)),
  ]);
  expect(await attempt(() => cpSync(join(two.out, "state.safetensors"), path))).toEqual([
    1,
    expect.stringContaining(`${path}: made with another seed: expected 9, got 0`),
  ]);
  const metrics = readFileSync(join(one.out, "metrics.jsonl"));
  expect(await attempt(() => cpSync(join(two.out, "metrics.jsonl"), join(one.out, "metrics.jsonl")))).toEqual([
    1,
    expect.stringMatching(facts(`${one.out}/metrics.jsonl:…${path}…different`)),
  ]);
  writeFileSync(join(one.out, "metrics.jsonl"), metrics);
  const earlier = new Uint8Array(state);
  withoutChecksum(earlier);
  expect(await attempt(() => writeFileSync(path, earlier))).toEqual([0, undefined]);
  expect(readdirSync(one.out)).not.toContain("lock");
});

test("a training that is ended before its first step leaves no state", async () => {
  const { file, out } = planned();
  const { controller, exitCode } = start(["train", file, "--threads", "1"]);
  controller.abort(Object.assign(new Error("ended"), { exitCode: 143 }));
  expect(await exitCode).toBe(143);
  expect(existsSync(join(out, "state.safetensors"))).toBe(false);
});
