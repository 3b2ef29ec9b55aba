import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";

/** Reads under way into a runtime's memory, which the calling thread can wait for. */
export interface BackgroundReader {
  /** Begins to read bytes `begin` to `end` of a file to an address. @returns the read's number */
  begin(file: string, begin: number, end: number, ptr: number): number;
  isDone(read: number): boolean;
  /** Waits for a read; its number is free afterwards. @throws {CheckpointError} it failed */
  wait(read: number): void;
  /** Whether a read was given up that may still write: then no memory that was read into may be used for anything else. */
  readonly lost: boolean;
  /** Time that all finished reads took, in milliseconds. */
  readonly milliseconds: number;
  dispose(): void;
}

/** Bytes `begin` to `end` of a file. */
export type ByteRange = readonly [begin: number, end: number];

/** Byte ranges of a file on their way into one block of memory, in order. */
export interface PendingRead {
  readonly raw: Tensor;
  readonly bytes: number;
  readonly reads: readonly number[];
}

/** What is on its way from files into a runtime's memory. Each arrival is either taken or dropped. */
export class PendingReads {
  readBytes = 0;
  /** Time that the calling thread waited. */
  waitMs = 0;

  constructor(
    private readonly rt: Runtime,
    private readonly reads: BackgroundReader,
  ) {}

  get readMs(): number {
    return this.reads.milliseconds;
  }

  begin(file: string, stretches: readonly ByteRange[]): PendingRead {
    const bytes = stretches.reduce((sum, [begin, end]) => sum + end - begin, 0);
    const raw = this.rt.keep([Math.ceil(bytes / 4)]);
    const reads: number[] = [];
    let { ptr } = raw;
    try {
      for (const [begin, end] of stretches) {
        reads.push(this.reads.begin(file, begin, end, ptr));
        ptr += end - begin;
      }
      return { raw, bytes, reads };
    } catch (error) {
      this.discard({ raw, bytes, reads });
      throw error;
    }
  }

  isComplete({ reads }: PendingRead): boolean {
    return reads.every((read) => this.reads.isDone(read));
  }

  /** Waits for the bytes, hands them over, and frees them. @throws {CheckpointError} a read failed */
  take<T>({ raw, bytes, reads }: PendingRead, use: (raw: Tensor) => T): T {
    const since = performance.now();
    try {
      this.settle(reads);
      this.waitMs += performance.now() - since;
      this.readBytes += bytes;
      return use(raw);
    } finally {
      this.free(raw);
    }
  }

  /** Waits until nothing is written any more, and frees the memory. */
  discard({ raw, reads }: PendingRead): void {
    try {
      this.settle(reads);
    } catch {
      // Nobody asked for these bytes; who does gets the error.
    }
    this.free(raw);
  }

  /** Waits for all, then throws what the first failure threw: none may write when its memory is freed. */
  private settle(reads: readonly number[]): void {
    let fault: { readonly error: unknown } | undefined;
    for (const read of reads) {
      try {
        this.reads.wait(read);
      } catch (error) {
        fault ??= { error };
      }
    }
    if (fault) throw fault.error;
  }

  private free(raw: Tensor): void {
    if (!this.reads.lost) this.rt.release(raw);
  }
}
