// The thread that reads files into a model's memory while the model computes. Bundled by itself; the calling thread's half is `reader.ts`.

import type { SharedMemory } from "../runtime/memory.js";
import type { Patience } from "./retry.js";
import { download, fileAt } from "./transfer.js";

/** Files as another thread can find them. */
export type Address =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "http"; readonly base: string; readonly headers: Readonly<Record<string, string>>; readonly patience: Patience }
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
  readonly stamp: string;
}

/** What the thread is started with. */
export interface ReaderData {
  readonly memory: SharedMemory;
  readonly control: SharedArrayBuffer;
  readonly address: Address;
}

/** Requests that can be under way: two parts of a vocabulary, a row each, and what is read ahead. */
export const SLOTS = 96;

/** Int32 words of the block that both threads see: a state per slot, these two, and how long each slot's message is. */
export const Word = { up: SLOTS, progress: SLOTS + 1, messages: SLOTS + 2 } as const;

export const State = { pending: 0, done: 1, failed: 2 } as const;

/** Why reads failed: where the slots' messages begin, and how many bytes each has. */
export const MESSAGES_AT = 8 * (SLOTS + 1);
export const MESSAGE_BYTES = 512;

/** Where the time that all reads took is kept, as a float64 of milliseconds. */
export const CLOCK_AT = MESSAGES_AT + SLOTS * MESSAGE_BYTES;

export const CONTROL_BYTES = CLOCK_AT + 8;

/** Fills `target` from byte `begin` of a file on; calls `onBytes` as bytes arrive. May answer at once. What it throws is a reason, and may end in a remedy. */
export type Read = (request: ReadRequest, target: Uint8Array, onBytes: () => void) => void | Promise<void>;

/** The whole life of the thread. `listen` hands over what the other one posts. */
export function serveReads({ memory, control }: ReaderData, listen: (receive: (request: ReadRequest) => void) => void, read: Read): void {
  const words = new Int32Array(control, 0, MESSAGES_AT / 4);
  const clock = new Float64Array(control, CLOCK_AT, 1);
  const finish = (slot: number, state: number) => {
    Atomics.store(words, slot, state);
    Atomics.notify(words, slot);
  };
  const fail = (slot: number, error: unknown) => {
    const bytes = new TextEncoder().encode(error instanceof Error ? error.message : String(error)).subarray(0, MESSAGE_BYTES);
    new Uint8Array(control, MESSAGES_AT + slot * MESSAGE_BYTES, MESSAGE_BYTES).set(bytes);
    Atomics.store(words, Word.messages + slot, bytes.byteLength);
    finish(slot, State.failed);
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
        finish(slot, State.done);
      };
      const pending = read(request, target, () => Atomics.add(words, Word.progress, 1));
      if (pending) pending.then(done, (error) => fail(slot, error));
      else done();
    } catch (error) {
      fail(slot, error);
    }
  });
  Atomics.store(words, Word.up, 1);
}

/** How often a thread that waits for a server says that it is alive. */
const ALIVE_MS = 1000;

/** Reads from a server, in Range requests; those that fail are made again. */
export function httpReads({ base, headers, patience }: Extract<Address, { kind: "http" }>): Read {
  return async ({ file, begin, end, stamp }, target, onBytes) => {
    const remote = { ...fileAt({ url: new URL(base), headers }, file), version: stamp, whole: "refused" as const };
    // Between two tries no bytes arrive: the other thread still has to hear that this one is alive.
    const alive = setInterval(onBytes, ALIVE_MS);
    try {
      let at = 0;
      for await (const bytes of download(remote, begin, end, patience)) {
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
export function fileReads(files: ReadonlyMap<string, Blob | Uint8Array>): Read {
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
  const { address } = data;
  if (address.kind === "directory") throw new Error("there is no file system here");
  serveReads(data, listen, address.kind === "http" ? httpReads(address) : fileReads(address.files));
}
