export { source as readerSource } from "../../build/reader.js";

/** A running thread. */
export interface Thread {
  /** Sends a message to what `serve` listens with. */
  post(message: unknown): void;
  /** @returns what settles when the thread has ended, if that can be known */
  stop(): Promise<unknown> | undefined;
}

/** A page has shared memory only if it is cross-origin isolated; other engines than browsers do not know the word. */
const isolated: boolean | undefined = globalThis.crossOriginIsolated;

/** What a page can do: threads need shared memory. */
export const canShare = isolated === true && typeof SharedArrayBuffer === "function" && typeof Worker === "function";

/** Why not, and what helps. */
export const cannotShareReason =
  isolated === false
    ? "the page is not cross-origin isolated (serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)"
    : isolated === undefined
      ? "this engine has no cross-origin isolation, without which pages share no memory (a current browser has; in Node, import the package without a bundler's browser condition)"
      : typeof SharedArrayBuffer === "function"
        ? "the page is cross-origin isolated, and this engine has no Worker here (a current browser has)"
        : "the page is cross-origin isolated, and this engine has no SharedArrayBuffer (a current browser has; some switch it off in a mode for more security)";

/** Whether another thread can read the Blobs of this one. */
export const canShareBlobs: boolean = true;

/** Processors. */
export const processors = globalThis.navigator?.hardwareConcurrency ?? 1;

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
  return { post: (message) => worker.postMessage(message), stop: () => void worker.terminate() };
}
