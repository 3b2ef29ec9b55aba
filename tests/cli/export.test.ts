import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { readGguf } from "../support/gguf.js";
import { run, temporary, tiny } from "./harness.js";

test("the bundled model by default: the file that save writes, and commands that run it", async () => {
  const path = join(temporary(), "m1.gguf");
  const { exitCode, stdout, stderr } = await run(["export", "--gguf", path]);
  expect(exitCode).toBe(0);
  const [size, server, ollama] = stdout.split("\n");
  expect(size).toBe(`${path}: 7.1 MiB`);
  expect(server).toBe(`llama-server -m ${path}`);
  expect(ollama).toMatch(/ollama create m1 -f Modelfile && ollama run m1$/);
  expect(stderr).toContain("writing 100%");
  expect(stderr).toMatch(/the bundled model: converted in \d/);
  const model = await MiniMaxM1.load();
  const saved = join(temporary(), "m1.gguf");
  await model.save(saved, { format: "gguf" });
  model.dispose();
  expect(Buffer.compare(readFileSync(path), readFileSync(saved))).toBe(0);
});

test("a precision, and a name that a shell would split", async () => {
  const path = join(temporary(), "it's mine.gguf");
  const { exitCode, stdout } = await run(["export", "--gguf", path, "--dtype", "q8_0"]);
  expect(exitCode).toBe(0);
  expect(readGguf(readFileSync(path)).metadata.get("general.file_type")).toBe(7);
  expect(stdout).toContain(`llama-server -m '${path.replace("'", `'\\''`)}'`);
});

test("what llama.cpp cannot express is an error without a file", async () => {
  const [folder, checkpoint] = [temporary(), temporary()];
  cpSync(tiny, checkpoint, { recursive: true });
  const config = JSON.parse(readFileSync(join(tiny, "config.json"), "utf8"));
  writeFileSync(join(checkpoint, "config.json"), JSON.stringify({ ...config, shared_intermediate_size: 64 }));
  const { exitCode, stdout, stderr } = await run(["export", checkpoint, "--gguf", join(folder, "x.gguf")]);
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^error: gguf: shared_intermediate_size: expected 0, got \d+ .*safetensors/m);
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  [["export"], "--gguf: expected the file to write, got none"],
  [["export", "--gguf", "model.bin"], '--gguf: expected a name that ends with .gguf, got "model.bin"'],
  [["export", "--gguf", "m.gguf", "--dtype", "q4_0"], '--dtype: expected f32, f16, bf16 or q8_0, got "q4_0"'],
  [["export", "a", "b", "--gguf", "m.gguf"], "expected at most 1 argument, got a b"],
])("%j: %s", async (args, message) => {
  const { exitCode, stderr } = await run(args);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`error: ${message}`);
  expect(existsSync("m.gguf")).toBe(false);
});

test("a checkpoint that is not there", async () => {
  const { exitCode, stderr } = await run(["export", "./nothing", "--gguf", join(temporary(), "m.gguf")]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("./nothing");
});

test("--help within 100 columns", async () => {
  const { stdout } = await run(["export", "--help"]);
  expect(stdout).toContain("--gguf");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});
