// The script for pages without a bundler, dist/standalone/lightning-m1.js. Its worker imports it too.

export * from "../index.js";
export * from "./index.js";
export { serveWorker } from "./serve-worker.js";
