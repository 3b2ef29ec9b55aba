import type { DownloadStore } from "../../src/io/downloads/store.js";

/** A store in memory, of limited size if `capacity` is given. */
export class MemoryStore implements DownloadStore {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(public capacity = Number.POSITIVE_INFINITY) {}

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.files.get(name);
  }

  async write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.storedBytes + bytes.byteLength > this.capacity) throw new DOMException("full", "QuotaExceededError");
    this.files.set(name, bytes.slice());
  }

  async delete(name: string): Promise<void> {
    this.files.delete(name);
  }

  async freeBytes(): Promise<number | undefined> {
    return Number.isFinite(this.capacity) ? this.capacity - this.storedBytes : undefined;
  }

  get storedBytes(): number {
    return [...this.files.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** The names of the pieces of files. The other files are records. */
  get pieces(): string[] {
    return [...this.files.keys()].filter((name) => !name.endsWith(".json"));
  }
}
