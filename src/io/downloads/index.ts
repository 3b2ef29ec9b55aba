// The public functions of the cache of downloads. The cache itself is loaded when it is first used.

import type { Download } from "./manage.js";
import type { CacheOptions } from "./store.js";

/**
 * Lists the checkpoints in a cache of downloads, complete or not.
 *
 * @param cache the options with which the checkpoints were loaded; `name` and `store` select the cache
 * @throws {CheckpointError} the browser or the page has no place to store files
 */
export async function listDownloads(cache: true | Pick<CacheOptions, "name" | "store"> = true): Promise<Download[]> {
  return (await import("./manage.js")).listDownloads(cache);
}

/** Returns the bytes that a cache of downloads takes, and the bytes that can still be stored (undefined if unknown). */
export async function measureDownloads(
  cache: true | Pick<CacheOptions, "name" | "store"> = true,
): Promise<{ storedBytes: number; freeBytes: number | undefined }> {
  return (await import("./manage.js")).measureDownloads(cache);
}

/**
 * Deletes a checkpoint from a cache of downloads. A model that was loaded from it as a whole is not affected.
 *
 * @param which the `id` or `source` of a {@link Download}
 * @returns the number of bytes that were freed; 0 if there is no such download
 */
export async function deleteDownload(which: string, cache: true | Pick<CacheOptions, "name" | "store"> = true): Promise<number> {
  return (await import("./manage.js")).deleteDownload(which, cache);
}
