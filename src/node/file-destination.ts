import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Destination } from "../io/destination.js";
import { withWriteErrors } from "./directory-destination.js";
import { removeAbandoned, syncDirectory, temporaryName } from "./save-journal.js";

/** Writes one file. It has a temporary name in the same directory until `commit`, which replaces an earlier file. */
export class FileDestination implements Destination {
  private readonly directory: string;
  private temporary: string | undefined;
  private handle: FileHandle | undefined;

  constructor(private readonly path: string) {
    this.directory = dirname(path);
  }

  /** Begins the file. Its name is that of the path. */
  async create(): Promise<void> {
    await withWriteErrors(this.path, async () => {
      const info = await stat(this.path).catch(() => undefined);
      if (info && !info.isFile()) throw new Error("expected a file, got a directory or a device at this path (choose another name)");
      await mkdir(this.directory, { recursive: true });
      await removeAbandoned(this.directory);
      const temporary = join(this.directory, temporaryName(basename(this.path)));
      this.handle = await open(temporary, "wx");
      this.temporary = temporary;
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    await withWriteErrors(this.path, async () => {
      for (let at = 0; at < bytes.byteLength; ) at += (await this.handle!.write(bytes, at)).bytesWritten;
    });
  }

  async commit(): Promise<void> {
    await withWriteErrors(this.path, async () => {
      const { handle } = this;
      this.handle = undefined;
      await handle!.sync();
      await handle!.close();
      await rename(this.temporary!, this.path);
      this.temporary = undefined;
      await syncDirectory(this.directory);
    });
  }

  async discard(): Promise<void> {
    await this.handle?.close().catch(() => {});
    this.handle = undefined;
    if (this.temporary) await rm(this.temporary, { force: true }).catch(() => {});
  }
}
