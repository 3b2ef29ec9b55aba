// The built command as a process of its own: signals, pipes, exit codes. `npm test` builds it first.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { greedy, speaking, tiny } from "./harness.js";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));
const example = fileURLToPath(new URL("../../examples/start.mjs", import.meta.url));

interface Child extends ChildProcess {
  /** What it has written so far. */
  readonly written: { stdout: string; stderr: string };
}

function launch(args: readonly string[], env: Record<string, string> = {}): Child {
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [...args], { env: { ...inherited, ...env } });
  const written = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    written.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    written.stderr += chunk;
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return Object.assign(child, { written });
}

async function ended(child: Child) {
  const [exitCode, signal] = await once(child, "close");
  return { exitCode, signal, ...child.written };
}

test("the built command generates the published code's greedy ids", async () => {
  const { prompt, continuation } = greedy();
  const { exitCode, stdout } = await ended(launch([cli, "generate", tiny, "--ids", prompt.join(","), "-n", "24"]));
  expect([exitCode, stdout.trim().split(" ").map(Number)]).toEqual([0, continuation]);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s during generation: exit code %i, what was written stays, no stack", async (signal, code) => {
  const child = launch([cli, "generate", tiny, "--ids", "1", "-n", "4000"]);
  await once(child.stdout!, "data");
  child.kill(signal);
  const { exitCode, stdout, stderr } = await ended(child);
  expect(exitCode).toBe(code);
  expect(stdout).toMatch(/^\d+ /);
  expect(stdout.split(" ").length).toBeLessThan(4000);
  expect(stderr).not.toMatch(/error|\n {4}at /);
});

test("SIGINT while it waits for stdin", async () => {
  const child = launch([cli, "chat", speaking(), "-n", "2"]);
  child.stdin!.write("Hello\n");
  await once(child.stdout!, "data");
  child.kill("SIGINT");
  expect(await ended(child)).toMatchObject({ exitCode: 130 });
});

test("a reader that goes away ends it quietly", async () => {
  const child = launch([cli, "generate", tiny, "--ids", "1", "-n", "4000"]);
  await once(child.stdout!, "data");
  child.stdout!.destroy();
  const { exitCode, stderr } = await ended(child);
  expect(exitCode).toBe(0);
  expect(stderr).not.toMatch(/EPIPE|error|ended by/);
});

test("stdout is written to its end before the process ends", async () => {
  const { exitCode, stdout } = await ended(launch([cli, "inspect", "--slopes", "--json"]));
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout).decaySlopes).toHaveLength(70);
});

test.runIf(existsSync("/dev/full"))("a stdout that takes nothing is an error", async () => {
  for (const args of [
    ["inspect", "minimax-m1"],
    ["generate", tiny, "--ids", "1", "-n", "4000"],
  ]) {
    const full = openSync("/dev/full", "w");
    onTestFinished(() => closeSync(full));
    const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", full, "pipe"] });
    let stderr = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    const [exitCode] = await once(child, "close");
    expect(exitCode).toBe(1);
    expect(stderr.match(/^error: .*$/gm)).toEqual([expect.stringMatching(/^error: stdout: .*ENOSPC/)]);
    expect(stderr).not.toMatch(/ended by| {4}at /);
  }
});

test("errors are one line on stderr", async () => {
  const { exitCode, stdout, stderr } = await ended(launch([cli, "inspect", "no-such-preset"]));
  expect([exitCode, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^error: .*no-such-preset.*\n$/);
});

test("npm start: the published model's counts and the bundled model solving puzzles, within 80 columns and without colours", async () => {
  const { exitCode, stdout, stderr } = await ended(launch([example]));
  expect([exitCode, stderr]).toEqual([0, ""]);
  for (const fact of [
    "456,089,655,296",
    "45,944,920,064",
    "912,210,767,872",
    "8,243",
    "70 lightning + 10 softmax",
    "<think>",
    "✓ right (verifier of",
  ]) {
    expect(stdout).toContain(fact);
  }
  expect(stdout).not.toContain("\u001b");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});
