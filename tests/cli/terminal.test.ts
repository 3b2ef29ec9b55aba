import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { version } from "../../package.json";
import { openProgress } from "../../src/cli/text/loading-progress.js";
import { CommandEnded, openTerminal, visible } from "../../src/cli/text/terminal.js";
import { Capture, run, start, tiny } from "./harness.js";

const ESCAPE = "\u001b[";

test.each([
  [{ tty: true }, [], true],
  [{ tty: false }, [], false],
  [{ tty: true, env: { NO_COLOR: "1" } }, [], false],
  [{ tty: true, env: { NO_COLOR: "" } }, [], true],
  [{ tty: true, env: { TERM: "dumb" } }, [], false],
  [{ tty: false, env: { FORCE_COLOR: "1" } }, [], true],
  [{ tty: true, env: { FORCE_COLOR: "0" } }, [], false],
  [{ tty: false, env: { CI: "true" } }, [], false],
  [{ tty: true }, ["--no-color"], false],
  [{ tty: false, env: { NO_COLOR: "1" } }, ["--color"], true],
])("%j with %j: colours %s", async (options, flags, coloured) => {
  const { exitCode, stdout } = await run(["inspect", ...flags], options);
  expect(exitCode).toBe(0);
  expect(stdout.includes(ESCAPE)).toBe(coloured);
});

test.each([["--help"], ["generate", "--help"], ["chat", "-h"], ["inspect", "--help"], ["train", "--help"]])(
  "%s %s: plain in a pipe, complete, exit code 0",
  async (...args) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).not.toContain(ESCAPE);
    expect(stdout).toContain("USAGE");
    expect(stdout).toContain("EXAMPLES");
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  },
);

test("the help of --threads says how many compute by default", async () => {
  for (const command of ["generate", "chat"]) {
    expect((await run([command, "--help"])).stdout).toMatch(/--threads.*\(default: one per processor, at most 8\)/);
  }
});

test("the help says with which exit codes signals end a command, and a server", async () => {
  const { stdout } = await run(["--help"]);
  expect(stdout).toMatch(/130 Ctrl-C, 143 SIGTERM\..*a running server stops gracefully/s);
});

test("--no-color may stand before the command", async () => {
  const { exitCode, stdout } = await run(["--no-color", "inspect"], { tty: true });
  expect([exitCode, stdout.includes(ESCAPE)]).toEqual([0, false]);
});

test("--version", async () => {
  expect(await run(["--version"])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
});

function reports(stderr: Capture, env: Record<string, string>) {
  const { signal } = new AbortController();
  const terminal = openTerminal({ stdin: new PassThrough(), stdout: new Capture(false), stderr, env, signal });
  return openProgress(terminal, "loading");
}

test.each([
  [false, {}],
  [true, { CI: "true" }],
])("progress where nothing can be redrawn (tty %s, %j): a line every tenth", (tty, env) => {
  const stderr = new Capture(tty);
  const progress = reports(stderr, { NO_COLOR: "1", ...env });
  for (let i = 0; i <= 1000; i++) progress.update({ loadedBytes: i * 1e6, totalBytes: 1e9, fraction: i / 1000 });
  progress.stop();
  expect(
    stderr.text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[1]),
  ).toEqual(Array.from({ length: 10 }, (_, i) => `${i + 1}0%`));
  expect(stderr.text).toContain("loading 100% 953.7 of 953.7 MiB\n");
  expect(stderr.text).not.toContain("\u001b");
});

test("progress on a terminal: one line, and the cursor is shown again", async () => {
  const stderr = new Capture(true);
  const progress = reports(stderr, { NO_COLOR: "1" });
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let i = 1; i <= 5; i++) progress.update({ loadedBytes: i * 1e6, totalBytes: 1e7, fraction: i / 10 });
  progress.stop();
  expect(stderr.text).toContain("50% 4.8 of 9.5 MiB");
  expect(stderr.text.split("\n")).toHaveLength(1);
  expect(stderr.text.lastIndexOf("\u001b[?25h")).toBeGreaterThan(stderr.text.lastIndexOf("\u001b[?25l"));
});

test("a reader that is slower than we are is waited for, an interruption is not", async () => {
  const stdout = Object.assign(new Capture(false), { write: () => false });
  const controller = new AbortController();
  const terminal = openTerminal({ stdin: new PassThrough(), stdout, stderr: stdout, env: {}, signal: controller.signal });
  let written = false;
  const first = terminal.print("text").then(() => {
    written = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toBe(false);
  stdout.emit("drain");
  await first;
  const second = terminal.print("text");
  controller.abort(new CommandEnded(130));
  await expect(second).rejects.toBeInstanceOf(CommandEnded);
  expect(stdout.listenerCount("drain")).toBe(0);
});

test("an interruption ends with its exit code and without a word", async () => {
  const { stdout, stderr, controller, exitCode } = start(["generate", tiny, "--ids", "1", "-n", "4000"]);
  await stdout.has(" ");
  controller.abort(new CommandEnded(130));
  expect(await exitCode).toBe(130);
  expect(stderr.text).not.toContain("error");
});

describe.each([[["generate", tiny]], [["tasks", "check", "-", "responses.jsonl"]]])("stdin of %j", (args) => {
  test.each([0, 1, 20, 200])("an interruption after %i ms ends it", async (ms) => {
    const { controller, exitCode, stderr } = start(args);
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    controller.abort(new CommandEnded(130));
    expect(await exitCode).toBe(130);
    expect(stderr.text).toBe("");
  });
});

test("control characters become visible, line ends and tabs stay", () => {
  expect(visible("a\u001b[31mb\r\n\tc\u007f\u009b")).toBe("a␛[31mb␍\n\tc␡␡");
});
