import type { IncomingMessage, ServerResponse } from "node:http";
import type { Plugin } from "vitest/config";

/** Path of the service in Vitest's server. */
export const CHECKPOINTS = "/checkpoints/";

/** Bytes of a generated file repeat with this period. They are float32 numbers of about 0.01. */
const PERIOD_BYTES = 1 << 20;

interface ServedFile {
  /** The bytes with which the file begins; the others are generated. */
  readonly head: Buffer;
  readonly size: number;
  readonly etag: string;
  /** Numbers of bytes after which the next responses break off. */
  readonly breaks: number[];
  /** First and last byte of each request for more than one byte. */
  readonly requests: string[];
}

/**
 * Serves large checkpoints for tests in a browser.
 *
 * - `PUT file?size=&etag=&breaks=` creates a file from its first bytes
 * - `GET file` answers with bytes, also with a range, and breaks off as often as `breaks` says
 * - `POST file` answers with the ranges that were requested since the last one
 */
export function checkpointHandler(): (request: IncomingMessage, response: ServerResponse) => void {
  const files = new Map<string, ServedFile>();
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, "http://x");
    if (request.method === "PUT") {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const head = Buffer.concat(parts);
        const breaks = (searchParams.get("breaks") ?? "").split(",").filter(Boolean).map(Number);
        const [size, etag] = [Number(searchParams.get("size") ?? head.byteLength), searchParams.get("etag") ?? "1"];
        files.set(pathname, { head, size, etag: `"${etag}"`, breaks, requests: [] });
        response.end();
      });
      return;
    }
    const file = files.get(pathname);
    if (!file) response.writeHead(404).end();
    else if (request.method === "POST") response.end(JSON.stringify(file.requests.splice(0)));
    else send(file, request, response);
  };
}

/** The handler as a part of Vitest's own server. */
export function checkpointService(): Plugin {
  return {
    name: "checkpoint-service",
    configureServer: ({ middlewares }) => void middlewares.use(CHECKPOINTS, checkpointHandler()),
  };
}

function send({ head, size, etag, breaks, requests }: ServedFile, request: IncomingMessage, response: ServerResponse): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const [begin, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, size];
  const isProbe = end - begin === 1;
  if (!isProbe) requests.push(`${begin}-${end}`);
  const stop = isProbe ? undefined : breaks.shift();
  const last = stop === undefined ? end : Math.min(end, begin + stop);
  response.writeHead(range ? 206 : 200, {
    "content-length": end - begin,
    "cache-control": "no-store",
    etag,
    ...(range && { "content-range": `bytes ${begin}-${end - 1}/${size}` }),
  });
  const period = Buffer.alloc(PERIOD_BYTES, Float32Array.of(0.01).buffer as unknown as Uint8Array);
  let at = begin;
  const write = () => {
    while (at < last && !response.destroyed) {
      const inHead = at < head.byteLength;
      const part = inHead ? head.subarray(at, last) : period.subarray(at % 4, Math.min(PERIOD_BYTES, (at % 4) + last - at));
      at += part.byteLength;
      if (!response.write(part)) return void response.once("drain", write);
    }
    if (last < end) response.destroy();
    else response.end();
  };
  write();
}
