import { cannotShareReason, canShare, readerSource, startThread, type Thread } from "#threads";
import { CheckpointError, InputError } from "../base/errors.js";
import type { SourceLocation } from "../io/byte-source.js";
import { maskUrl } from "../io/mask-secrets.js";
import {
  CONTROL_BYTES,
  ControlWord,
  MAX_PENDING_READS,
  MESSAGE_BYTES,
  MESSAGES_OFFSET,
  READ_TIME_OFFSET,
  type ReaderData,
  type ReadRequest,
  ReadState,
} from "../io/reader-protocol.js";
import type { SharedMemory } from "../runtime/heap.js";
import type { BackgroundReader } from "./pending-reads.js";

/**
 * Time in milliseconds without progress after which a drive or the reader thread counts as dead. For a silent server, the reader thread
 * reports an error earlier.
 */
const MAX_SILENCE_MS = 60_000;

/** Reads files in a separate thread. The calling thread blocks while it waits. */
export class ThreadReader implements BackgroundReader {
  private readonly words: Int32Array;
  private readonly control = new SharedArrayBuffer(CONTROL_BYTES);
  private readonly free = Array.from({ length: MAX_PENDING_READS }, (_, slot) => slot);
  private readonly files = new Map<number, string>();
  private readonly thread: Thread;
  /** Prefix of file names in messages. The location itself is not stored, because it may contain a password. */
  private readonly prefix: string;
  private fault: string | undefined;

  private constructor(
    memory: SharedMemory,
    location: SourceLocation,
    private readonly fileVersions: ReadonlyMap<string, string>,
  ) {
    this.words = new Int32Array(this.control, 0, MESSAGES_OFFSET / 4);
    this.prefix = location.kind === "directory" ? `${location.path}/` : location.kind === "http" ? maskUrl(location.base) : "";
    const data: ReaderData = { memory, control: this.control, location };
    this.thread = startThread(readerSource, data, (reason) => {
      this.fault ??= `the reader thread has ended (${reason})`;
    });
  }

  /**
   * Starts the reader thread.
   *
   * @param fileVersions the version of each file when it was opened
   * @throws {CheckpointError} the thread does not start
   */
  static async start(memory: SharedMemory, location: SourceLocation, fileVersions: ReadonlyMap<string, string>): Promise<ThreadReader> {
    const reader = new ThreadReader(memory, location, fileVersions);
    const since = performance.now();
    while (Atomics.load(reader.words, ControlWord.up) === 0) {
      if (performance.now() - since > MAX_SILENCE_MS) reader.fault ??= "it does not answer";
      if (reader.fault !== undefined) {
        reader.dispose();
        throw new CheckpointError(`load: the reader thread could not be started: ${reader.fault}. Load the model again.`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return reader;
  }

  get milliseconds(): number {
    return new Float64Array(this.control, READ_TIME_OFFSET, 1)[0]!;
  }

  get lost(): boolean {
    return this.fault !== undefined;
  }

  begin(file: string, begin: number, end: number, ptr: number): number {
    if (this.fault !== undefined) throw this.error(file, this.fault);
    const slot = this.free.pop();
    if (slot === undefined) throw this.error(file, `expected at most ${MAX_PENDING_READS} pending reads`);
    Atomics.store(this.words, slot, ReadState.pending);
    this.files.set(slot, file);
    const request: ReadRequest = { slot, file, begin, end, ptr, version: this.fileVersions.get(file) ?? "" };
    this.thread.post(request);
    return slot;
  }

  isDone(slot: number): boolean {
    return Atomics.load(this.words, slot) !== ReadState.pending;
  }

  wait(slot: number): void {
    const { words } = this;
    const file = this.files.get(slot)!;
    let [progress, since] = [Atomics.load(words, ControlWord.progress), performance.now()];
    while (!this.isDone(slot)) {
      if (this.fault !== undefined) throw this.error(file, this.fault);
      Atomics.wait(words, slot, ReadState.pending, 1000);
      const now = Atomics.load(words, ControlWord.progress);
      if (now !== progress) [progress, since] = [now, performance.now()];
      else if (performance.now() - since > MAX_SILENCE_MS) {
        this.fault = `no byte for ${MAX_SILENCE_MS / 1000} s`;
        this.thread.stop();
      }
    }
    this.files.delete(slot);
    this.free.push(slot);
    if (Atomics.load(words, slot) === ReadState.failed) {
      const bytes = new Uint8Array(
        this.control,
        MESSAGES_OFFSET + slot * MESSAGE_BYTES,
        Atomics.load(words, ControlWord.messages + slot),
      ).slice();
      throw this.error(file, new TextDecoder().decode(bytes));
    }
  }

  dispose(): Promise<unknown> | undefined {
    return this.thread.stop();
  }

  private error(file: string, reason: string): CheckpointError {
    return new CheckpointError(`${this.prefix}${file}: cannot be read: ${reason}${reason.endsWith(")") ? "" : " (load the model again)"}`);
  }
}

/** Checks that weights can be streamed here. @throws {InputError} threads cannot share memory, or this thread may not block */
export function checkStreaming(): void {
  const where = 'load: residency: "streamed"';
  if (!canShare) throw new InputError(`${where}: expected memory that threads can share, got no such memory: ${cannotShareReason}`);
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
  } catch (cause) {
    throw new InputError(`${where}: expected a thread that may block, got a page's main thread. Load the model in a worker.`, { cause });
  }
}
