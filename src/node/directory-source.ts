import type { Stats } from "node:fs";
import { type FileHandle, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CheckpointError } from "../base/errors.js";
import type { ByteSource, SourceLocation } from "../io/byte-source.js";
import { CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE } from "../io/checkpoint-files.js";
import { fileVersion } from "./file-version.js";
import { isMissingFileError, openRegularFile } from "./regular-file.js";

/** Files by which a save is detected. Every save replaces each of them that exists. */
const FILES_REPLACED_BY_SAVE = [CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE];

/** The files of one directory. */
export class DirectorySource implements ByteSource {
  private current: { readonly file: string; readonly handle: Promise<FileHandle> } | undefined;
  /** Status of each file at the time when its size was first read. */
  private readonly firstSeen = new Map<string, Stats>();

  /** @param detectsSaves whether reads fail if a save replaces the files in the meantime */
  constructor(
    readonly name: string,
    readonly weightsFile?: string,
    private readonly detectsSaves = false,
  ) {}

  async size(file: string): Promise<number | undefined> {
    try {
      const info = await stat(join(this.name, file));
      if (!this.firstSeen.has(file)) this.firstSeen.set(file, info);
      if (info.isFile()) return info.size;
    } catch (cause) {
      if (isMissingFileError(cause)) return undefined;
      throw this.readError(file, cause);
    }
    throw new CheckpointError(`${join(this.name, file)}: expected a regular file, got something else`);
  }

  get location(): SourceLocation {
    return { kind: "directory", path: resolve(this.name) };
  }

  async version(file: string): Promise<string> {
    try {
      return fileVersion(await stat(join(this.name, file)));
    } catch (cause) {
      throw this.readError(file, cause);
    }
  }

  async list(): Promise<string[]> {
    try {
      return await readdir(this.name);
    } catch (cause) {
      throw this.readError("", cause);
    }
  }

  async read(file: string, begin: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - begin);
    try {
      const handle = await this.open(file);
      for (let at = 0; at < bytes.byteLength; ) {
        const { bytesRead } = await handle.read(bytes, at, bytes.byteLength - at, begin + at);
        if (bytesRead === 0) throw new Error(`the file ended at byte ${begin + at} (it may have been changed: load the model again)`);
        at += bytesRead;
      }
    } catch (cause) {
      throw this.readError(file, cause);
    }
    return bytes;
  }

  async close(): Promise<void> {
    const { current } = this;
    this.current = undefined;
    const handle = await current?.handle.catch(() => undefined);
    await handle?.close();
  }

  private open(file: string): Promise<FileHandle> {
    if (this.current?.file !== file) {
      const closed = this.close();
      this.current = { file, handle: closed.then(() => this.openUnchanged(file)) };
    }
    return this.current.handle;
  }

  private async openUnchanged(file: string): Promise<FileHandle> {
    const handle = await openRegularFile(join(this.name, file));
    try {
      if (this.detectsSaves) await this.expectUnchanged(file);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Detects a save during loading, so that two checkpoints are not mixed. @throws {Error} a file that was replaced */
  private async expectUnchanged(file: string): Promise<void> {
    for (const name of [file, ...FILES_REPLACED_BY_SAVE]) {
      const before = this.firstSeen.get(name);
      if (!before) continue;
      const now = await stat(join(this.name, name)).catch(() => undefined);
      // Only time and size are compared, because some file systems give a file a new inode number each time.
      const isSame = before.ino === now?.ino || (before.mtimeMs === now?.mtimeMs && before.size === now.size);
      if (!isSame) throw new Error(`${name} was replaced while the checkpoint was being read (load it again)`);
    }
  }

  private readError(file: string, cause: unknown): CheckpointError {
    return new CheckpointError(`${join(this.name, file)}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}
