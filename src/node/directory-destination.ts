import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CheckpointError } from "../base/errors.js";
import type { Destination } from "../io/destination.js";
import { commitFiles, finishPendingSave, removeAbandoned, syncDirectory, temporaryName, WEIGHT_FILE_NAME } from "./save-journal.js";

/** Writes files into a directory. They have temporary names until `commit`. */
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
      const entries = await readdir(this.path, { withFileTypes: true });
      const replaced = entries.filter(({ name }) => written.has(name) || WEIGHT_FILE_NAME.test(name));
      const directory = replaced.find((entry) => entry.isDirectory());
      if (directory) throw new Error(`expected a file at ${directory.name}, got a directory (nothing was changed: move it away)`);
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

  private withWriteErrors(file: string, body: () => Promise<void>): Promise<void> {
    return withWriteErrors(join(this.path, file), body);
  }
}

/** Runs a step of writing. @throws {CheckpointError} in place of any error, with the path */
export async function withWriteErrors(path: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}
