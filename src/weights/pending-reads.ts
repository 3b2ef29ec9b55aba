import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";

/** Reads files into a runtime's memory in the background. The calling thread can block until a read is complete. */
export interface BackgroundReader {
  /** Starts to read bytes `begin` to `end` (exclusive) of a file to an address. @returns a number that identifies the read */
  begin(file: string, begin: number, end: number, ptr: number): number;
  isDone(read: number): boolean;
  /** Blocks until a read is complete, and frees its number. @throws {CheckpointError} the read failed */
  wait(read: number): void;
  /** Whether an abandoned read may still write. If so, the memory that reads write to must not be reused. */
  readonly lost: boolean;
  /** Total time of all finished reads, in milliseconds. */
  readonly milliseconds: number;
  dispose(): void;
}

/** Bytes `begin` to `end` (exclusive) of a file. */
export type ByteRange = readonly [begin: number, end: number];

/** A read of several byte ranges of a file into one block of memory, in order. */
export interface PendingRead {
  readonly raw: Tensor;
  readonly bytes: number;
  readonly reads: readonly number[];
}

/** Reads from files into a runtime's memory. Every read that `begin` starts must end with `take` or `discard`. */
export class PendingReads {
  readBytes = 0;
  /** Total time that the calling thread waited, in milliseconds. */
  waitMs = 0;

  constructor(
    private readonly rt: Runtime,
    private readonly reader: BackgroundReader,
  ) {}

  get readMs(): number {
    return this.reader.milliseconds;
  }

  begin(file: string, ranges: readonly ByteRange[]): PendingRead {
    const bytes = ranges.reduce((sum, [begin, end]) => sum + end - begin, 0);
    const raw = this.rt.keep([Math.ceil(bytes / 4)]);
    const reads: number[] = [];
    let { ptr } = raw;
    try {
      for (const [begin, end] of ranges) {
        reads.push(this.reader.begin(file, begin, end, ptr));
        ptr += end - begin;
      }
      return { raw, bytes, reads };
    } catch (error) {
      this.discard({ raw, bytes, reads });
      throw error;
    }
  }

  isComplete({ reads }: PendingRead): boolean {
    return reads.every((read) => this.reader.isDone(read));
  }

  /** Waits for the bytes, calls `use` with them, and frees them. @throws {CheckpointError} a read failed */
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

  /** Waits until no read writes any more, and frees the bytes. */
  discard({ raw, reads }: PendingRead): void {
    try {
      this.settle(reads);
    } catch {
      // The error is ignored, because the bytes are not needed. If they are needed later, they are read again, and the error is reported
      // then.
    }
    this.free(raw);
  }

  /** Waits for all reads, and then throws the first error. The memory of a read must not be freed while the read still writes. */
  private settle(reads: readonly number[]): void {
    let fault: { readonly error: unknown } | undefined;
    for (const read of reads) {
      try {
        this.reader.wait(read);
      } catch (error) {
        fault ??= { error };
      }
    }
    if (fault) throw fault.error;
  }

  private free(raw: Tensor): void {
    if (!this.reader.lost) this.rt.release(raw);
  }
}
