import { mkdir, readdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { DownloadStore } from "../io/downloads/store.js";
import { isMissingFileError } from "./regular-file.js";

/** Returns the store of a cache of downloads: a directory below `XDG_CACHE_HOME` or, if that is not set, `~/.cache`. */
export function openDirectoryStore(name: string): DirectoryStore {
  return new DirectoryStore(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "lightning-m1", "downloads", name));
}

/** Keeps downloads in a directory, which is created by the first write. */
export class DirectoryStore implements DownloadStore {
  constructor(readonly directory: string) {}

  async list(): Promise<string[]> {
    return (await unlessMissing(readdir(this.directory))) ?? [];
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return unlessMissing(readFile(join(this.directory, name)));
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await writeFile(join(this.directory, name), bytes);
  }

  async delete(name: string): Promise<void> {
    await rm(join(this.directory, name), { force: true });
  }

  async freeBytes(): Promise<number | undefined> {
    for (let at = this.directory; ; at = dirname(at)) {
      const info = await unlessMissing(statfs(at));
      if (info) return info.bavail * info.bsize;
    }
  }
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isMissingFileError(error)) return undefined;
    throw error;
  }
}
