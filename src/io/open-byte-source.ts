import { platform } from "#platform";
import { CheckpointError } from "../base/errors.js";
import { type BinaryData, BlobSource, isBinaryData, unsupportedSource } from "./blob-source.js";
import type { ByteSource, OpenOptions } from "./byte-source.js";
import { HttpSource } from "./http-source.js";
import { maskUrl } from "./mask-secrets.js";
import { type NamedFiles, NamedUrlsSource } from "./named-urls-source.js";
import { parseRetryPolicy } from "./retry-options.js";

/** All values from which a checkpoint can be opened. */
export type CheckpointSource =
  | string
  | URL
  | Blob
  | BinaryData
  | Iterable<File>
  | ReadonlyMap<string, Blob | BinaryData | URL>
  | Readonly<Record<string, Blob | BinaryData | URL>>;

/**
 * Opens a checkpoint: a directory or `.safetensors` file by path, a URL of either, a hub id (`org/name`), files picked in a browser, files
 * by name, or the bytes of one safetensors file.
 *
 * If files are given by name and URL, each file is fetched into memory as a whole. For a large checkpoint, give the URL of its directory
 * instead.
 *
 * @throws {CheckpointError} a source that does not exist, or that this platform cannot open
 */
export async function openByteSource(source: CheckpointSource, options: OpenOptions = {}): Promise<ByteSource> {
  options.signal?.throwIfAborted();
  const text = source instanceof URL ? source.href : source;
  if (typeof text !== "string") {
    const files = filesAtUrls(text, options);
    return files ? new NamedUrlsSource(files, parseRetryPolicy(options), options.signal) : BlobSource.from(text);
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "file") return cached(await platform.openPath(text, options), options);
  if (scheme !== "http" && scheme !== "https") {
    throw new CheckpointError(`${maskUrl(text)}: expected http:, https: or file:, got ${scheme}:`);
  }
  if (options.localFilesOnly && !options.cache)
    throw new CheckpointError(
      `${maskUrl(text)}: expected a path or a cached hub id, got a URL (localFilesOnly is set; URLs need the option cache)`,
    );
  return cached(HttpSource.fromUrl(text, parseRetryPolicy(options)), options);
}

/** Puts the cache of downloads in front of a source of URLs, if the options want it. */
async function cached(source: ByteSource, options: OpenOptions): Promise<ByteSource> {
  if (options.cache === undefined || options.cache === false || !(source instanceof HttpSource)) return source;
  const { openCachedSource } = await import("./downloads/cached-source.js");
  return openCachedSource(source, options);
}

/**
 * Returns the files by name if at least one of them is a URL, otherwise undefined. @throws {CheckpointError} a URL that must not be fetched
 */
function filesAtUrls(source: unknown, { localFilesOnly }: OpenOptions): NamedFiles | undefined {
  if (typeof source !== "object" || source === null || isBinaryData(source)) return undefined;
  const files = source instanceof Map ? source : new Map(Object.entries(source));
  const urls = [...files.values()].filter((data) => data instanceof URL);
  if (urls.length === 0) return undefined;
  for (const [name, data] of files) if (!(data instanceof URL) && !isBinaryData(data)) throw unsupportedSource(`source: ${name}`, data);
  const remote = urls.find(({ protocol }) => !["file:", "data:", "blob:"].includes(protocol));
  if (remote && localFilesOnly) {
    throw new CheckpointError(`${maskUrl(remote.href)}: expected files of this machine, got a URL (localFilesOnly is set)`);
  }
  return files;
}
