export { source as readerSource } from "../../build/reader.js";

/** A running thread. */
export interface Thread {
  /** Sends a message to the callback that the thread's `serve` registered. */
  post(message: unknown): void;
  /** Stops the thread. @returns a promise that settles when the thread has ended, or undefined if that cannot be observed */
  stop(): Promise<unknown> | undefined;
}

/** Whether the page is cross-origin isolated, which shared memory requires. Undefined in engines other than browsers. */
const isolated: boolean | undefined = globalThis.crossOriginIsolated;

/** Whether a page can start threads, which need shared memory. */
export const canShare = isolated === true && typeof SharedArrayBuffer === "function" && typeof Worker === "function";

/** The reason why threads cannot share memory here, with the remedy. */
export const cannotShareReason =
  isolated === false
    ? "the page is not cross-origin isolated (serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)"
    : isolated === undefined
      ? "this engine has no cross-origin isolation, which pages need to share memory (use a current browser; in Node, import the package without a bundler's browser condition)"
      : typeof SharedArrayBuffer === "function"
        ? "the page is cross-origin isolated, but this engine has no Worker here (use a current browser)"
        : "the page is cross-origin isolated, but this engine has no SharedArrayBuffer (use a current browser; some disable it in a high-security mode)";

/** Whether a thread can read the Blobs of another thread. */
export const canShareBlobs: boolean = true;

/** Number of processors. */
export const processors = globalThis.navigator?.hardwareConcurrency ?? 1;

/**
 * Starts a thread that does not keep the process alive.
 *
 * @param source a script that defines `worker.serve(data, listen)`; `listen(callback)` registers a callback for messages
 * @param onEnd called with the reason if the thread ends by itself
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
