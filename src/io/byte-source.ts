import type { SourceLocation } from "./reader-thread.js";
import type { RetryPolicy } from "./retry.js";

/** The most that a configuration, an index or a tokenizer may take. */
export const MAX_TEXT_FILE_BYTES = 1 << 28;

/** Files of one checkpoint, read at random. Every error is a `CheckpointError`, or the signal's reason. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** The one file of weights that was named, where it was not the whole checkpoint. */
  readonly weightsFile?: string;
  /** Size of a file in bytes, undefined if there is none. */
  size(file: string, signal?: AbortSignal): Promise<number | undefined>;
  /** Names of all files, undefined where that cannot be known. */
  list(signal?: AbortSignal): Promise<string[] | undefined>;
  /**
   * Exactly the bytes `begin` to `end`; they may be a view of the source's own, not to be written.
   *
   * @param onBytes told how many more bytes have arrived; sources that read at once may leave it out
   */
  read(file: string, begin: number, end: number, signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<Uint8Array>;
  /** What to say of a file that is missing, besides that: how a relative address was understood. */
  readonly missingFileHint?: string;
  /** For sources that keep copies: fetches those files that are not there yet. */
  readonly downloader?: Downloader;
  close(): Promise<void>;
  /** Where a thread finds the same files; undefined where it cannot. */
  readonly location?: SourceLocation;
  /** What tells this version of a file from others. */
  version?(file: string): Promise<string>;
}

export interface Downloader {
  /** Bytes still to be fetched. */
  missingBytes(files: readonly string[]): Promise<number>;
  fetch(files: readonly string[], onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void>;
}

export interface OpenOptions extends Partial<RetryPolicy> {
  /** Branch, tag or commit of a hub repository. */
  revision?: string;
  /** Only what lies on this machine: a hub id is looked up in the cache alone, and no URL is opened. */
  localFilesOnly?: boolean;
  signal?: AbortSignal;
  /** Receives a sentence for everything odd that changes nothing. */
  onWarning?: (message: string) => void;
}

/** Where files are written; names appear when all of them are complete. */
export interface Destination {
  /** Begins the next file, `bytes` long. */
  create(file: string, bytes: number): Promise<void>;
  /** Appends to the file begun last. */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives every file its name, in the order of creation, and removes weights of an earlier checkpoint. */
  commit(): Promise<void>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** What differs between Node and browsers in this layer. */
export interface Platform {
  /** Opens a string that is no URL (a path, a hub id, a relative URL), or a `file:` URL. */
  openPath(text: string, options: OpenOptions): Promise<ByteSource>;
  openDestination(path: string): Promise<Destination>;
  /** The bytes of a `file:` URL. */
  readFile(url: URL): Promise<Uint8Array>;
}

/** The source's hint, to be put at the end of a remedy. */
export function missingFileHint({ missingFileHint }: ByteSource): string {
  return missingFileHint === undefined ? "" : `; ${missingFileHint}`;
}

/** A hub id: `org/name`. */
export function isHubId(text: string): boolean {
  return /^[\w][\w.-]*\/[\w][\w.-]*$/.test(text);
}

/** Where transformers puts further chat templates: the only directory of a checkpoint whose files are read. */
export const TEMPLATES_DIRECTORY = "additional_chat_templates";

/** The chat template for conversations with tools. */
export const TOOL_TEMPLATE_FILE = `${TEMPLATES_DIRECTORY}/tool_use.jinja`;

/** Whether a file name stays where it is put: no directory, no `..`, nothing that a platform reads otherwise. */
export function isPlainName(file: string): boolean {
  return /^[\w][\w .+=@-]*$/.test(file);
}
