export { source as readerSource } from "../../build/reader.js";

/** A running thread. */
export interface Thread {
  /** Sends a message to what `serve` listens with. */
  post(message: unknown): void;
  stop(): void;
}

/** What a page can do: threads need shared memory, which it has only when it is cross-origin isolated. */
export const canShare = globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === "function";

/** Why not, and what helps. */
export const cannotShare =
  "the page is not cross-origin isolated (serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)";

/** Whether another thread can read the Blobs of this one. */
export const blobsTravel: boolean = true;

/** Processors. */
export const cores = globalThis.navigator?.hardwareConcurrency ?? 1;

/**
 * Starts a thread that does not keep anything alive.
 *
 * @param source a script that defines `worker.serve(data, listen)`; what it listens with is given every message
 * @param onEnd told why, if it ends by itself
 */
export function startThread(source: string, data: object, onEnd: (reason: string) => void): Thread {
  const listen = "(receive) => { onmessage = ({ data }) => receive(data); }";
  const script = new Blob([`${source};onmessage = ({ data }) => worker.serve(data, ${listen});`], { type: "text/javascript" });
  const url = URL.createObjectURL(script);
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  worker.onerror = (event) => onEnd(event.message || "the worker was refused: a page's CSP must allow worker-src blob:");
  worker.postMessage(data);
  return { post: (message) => worker.postMessage(message), stop: () => worker.terminate() };
}
