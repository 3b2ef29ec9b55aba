// Writes the files of a run. Errors name the path.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { CheckpointError, InputError } from "../index.js";

/** Replaces a file atomically. At any moment, the disk holds either the old file or the new one. */
export function replaceFile(path: string, ...pieces: readonly Uint8Array[]): void {
  withWriteErrors(
    path,
    () => {
      const temporary = `${path}.tmp`;
      // An existing file of this name is removed instead of opened, because it might be a pipe.
      rmSync(temporary, { force: true });
      const file = openSync(temporary, "wx");
      try {
        for (const piece of pieces) writeAll(file, piece);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
      syncDirectory(dirname(path));
    },
    () => rmSync(`${path}.tmp`, { force: true }),
  );
}

/** Writes all bytes. Several calls are needed if the system accepts only a part at a time. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
}

/** Flushes a rename to the disk. Errors are ignored, because some systems cannot open or flush directories. */
function syncDirectory(path: string): void {
  try {
    const directory = openSync(path, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch {}
}

/**
 * Runs `body`. If it fails, runs `tidy` and rethrows the error with the path.
 *
 * @throws {CheckpointError} the file cannot be written. Input and checkpoint errors of `body` are rethrown as they are.
 */
export function withWriteErrors<T>(path: string, body: () => T, tidy = () => {}): T {
  try {
    return body();
  } catch (cause) {
    tidy();
    if (cause instanceof InputError || cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}
