import { canShareBlobs } from "#threads";
import { CheckpointError, formatBytes, MemoryError } from "../../base/errors.js";
import type { ByteSource, Downloader, FilePiece, OpenOptions, SourceLocation } from "../byte-source.js";
import { withReadErrors } from "../http-exchange.js";
import type { FileInfo, HttpSource } from "../http-source.js";
import { TransferError } from "../retry.js";
import { parseRetryPolicy } from "../retry-options.js";
import { downloadPieces } from "./download-pieces.js";
import { withLock } from "./lock.js";
import { describeSpace, openStore } from "./manage.js";
import { type FileRecord, Manifest } from "./manifest.js";
import { type DownloadStore, type ParsedCacheOptions, parseCacheOptions } from "./store.js";
import { hashId, isQuotaError, parsePiece, StoredFile, withStoreErrors } from "./stored-file.js";

/** A file of the checkpoint. */
interface CachedFile {
  readonly size: number;
  readonly version: string;
  /** SHA-256 of the file, if it is known. */
  readonly sha256: string | undefined;
  /** Undefined for a file that cannot be cached, because later changes could not be detected. */
  readonly stored: StoredFile | undefined;
}

/** Puts a cache in front of a source. If there is no place to store files, a warning says so, and the source itself is returned. */
export async function openCachedSource(http: HttpSource, options: OpenOptions): Promise<ByteSource> {
  const cache = parseCacheOptions(options.cache);
  let store: DownloadStore;
  try {
    store = await openStore(cache);
  } catch (error) {
    const mayBypass = !options.localFilesOnly && Object.keys(cache.sha256).length === 0;
    if (!mayBypass || !(error instanceof CheckpointError)) throw error;
    options.onWarning?.(`${http.name}: downloaded without cache: ${error.message}`);
    return http;
  }
  const manifest = await Manifest.open(store, cache.key ?? http.baseUrl);
  return new CachedSource(http, store, manifest, cache, options);
}

/**
 * Downloads whole files into a store and reads them from there.
 *
 * A server is asked once for the version of each file. If it cannot be reached for the first file, and this file is complete in the store,
 * all files come from the store, without further requests. Once the server has answered, every failure is an error, so that files of two
 * states of the checkpoint are never mixed.
 */
class CachedSource implements ByteSource, Downloader {
  private readonly files = new Map<string, Promise<CachedFile | undefined>>();
  /** Where another thread finds whole files: Blobs, or pieces in a directory. */
  private readonly blobs = new Map<string, Blob>();
  private readonly pieces = new Map<string, readonly FilePiece[]>();
  private server: "unknown" | "reached" | "not used" = "unknown";
  private hasUncachedFiles = false;

  constructor(
    private readonly http: HttpSource,
    private readonly store: DownloadStore,
    private readonly manifest: Manifest,
    private readonly cache: ParsedCacheOptions,
    private readonly options: OpenOptions,
  ) {
    if (options.localFilesOnly) this.server = "not used";
  }

  get name(): string {
    return this.http.name;
  }

  get weightsFile(): string | undefined {
    return this.http.weightsFile;
  }

  get missingFileHint(): string | undefined {
    return (this.http as ByteSource).missingFileHint;
  }

  get downloader(): Downloader {
    return this;
  }

  async size(file: string, signal?: AbortSignal): Promise<number | undefined> {
    return (await this.open(file, signal))?.size;
  }

  async list(): Promise<undefined> {}

