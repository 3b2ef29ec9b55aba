// Opens and reads regular files. Devices, pipes and sockets are refused, because they may be endless and opening them can block.

import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";

/** The error for a file that was refused. `got` describes the file as a noun phrase. */
export class UnreadableFile extends Error {
  constructor(readonly got: string) {
    super(`expected a regular file of limited size, got ${got}`);
  }
}

/** Number of bytes read between two checks of the signal. */
const READ_BYTES = 2 ** 22;
/** Initial size of the buffer for files of unknown size, such as those in /proc. */
const MIN_BUFFER_BYTES = 2 ** 16;

/**
 * Opens a regular file for reading.
 *
 * @param most maximum size in bytes
 * @throws {UnreadableFile} a directory, a device, a pipe, a socket, or a file that is too large
 * @throws {Error} the system's error for a missing or unreadable file
 */
export async function openRegularFile(path: string, most = Infinity): Promise<FileHandle> {
  // The file type is checked before opening, because opening a device can have side effects.
  assertRegularFile(await stat(path), most);
  // The open is non-blocking, in case the path has become a pipe in the meantime.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    assertRegularFile(await file.stat(), most);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Reads a regular file of limited size. Throws as {@link openRegularFile}. @param signal stops reading and throws its reason */
export async function readRegularFile(path: string, most: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  const file = await openRegularFile(path, most);
  try {
    const { size } = await file.stat();
    return await readToEnd(file, size, most, signal);
  } finally {
    await file.close();
  }
}

/** Reads the text of a small regular file. Throws as {@link openRegularFile}. */
export async function readSmallFile(path: string, most: number): Promise<string> {
  return new TextDecoder().decode(await readRegularFile(path, most));
}

async function readToEnd(file: FileHandle, size: number, most: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  // The buffer has one byte more than the expected size. A full buffer then means that the file has grown.
  let bytes = new Uint8Array(Math.max(size + 1, Math.min(most + 1, MIN_BUFFER_BYTES)));
  for (let at = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(bytes, at, Math.min(READ_BYTES, bytes.byteLength - at), at);
    at += bytesRead;
    if (bytesRead === 0) return at === bytes.byteLength ? bytes : bytes.subarray(0, at);
    if (at > most) throw new UnreadableFile(`a file of more than ${sizeLabel(most)}`);
    if (at === bytes.byteLength) {
      const larger = new Uint8Array(Math.min(most + 1, 2 * at));
      larger.set(bytes);
      bytes = larger;
    }
  }
}

/** Checks that a file is regular and not too large. @throws {UnreadableFile} not a regular file, or a file of more than `most` bytes */
export function assertRegularFile(info: Stats, most: number): void {
  const kind = kindOf(info);
  if (kind) throw new UnreadableFile(kind);
  if (info.size > most) throw new UnreadableFile(`a file of ${sizeLabel(info.size)}, more than ${sizeLabel(most)}`);
}

function sizeLabel(bytes: number): string {
  return `${Number((bytes / 2 ** 20).toPrecision(4)).toLocaleString("en-US")} MiB`;
}

/** Describes a path that is not a regular file. Returns undefined for a regular file. */
function kindOf(info: Stats): string | undefined {
  if (info.isFile()) return undefined;
  if (info.isDirectory()) return "a directory";
  if (info.isFIFO()) return "a pipe";
  return info.isSocket() ? "a socket" : "a device";
}

/** Returns whether an error means that a path does not exist. */
export function isMissingFileError(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Describes why a path could not be read, as a noun phrase that follows "got". */
export function describeReadError(cause: unknown): string {
  if (cause instanceof UnreadableFile) return cause.got;
  if (isMissingFileError(cause)) return "nothing (there is no such file)";
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "EISDIR") return "a directory";
  return `a file that cannot be read: ${message}`;
}
