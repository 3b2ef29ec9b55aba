// What all commands that serve have in common.

import { parseOrigins } from "../../serve/cors.js";
import { repeatedOption, UsageError } from "../options.js";
import type { Terminal } from "../text/terminal.js";

/** Parses the values of --cors before a model is loaded. @throws {UsageError} an invalid origin */
export function origins(rawArgs: readonly string[]): readonly string[] {
  try {
    return parseOrigins(repeatedOption(rawArgs, "cors"));
  } catch (error) {
    throw new UsageError((error as Error).message.replace("serve: cors:", "--cors:"));
  }
}

/**
 * Waits for a signal, or for the end of the shell through which npx has started this process. npx forwards signals to that shell,
 * which ends without forwarding them.
 */
export function untilStopped({ signal, env }: Terminal, parent: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
    if (env.npm_command !== "exec" || env.npm_lifecycle_event !== "npx") return;
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      resolve();
    }, 500);
    timer.unref();
  });
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
