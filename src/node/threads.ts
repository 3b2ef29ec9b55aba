import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Thread } from "../runtime/threads.js";

export { source as readerSource } from "../../build/reader-node.js";

export type { Thread };

/** Whether threads can share memory. Always true in Node; `src/runtime/threads.ts` is the counterpart for browsers. */
export const canShare = true;
export const cannotShareReason = "";
export const processors = availableParallelism();
/**
 * Whether another thread can read Blobs. Always false: in Node 20, the process ends if another thread reads a Blob of a file
 * (`fs.openAsBlob`), and such a Blob cannot be recognised.
 */
export const canShareBlobs = false;

export function startThread(source: string, data: object, onEnd: (reason: string) => void): Thread {
  const script = `const threads = require("node:worker_threads");${source};worker.serve(threads.workerData, (receive) => threads.parentPort.on("message", receive));`;
  const worker = new Worker(script, { eval: true, workerData: data, execArgv: [], env: {} });
  worker.on("error", ({ message }) => onEnd(message));
  worker.on("exit", (code) => onEnd(`exit code ${code}`));
  worker.unref();
  return { post: (message) => worker.postMessage(message), stop: () => worker.terminate() };
}
