import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { measureAccuracy } from "../../src/cli/reports/accuracy.js";
import { layerPattern } from "../../src/cli/reports/model-summary.js";
import { decaySlopes, graph, hypeNet2B, MiniMaxM1, minimaxM1 } from "../../src/index.js";
import { serve, withServer } from "../support/checkpoints.js";
import { run, temporary, tiny } from "./harness.js";

test("the published model's numbers, exact", async () => {
  const { exitCode, stdout } = await run(["inspect", "minimax-m1", "--json"]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    parameterCount: 456_089_655_296,
    activatedParameterCount: 45_944_920_064,
    checkpointBytes: 912_210_767_872,
    tensorCount: 8243,
    layers: { count: 80, lightning: 70, softmax: 10, pattern: "10 × (7 lightning + 1 softmax)" },
    state: { lightningBytes: 280 * 2 ** 20, keyValueBytesPerToken: 80 * 2 ** 10 },
  });
});

test("the same numbers as text within 80 columns, the preset being the default", async () => {
  const { exitCode, stdout, stderr } = await run(["inspect"]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  for (const number of ["456,089,655,296", "45,944,920,064", "912,210,767,872", "8,243"]) expect(stdout).toContain(number);
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("HypeNet-2B: its layers, heads, parts and parameters", async () => {
  const { exitCode, stdout } = await run(["inspect", "hypenet-2b", "--json"]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    dialect: "hypenet",
    parameterCount: graph(hypeNet2B).parameterCount,
    layers: { count: 28, lightning: 21, softmax: 7 },
    lightning: { heads: 16, headDim: 128, qkNorm: true },
    softmax: { queryScale: { logBase: 500 }, outputGate: true },
    experts: { count: 0, width: 6144 },
    state: { lightningBytes: 21 * 2 ** 20, keyValueBytesPerToken: 4 * 14_336 },
  });
  const { stdout: text } = await run(["inspect", "hypenet-2b"]);
  for (const part of ["(hypenet)", "16 × 128", "q/k norms", "output gate", "ln(t + 500) / ln(500)", "dense, width 6,144"]) {
    expect(text).toContain(part);
  }
  expect(text).not.toMatch(/experts|router/);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("blocks add up to the whole", async () => {
  const { blocks, ...facts } = JSON.parse((await run(["inspect", tiny, "--json"])).stdout);
  const sum = (key: string) => blocks.reduce((total: number, block: Record<string, number>) => total + block[key]!, 0);
  expect([sum("tensors"), sum("parameters"), sum("bytes")]).toEqual([facts.tensorCount, facts.parameterCount, facts.checkpointBytes]);
});

test("--slopes lists every head's slope of every lightning layer", async () => {
  const { decaySlopes: listed } = JSON.parse((await run(["inspect", "--slopes", "--json"])).stdout);
  expect(listed).toHaveLength(70);
  expect(listed.at(-1)).toMatchObject({ layer: 78, slopes: [...decaySlopes(minimaxM1, 78)] });
});

test("a checkpoint: files, dtypes, and whether they are what the configuration asks for", async () => {
  const { exitCode, stdout } = await run(["inspect", tiny, "--json"]);
  expect(exitCode).toBe(0);
  const bytes = readFileSync(join(tiny, "model.safetensors")).length;
  expect(JSON.parse(stdout).checkpoint).toEqual({
    files: [{ file: "model.safetensors", bytes, tensors: 155 }],
    dtypes: { F32: { tensors: 155, bytes: 3_160_064 } },
    buffers: [],
    tokenizer: false,
  });
});

test("a config.json alone", async () => {
  const { exitCode, stdout } = await run(["inspect", join(tiny, "config.json"), "--json"]);
  expect([exitCode, JSON.parse(stdout).parameterCount]).toEqual([0, 790_016]);
});

test.each([
  ["a key given twice", (text: string) => text.replace("{", '{"hidden_size": 1,'), /config\.json: line .*expected every key once/],
  ["JSON that ends early", (text: string) => text.slice(0, -3), /config\.json: line \d+, column \d+: expected .*end of the file/],
  ["no JSON", () => "hidden_size: 12", /config\.json: line 1, column 1: expected a value/],
  ["no object", () => "[]", /config\.json: .*JSON object.*array/],
  ["experts beyond counting", (text: string) => withValue(text, "num_local_experts", 2 ** 31 - 1), /num_local_experts: expected at most/],
  ["heads beyond counting", (text: string) => withValue(text, "num_attention_heads", 2 ** 31 - 1), /num_attention_heads: expected/],
])("a config.json with %s is refused as loading refuses it", async (_, change, message) => {
  const file = join(temporary(), "config.json");
  writeFileSync(file, change(readFileSync(join(tiny, "config.json"), "utf8")));
  const { exitCode, stdout, stderr } = await run(["inspect", file]);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^error: .*\n$/);
  expect(stderr).toMatch(message);
});

function withValue(config: string, key: string, value: unknown): string {
  return JSON.stringify({ ...JSON.parse(config), [key]: value });
}

test("as many heads as a configuration may have", async () => {
  const config = readFileSync(join(tiny, "config.json"), "utf8");
  const file = join(temporary(), "config.json");
  writeFileSync(file, withValue(withValue(config, "num_attention_heads", 65_536), "num_key_value_heads", 1));
  const { exitCode, stdout } = await run(["inspect", file, "--slopes", "--json"]);
  expect(exitCode).toBe(0);
  for (const { steepest, flattest, slopes } of JSON.parse(stdout).decaySlopes) {
    expect(slopes).toHaveLength(65_536);
    expect([steepest, flattest]).toEqual([slopes[0], slopes.at(-1)]);
  }
});

test("weights of another configuration are told apart: facts on stdout, the fault as an error", async () => {
  const directory = temporary();
  cpSync(tiny, directory, { recursive: true });
  const config = JSON.parse(readFileSync(join(tiny, "config.json"), "utf8"));
  writeFileSync(join(directory, "config.json"), JSON.stringify({ ...config, num_local_experts: 3 }));
  const { exitCode, stdout, stderr } = await run(["inspect", directory, "--json"]);
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout).checkpoint.fault).toContain("experts.3.");
  expect(stderr).toMatch(/^error: .*experts\.3\..*\n$/);
});

test("a shard that is not there", async () => {
  const directory = temporary();
  cpSync(join(tiny, "config.json"), join(directory, "config.json"));
  const index = { weight_map: { "model.norm.weight": "model-00001-of-00001.safetensors" } };
  writeFileSync(join(directory, "model.safetensors.index.json"), JSON.stringify(index));
  const { exitCode, stdout, stderr } = await run(["inspect", directory]);
  expect(exitCode).toBe(1);
  expect(stdout).toContain("1 missing");
  expect(stderr).toContain("model-00001-of-00001.safetensors: missing");
});

test("a damaged checkpoint is one error line and exit code 1", async () => {
  const directory = temporary();
  cpSync(tiny, directory, { recursive: true });
  truncateSync(join(directory, "model.safetensors"), 100_000);
  const { exitCode, stdout, stderr } = await run(["inspect", directory]);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^error: model\.safetensors: expected .*truncated.*\n$/);
});

