// The record of a checkpoint in a store: which files it has, in which version, and which of them are complete. One JSON file per checkpoint.
//
// All records of a manifest describe the same state of the checkpoint. If the server has another version of any file, all records are
// removed, and each file is recorded again when the server has confirmed it. Files of different states can therefore never be mixed offline.

import * as v from "valibot";
import { decodeJson } from "../../base/json.js";
import { maskUrls } from "../mask-secrets.js";
import { withLock } from "./lock.js";
import type { DownloadStore } from "./store.js";
import { hashId, withStoreErrors } from "./stored-file.js";

/** What is known about a file. Null if the server does not have it. */
export type FileRecord = v.InferOutput<typeof recordSchema> | null;

const recordSchema = v.object({
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** ETag or date, and size. */
  version: v.string(),
  /** Marks a file that has been stored as a whole. */
  complete: v.boolean(),
  /** SHA-256 of the file, if it has been checked. */
  sha256: v.optional(v.string()),
});

const schema = v.object({ source: v.string(), savedAt: v.string(), files: v.record(v.string(), v.nullable(recordSchema)) });

const SUFFIX = ".json";

/** The record of one checkpoint. */
export class Manifest {
  private constructor(
    private readonly store: DownloadStore,
    /** Identifier of the checkpoint, with which the names of its files in the store begin. */
    readonly id: string,
    /** The checkpoint's key, or its URL without credentials and query. */
    readonly source: string,
    readonly savedAt: string,
    readonly files: Map<string, FileRecord>,
  ) {}

  /** Opens the record of a checkpoint. If there is none, or if it is damaged, the result has no files. @param key identifies the checkpoint */
  static async open(store: DownloadStore, key: string): Promise<Manifest> {
    const id = await hashId(key);
    return (await Manifest.read(store, id)) ?? new Manifest(store, id, maskUrls(key), new Date().toISOString(), new Map());
  }

  /** Reads the record with this identifier. Returns undefined if there is none, or if it is damaged. */
  static async read(store: DownloadStore, id: string): Promise<Manifest | undefined> {
    const data = await withStoreErrors(id, "read", () => store.read(id + SUFFIX));
    if (!data) return undefined;
    try {
      const bytes = data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : data;
      const { source, savedAt, files } = v.parse(schema, decodeJson(bytes, id));
      return new Manifest(store, id, source, savedAt, new Map(Object.entries(files)));
    } catch {
      return undefined;
    }
  }

  /** Returns the identifier of the checkpoint to which a file of the store belongs. Returns undefined for files of others. */
  static idOf(name: string): string | undefined {
    return /^([0-9a-f]{16})\./.exec(name)?.[1];
  }

  /** Changes the records. Takes over what other threads have written since, so that nothing of it is lost. */
  async update(change: (files: Map<string, FileRecord>) => void): Promise<void> {
    const { store, id, source, files } = this;
    await withLock(id, undefined, async () => {
      const latest = (await Manifest.read(store, id))?.files ?? new Map<string, FileRecord>();
      change(latest);
      const json = { source, savedAt: new Date().toISOString(), files: Object.fromEntries(latest) };
      const bytes = new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
      await withStoreErrors(source, "written", () => store.write(id + SUFFIX, bytes));
      files.clear();
      for (const [file, record] of latest) files.set(file, record);
    });
  }
}
