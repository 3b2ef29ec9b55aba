// The reader thread. It reads files into a model's memory while another thread computes, and is bundled into a script of its own. The
// computing thread uses it through `ThreadReader` in src/weights/thread-reader.ts. In Node, the entry is src/node/reader-thread.ts.

import type { SourceLocation } from "./byte-source.js";
import { downloadRange, fileEndpoint } from "./range-download.js";
import {
  ControlWord,
  MESSAGE_BYTES,
  MESSAGES_OFFSET,
  READ_TIME_OFFSET,
  type ReaderData,
  type ReadRequest,
  ReadState,
} from "./reader-protocol.js";

/**
 * Fills `target` with the requested bytes, and calls `onBytes` as they arrive. A synchronous read returns nothing. If the read throws, the
 * message of the error states only the reason. It may end in a remedy in parentheses.
 */
export type ReadFunction = (request: ReadRequest, target: Uint8Array, onBytes: () => void) => void | Promise<void>;

/** Serves read requests until the thread is stopped. `listen` calls `receive` with every message that the computing thread posts. */
export function serveReads(
  { memory, control }: ReaderData,
  listen: (receive: (request: ReadRequest) => void) => void,
  read: ReadFunction,
): void {
  const words = new Int32Array(control, 0, MESSAGES_OFFSET / 4);
  const readTime = new Float64Array(control, READ_TIME_OFFSET, 1);
  const finish = (slot: number, state: number) => {
    Atomics.store(words, slot, state);
    Atomics.notify(words, slot);
  };
  const fail = (slot: number, error: unknown) => {
    const bytes = new TextEncoder().encode(error instanceof Error ? error.message : String(error)).subarray(0, MESSAGE_BYTES);
    new Uint8Array(control, MESSAGES_OFFSET + slot * MESSAGE_BYTES, MESSAGE_BYTES).set(bytes);
    Atomics.store(words, ControlWord.messages + slot, bytes.byteLength);
    finish(slot, ReadState.failed);
  };
  listen((request) => {
    const { slot, begin, end, ptr } = request;
    const since = performance.now();
    try {
      // If the memory has grown, the old `buffer` is too short. Growing the memory by 0 pages renews it.
      if (ptr + end - begin > memory.buffer.byteLength) memory.grow(0);
      const target = new Uint8Array(memory.buffer, ptr, end - begin);
      const done = () => {
        readTime[0]! += performance.now() - since;
        finish(slot, ReadState.done);
      };
      const pending = read(request, target, () => Atomics.add(words, ControlWord.progress, 1));
      if (pending) pending.then(done, (error) => fail(slot, error));
      else done();
    } catch (error) {
      fail(slot, error);
    }
  });
  Atomics.store(words, ControlWord.up, 1);
}

/** Interval in milliseconds at which a reader that waits for a server reports progress. */
const HEARTBEAT_MS = 1000;

/** Reads from a server with Range requests. Failed requests are repeated. */
export function readFromServer({ base, headers, retryPolicy }: Extract<SourceLocation, { kind: "http" }>): ReadFunction {
  return async ({ file, begin, end, version }, target, onBytes) => {
    const remote = { ...fileEndpoint({ url: new URL(base), headers }, file), version, fullResponse: "refused" as const };
    // No bytes arrive while a retry is pending. Progress is reported anyway, so that the computing thread does not consider this thread
    // dead.
    const heartbeat = setInterval(onBytes, HEARTBEAT_MS);
    try {
      let at = 0;
      for await (const bytes of downloadRange(remote, begin, end, retryPolicy)) {
        target.set(bytes, at);
        at += bytes.byteLength;
        onBytes();
      }
    } finally {
      clearInterval(heartbeat);
    }
  };
}

/** Reads from Blobs and byte arrays. */
export function readFromMemory(files: ReadonlyMap<string, Blob | Uint8Array>): ReadFunction {
  return async ({ file, begin, end }, target, onBytes) => {
    const data = files.get(file);
    if (!data) throw new Error("it is not among the given files");
    const bytes = data instanceof Uint8Array ? data.subarray(begin, end) : new Uint8Array(await data.slice(begin, end).arrayBuffer());
    if (bytes.byteLength !== target.byteLength) throw new Error(`the file ended after ${bytes.byteLength} of ${target.byteLength} bytes`);
    target.set(bytes);
    onBytes();
  };
}

/** Entry of the reader thread of a web page. */
export function serve(data: ReaderData, listen: (receive: (request: ReadRequest) => void) => void): void {
  const { location } = data;
  if (location.kind === "directory" || location.kind === "pieces") throw new Error("browsers have no file system");
  serveReads(data, listen, location.kind === "http" ? readFromServer(location) : readFromMemory(location.files));
}
