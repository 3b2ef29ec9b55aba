import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { runCommandLine } from "../../src/cli/command-line.js";
import { byteAlphabet } from "../../src/text/tokenizer-files.js";
import { GREEDY_PROMPT, readGolden } from "../support/golden.js";

export const tiny = fileURLToPath(new URL("../golden/m1-tiny", import.meta.url));

/** What the published code generates greedily from `prompt`. */
export function greedy(): { prompt: number[]; continuation: number[] } {
  const ids = readGolden({ name: "m1-tiny", directory: tiny }).greedyIds[0]!;
  return { prompt: ids.slice(0, GREEDY_PROMPT), continuation: ids.slice(GREEDY_PROMPT) };
}

/** A stream that remembers what was written to it, and whoever waits for something in it. */
export class Capture extends Writable {
  text = "";
  readonly columns = 80;
  private waiting: (() => void)[] = [];

  constructor(readonly isTTY: boolean) {
    super();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    for (const check of this.waiting) check();
    done();
  }

  has(part: string): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (this.text.includes(part)) resolve();
      };
      this.waiting.push(check);
      check();
    });
  }
}

export interface Invocation {
  readonly stdin: PassThrough;
  readonly stdout: Capture;
  readonly stderr: Capture;
  readonly controller: AbortController;
  readonly exitCode: Promise<number>;
}

/** Starts a command in this process. `input` is a pipe's content; without it stdin stays open. */
export function start(
  args: readonly string[],
  { input, env = {}, tty = false }: { input?: string; env?: Record<string, string>; tty?: boolean } = {},
): Invocation {
  const stdin = Object.assign(new PassThrough(), { isTTY: tty, setRawMode: () => stdin });
  const [stdout, stderr] = [new Capture(tty), new Capture(tty)];
  const controller = new AbortController();
  if (input !== undefined) stdin.end(input);
  const exitCode = runCommandLine(args, { stdin, stdout, stderr, env, signal: controller.signal });
  return { stdin, stdout, stderr, controller, exitCode };
}

/** Runs a command in this process to its end. */
export async function run(args: readonly string[], options: Parameters<typeof start>[1] = {}) {
  const { stdout, stderr, exitCode } = start(args, { input: "", ...options });
  return { exitCode: await exitCode, stdout: stdout.text, stderr: stderr.text };
}

/** A directory that goes with the test. */
export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "lightning-m1-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The m1-tiny checkpoint with a tokenizer: 256 bytes and the chat format's special tokens. No token ends its answers. */
export function speaking(): string {
  const directory = temporary();
  cpSync(tiny, directory, { recursive: true });
  const named = ["<begin_of_document>", "<beginning_of_sentence>", "<end_of_sentence>"];
  const special = Array.from({ length: 64 }, (_, i) => named[i] ?? `<special_${i}>`);
  const vocab = Object.fromEntries([...byteAlphabet, ...special].map((token, id) => [token, id]));
  writeFileSync(join(directory, "vocab.json"), JSON.stringify(vocab));
  writeFileSync(join(directory, "merges.txt"), "#version: 0.2\n");
  return directory;
}
