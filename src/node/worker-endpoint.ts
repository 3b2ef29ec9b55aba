import { parentPort, type TransferListItem, Worker } from "node:worker_threads";
import type { Endpoint, WorkerLike } from "../base/endpoint.js";

/** Starts the thread that computes. `src/worker/worker-endpoint.ts` is the counterpart for pages. */
export function startWorker(): WorkerLike {
  return new Worker(new URL("./lightning-m1-worker.js", import.meta.url), { execArgv: [] });
}

/** Returns the main thread's end of the channel. */
export function endpointOf(given: WorkerLike): Endpoint {
  const worker = given as Worker;
  worker.unref();
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as TransferListItem[]),
    listen(receive, onEnd) {
      worker.on("message", receive);
      worker.on("messageerror", ({ message }) => onEnd(message));
      worker.on("error", ({ message }) => onEnd(message));
      worker.on("exit", (code) => onEnd(`exit code ${code}`));
    },
    keepAlive: (active) => (active ? worker.ref() : worker.unref()),
    close: () => void worker.terminate(),
  };
}

/** Returns the thread's end of the channel. */
export function parentEndpoint(): Endpoint {
  return {
    post: (message, transfer = []) => parentPort!.postMessage(message, transfer as TransferListItem[]),
    listen: (receive) => void parentPort!.on("message", receive),
    keepAlive() {},
    close() {},
  };
}
