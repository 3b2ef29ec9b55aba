// Puzzles on the command line: listing, generating, judging and evaluating.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { listen } from "../../src/node-entry/index.js";
import { rowTasks, synlogic } from "../../src/rl/index.js";
import { Server } from "../../src/serve/index.js";
import { run, temporary } from "./harness.js";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));
const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Writes rows of compact tasks, which the bundled model understands, and returns the path. */
async function compactRows(count: number): Promise<string> {
  const path = join(temporary(), "rows.jsonl");
  const { exitCode } = await run([
    "tasks",
    "make",
    "compact/dyck-completion,compact/sudoku",
    "--level",
    "2",
    "--count",
    `${count}`,
    "--out",
    path,
  ]);
  expect(exitCode).toBe(0);
  return path;
}

test("list: every task, and the parameters of one", async () => {
  const { stdout } = await run(["tasks", "list"]);
  for (const name of rowTasks) expect(stdout).toMatch(new RegExp(`^${name} `, "m"));
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines((await run(["tasks", "list", "--json"])).stdout)).toHaveLength(rowTasks.length);
  for (const name of synlogic.tasks) {
    const one = await run(["tasks", "list", name]);
    expect(one.exitCode, one.stderr).toBe(0);
    for (const parameter of Object.keys(synlogic.taskNamed(name).parameters)) expect(one.stdout).toContain(parameter);
  }
});

test("make: the same rows for the same seed, in either format; check: right and wrong responses", async () => {
  const make = ["tasks", "make", "kukurasu", "--level", "tiny", "--count", "4", "--seed", "3"];
  const [one, two] = [await run(make), await run(make)];
  expect(one.stdout).toBe(two.stdout);
  const rows = lines(one.stdout);
  expect(rows).toHaveLength(4);
  expect(lines((await run([...make, "--set", "n=3", "--language", "zh"])).stdout)[0].metadata.n).toBe(3);
  const directory = temporary();
  const [asPublished, asTraining, responses] = ["rows.jsonl", "training.jsonl", "responses.jsonl"].map((name) => join(directory, name));
  writeFileSync(asPublished!, one.stdout);
  writeFileSync(asTraining!, (await run([...make, "--format", "training"])).stdout);
  const answers = rows.map((row) => synlogic.solve(row));
  writeFileSync(
    responses!,
    [JSON.stringify(answers[0]), JSON.stringify({ response: "no" }), { responses: [answers[2], "no"] }, { text: answers[3] }]
      .map((x) => (typeof x === "string" ? x : JSON.stringify(x)))
      .join("\n"),
  );
  for (const file of [asPublished!, asTraining!]) {
    const { stdout, exitCode } = await run(["tasks", "check", file, responses!, "--json"]);
    expect(exitCode).toBe(0);
    expect(lines(stdout).map(({ row, right }) => [row, right])).toEqual([
      [0, true],
      [1, false],
      [2, true],
      [2, false],
      [3, true],
    ]);
  }
  expect((await run(["tasks", "check", "-", responses!], { input: one.stdout })).stdout).toMatch(/^kukurasu +4 +62\.5 % +0$/m);
  expect((await run(["tasks", "check", asPublished!, responses!, "--explain"])).stdout).toContain(
    "1 kukurasu: false: there is no list of lists",
  );
});

