import { platform } from "#platform";
import { CheckpointError } from "../runtime/errors.js";
import { type Binary, BlobSource } from "./blobs.js";
import { HttpSource } from "./http.js";
import type { OpenOptions, Source } from "./source.js";

/** Whatever a checkpoint can be opened from. */
export type CheckpointSource =
  | string
  | URL
  | Blob
  | Binary
  | Iterable<File>
  | ReadonlyMap<string, Blob | Binary>
  | Readonly<Record<string, Blob | Binary>>;

/**
 * Opens a checkpoint: a directory or `.safetensors` file by path, a URL of either, a hub id (`org/name`), files picked in a
 * browser, files by name, or the bytes of one safetensors file.
 *
 * @throws {CheckpointError} nothing there, or nothing that this platform can open
 */
export async function openSource(source: CheckpointSource, options: OpenOptions = {}): Promise<Source> {
  options.signal?.throwIfAborted();
  const text = source instanceof URL ? source.href : source;
  if (typeof text !== "string") return BlobSource.from(text as Exclude<CheckpointSource, string | URL>);
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "file") return platform.open(text, options);
  if (scheme !== "http" && scheme !== "https") {
    throw new CheckpointError(`${text}: expected http:, https: or file:, got ${scheme}:`);
  }
  if (options.localFilesOnly) throw new CheckpointError(`${text}: expected a path or a cached hub id, got a URL (localFilesOnly is set)`);
  return HttpSource.at(text);
}
