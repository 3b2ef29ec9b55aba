#!/usr/bin/env node
// The process that runs a command: streams, signals, exit code.

import { runCommandLine } from "./command-line.js";
import { CommandEnded } from "./text/terminal.js";

const controller = new AbortController();
/** Exit code if stdout cannot be written, regardless of the command's own exit code. */
let brokenStdout = 0;

/** Ends the command: the first signal lets it clean up, the second exits at once. */
function end(exitCode: number): void {
  if (controller.signal.aborted) {
    if (process.stderr.isTTY) process.stderr.write("\u001b[?25h");
    process.exit(exitCode);
  }
  controller.abort(new CommandEnded(exitCode));
}

process.on("SIGINT", () => end(130));
process.on("SIGTERM", () => end(143));
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (controller.signal.aborted) return;
  // The reader closed the pipe (`| head`), which is not an error.
  if (error.code === "EPIPE") return end(0);
  brokenStdout = 1;
  process.stderr.write(`error: stdout: cannot be written: ${error.message}\n`);
  end(1);
});
process.stderr.on("error", () => {});

const { stdin, stdout, stderr, env } = process;
const exitCode = await runCommandLine(process.argv.slice(2), { stdin, stdout, stderr, env, signal: controller.signal });
// Exit after stdout is flushed, even if stdin is still open.
stdout.write("", () => process.exit(brokenStdout || exitCode));
