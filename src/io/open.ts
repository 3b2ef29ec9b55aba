import { platform } from "#platform";
import { CheckpointError } from "../base/errors.js";
import { type Binary, BlobSource, isData, unknownKind } from "./blobs.js";
import { HttpSource } from "./http.js";
import { patienceOf } from "./patience.js";
import { maskUrl } from "./secrets.js";
import type { OpenOptions, Source } from "./source.js";
import { type NamedFiles, UrlSource } from "./urls.js";

/** Whatever a checkpoint can be opened from. */
export type CheckpointSource =
  | string
  | URL
  | Blob
  | Binary
  | Iterable<File>
  | ReadonlyMap<string, Blob | Binary | URL>
  | Readonly<Record<string, Blob | Binary | URL>>;

/**
 * Opens a checkpoint: a directory or `.safetensors` file by path, a URL of either, a hub id (`org/name`), files picked in a
 * browser, files by name, or the bytes of one safetensors file. A file given by name and URL is fetched whole, into memory: of a large
 * checkpoint give the directory's URL.
 *
 * @throws {CheckpointError} nothing there, or nothing that this platform can open
 */
export async function openSource(source: CheckpointSource, options: OpenOptions = {}): Promise<Source> {
  options.signal?.throwIfAborted();
  const text = source instanceof URL ? source.href : source;
  if (typeof text !== "string") {
    const files = filesAtUrls(text, options);
    return files ? new UrlSource(files, patienceOf(options), options.signal) : BlobSource.from(text);
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "file") return platform.open(text, options);
  if (scheme !== "http" && scheme !== "https") {
    throw new CheckpointError(`${maskUrl(text)}: expected http:, https: or file:, got ${scheme}:`);
  }
  if (options.localFilesOnly)
    throw new CheckpointError(`${maskUrl(text)}: expected a path or a cached hub id, got a URL (localFilesOnly is set)`);
  return HttpSource.at(text, patienceOf(options));
}

/** Files by name, if one of them is at a URL. @throws {CheckpointError} one that is not to be fetched */
function filesAtUrls(source: unknown, { localFilesOnly }: OpenOptions): NamedFiles | undefined {
  if (typeof source !== "object" || source === null || isData(source)) return undefined;
  const files = source instanceof Map ? source : new Map(Object.entries(source));
  const urls = [...files.values()].filter((data) => data instanceof URL);
  if (urls.length === 0) return undefined;
  for (const [name, data] of files) if (!(data instanceof URL) && !isData(data)) throw unknownKind(`source: ${name}`, data);
  const remote = urls.find(({ protocol }) => !["file:", "data:", "blob:"].includes(protocol));
  if (remote && localFilesOnly) {
    throw new CheckpointError(`${maskUrl(remote.href)}: expected files of this machine, got a URL (localFilesOnly is set)`);
  }
  return files;
}
