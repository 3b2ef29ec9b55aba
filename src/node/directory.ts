import { constants, type Stats } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CheckpointError } from "../base/errors.js";
import { CONFIG_FILE } from "../checkpoint/checkpoint.js";
import { INDEX_FILE, WEIGHTS_FILE } from "../checkpoint/shards.js";
import type { ByteSource, Destination } from "../io/byte-source.js";
import type { SourceLocation } from "../io/reader-thread.js";
import { fileVersion } from "./file-version.js";
import { commitFiles, finishPendingSave, removeAbandoned, syncDirectory, temporaryName, WEIGHT_FILE_NAME } from "./save-journal.js";

/** Files of one directory. */
export class DirectorySource implements ByteSource {
  private current: { readonly file: string; readonly handle: Promise<FileHandle> } | undefined;
  /** Files as they were first seen. */
  private readonly firstSeen = new Map<string, Stats>();

  /** @param detectsSaves whether a save may replace the files: then one that comes in between is noticed */
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
    throw new CheckpointError(`${join(this.name, file)}: expected a file, got something else`);
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
        if (bytesRead === 0) throw new Error(`it ended at byte ${begin + at} (changed while being read?)`);
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

  /** A save replaces all of these: one that comes in between must not mix two checkpoints. */
  private async expectUnchanged(file: string): Promise<void> {
    for (const name of [file, ...FILES_REPLACED_BY_SAVE]) {
      const before = this.firstSeen.get(name);
      if (!before) continue;
      const now = await stat(join(this.name, name)).catch(() => undefined);
      // Some file systems number a file anew at every look.
      const same = before.ino === now?.ino || (before.mtimeMs === now?.mtimeMs && before.size === now.size);
      if (!same) throw new Error(`${name} was replaced while the checkpoint was being read (load it again)`);
    }
  }

  private readError(file: string, cause: unknown): CheckpointError {
    return new CheckpointError(`${join(this.name, file)}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Opens a regular file for reading. Anything else may have no end, and a pipe would be waited for.
 *
 * @throws {Error} no file, or something that is not a regular file
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error("expected a file, got something else");
}

/** Text of a small regular file. @throws {Error} no file, something that is not a regular file, or more than `limit` bytes */
export async function readSmallFile(path: string, limit: number): Promise<string> {
  const handle = await openRegularFile(path);
  try {
    const bytes = new Uint8Array(limit + 1);
    let at = 0;
    for (let count = 1; count > 0 && at <= limit; at += count) ({ bytesRead: count } = await handle.read(bytes, at, bytes.byteLength - at));
    if (at > limit) throw new Error(`expected at most ${limit} bytes, got more`);
    return new TextDecoder().decode(bytes.subarray(0, at));
  } finally {
    await handle.close();
  }
}

const FILES_REPLACED_BY_SAVE = [CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE];

/** Writes files under temporary names beside their final ones. */
export class DirectoryDestination implements Destination {
  private readonly files: { file: string; temporary: string }[] = [];
  private handle: FileHandle | undefined;

  constructor(private readonly path: string) {}

  async create(file: string): Promise<void> {
    await this.withWriteErrors(file, async () => {
      await this.closeFile();
      if (this.files.length === 0) {
        const first = await mkdir(this.path, { recursive: true });
        if (first) await syncDirectory(dirname(first));
        await finishPendingSave(this.path);
        await removeAbandoned(this.path);
      }
      await mkdir(dirname(join(this.path, file)), { recursive: true });
      const temporary = temporaryName(basename(file));
      this.handle = await open(join(this.path, temporary), "wx");
      this.files.push({ file, temporary });
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.withWriteErrors(this.files.at(-1)!.file, async () => {
      for (let at = 0; at < bytes.byteLength; ) at += (await this.handle!.write(bytes, at)).bytesWritten;
    });
  }

  async commit(): Promise<void> {
    await this.withWriteErrors("", async () => {
      await this.closeFile();
      const written = new Set(this.files.map(({ file }) => file));
      const replaced = (await readdir(this.path, { withFileTypes: true })).filter(
        ({ name }) => written.has(name) || WEIGHT_FILE_NAME.test(name),
      );
      const inTheWay = replaced.find((entry) => entry.isDirectory());
      if (inTheWay) throw new Error(`expected a file in place of ${inTheWay.name}, got a directory (nothing was changed)`);
      const removed = replaced.map(({ name }) => name).filter((name) => !written.has(name));
      const files = new Map(this.files.map(({ file, temporary }) => [temporary, file]));
      await commitFiles(this.path, files, removed, () => {
        this.files.length = 0;
      });
    });
  }

  async discard(): Promise<void> {
    await this.handle?.close().catch(() => {});
    this.handle = undefined;
    for (const { temporary } of this.files) await rm(join(this.path, temporary), { force: true }).catch(() => {});
  }

  private async closeFile(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.sync();
    await handle?.close();
  }

  private async withWriteErrors(file: string, body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (cause) {
      throw new CheckpointError(`${join(this.path, file)}: cannot be written: ${(cause as Error).message}`, { cause });
    }
  }
}

export function isMissingFileError(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
