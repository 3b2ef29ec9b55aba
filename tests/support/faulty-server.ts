import type { IncomingMessage, ServerResponse } from "node:http";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { LoadOptions } from "../../src/checkpoint/load-options.js";
import { expectSaved, type Files, json, rangeOf, serve, singleFile, withServer } from "./checkpoints.js";

/** Responds in place of the server if it returns true. */
export type Disturb = (request: IncomingMessage, response: ServerResponse, count: number, bytes: Uint8Array | undefined) => unknown;

export const QUICK = { retryDelayMs: 1, stallMs: 300 };
/** A checkpoint whose files are all small. */
export const text = singleFile().set("tokenizer_config.json", json({}));

/** Serves files with faults. `count` counts the requests from 1. */
export function faulty(files: Files, disturb: Disturb, ranges = true): Parameters<typeof withServer>[0] {
  let count = 0;
  return (request, response) => {
    const bytes = files.get(new URL(request.url!, "http://x").pathname.slice(1));
    if (disturb(request, response, ++count, bytes)) return;
    if (!ranges) delete request.headers.range;
    serve(files, request, response);
  };
}

/** Loads from a server with faults, and expects these files. */
export async function expectLoaded(files: Files, disturb: Disturb, options: LoadOptions = QUICK, ranges = true): Promise<void> {
  await withServer(faulty(files, disturb, ranges), async (url) => {
    const checkpoint = await loadCheckpoint(url, options);
    await expectSaved(checkpoint, files);
    checkpoint.rt.dispose();
  });
}

/** Returns the error of a load from a server with faults. */
export function failure(files: Files, disturb: Disturb, options: LoadOptions = QUICK): Promise<Error> {
  return withServer(faulty(files, disturb), (url) =>
    loadCheckpoint(url, options).then(
      () => Promise.reject(new Error("it loads")),
      (error: Error) => error,
    ),
  );
}

export const isData = (request: IncomingMessage) => request.url!.includes("model.safetensors") && (rangeOf(request)?.[0] ?? 0) > 0;

/** Sends a response that breaks off after some bytes. */
export function cut(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array | undefined,
  after: number,
  end: "reset" | "stall",
): true {
  if (!bytes) response.writeHead(404).end();
  if (!bytes) return true;
  const [begin, stop] = rangeOf(request)!;
  const part = bytes.subarray(begin, stop);
  const range = `bytes ${begin}-${begin + part.byteLength - 1}/${bytes.byteLength}`;
  response.writeHead(206, { "content-length": part.byteLength, "content-range": range });
  response.write(part.subarray(0, after), () => end === "reset" && response.socket?.destroySoon());
  return true;
}

/** Sends a body without end, and counts the bytes that were taken. */
export function endless(response: ServerResponse, sent: { bytes: number }, chunk = Buffer.alloc(1 << 20, 32)): void {
  const write = () => {
    while (!response.destroyed) {
      sent.bytes += chunk.byteLength;
      if (!response.write(chunk)) return void response.once("drain", write);
    }
  };
  write();
}
