import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Duplex, Readable, Writable } from "node:stream";
import { SandboxError } from "../base/errors.js";
import type { ProcessOutcome, ProcessRequest } from "../base/sandbox.js";
import { bubblewrapCommand, startFailure } from "./bubblewrap-command.js";
import { readUsage } from "./process-usage.js";
import { channelScript, encodeInput, RecordReader } from "./record-reader.js";

/** Time between two looks at the processor time and memory of the processes. */
const WATCH_MS = 50;
/** Memory that Node itself needs. The limit of a request comes on top. */
export const NODE_BYTES = 96 * 2 ** 20;
/** Time in which a sandbox must start. */
const START_MS = 60_000;
/** Longest sum of the records of a program, in bytes. */
const MAX_RECORD_BYTES = 64 * 2 ** 20;

/**
 * Runs a program in a sandbox of bubblewrap. Returns when all of its processes are dead.
 *
 * @param script a script in CommonJS, which may call `readInput()` and `writeRecord(record)`
 * @throws {SandboxError} the sandbox did not start
 */
export async function runInBubblewrap(script: string, { input, limits, signal }: ProcessRequest): Promise<ProcessOutcome> {
  signal?.throwIfAborted();
  const command = await bubblewrapCommand(limits);
  const key = randomBytes(32);
  const reader = new RecordReader(key);
  const child = spawn(command.file, command.args, {
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
    cwd: "/",
    env: {},
    ...command.user,
  });
  const [, stdout, stderr, records, info, code] = child.stdio as unknown as [null, Readable, Readable, Duplex, Readable, Writable];
  let stop: ProcessOutcome["stop"] = "exit";
  let output = "";
  let bytes = 0;
  let infoText = "";
  // Time counts from the first record on, when the program has started.
  let timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
  let startCpuMs: number | undefined;

  const kill = (reason: ProcessOutcome["stop"]) => {
    if (stop === "exit") stop = reason;
    killSandbox(child, infoText);
  };
  for (const stream of [stdout, stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text.slice(0, limits.outputBytes - bytes);
      bytes += text.length;
      if (bytes > limits.outputBytes) kill("output");
    });
  }
  records.on("data", (chunk: Buffer) => {
    const started = reader.records.length > 0;
    const bytes = reader.add(chunk);
    if (!started && reader.records.length > 0) {
      clearTimeout(timer);
      timer = setTimeout(() => kill("time"), limits.wallMs);
      startCpuMs ??= readUsage(childPid(infoText)).cpuMs;
    }
    if (bytes > MAX_RECORD_BYTES) kill("output");
  });
  info.on("data", (chunk: Buffer) => {
    infoText += chunk;
  });
  // A program that ends before it has read everything closes these streams.
  for (const stream of [stdout, stderr, records, info, code]) stream.on("error", () => {});
  code.end(channelScript + script);
  records.end(encodeInput(key, input));

  const watch = setInterval(() => {
    const usage = readUsage(childPid(infoText));
    if (reader.records.length > 0) startCpuMs ??= usage.cpuMs;
    if (usage.memoryBytes > limits.memoryBytes + NODE_BYTES) kill("memory");
    else if (usage.cpuMs - (startCpuMs ?? usage.cpuMs) > limits.cpuMs) kill("time");
  }, WATCH_MS);
  const abort = () => kill("exit");
  signal?.addEventListener("abort", abort);
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on("error", (cause) => reject(startFailure(cause)));
      child.on("close", (status, name) => resolve(status ?? (name === "SIGKILL" ? 137 : 128)));
    });
    signal?.throwIfAborted();
    if (reader.records.length === 0 && stop === "exit") throw startFailure(new Error(output.trim() || `exit code ${exitCode}`));
    // The kernel's limit of processor time, whose steps are seconds, and the engine's limit of memory.
    if (stop === "exit" && exitCode !== 0 && /heap out of memory|bad_alloc/.test(output)) stop = "memory";
    return { records: reader.records, stop, code: exitCode, output };
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    signal?.removeEventListener("abort", abort);
  }
}

/** The id of the first process in the sandbox, as bubblewrap reports it. */
function childPid(info: string): number | undefined {
  const found = /"child-pid":\s*(\d+)/.exec(info);
  return found ? Number(found[1]) : undefined;
}

/** Kills the first process of the sandbox, and with it all others. Bubblewrap ends when it has ended. */
function killSandbox(child: ChildProcess, info: string): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const pid = childPid(info);
  if (pid === undefined) return void child.kill("SIGKILL");
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH")
      throw new SandboxError(`bubblewrap: cannot end its processes: ${error}`, { cause: error });
  }
}