test.each([
  [["inspect", "no-such-preset"], /^error: .*no-such-preset.*\n$/],
  [["inspect", "no-such-file.json"], /^error: no-such-file\.json: .*config\.json.*\n$/],
])("%j: an error that names it", async (args, message) => {
  const { exitCode, stdout, stderr } = await run(args);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(message);
});

test("a directory without config.json", async () => {
  const directory = temporary();
  cpSync(tiny, directory, { recursive: true });
  rmSync(join(directory, "config.json"));
  const { exitCode, stderr } = await run(["inspect", directory]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: .*config\.json: missing.*\n$/);
});

test.each([
  [[0, 0, 1], "2 lightning + 1 softmax"],
  [[0, 0, 0], "3 lightning"],
  [[0, 1, 0, 1], "2 × (1 lightning + 1 softmax)"],
  [[1, 0, 1, 0, 1], "2 × (1 softmax + 1 lightning) + 1 softmax"],
  [[0, 0, 1, 0, 0, 1, 0], "2 × (2 lightning + 1 softmax) + 1 lightning"],
  [[0, 1, 0, 0, 1], "1 lightning + 1 softmax + 2 lightning + 1 softmax"],
] as [(0 | 1)[], string][])("the pattern of %j is %s", (types, expected) => {
  expect(layerPattern(types)).toBe(expected);
});

