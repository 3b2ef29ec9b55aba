import type { CacheOptions } from "./downloads/store.js";
import type { RetryPolicy } from "./retry.js";

/** Maximum size of a configuration, an index or a tokenizer file in bytes. */
export const MAX_TEXT_FILE_BYTES = 1 << 28;

/** The files of one checkpoint, with random access. Every error is a `CheckpointError` or the signal's reason. */
export interface ByteSource {
  /** Where the files are, for messages. */
  readonly name: string;
  /** The file of weights, if the caller named one file instead of a whole checkpoint. */
  readonly weightsFile?: string;
  /** Returns the size of a file in bytes. Returns undefined if there is no such file. */
  size(file: string, signal?: AbortSignal): Promise<number | undefined>;
  /** Returns the names of all files. Returns undefined if the source cannot list them. */
  list(signal?: AbortSignal): Promise<string[] | undefined>;
  /**
   * Reads bytes `begin` to `end` (exclusive) of a file. The result may be a view of the source's own memory, so it must not be written to.
   *
   * @param onBytes called with the number of bytes that have just arrived. Sources that read everything at once may not call it
   */
  read(file: string, begin: number, end: number, signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<Uint8Array>;
  /** Explains how a relative address was resolved. Messages about missing files contain it. */
  readonly missingFileHint?: string;
  /** Downloads files. Present in sources that keep local copies of remote files. */
  readonly downloader?: Downloader;
  close(): Promise<void>;
  /** Where another thread finds the same files. Undefined if another thread cannot read them. */
  readonly location?: SourceLocation;
  /** Returns an identifier of the current version of a file, so that a later change is detected. Empty if the version is unknown. */
  version?(file: string): Promise<string>;
}

/** Where another thread finds the files of a source. */
export type SourceLocation =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "http"; readonly base: string; readonly headers: Readonly<Record<string, string>>; readonly retryPolicy: RetryPolicy }
  | { readonly kind: "files"; readonly files: ReadonlyMap<string, Blob | Uint8Array> }
  | { readonly kind: "pieces"; readonly directory: string; readonly files: ReadonlyMap<string, readonly FilePiece[]> };

/** Bytes `begin` to `end` (exclusive) of a file, stored in a file of their own. */
export interface FilePiece {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/** Copies remote files to this machine. */
export interface Downloader {
  /** Returns the number of bytes of these files that are not on this machine yet. */
  missingBytes(files: readonly string[], signal?: AbortSignal): Promise<number>;
  /** Downloads the missing files. */
  fetch(files: readonly string[], onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void>;
}

export interface OpenOptions extends Partial<RetryPolicy> {
  /** Branch, tag or commit of a hub repository. */
  revision?: string;
  /** Uses only files on this machine: hub ids, and URLs with the option `cache`, are looked up in the cache; other URLs are refused (false). */
  localFilesOnly?: boolean;
  /**
   * Keeps the files of a URL on this machine, so that they are downloaded only once: in the origin private file system of a browser, or in
   * `~/.cache/lightning-m1` in Node (false). `true` is a cache with the default options. Other sources are not affected.
   */
  cache?: boolean | CacheOptions;
  signal?: AbortSignal;
  /** Called with a warning about anything unexpected that does not change the result. */
  onWarning?: (message: string) => void;
}

/** Returns the source's hint about missing files, formatted as the end of a remedy. */
export function missingFileHint({ missingFileHint: hint }: ByteSource): string {
  return hint === undefined ? "" : `; ${hint}`;
}

/** Returns whether a text is a hub id: `org/name`. */
export function isHubId(text: string): boolean {
  return /^[\w][\w.-]*\/[\w][\w.-]*$/.test(text);
}
