import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { run, speaking, temporary, tiny } from "./harness.js";

const few = ["eval", "--tasks", "arithmetic-chain,dyck-completion", "--per-level", "2", "--threads", "1", "--build", "simd"];

test("a table of the bundled model, the same for the same seed", async () => {
  const [one, two] = [await run(few), await run(few)];
  expect(one.exitCode).toBe(0);
  expect(one.stdout).toBe(two.stdout);
  expect(one.stdout).toMatch(/^task +level +right +blind +majority +formed +tokens\n/);
  expect(one.stdout.match(/^(arithmetic-chain|dyck-completion) +[123] +\d+\.\d % /gm)).toHaveLength(6);
  expect(one.stdout).toMatch(/\n\d+\.\d % right on average over 6 levels, 12 puzzles\n$/);
  expect(Math.max(...one.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(one.stderr).toContain("the bundled model: 3,411,392 parameters");
});

test("JSON lines, greedy", async () => {
  const { exitCode, stdout } = await run([...few, "--greedy", "--json"]);
  expect(exitCode).toBe(0);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(7);
  expect(lines.at(-1)).toEqual({ mean: lines.slice(0, 6).reduce((sum, { accuracy }) => sum + accuracy, 0) / 6, instances: 12 });
  for (const { instances, formatted } of lines.slice(0, 6)) expect([instances, formatted]).toEqual([2, 1]);
});

test.each([
  [["--tasks", "chess"], /^error: --tasks:.*"chess"\n/],
  [["--per-level", "0"], /^error: --per-level:.*integer.*1.*"0"\n/],
  [["--seed", "x"], /^error: --seed:.*integer/],
  [[tiny], /^error: eval:.*checkpoint/],
])("eval %j is refused", async (args, message) => {
  const { exitCode, stdout, stderr } = await run(["eval", ...args]);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(message);
});

test("a text: perplexity and bits per byte, for the bundled model and for a checkpoint", async () => {
  const file = join(temporary(), "a.txt");
  writeFileSync(file, "Grüße! The quick brown fox jumps over the lazy dog.\n".repeat(30));
  const { exitCode, stdout } = await run(["eval", file, "--threads", "1"]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^perplexity {5}[\d.]+ per token, [\d.]+ nats\nbits per byte {2}[\d.]+\npredicted {6}[\d,]+ tokens, 1,\d\d\d bytes \(of [\d,]+ tokens\)\nwindow {9}2,048 tokens, stride 1,024\n$/,
  );
  const checkpoint = speaking();
  const json = JSON.parse((await run(["eval", checkpoint, file, "--threads", "1", "--json"])).stdout);
  // The tokenizer of bytes has a token for each: of the first nothing is predicted.
  const bytes = Buffer.byteLength(readFileSync(file));
  expect(json).toMatchObject({ file, documents: 1, tokens: bytes, targets: bytes - 1, bytes: bytes - 1 });
  expect(json.perplexity).toBeCloseTo(Math.exp(json.crossEntropy), 6);
  expect(json.bitsPerByte).toBeCloseTo(json.crossEntropy / Math.LN2, 10);
  // By hand, from the logits of windows.
  using model = await MiniMaxM1.load(checkpoint, { threads: 1 });
  const ids = model.tokenizer!.encode(readFileSync(file, "utf8"));
  const { window, stride } = { window: 100, stride: 60 };
  let [nats, done] = [0, 1];
  for (let begin = 0; done < ids.length; begin += stride) {
    const own = ids.slice(begin, begin + window + 1);
    const { logits } = model.forward([own.slice(0, -1)]);
    const width = model.config.vocabSize;
    for (let t = done - begin; t < own.length; t++, done++) {
      const row = Array.from(logits.subarray((t - 1) * width, t * width));
      nats += Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[own[t]!]!;
    }
  }
  const cut = await run(["eval", checkpoint, file, "--window", "100", "--stride", "60", "--threads", "1", "--json"]);
  const windows = JSON.parse(cut.stdout);
  expect(windows).toMatchObject({ targets: ids.length - 1, window, stride });
  expect(windows.crossEntropy).toBeCloseTo(nats / (ids.length - 1), 4);
  expect(windows.bitsPerByte).toBeCloseTo(nats / Math.LN2 / (bytes - 1), 4);
});

test("JSONL: answers and texts, row by row", async () => {
  const file = join(temporary(), "rows.jsonl");
  const rows = [
    { prompt: "Q?", answer: "Fünf" },
    { text: "abc" },
    {
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Ho" },
      ],
    },
  ];
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));
  const { stdout } = await run(["eval", speaking(), file, "--threads", "1", "--json"]);
  // The tokenizer names no end of sequence; what its format writes after an answer counts.
  expect(JSON.parse(stdout)).toMatchObject({ documents: 3, bitsPerByte: expect.any(Number) });
  writeFileSync(file, '{"text": "a"}\n{"txt": "b"}\n');
  expect(await run(["eval", file])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`error: ${file}: line 2: expected one of`),
  });
});

test.each<[readonly string[], number, RegExp]>([
  [["--window", "5"], 2, /^error: --window:.*FILE/],
  [["README.md", "--greedy"], 2, /^error: --greedy:.*FILE.*README.md\n/],
  [["README.md", "--stride", "0"], 2, /^error: --stride:.*integer.*1.*"0"\n/],
  [[tiny, "README.md"], 2, /^error: eval:.*checkpoint/],
  [["missing.txt"], 1, /^error: missing\.txt: .*file/],
  [["/dev/zero"], 1, /^error: \/dev\/zero: expected a text file, got a device\n/],
  [[tiny, "src"], 1, /^error: src: expected a text file, got a directory\n/],
  [["README.md", "--window", "9999"], 1, /error: perplexity: window:.*model.*4096.*9999\n/],
])("eval %j of a text is refused", async (args, code, message) => {
  const { exitCode, stdout, stderr } = await run(["eval", ...args]);
  expect([exitCode, stdout]).toEqual([code, ""]);
  expect(stderr).toMatch(message);
});
