import type { Endpoint, WorkerLike } from "../base/endpoint.js";

/**
 * Starts the worker that computes. Code imports this file as `#worker`. In the build for Node, this name resolves to
 * `src/node/worker-endpoint.ts`.
 *
 * The address of the script is spelled out, because bundlers look for this expression.
 */
export function startWorker(): WorkerLike {
  const library = new URL(import.meta.url);
  const foreign = /^https?:$/.test(library.protocol) && library.origin !== globalThis.location?.origin;
  if (foreign) return startForeignWorker(new URL("lightning-m1-worker.js", library));
  return new Worker(new URL("./lightning-m1-worker.js", import.meta.url), { type: "module" });
}

/** Starts a worker whose script has another origin, such as that of a CDN. A page may only start its own scripts, but these may import. */
function startForeignWorker(script: URL): Worker {
  const own = URL.createObjectURL(new Blob([`import ${JSON.stringify(script.href)};`], { type: "text/javascript" }));
  const worker = new Worker(own, { type: "module" });
  // The script is fetched later, so the address must stay valid until the worker answers or fails.
  for (const event of ["message", "error"]) worker.addEventListener(event, () => URL.revokeObjectURL(own), { once: true });
  return worker;
}

/** The first message of a worker: the name of a lock that it holds as long as it lives. */
interface LifeSign {
  readonly lock: string;
}

/** Returns the page's end of the channel to a worker. */
export function endpointOf(given: WorkerLike): Endpoint {
  const worker = given as Worker;
  const closed = new AbortController();
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    listen(receive, onEnd) {
      // A page is not told when a worker ends. It is told when a lock becomes free.
      const observe = ({ lock }: LifeSign) =>
        navigator.locks?.request(lock, { signal: closed.signal }, () => onEnd("it was terminated")).catch(() => {});
      worker.onmessage = ({ data }) => void ("lock" in data ? observe(data) : receive(data));
      worker.onmessageerror = () => onEnd("a message could not be read");
      worker.onerror = ({ message }) => onEnd(message || "its script could not be loaded; the browser's console shows why");
    },
    keepAlive() {},
    close() {
      closed.abort();
      worker.terminate();
    },
  };
}

/** Returns the worker's end of the channel. */
export function parentEndpoint(): Endpoint {
  const scope = globalThis as unknown as Pick<Worker, "postMessage" | "onmessage">;
  return {
    post: (message, transfer = []) => scope.postMessage(message, [...transfer]),
    listen(receive) {
      scope.onmessage = ({ data }) => receive(data);
      const lock = `lightning-m1 ${Math.random()}`;
      const hold = () => {
        scope.postMessage({ lock } satisfies LifeSign);
        return new Promise(() => {});
      };
      // Without locks, as in pages that are not served over https, only errors of the worker are noticed.
      globalThis.navigator?.locks?.request(lock, hold).catch(() => {});
    },
    keepAlive() {},
    close() {},
  };
}