  async read(file: string, begin: number, end: number, signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<Uint8Array> {
    const cached = await this.open(file, signal);
    if (!cached?.stored) return this.http.read(file, begin, end, signal, onBytes);
    if (!this.isCommitted(file, cached)) await this.fetch([file], () => {}, signal);
    return cached.stored.read(begin, end);
  }

  async version(file: string): Promise<string> {
    const cached = await this.open(file);
    if (!cached?.stored) return this.http.version(file);
    if (canShareBlobs) this.blobs.set(file, await cached.stored.blob());
    else this.pieces.set(file, cached.stored.pieces);
    return "";
  }

  /** Weights are streamed from the store, or all from the server if one of the files is not cached. */
  get location(): SourceLocation | undefined {
    if (this.hasUncachedFiles) return this.http.location;
    const { directory } = this.store;
    if (canShareBlobs) return { kind: "files", files: this.blobs };
    return directory === undefined ? undefined : { kind: "pieces", directory, files: this.pieces };
  }

  close(): Promise<void> {
    return this.http.close();
  }

  async missingBytes(files: readonly string[], signal?: AbortSignal): Promise<number> {
    let bytes = 0;
    for (const file of files) bytes += (await this.open(file, signal))?.stored?.missingBytes ?? 0;
    return bytes;
  }

  async fetch(files: readonly string[], onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
    const needed = await this.missingBytes(files, signal);
    const free = needed > 0 ? await withStoreErrors(this.name, "measured", async () => this.store.freeBytes?.()) : undefined;
    if (free !== undefined && needed > free) throw await this.quotaError(files, needed, free);
    for (const file of files) {
      try {
        const cached = await this.open(file, signal);
        if (cached?.stored && !this.isCommitted(file, cached)) await this.fetchFile(file, cached, cached.stored, onBytes, signal);
      } catch (error) {
        if (!(error instanceof MemoryError) || !isQuotaError(error.cause)) throw error;
        throw await this.quotaError(files, await this.missingBytes(files), await this.store.freeBytes?.(), error.cause);
      }
    }
  }

  private isCommitted(file: string, { stored, version }: CachedFile): boolean {
    const record = this.manifest.files.get(file);
    return stored?.missingBytes === 0 && record?.version === version && record.complete;
  }

  private open(file: string, signal?: AbortSignal): Promise<CachedFile | undefined> {
    const known = this.files.get(file);
    if (known) return known;
    const opening = this.openFile(file, signal);
    this.files.set(file, opening);
    opening.catch(() => this.files.delete(file));
    return opening;
  }

  private async openFile(file: string, signal?: AbortSignal): Promise<CachedFile | undefined> {
    const { manifest } = this;
    const record = manifest.files.get(file);
    const answer = await this.askServer(file, record, signal);
    if (!answer) return record ? this.openStored(file, record, this.expectedSha256(file), signal) : undefined;
    const { size } = answer;
    if (size === undefined) {
      if (record === undefined) await manifest.update((files) => files.set(file, null));
      return undefined;
    }
    const sha256 = this.expectedSha256(file, answer);
    const version = versionOf(answer) ?? sha256 ?? (this.cache.key === undefined && size > 0 ? undefined : `${size}`);
    if (version === undefined) {
      this.hasUncachedFiles = true;
      this.options.onWarning?.(
        `${this.name}${file}: not cached: the server sends neither ETag nor Last-Modified, so that a change of the file could not be detected (let it send one of them, or give the option cache a key that changes with the file)`,
      );
      return { size, version: "", sha256: undefined, stored: undefined };
    }
    if (record?.version !== version) {
      await manifest.update((files) => {
        // The files that were opened before this one have been confirmed by the server.
        if (files.has(file)) for (const other of files.keys()) if (!this.files.has(other)) files.delete(other);
        files.set(file, { size, version, complete: false });
      });
      await this.deleteOtherVersions(file, version);
    }
    return this.openStored(file, { size, version }, sha256, signal);
  }

  /**
   * Asks the server about a file. Returns undefined if the answer has to come from the cache.
   *
   * @throws {CheckpointError} the server cannot be reached, or may not be used, and the file is not complete in the cache
   */
  private async askServer(file: string, record: FileRecord | undefined, signal?: AbortSignal): Promise<FileInfo | undefined> {
    const isKnown = record === null || record?.complete === true;
    if (this.server === "not used") {
      if (isKnown) return undefined;
      const why = this.options.localFilesOnly ? "localFilesOnly is set" : "the server cannot be reached";
      throw new CheckpointError(
        `${this.name}${file}: expected a complete copy in the cache, got none (${why}: load once with a connection)`,
      );
    }
    const canUseCache = isKnown && this.server === "unknown";
    try {
      const policy = parseRetryPolicy(this.options);
      const answer = await this.http.describe(file, signal, canUseCache ? { ...policy, retries: 0 } : policy);
      this.server = "reached";
      return answer;
    } catch (error) {
      const { cause } = error as Error;
      if (!canUseCache || !(cause instanceof TransferError) || !cause.details.transient) throw error;
      this.server = "not used";
      this.options.onWarning?.(`${this.name}: ${cause.reason}: the copy of ${this.manifest.savedAt} in the cache is used`);
      return undefined;
    }
  }

  /** Opens the pieces of a file. If they are complete, but have another SHA-256 than expected, they are deleted. */
  private async openStored(
    file: string,
    { size, version }: { readonly size: number; readonly version: string },
    sha256: string | undefined,
    signal?: AbortSignal,
  ): Promise<CachedFile> {
    const prefix = `${await this.filePrefix(file)}${await hashId(version)}.`;
    const stored = await StoredFile.open(this.store, this.name + file, prefix, size, signal);
    const isChecked = sha256 === undefined || this.manifest.files.get(file)?.sha256 === sha256;
    if (stored.missingBytes === 0 && !isChecked && (await stored.sha256(signal)) !== sha256) await stored.discard();
    return { size, version, sha256, stored };
  }

  private expectedSha256(file: string, answer?: FileInfo): string | undefined {
    return this.cache.sha256[file]?.toLowerCase() ?? answer?.sha256;
  }

  private async filePrefix(file: string): Promise<string> {
    return `${this.manifest.id}.${await hashId(file)}.`;
  }

  private async deleteOtherVersions(file: string, version: string): Promise<void> {
    const prefix = await this.filePrefix(file);
    const current = prefix + (await hashId(version));
    for (const name of await withStoreErrors(this.name + file, "listed", () => this.store.list())) {
      if (!parsePiece(name)?.prefix.startsWith(prefix) || name.startsWith(current)) continue;
      await withStoreErrors(this.name + file, "deleted", () => this.store.delete(name));
    }
  }

  /** Downloads the missing ranges of a file and commits it. */
  private async fetchFile(file: string, cached: CachedFile, stored: StoredFile, onBytes: (bytes: number) => void, signal?: AbortSignal) {
    const where = this.name + file;
    let announced = stored.missingBytes;
    const count = (bytes: number) => {
      const counted = Math.min(bytes, announced);
      announced -= counted;
      if (counted > 0) onBytes(counted);
    };
    const download = async () => {
      await stored.refresh(signal);
      count(announced - stored.missingBytes);
      if (stored.missingBytes > 0 && this.server === "not used") {
        const missing = `${formatBytes(stored.missingBytes)} of ${formatBytes(stored.size)}`;
        throw new CheckpointError(`${where}: its copy in the cache is damaged: ${missing} are missing (load once with a connection)`);
      }
      for (const [begin, end] of stored.gaps()) {
        await withReadErrors(where, signal, () => downloadPieces(this.http.download(file, begin, end, signal), stored, begin, end, count));
      }
      await this.commit(file, cached, stored, signal);
    };
    const onWait = () => this.options.onWarning?.(`${where}: waits for another tab or thread that downloads the same file`);
    await withLock(await this.filePrefix(file), signal, download, onWait);
  }

  /** Marks a file as complete. @throws {CheckpointError} a file with another SHA-256 than expected; it is deleted from the cache */
  private async commit(file: string, { size, version, sha256 }: CachedFile, stored: StoredFile, signal?: AbortSignal): Promise<void> {
    const actual = sha256 === undefined ? undefined : await stored.sha256(signal);
    if (actual !== sha256) {
      await stored.discard();
      throw new CheckpointError(
        `${this.name}${file}: expected SHA-256 ${sha256}, got ${actual} (the file was damaged on its way, or it is another file: load again, or correct the hash)`,
      );
    }
    await this.manifest.update((files) => files.set(file, { size, version, complete: true, sha256 }));
  }

  private async quotaError(files: readonly string[], needed: number, free: number | undefined, cause?: unknown): Promise<MemoryError> {
    const room = free === undefined ? "it has no room left" : `${formatBytes(free)} are free`;
    const what = files.length === 1 ? files[0] : `${files.length} files`;
    const remedy = await describeSpace(this.store, this.manifest.id);
    return new MemoryError(`${this.name}: ${what}: expected room for ${formatBytes(needed)} in the cache, ${room} (${remedy})`, { cause });
  }
}

/** Returns the version of a file: its ETag or, if it has none, its date, and its size. Returns undefined if the server sends neither. */
function versionOf({ version, size }: FileInfo): string | undefined {
  const [etag, date] = version.split("\n");
  return etag || date ? `${etag || date} ${size}` : undefined;
}
