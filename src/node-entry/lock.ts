// A lock file that allows only one process at a time in a directory.

import { linkSync, lstatSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../index.js";
import { assertRegularFile, UnreadableFile } from "../node/regular-file.js";

/**
 * Locks a directory for this process. Replaces the lock of a process that has ended.
 *
 * @returns a function that releases the lock
 * @throws {InputError} another process holds the lock, or `lock` is not a regular file
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, "lock");
  const own = holderOf(process.pid)!;
  const mine = join(directory, `lock.${process.pid}.tmp`);
  // The lock is written to a temporary file and then linked, so that no process reads a lock without its content.
  writeFileSync(mine, own);
  try {
    for (;;) {
      try {
        linkSync(mine, path);
        return () => {
          if (readLock(path) === own) rmSync(path, { force: true });
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const other = readLock(path);
      if (other === undefined) {
        // If the lock was released in the meantime, the next attempt succeeds. Otherwise the lock is a dangling symbolic link.
        if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
        throw new InputError(`${path}: expected a regular file, got a dangling symbolic link. Remove it.`);
      }
      const pid = Number.parseInt(other, 10);
      if (holderOf(pid) === other) {
        throw new InputError(
          `${directory}: training is already running here, in process ${pid}. Wait until it ends, or choose another --out.`,
        );
      }
      const aside = `${mine}.stale`;
      try {
        renameSync(path, aside);
        // Another process may have replaced the stale lock first. In this case, its lock is put back.
        if (readLock(aside) !== other) linkSync(aside, path);
      } catch (error) {
        if (!["ENOENT", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      }
      rmSync(aside, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Returns the content of a process's lock: its id and, on Linux, its start time. Returns undefined if no process has this id. */
function holderOf(pid: number): string | undefined {
  if (!(pid > 0)) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  // /proc/PID/stat on Linux: after the name in parentheses, the first field is the state and the twentieth the start time.
  const fields = readLock(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  if (fields?.[0] === "Z") return undefined;
  return `${pid} ${fields?.[19] ?? ""}\n`;
}

/** Maximum size of a lock file. */
const MAX_LOCK_BYTES = 2 ** 16;

/** Reads a lock file. Returns undefined if it is missing. @throws {InputError} not a regular file, or too large */
function readLock(path: string): string | undefined {
  try {
    assertRegularFile(statSync(path), MAX_LOCK_BYTES);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof UnreadableFile) throw new InputError(`${path}: expected a small regular file, got ${error.got}. Remove it.`);
    // ESRCH: the process ended while its /proc file was read.
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
