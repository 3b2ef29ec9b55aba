import { cannotShare, canShare, readerSource, startThread, type Thread } from "#threads";
import { CheckpointError, InputError } from "../runtime/errors.js";
import type { Reads } from "../runtime/streamed.js";
import {
  type Address,
  CLOCK_AT,
  CONTROL_BYTES,
  MESSAGE_AT,
  type ReaderData,
  type ReadRequest,
  SLOTS,
  State,
  Word,
} from "./reader-thread.js";

/** Without any progress for so long, the thread counts as dead. */
const PATIENCE_MS = 60_000;

/** Reads on a thread of its own, which the calling thread can wait for without giving way. */
export class ThreadReader implements Reads {
  private readonly words: Int32Array;
  private readonly control: SharedArrayBuffer;
  private readonly free = Array.from({ length: SLOTS }, (_, slot) => slot);
  private readonly files = new Map<number, string>();
  private readonly thread: Thread;
  private fault: string | undefined;

  private constructor(
    memory: WebAssembly.Memory,
    address: Address,
    private readonly stamps: ReadonlyMap<string, string>,
  ) {
    this.control = new SharedArrayBuffer(CONTROL_BYTES);
    this.words = new Int32Array(this.control, 0, MESSAGE_AT / 4);
    const data: ReaderData = { memory, control: this.control, address };
    this.thread = startThread(readerSource, data, (reason) => {
      this.fault ??= reason;
    });
  }

  /**
   * @param stamps by file: what tells the version that was opened from others
   * @throws {InputError} where threads cannot share memory, or may not wait
   * @throws {CheckpointError} a thread that does not start
   */
  static async start(memory: WebAssembly.Memory, address: Address, stamps: ReadonlyMap<string, string>): Promise<ThreadReader> {
    checkStreaming();
    const reader = new ThreadReader(memory, address, stamps);
    while (Atomics.load(reader.words, Word.up) === 0) {
      if (reader.fault !== undefined) throw new CheckpointError(`load: the thread that reads files could not be started: ${reader.fault}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return reader;
  }

  get milliseconds(): number {
    return new Float64Array(this.control, CLOCK_AT, 1)[0]!;
  }

  get room(): number {
    return this.free.length;
  }

  begin(file: string, begin: number, end: number, ptr: number): number {
    const slot = this.free.pop();
    if (slot === undefined) throw new CheckpointError(`${file}: expected at most ${SLOTS} reads under way`);
    Atomics.store(this.words, slot, State.pending);
    this.files.set(slot, file);
    const request: ReadRequest = { slot, file, begin, end, ptr, stamp: this.stamps.get(file) ?? "" };
    this.thread.post(request);
    return slot;
  }

  isDone(slot: number): boolean {
    return Atomics.load(this.words, slot) !== State.pending;
  }

  wait(slot: number): void {
    const { words } = this;
    const file = this.files.get(slot)!;
    let [progress, since] = [Atomics.load(words, Word.progress), performance.now()];
    while (!this.isDone(slot)) {
      if (this.fault !== undefined)
        throw new CheckpointError(`${file}: cannot be read: the thread that reads has ended (${this.fault}); load the model again`);
      Atomics.wait(words, slot, State.pending, 1000);
      const now = Atomics.load(words, Word.progress);
      if (now !== progress) [progress, since] = [now, performance.now()];
      else if (performance.now() - since > PATIENCE_MS)
        throw new CheckpointError(`${file}: cannot be read: no byte for ${PATIENCE_MS / 1000} s`);
    }
    this.files.delete(slot);
    this.free.push(slot);
    if (Atomics.load(words, slot) === State.failed) {
      const bytes = new Uint8Array(this.control, MESSAGE_AT, Atomics.load(words, Word.messageBytes)).slice();
      throw new CheckpointError(new TextDecoder().decode(bytes));
    }
  }

  dispose(): void {
    this.thread.stop();
  }
}

/** @throws {InputError} */
function checkStreaming(): void {
  const where = 'load: residency: "streamed"';
  if (!canShare) throw new InputError(`${where}: expected memory that threads can share, got none: ${cannotShare}`);
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
  } catch (cause) {
    throw new InputError(`${where}: expected a thread that may wait for files, got a page's own (load the model in a worker)`, { cause });
  }
}
