import { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";
import type { Files } from "./checkpoints.js";

/** How the server responds to a request for bytes: correctly, or with a fault. */
export type Behaviour = "sound" | "404" | "500" | "whole" | "short" | "long" | "shifted" | "changed" | "silent" | "stalled" | "reset";

/** A server on a separate thread. A server on the test's thread could not respond while that thread waits. */
export interface FileServer {
  readonly url: string;
  /** Sets the behaviour from now on, for files of weights. */
  behave(behaviour: Behaviour): void;
}

/** Serves these files until the test ends. */
export async function startFileServer(files: Files): Promise<FileServer> {
  const state = new Int32Array(new SharedArrayBuffer(4));
  const names: Behaviour[] = ["sound", "404", "500", "whole", "short", "long", "shifted", "changed", "silent", "stalled", "reset"];
  const worker = new Worker(SCRIPT, { eval: true, workerData: { files, state, names } });
  onTestFinished(async () => void (await worker.terminate()));
  const port = await new Promise<number>((resolve) => worker.once("message", resolve));
  return { url: `http://127.0.0.1:${port}`, behave: (behaviour) => void Atomics.store(state, 0, names.indexOf(behaviour)) };
}

const SCRIPT = `
const { createServer } = require("node:http");
const { parentPort, workerData: { files, state, names } } = require("node:worker_threads");
createServer((request, response) => {
  const name = decodeURIComponent(new URL(request.url, "http://x").pathname.slice(1));
  const bytes = files.get(name);
  if (!bytes) return response.writeHead(404).end();
  const how = name.endsWith(".safetensors") ? names[Atomics.load(state, 0)] : "sound";
  if (how === "404" || how === "500") return response.writeHead(Number(how)).end();
  if (how === "silent") return;
  if (how === "reset") return request.socket.destroy();
  const match = /^bytes=(\\d+)-(\\d+)$/.exec(request.headers.range ?? "");
  if (!match || how === "whole") return response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  const [begin, last] = [Number(match[1]), Math.min(Number(match[2]), bytes.length - 1)];
  const shift = how === "shifted" ? 4 : 0;
  const range = "bytes " + (begin - shift) + "-" + (last - shift) + "/" + bytes.length;
  response.writeHead(206, { "content-range": range, etag: how === "changed" ? '"2"' : '"1"' });
  const part = bytes.subarray(begin - shift, last + 1 - shift);
  if (how === "short") return response.end(part.subarray(0, part.length >> 1));
  if (how === "long") return response.end(Buffer.concat([part, part]));
  if (how === "stalled") return void response.write(part.subarray(0, 1));
  response.end(part);
}).listen(0, "127.0.0.1", function () { parentPort.postMessage(this.address().port); });
`;
