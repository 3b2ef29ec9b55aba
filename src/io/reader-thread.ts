// The thread that reads files into a model's memory while the model computes. Bundled by itself; the calling thread's half is `reader.ts`.

import type { SharedMemory } from "../runtime/heap.js";
import { downloadRange, fileEndpoint } from "./range-download.js";
import type { RetryPolicy } from "./retry.js";

/** Files as another thread can find them. */
export type SourceLocation =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "http"; readonly base: string; readonly headers: Readonly<Record<string, string>>; readonly retryPolicy: RetryPolicy }
  | { readonly kind: "files"; readonly files: ReadonlyMap<string, Blob | Uint8Array> };

/** A stretch of a file, and where it goes. */
export interface ReadRequest {
  readonly slot: number;
  readonly file: string;
  readonly begin: number;
  readonly end: number;
  /** Address in the memory. */
  readonly ptr: number;
  /** What tells this version of the file from others; empty if nothing does. */
  readonly version: string;
}

/** What the thread is started with. */
export interface ReaderData {
  readonly memory: SharedMemory;
  readonly control: SharedArrayBuffer;
  readonly location: SourceLocation;
}

/** Requests that can be under way: two parts of a vocabulary, a row each, and what is read ahead. */
export const MAX_PENDING_READS = 96;

/** Int32 words of the block that both threads see: a state per slot, these two, and how long each slot's message is. */
export const ControlWord = { up: MAX_PENDING_READS, progress: MAX_PENDING_READS + 1, messages: MAX_PENDING_READS + 2 } as const;

export const ReadState = { pending: 0, done: 1, failed: 2 } as const;

/** Why reads failed: where the slots' messages begin, and how many bytes each has. */
export const MESSAGES_OFFSET = 8 * (MAX_PENDING_READS + 1);
export const MESSAGE_BYTES = 512;

/** Where the time that all reads took is kept, as a float64 of milliseconds. */
export const READ_TIME_OFFSET = MESSAGES_OFFSET + MAX_PENDING_READS * MESSAGE_BYTES;

export const CONTROL_BYTES = READ_TIME_OFFSET + 8;

/** Fills `target` from byte `begin` of a file on; calls `onBytes` as bytes arrive. May answer at once. What it throws is a reason, and may end in a remedy. */
export type ReadFunction = (request: ReadRequest, target: Uint8Array, onBytes: () => void) => void | Promise<void>;

/** The whole life of the thread. `listen` hands over what the other one posts. */
export function serveReads(
  { memory, control }: ReaderData,
  listen: (receive: (request: ReadRequest) => void) => void,
  read: ReadFunction,
): void {
  const words = new Int32Array(control, 0, MESSAGES_OFFSET / 4);
  const clock = new Float64Array(control, READ_TIME_OFFSET, 1);
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
      // A view that was made before the memory grew ends where it ended.
      if (ptr + end - begin > memory.buffer.byteLength) memory.grow(0);
      const target = new Uint8Array(memory.buffer, ptr, end - begin);
      const done = () => {
        clock[0]! += performance.now() - since;
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

/** How often a thread that waits for a server says that it is alive. */
const HEARTBEAT_MS = 1000;

/** Reads from a server, in Range requests; those that fail are made again. */
export function readFromServer({ base, headers, retryPolicy }: Extract<SourceLocation, { kind: "http" }>): ReadFunction {
  return async ({ file, begin, end, version }, target, onBytes) => {
    const remote = { ...fileEndpoint({ url: new URL(base), headers }, file), version: version, fullResponse: "refused" as const };
    // Between two tries no bytes arrive: the other thread still has to hear that this one is alive.
    const alive = setInterval(onBytes, HEARTBEAT_MS);
    try {
      let at = 0;
      for await (const bytes of downloadRange(remote, begin, end, retryPolicy)) {
        target.set(bytes, at);
        at += bytes.byteLength;
        onBytes();
      }
    } finally {
      clearInterval(alive);
    }
  };
}

/** Reads from files that are at hand. */
export function readFromMemory(files: ReadonlyMap<string, Blob | Uint8Array>): ReadFunction {
  return async ({ file, begin, end }, target, onBytes) => {
    const data = files.get(file);
    if (!data) throw new Error("it is not among the given files");
    const bytes = data instanceof Uint8Array ? data.subarray(begin, end) : new Uint8Array(await data.slice(begin, end).arrayBuffer());
    if (bytes.byteLength !== target.byteLength) throw new Error(`it ended after ${bytes.byteLength} of ${target.byteLength} bytes`);
    target.set(bytes);
    onBytes();
  };
}

/** Where a page's thread starts. */
export function serve(data: ReaderData, listen: (receive: (request: ReadRequest) => void) => void): void {
  const { location } = data;
  if (location.kind === "directory") throw new Error("there is no file system here");
  serveReads(data, listen, location.kind === "http" ? readFromServer(location) : readFromMemory(location.files));
}
