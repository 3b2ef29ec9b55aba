import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { isObjectLike, parseOptions, text } from "../../base/options.js";
import { isPlainName } from "../checkpoint-files.js";

/**
 * Where a cache of downloads keeps its bytes: files in one flat folder. Names consist of letters, digits, dots and hyphens.
 *
 * The cache detects damaged files itself. An interrupted `write` may therefore leave any bytes behind, and two threads may write the same
 * file at once.
 */
export interface DownloadStore {
  /** Returns the names of all files. */
  list(): Promise<string[]>;
  /** Returns the contents of a file. Returns undefined if there is no such file. */
  read(name: string): Promise<Blob | Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Creates or replaces a file. The bytes may be read only until the promise settles. If there is no room, it rejects with an error whose
   * name is `QuotaExceededError` or whose code is `ENOSPC`.
   */
  write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Deletes a file, if it exists. */
  delete(name: string): Promise<void>;
  /** Returns the number of bytes that can still be stored. Returns undefined if that is unknown. */
  freeBytes?(): Promise<number | undefined>;
  /** The directory in which the files have the same names, if there is one. Threads of Node stream weights from it. */
  readonly directory?: string;
}

/** Options of a cache of downloads. */
export interface CacheOptions {
  /** Name of the cache (`"default"`). Caches with different names share nothing. */
  name?: string;
  /**
   * Identifies the checkpoint instead of its URL, for example `"org/name@revision"`. Use it if the URL changes while the contents do not,
   * as signed URLs do. The key is stored in readable form.
   */
  key?: string;
  /** SHA-256 of files in hexadecimal, by file name. A file with other contents is refused. */
  sha256?: Readonly<Record<string, string>>;
  /** Where the bytes are kept. By default the origin private file system of a browser, or a directory in Node. */
  store?: DownloadStore;
}

function isStore(store: unknown): store is DownloadStore {
  return isObjectLike(store) && ["list", "read", "write", "delete"].every((name) => typeof Reflect.get(store, name) === "function");
}

const schema = v.strictObject({
  name: v.optional(
    v.custom<string>((x) => typeof x === "string" && isPlainName(x), "a file name without separators"),
    "default",
  ),
  key: v.optional(text),
  sha256: v.optional(
    v.record(
      v.string(),
      v.custom<string>((x) => typeof x === "string" && /^[0-9a-fA-F]{64}$/.test(x), "64 hexadecimal digits"),
      "64 hexadecimal digits by file name",
    ),
    {},
  ),
  store: v.optional(v.custom<DownloadStore>(isStore, "an object with the methods list, read, write and delete")),
});

export type ParsedCacheOptions = v.InferOutput<typeof schema>;

/** Checks the options of a cache. @throws {InputError} invalid options */
export function parseCacheOptions(cache: unknown): ParsedCacheOptions {
  if (typeof cache !== "boolean" && !isObjectLike(cache)) {
    throw new InputError(`cache: expected true or options such as { name: "models" }, got ${cache === null ? "null" : typeof cache}`);
  }
  return parseOptions(schema, typeof cache === "boolean" ? {} : cache, "cache");
}
