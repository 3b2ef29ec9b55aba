import { expect, test } from "vitest";
import { run, tiny } from "./harness.js";

const few = ["eval", "--tasks", "arithmetic-chain,dyck-completion", "--per-level", "2", "--threads", "1", "--build", "simd"];

test("a table of the model in the box, the same for the same seed", async () => {
  const [one, two] = [await run(few), await run(few)];
  expect(one.exitCode).toBe(0);
  expect(one.stdout).toBe(two.stdout);
  expect(one.stdout).toMatch(/^task +level +right +blind +majority +formed +tokens\n/);
  expect(one.stdout.match(/^(arithmetic-chain|dyck-completion) +[123] +\d+\.\d % /gm)).toHaveLength(6);
  expect(one.stdout).toMatch(/\n\d+\.\d % right on average over 6 levels, 12 puzzles\n$/);
  expect(Math.max(...one.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(one.stderr).toContain("the model in the box: 3,411,392 parameters");
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
  [["--tasks", "chess"], /^error: --tasks: expected some of dyck-completion, .*, got "chess"\n/],
  [["--per-level", "0"], /^error: --per-level: expected an integer of at least 1, got "0"\n/],
  [["--seed", "x"], /^error: --seed: expected an integer within/],
  [[tiny], /^error: eval: expected a checkpoint with a tokenizer, got one without\n/],
])("eval %j is refused", async (args, message) => {
  const { exitCode, stdout, stderr } = await run(["eval", ...args]);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(message);
});
