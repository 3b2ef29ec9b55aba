// Web Workers in Node, to the extent that wllama and the code of Emscripten need them: a classic worker from a blob: URL, in which Node's
// own globals are hidden. Importing this module gives the process `Worker`, `navigator`, and blobs from which workers can be created.
import { Worker as Thread } from "node:worker_threads";

/**
 * Runs inside a worker, before the worker's own code. Messages that arrive before there is a handler wait. Workers inside workers work in
 * the same way.
 */
function prelude() {
  const { parentPort, workerData } = require("node:worker_threads");
  process.type = "renderer"; // what Emscripten takes for "not Node"
  const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  define("self", globalThis);
  define("name", workerData.name);
  define("navigator", workerData.navigator);
  const blobs = new Map();
  define("location", { href: "http://localhost/" });
  define("WorkerGlobalScope", class {});
  define("WorkerNavigator", class {});
  define("importScripts", () => {
    throw new Error("importScripts: not in this worker");
  });
  define("postMessage", (data, transfer) => parentPort.postMessage(data, transfer?.transfer ?? transfer));
  define("close", () => process.exit());
  URL.createObjectURL = (blob) => {
    const url = `blob:${blobs.size}`;
    blobs.set(url, blob);
    return url;
  };
  define(
    "Worker",
    workerClass(require("node:worker_threads").Worker, (url) => blobs.get(url).text(), workerData),
  );
  const early = [];
  parentPort.on("message", (data) => (globalThis.onmessage ? globalThis.onmessage({ data }) : early.push(data)));
  setTimeout(() => {
    for (const data of early.splice(0)) globalThis.onmessage({ data });
  });
}

/**
 * Returns a class of workers. A worker starts when its source has been read. Until then, messages wait. Afterwards they are sent at once,
 * because the sender may block right after sending.
 */
function workerClass(Thread, read, shared) {
  return class Worker {
    constructor(url, { name = "" } = {}) {
      this.waiting = [];
      read(url).then((source) => {
        const code = `${workerClass}\n(${shared.prelude})();\n${source}`;
        this.thread = new Thread(code, { eval: true, workerData: { ...shared, name } });
        this.thread.on("message", (data) => this.onmessage?.({ data, target: this }));
        this.thread.on("error", (error) => this.onerror?.(error));
        for (const [data, transfer] of this.waiting) this.thread.postMessage(data, transfer);
      });
    }
    postMessage(data, options) {
      const transfer = options?.transfer ?? options;
      if (this.thread) this.thread.postMessage(data, transfer);
      else this.waiting.push([data, transfer]);
    }
    terminate() {
      this.thread?.terminate();
    }
  };
}

const navigator = { userAgent: "Node", hardwareConcurrency: 2 };
// A storage that exists but cannot be opened.
const storage = { getDirectory: () => Promise.reject(new Error("storage: not in Node")) };
const blobs = new Map();
URL.createObjectURL = (blob) => {
  const url = `blob:${blobs.size}`;
  blobs.set(url, blob);
  return url;
};
Object.defineProperty(globalThis, "navigator", { value: { ...navigator, storage }, configurable: true });
globalThis.Worker = workerClass(Thread, (url) => blobs.get(url).text(), { navigator, prelude: String(prelude) });
