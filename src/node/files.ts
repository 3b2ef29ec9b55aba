import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Address } from "../io/reader-thread.js";
import type { Destination, Source } from "../io/source.js";
import { CheckpointError } from "../runtime/errors.js";
import { stampOf } from "./stamp.js";

/** Files of one directory. */
export class DirectorySource implements Source {
  private current: { readonly file: string; readonly handle: Promise<FileHandle> } | undefined;

  constructor(
    readonly name: string,
    readonly weights?: string,
  ) {}

  async size(file: string): Promise<number | undefined> {
    try {
      const info = await stat(join(this.name, file));
      if (info.isFile()) return info.size;
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw this.fault(file, cause);
    }
    throw new CheckpointError(`${join(this.name, file)}: expected a file, got something else`);
  }

  get address(): Address {
    return { kind: "directory", path: resolve(this.name) };
  }

  async stamp(file: string): Promise<string> {
    try {
      return stampOf(await stat(join(this.name, file)));
    } catch (cause) {
      throw this.fault(file, cause);
    }
  }

  async list(): Promise<string[]> {
    try {
      return await readdir(this.name);
    } catch (cause) {
      throw this.fault("", cause);
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
      throw this.fault(file, cause);
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
      this.current = { file, handle: closed.then(() => openFile(join(this.name, file))) };
    }
    return this.current.handle;
  }

  private fault(file: string, cause: unknown): CheckpointError {
    return new CheckpointError(`${join(this.name, file)}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Opens a regular file for reading. Anything else may have no end, and a pipe would be waited for.
 *
 * @throws {Error} no file, or something that is not a regular file
 */
export async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error("expected a file, got something else");
}

/** Text of a small regular file. @throws {Error} no file, something that is not a regular file, or more than `limit` bytes */
export async function readSmallFile(path: string, limit: number): Promise<string> {
  const handle = await openFile(path);
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

/** Weights under the names that every loader looks for. */
const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;

/** Writes files under temporary names beside their final ones. */
export class Directory implements Destination {
  private readonly files: { file: string; temporary: string }[] = [];
  private handle: FileHandle | undefined;

  constructor(private readonly path: string) {}

  async create(file: string): Promise<void> {
    await this.guard(file, async () => {
      await this.finish();
      const directory = dirname(join(this.path, file));
      await mkdir(directory, { recursive: true });
      const temporary = join(directory, `.${basename(file)}.${randomUUID()}.tmp`);
      this.handle = await open(temporary, "wx");
      this.files.push({ file, temporary });
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.guard(this.files.at(-1)!.file, async () => {
      for (let at = 0; at < bytes.byteLength; ) at += (await this.handle!.write(bytes, at)).bytesWritten;
    });
  }

  async commit(): Promise<void> {
    await this.guard("", async () => {
      await this.finish();
      const written = new Set(this.files.map(({ file }) => file));
      const replaced = (await readdir(this.path, { withFileTypes: true })).filter(({ name }) => written.has(name) || WEIGHTS.test(name));
      const inTheWay = replaced.find((entry) => entry.isDirectory());
      if (inTheWay) throw new Error(`expected a file in place of ${inTheWay.name}, got a directory (nothing was changed)`);
      for (const { file, temporary } of this.files) await rename(temporary, join(this.path, file));
      for (const { name } of replaced) if (!written.has(name)) await rm(join(this.path, name));
    });
  }

  async discard(): Promise<void> {
    await this.handle?.close().catch(() => {});
    this.handle = undefined;
    for (const { temporary } of this.files) await rm(temporary, { force: true }).catch(() => {});
  }

  private async finish(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.sync();
    await handle?.close();
  }

  private async guard(file: string, body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (cause) {
      throw new CheckpointError(`${join(this.path, file)}: cannot be written: ${(cause as Error).message}`, { cause });
    }
  }
}

export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