test("--accuracy: what narrower precisions change, of a checkpoint only", async () => {
  const { exitCode, stdout } = await run(["inspect", tiny, "--accuracy", "--json"]);
  expect(exitCode).toBe(0);
  const { tokens, usedBytes, perplexity, precisions } = JSON.parse(stdout).accuracy;
  expect(tokens).toBeGreaterThanOrEqual(256);
  expect(precisions.map(({ precision }: { precision: object }) => precision)).toEqual([
    { dtype: "bf16" },
    { dtype: "q8" },
    { dtype: "q4" },
    { kv: "bf16" },
    { kv: "q8" },
  ]);
  for (const narrow of precisions) {
    expect(narrow.usedBytes).toBeLessThan(usedBytes);
    expect(narrow.divergence).toBeGreaterThan(0);
    expect(narrow.agreement).toBeGreaterThan("dtype" in narrow.precision && narrow.precision.dtype === "q4" ? 0.6 : 0.8);
    expect(Math.abs(narrow.perplexity / perplexity - 1)).toBeLessThan(narrow.logitError);
  }
  for (const [wide, narrow] of [precisions.slice(0, 2), precisions.slice(1, 3), precisions.slice(3)]) {
    expect(narrow.usedBytes).toBeLessThan(wide.usedBytes);
    expect(narrow.logitError).toBeGreaterThan(wide.logitError);
  }
  const text = await run(["inspect", tiny, "--accuracy"]);
  expect(text.stdout).toMatch(/dtype q8 +\d+\.\d\d MiB +±\S+% +\S+% +\S+ +\d+\.\d+/);
  expect(Math.max(...text.stdout.split("\n").map((line) => (line.includes(tiny) ? 0 : line.length)))).toBeLessThanOrEqual(80);
  const refused = await run(["inspect", "--accuracy"]);
  expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining("has no weights")]);
});

test("--accuracy ends where it is while it draws, and before every text that it reads", async () => {
  for (const last of [1, 2]) {
    const controller = new AbortController();
    const models: MiniMaxM1[] = [];
    const load = async (options: object) => {
      const model = await MiniMaxM1.load(tiny, options);
      if (models.push(model) === last) setImmediate(() => controller.abort());
      return model;
    };
    await expect(measureAccuracy(load, controller.signal)).rejects.toThrow(/abort/);
    expect(models).toHaveLength(last);
    for (const model of models) expect(model.memory.reservedBytes).toBe(0);
  }
});

test("neither errors nor answers show a URL's password or query", async () => {
  const files = new Map(["config.json", "model.safetensors"].map((name) => [name, new Uint8Array(readFileSync(join(tiny, name)))]));
  await withServer(
    (request, response) => serve(files, request, response, "/tiny/"),
    async (base) => {
      const url = `${base.replace("//", "//reader:S3cret@")}/tiny/?token=S3cret`;
      for (const args of [
        ["inspect", url],
        ["inspect", url, "--json"],
        ["inspect", url, "--accuracy"],
        ["analyze", url],
        ["generate", url, "--ids", "1", "--max-tokens", "1"],
        ["generate", url, "text"],
        ["inspect", url.replace("/tiny", "/nowhere")],
        ["inspect", url.replace("http:", "htp:"), "--debug"],
        ["inspect", `${url}.json`],
        ["inspect", url, url],
      ]) {
        const { stdout, stderr } = await run(args);
        expect(stdout + stderr, args.join(" ")).not.toContain("S3cret");
        expect((stdout + stderr).length).toBeGreaterThan(0);
      }
    },
  );
});

test("the bundled model has a name for commands that describe a model", async () => {
  const { exitCode, stdout } = await run(["inspect", "m1-puzzles", "--json"]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ name: "m1-puzzles", parameterCount: 3_411_392, checkpoint: { tokenizer: true } });
  const { exitCode: planned, stderr } = await run(["plan", "m1-puzzles"]);
  expect([planned, stderr]).toEqual([2, expect.stringMatching(/--served: .*m1-puzzles/)]);
});
