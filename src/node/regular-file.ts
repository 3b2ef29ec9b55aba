import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/**
 * Opens a regular file for reading. Other kinds are refused because a device may have no end and a pipe may block.
 *
 * @throws {Error} a missing file, or one that is not a regular file
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error("expected a file, got something else");
}

/**
 * Reads the text of a small regular file.
 *
 * @throws {Error} a missing file, a file that is not regular, or a file of more than `limit` bytes
 */
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

/** Whether an error says that a path does not exist. */
export function isMissingFileError(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
