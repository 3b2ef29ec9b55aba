import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run, temporary, tiny } from "./harness.js";

const golden = fileURLToPath(new URL("../golden/full-size", import.meta.url));
const simd = ["--build", "simd"];

test("the first layers of the 456B graph equal the published code's, in one piece and token by token", async () => {
  const { exitCode, stdout } = await run(["fullsize", "--verify", golden, "--layers", "2", ...simd]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("456,089,655,296 synthetic parameters");
  // Chosen by the published code: the two experts of each of three tokens.
  expect(stdout).toMatch(/^ +0 {2}lightning +\d+\.\d\d s {3}experts 28 24 · 18 5 · 16 22\n +1 {2}lightning/m);
  expect(stdout.match(/^ {2}hidden_states\.(0|1) +\d\.\de[+-]\d+$/gm)).toHaveLength(4);
  expect(stdout.match(/all the same/g)).toHaveLength(2);
  expect(stdout).toMatch(/within 0\.002\n$/);
});

test("JSON, and a prompt of one's own", async () => {
  const { exitCode, stdout, stderr } = await run(["fullsize", "--ids", "5", "--layers", "1", "--json", ...simd]);
  expect([exitCode, stderr]).toEqual([0, ""]);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ parameters: 456089655296, build: "simd", prompt: [5] });
  const [{ layers, top, generated }] = report.passes;
  expect(layers).toEqual([
    { layer: 0, kind: "lightning", seconds: expect.any(Number), experts: [[expect.any(Number), expect.any(Number)]] },
  ]);
  expect([top, generated]).toEqual([[], []]);
  expect(report.wasmBytes).toBeLessThan(2 ** 30);
});

/** The stored outputs with the first number of some tensors changed. */
function changed(changes: Readonly<Record<string, (x: number) => number>>): string {
  const directory = temporary();
  const bytes = readFileSync(join(golden, "expected.safetensors"));
  const header = Number(bytes.readBigUInt64LE(0));
  const tensors = JSON.parse(bytes.subarray(8, 8 + header).toString());
  for (const [name, change] of Object.entries(changes)) {
    const at = 8 + header + tensors[name].data_offsets[0];
    bytes.writeFloatLE(change(bytes.readFloatLE(at)), at);
  }
  writeFileSync(join(directory, "expected.safetensors"), bytes);
  return directory;
}

test("what differs ends with an error: a hidden state, one that is no number, an expert", async () => {
  const directory = changed({ "hidden_states.0": (x) => x + 0.01, "hidden_states.1": () => Number.NaN, router_logits: () => 1e3 });
  const { exitCode, stdout, stderr } = await run(["fullsize", "--verify", directory, "--layers", "1", ...simd]);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/hidden_states\.0 +\d\.\de[+-]\d+ {2}> 0\.002/);
  expect(stdout).toMatch(/hidden_states\.1 +Infinity {2}> 0\.002/);
  expect(stdout).toMatch(/differ: layer 0 of 80, token 0: experts/);
  expect(stdout).not.toContain("equal to the stored");
  expect(stderr).toMatch(/^error: fullsize: .*stored outputs.*0\.002/);
});

test.each([
  [["--layers", "81"], 2, /--layers:.*integer.*\[1,.*80\].*"81"/],
  [["--layers", "2", "--tokens", "3"], 2, /--tokens:.*--layers/],
  [["--ids", "x"], 2, /--ids: expected token ids/],
  [["--ids", "200064", "--layers", "1"], 1, /token 0:.*integer.*\[0,.*200064\).*200064/],
  [["--ids", "1", "--verify", golden], 2, /--ids:.*--verify/],
  [["--verify", "/nowhere"], 1, /no such path/],
  [["--verify", tiny], 1, /full-size model.*router_logits, last_logits, argmax/],
])("fullsize %j is refused", async (args, code, message) => {
  const { exitCode, stderr } = await run(["fullsize", ...args]);
  expect(exitCode).toBe(code);
  expect(stderr).toMatch(message);
});
