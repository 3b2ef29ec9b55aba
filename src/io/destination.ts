import { formatBytes, MemoryError } from "../base/errors.js";

/** A place to which a checkpoint is written. Files appear under their final names only when all of them are complete. */
export interface Destination {
  /** Begins the next file. It will have `bytes` bytes. */
  create(file: string, bytes: number): Promise<void>;
  /** Appends to the current file. */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives every file its name, in the order of creation, and removes the weights of an earlier checkpoint. */
  commit(): Promise<void>;
  /** Removes everything that was written. */
  discard(): Promise<void>;
}

/** Keeps files in memory, by name. */
export class MemoryDestination implements Destination {
  readonly files = new Map<string, Uint8Array>();
  private target = new Uint8Array();
  private written = 0;

  async create(file: string, bytes: number): Promise<void> {
    try {
      this.target = new Uint8Array(bytes);
    } catch (cause) {
      throw new MemoryError(
        `save: ${file}: needs ${formatBytes(bytes)} of memory (save into a directory, or in smaller files: maxShardBytes)`,
        { cause },
      );
    }
    this.written = 0;
    this.files.set(file, this.target);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.target.set(bytes, this.written);
    this.written += bytes.byteLength;
  }

  async commit(): Promise<void> {}

  async discard(): Promise<void> {
    this.files.clear();
  }
}