test.each([
  [["tasks"], /action|list, make/i],
  [["tasks", "play"], /tasks: expected list, make, check, eval, reverify, got "play"/],
  [["tasks", "make"], /tasks make: expected a task/],
  [["tasks", "make", "chess"], /expected a task \(.*"chess"/],
  [["tasks", "make", "kukurasu", "--samples", "3"], /--samples: expected with tasks eval, got tasks make/],
  [["tasks", "make", "kukurasu", "--set", "n"], /--set: expected name=value, got "n"/],
  [["tasks", "make", "kukurasu", "--count", "0"], /--count: expected an integer of at least 1/],
  [["tasks", "list", "kukurasu", "x"], /expected one argument, got "x"/],
  [["tasks", "eval", "rows.jsonl", "--dark"], /--dark: expected with --figure/],
  [["tasks", "eval", "rows.jsonl", "--figure", "a.gif"], /--figure: expected a file that ends in .*"a\.gif"/],
])("%j is refused", async (args, message) => {
  const { exitCode, stdout, stderr } = await run(args);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(message);
});

test("make and check report what does not fit", async () => {
  expect((await run(["tasks", "make", "kukurasu", "--set", "n=99"])).stderr).toMatch(/n: expected an integer within \[2, 8\]/);
  expect((await run(["tasks", "make", "kukurasu", "--out", "/nowhere/x"])).stderr).toMatch(/--out: \/nowhere\/x: cannot be written/);
  expect((await run(["tasks", "make", "kukurasu", "--set", "seed=5"])).stderr).toMatch(/seed: expected a parameter of the task/);
  const rows = (await run(["tasks", "make", "kukurasu", "--count", "2"])).stdout;
  const file = join(temporary(), "one.jsonl");
  writeFileSync(file, rows);
  expect((await run(["tasks", "make", "kukurasu", "--set", "n=99", "--out", file])).exitCode).toBe(1);
  expect(readFileSync(file, "utf8")).toBe(rows);
  writeFileSync(file, "");
  expect((await run(["tasks", "reverify", file])).stderr).toMatch(/expected results, as tasks eval writes them, got none/);
  writeFileSync(file, '"x"\n');
  expect((await run(["tasks", "check", "-", file], { input: rows })).stderr).toMatch(/expected one line for each of the 2 rows, got 1/);
  writeFileSync(file, '"x"\n{"answer":1}\n');
  expect((await run(["tasks", "check", "-", file], { input: rows })).stderr).toMatch(/line 2: expected text, or an object/);
});

test("the bundled model, in this process and behind a server, gives the same results and the same table", async () => {
  const rows = await compactRows(3);
  const directory = temporary();
  const evaluate = (name: string, ...args: string[]) =>
    run([
      "tasks",
      "eval",
      rows,
      "--samples",
      "2",
      "--max-tokens",
      "96",
      "--threads",
      "1",
      "--build",
      "simd",
      "--out",
      join(directory, name),
      ...args,
    ]);
  const local = await evaluate("local.jsonl");
  expect(local.exitCode, local.stderr).toBe(0);
  expect(local.stdout).toMatch(/^task +rows +pass@1 +pass@2 +undecided +tokens\ncompact\/dyck-completion +3 +\d/);
  const model = await MiniMaxM1.load(undefined, { threads: 1, build: "simd" });
  const server = new Server(model, { name: "m1-puzzles" });
  const listening = await listen(server, { port: 0 });
  onTestFinished(async () => {
    await listening.close(0);
    model.dispose();
  });
  const remote = await run([
    "tasks",
    "eval",
    rows,
    "--samples",
    "2",
    "--max-tokens",
    "96",
    "--model",
    `${listening.url}/v1`,
    "--out",
    join(directory, "remote.jsonl"),
  ]);
  expect(remote.exitCode, remote.stderr).toBe(0);
  expect(remote.stdout).toBe(local.stdout);
  const texts = (name: string) =>
    lines(readFileSync(join(directory, name), "utf8")).map(({ index, samples }) => [
      index,
      samples.map((one: { response: string }) => one.response),
    ]);
  expect(texts("remote.jsonl")).toEqual(texts("local.jsonl"));
  const again = await run(["tasks", "reverify", join(directory, "local.jsonl"), "--figure", join(directory, "rates.json")]);
  expect(again.stdout).toBe(local.stdout);
  expect(again.stderr).toContain("0 of 6 rows have another verdict");
  expect(JSON.parse(readFileSync(join(directory, "rates.json"), "utf8"))).toHaveLength(2);
});

test("killed again and again, the evaluation repeats no row and ends with the results of an uninterrupted one", async () => {
  const rows = await compactRows(8);
  const directory = temporary();
  const args = (name: string) => [
    "tasks",
    "eval",
    rows,
    "--max-tokens",
    "96",
    "--threads",
    "1",
    "--build",
    "simd",
    "--concurrency",
    "1",
    "--out",
    join(directory, name),
  ];
  const whole = await run(args("whole.jsonl"));
  expect(whole.exitCode, whole.stderr).toBe(0);
  const path = join(directory, "killed.jsonl");
  const count = () => (existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0);
  for (const goal of [1, 3, 6]) {
    const child = spawn(process.execPath, [cli, ...args("killed.jsonl")], { stdio: "ignore" });
    while (count() < goal && child.exitCode === null) await sleep(5);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    expect(count()).toBeGreaterThanOrEqual(goal);
  }
  // As if the kill had come in the middle of a line.
  writeFileSync(path, `${readFileSync(path, "utf8")}{"task":"compact/su`);
  const resumed = await run(args("killed.jsonl"));
  expect(resumed.stderr).toMatch(/\d+ of 16 rows are finished/);
  expect(resumed.stdout).toBe(whole.stdout);
  expect(readFileSync(path, "utf8")).toBe(readFileSync(join(directory, "whole.jsonl"), "utf8"));
  const other = await run([...args("killed.jsonl"), "--seed", "2"]);
  expect([other.exitCode, other.stderr]).toEqual([1, expect.stringMatching(/--out: .*expected .*"seed":2.*got .*"seed":1.*another file/)]);
});

test.each(["hello", "hello\n", '{"a": 1}', "[1]", '{"task":"kukurasu","question":"a","answer":"b","metadata":{}}'])(
  "--out refuses a file with %j, and leaves it as it is",
  async (text) => {
    const rows = await compactRows(1);
    const path = join(temporary(), "other.jsonl");
    writeFileSync(path, text);
    const { exitCode, stderr } = await run(["tasks", "eval", rows, "--out", path]);
    expect([exitCode, readFileSync(path, "utf8")]).toEqual([1, text]);
    expect(stderr).toContain("other.jsonl");
  },
);
