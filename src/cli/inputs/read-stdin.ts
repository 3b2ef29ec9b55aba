import { InputError } from "../../index.js";
import type { Terminal } from "../text/terminal.js";

/**
 * Reads text from stdin to its end.
 *
 * @throws {CommandEnded} the command is interrupted, before or while stdin is read
 * @throws {InputError} bytes that are not UTF-8
 */
export async function readStdin({ stdin, signal }: Terminal): Promise<string> {
  signal.throwIfAborted();
  const chunks: Uint8Array[] = [];
  const end = () => stdin.destroy();
  signal.addEventListener("abort", end);
  try {
    for await (const chunk of stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  } finally {
    signal.removeEventListener("abort", end);
  }
  signal.throwIfAborted();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new InputError("stdin: expected UTF-8 text, got other bytes", { cause });
  }
}
