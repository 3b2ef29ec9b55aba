import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Thread } from "../runtime/threads.js";
import type { ThreadData } from "../runtime/worker.js";

export type { Thread };

/** Node's half of `src/runtime/threads.ts`. */
export const canShare = true;
export const cannotShare = "";
export const cores = availableParallelism();

export function startThread(source: string, data: ThreadData, onEnd: (reason: string) => void): Thread {
  const script = `${source};worker.serve(require("node:worker_threads").workerData);`;
  const worker = new Worker(script, { eval: true, workerData: data, execArgv: [], env: {} });
  worker.on("error", ({ message }) => onEnd(message));
  worker.on("exit", (code) => onEnd(`exit code ${code}`));
  worker.unref();
  return { stop: () => void worker.terminate() };
}
