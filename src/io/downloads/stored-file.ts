// One version of a file in a store. It consists of pieces: files of the store whose names contain the range and the SHA-256 of their bytes.
//
//     checkpoint.file.version.begin-end.sha256
//
// The first three parts are hashes. A piece that was written only in part, or damaged later, is therefore recognised by its name alone, and
// threads that download the same file at the same time cannot disturb each other: equal names mean equal bytes.

import { CheckpointError, MemoryError } from "../../base/errors.js";
import { Sha256 } from "../../base/sha256.js";
import type { FilePiece } from "../byte-source.js";
import type { DownloadStore } from "./store.js";

/** Maximum number of bytes in a piece. A process that is killed loses at most that much of its download. */
export const MAX_PIECE_BYTES = 4 << 20;

/** Hexadecimal digits of the hashes that identify checkpoint, file and version. */
const ID_DIGITS = 16;

/** Returns an identifier of a text. The text cannot be read from it. */
export async function hashId(text: string): Promise<string> {
  return (await sha256(new TextEncoder().encode(text))).slice(0, ID_DIGITS);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Parses the name of a piece. Returns undefined for other names. */
export function parsePiece(name: string): (FilePiece & { readonly prefix: string }) | undefined {
  const match = /^((?:[0-9a-f]{16}\.){3})(\d{1,16})-(\d{1,16})\.[0-9a-f]{64}$/.exec(name);
  if (!match) return undefined;
  const [begin, end] = [Number(match[2]), Number(match[3])];
  return begin < end ? { name, prefix: match[1]!, begin, end } : undefined;
}

/** The pieces of one version of a file. */
export class StoredFile {
  private intact: readonly FilePiece[] = [];

  private constructor(
    private readonly store: DownloadStore,
    /** Beginning of error messages. */
    private readonly where: string,
    private readonly prefix: string,
    readonly size: number,
  ) {}

  /** Opens a file with all its intact pieces. */
  static async open(store: DownloadStore, where: string, prefix: string, size: number, signal?: AbortSignal): Promise<StoredFile> {
    const file = new StoredFile(store, where, prefix, size);
    await file.refresh(signal);
    return file;
  }

  /**
   * Adds the pieces that have been stored in the meantime, also by other threads. Ignores damaged pieces, which may be pieces that another
   * thread is writing. A download of the same range replaces them.
   */
  async refresh(signal?: AbortSignal): Promise<void> {
    const known = new Map(this.pieces.map((piece) => [piece.name, piece]));
    const found: FilePiece[] = [];
    for (const name of await withStoreErrors(this.where, "listed", () => this.store.list())) {
      if (!name.startsWith(this.prefix)) continue;
      signal?.throwIfAborted();
      const piece = known.get(name) ?? parsePiece(name);
      if (piece && piece.end <= this.size && (known.has(name) || (await this.isIntact(piece)))) found.push(piece);
    }
    this.intact = withoutOverlaps(found);
  }

  /** Intact pieces that do not overlap, in the order of their ranges. */
  get pieces(): readonly FilePiece[] {
    return this.intact;
  }

  get missingBytes(): number {
    return this.pieces.reduce((missing, { begin, end }) => missing - (end - begin), this.size);
  }

  /** Returns the missing ranges in their order. */
  gaps(): [begin: number, end: number][] {
    const ends = [0, ...this.pieces.map(({ end }) => end)];
    const begins = [...this.pieces.map(({ begin }) => begin), this.size];
    return ends.map((end, i): [number, number] => [end, begins[i]!]).filter(([begin, end]) => begin < end);
  }

  /** Stores bytes that begin at `begin` and fill a gap, or a part of it. */
  async add(begin: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const end = begin + bytes.byteLength;
    const name = `${this.prefix}${begin}-${end}.${await sha256(bytes)}`;
    await withStoreErrors(this.where, "written", () => this.store.write(name, bytes));
    this.intact = withoutOverlaps([...this.pieces, { name, begin, end }]);
  }

  /** Returns bytes `begin` to `end` (exclusive). They must be stored. */
  async read(begin: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - begin);
    for (const piece of this.pieces) {
      const [from, to] = [Math.max(begin, piece.begin), Math.min(end, piece.end)];
      if (from >= to) continue;
      const data = await this.readPiece(piece);
      const part = await bytesOf(data, this.where, from - piece.begin, to - piece.begin);
      if (part.byteLength !== to - from) throw this.lostPieceError();
      bytes.set(part, from - begin);
    }
    return bytes;
  }

  /** Returns the whole file as one Blob, which refers to the pieces if the store returns Blobs. */
  async blob(): Promise<Blob> {
    return new Blob(await Promise.all(this.pieces.map((piece) => this.readPiece(piece))));
  }

  /** Computes the SHA-256 of the whole file, in hexadecimal. */
  async sha256(signal?: AbortSignal): Promise<string> {
    const hash = new Sha256();
    for (const { begin, end } of this.pieces) {
      signal?.throwIfAborted();
      hash.update(await this.read(begin, end));
    }
    return hash.hex();
  }

  /** Deletes all pieces. */
  async discard(): Promise<void> {
    for (const { name } of this.pieces) await withStoreErrors(this.where, "deleted", () => this.store.delete(name));
    this.intact = [];
  }

  private async isIntact({ name, begin, end }: FilePiece): Promise<boolean> {
    try {
      const data = await this.store.read(name);
      const size = data instanceof Blob ? data.size : data?.byteLength;
      return data !== undefined && size === end - begin && name.endsWith(await sha256(await bytesOf(data, this.where)));
    } catch {
      // The piece cannot be read. It is downloaded again.
      return false;
    }
  }

  private async readPiece({ name }: FilePiece): Promise<Blob | Uint8Array<ArrayBuffer>> {
    const data = await withStoreErrors(this.where, "read", () => this.store.read(name));
    if (!data) throw this.lostPieceError();
    return data;
  }

  private lostPieceError(): CheckpointError {
    return new CheckpointError(`${this.where}: its copy in the cache was deleted or changed while it was in use (load the model again)`);
  }
}

async function bytesOf(data: Blob | Uint8Array<ArrayBuffer>, where: string, begin = 0, end?: number): Promise<Uint8Array<ArrayBuffer>> {
  if (!(data instanceof Blob)) return data.subarray(begin, end);
  return withStoreErrors(where, "read", async () => new Uint8Array(await data.slice(begin, end).arrayBuffer()));
}

function withoutOverlaps(pieces: readonly FilePiece[]): FilePiece[] {
  let at = 0;
  const sorted = [...pieces].sort((a, b) => a.begin - b.begin || b.end - a.end);
  return sorted.filter(({ begin, end }) => {
    if (begin < at) return false;
    at = end;
    return true;
  });
}

/** Whether an error of a store says that it has no room left. */
export function isQuotaError(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  return name === "QuotaExceededError" || code === "ENOSPC" || code === "EDQUOT";
}

/**
 * Runs an operation of a store and converts its errors.
 *
 * @param where the file, for messages @param what the participle of the operation
 * @throws {MemoryError} there is no room
 * @throws {CheckpointError} any other error
 */
export async function withStoreErrors<T>(where: string, what: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (isQuotaError(cause)) throw new MemoryError(`${where}: the cache has no room left`, { cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CheckpointError(`${where}: its copy in the cache cannot be ${what}: ${reason} (load again, or without the option cache)`, {
      cause,
    });
  }
}
