import { platform } from "#platform";
import { CheckpointError, formatBytes, InputError } from "../../base/errors.js";
import { printed } from "../../base/printed.js";
import { Manifest } from "./manifest.js";
import { type DownloadStore, type ParsedCacheOptions, parseCacheOptions } from "./store.js";
import { parsePiece, withStoreErrors } from "./stored-file.js";

/** A checkpoint in the cache. */
export interface Download {
  /** Identifies the checkpoint in its cache. */
  readonly id: string;
  /** The checkpoint's key, or its URL without user name, password and query. Undefined if its record is damaged. */
  readonly source: string | undefined;
  /** Time of the last change, in ISO 8601. */
  readonly savedAt: string | undefined;
  readonly files: readonly DownloadedFile[];
  /** Bytes that the checkpoint takes in the cache, including remains of interrupted downloads. */
  readonly storedBytes: number;
  /** Whether every known file is complete. */
  readonly complete: boolean;
}

/** A file of a checkpoint in the cache. */
export interface DownloadedFile {
  readonly file: string;
  readonly bytes: number;
  readonly complete: boolean;
}

/** Opens the store of a cache. @throws {CheckpointError} there is no place to store files */
export async function openStore({ store, name }: ParsedCacheOptions): Promise<DownloadStore> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new CheckpointError("the page is not a secure context (serve it over https:, or from localhost)");
  }
  return store ?? platform.openStore(name);
}

/** Lists the checkpoints in a cache. See {@link Download}. */
export async function listDownloads(cache: unknown): Promise<Download[]> {
  return listStore(await openStore(parseCacheOptions(cache)));
}

/** Returns the bytes that a cache takes, and the bytes that can still be stored. */
export async function measureDownloads(cache: unknown): Promise<{ storedBytes: number; freeBytes: number | undefined }> {
  const store = await openStore(parseCacheOptions(cache));
  const downloads = await listStore(store);
  const freeBytes = await withStoreErrors("cache", "measured", async () => store.freeBytes?.());
  return { storedBytes: downloads.reduce((sum, { storedBytes }) => sum + storedBytes, 0), freeBytes };
}

/** Deletes a checkpoint from a cache. @returns the number of bytes that were freed */
export async function deleteDownload(which: unknown, cache: unknown): Promise<number> {
  if (typeof which !== "string" || which === "") {
    throw new InputError(`deleteDownload: expected the id or the source of a download, got ${printed(which)} (listDownloads returns them)`);
  }
  const store = await openStore(parseCacheOptions(cache));
  const found = (await listStore(store)).filter(({ id, source }) => id === which || source === which);
  const ids = new Set(found.map(({ id }) => id));
  await withStoreErrors("cache", "deleted", async () => {
    const names = (await store.list()).filter((name) => ids.has(Manifest.idOf(name) ?? ""));
    // Records are deleted first, so that no record of a complete file remains if the deletion is interrupted.
    for (const name of [...names.filter((name) => !parsePiece(name)), ...names.filter(parsePiece)]) await store.delete(name);
  });
  return found.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
}

async function listStore(store: DownloadStore): Promise<Download[]> {
  const storedBytes = new Map<string, number>();
  for (const name of await withStoreErrors("cache", "listed", () => store.list())) {
    const id = Manifest.idOf(name);
    if (id === undefined) continue;
    const piece = parsePiece(name);
    storedBytes.set(id, (storedBytes.get(id) ?? 0) + (piece ? piece.end - piece.begin : 0));
  }
  const downloads: Download[] = [];
  for (const [id, bytes] of storedBytes) {
    const manifest = await Manifest.read(store, id);
    const files = [...(manifest?.files ?? [])].flatMap(([file, record]) =>
      record ? [{ file, bytes: record.size, complete: record.complete }] : [],
    );
    const complete = files.length > 0 && files.every((file) => file.complete);
    downloads.push({ id, source: manifest?.source, savedAt: manifest?.savedAt, files, storedBytes: bytes, complete });
  }
  return downloads;
}

/** Says how to make room in a store, for an error. @param id a checkpoint that is needed */
export async function describeSpace(store: DownloadStore, id: string): Promise<string> {
  const others = (await listStore(store)).filter((download) => download.id !== id && download.storedBytes > 0);
  if (others.length === 0) return "free space on this device, or load without the option cache";
  others.sort((a, b) => b.storedBytes - a.storedBytes);
  const largest = others.slice(0, 3).map(({ id, source, storedBytes }) => `${source ?? id}: ${formatBytes(storedBytes)}`);
  return `delete other downloads with deleteDownload(source), such as ${largest.join(", ")}; or load without the option cache`;
}
