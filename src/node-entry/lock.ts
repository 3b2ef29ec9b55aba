// One process at a time in a directory.

import { linkSync, lstatSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../index.js";
import { assertRegularFile, UnreadableFile } from "./regular-file.js";

/**
 * Takes the directory for this process. A lock whose process has ended, killed perhaps, counts for nothing.
 *
 * @returns gives it back
 * @throws {InputError} another process has it, or its lock is no file
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, "lock");
  const own = holderOf(process.pid)!;
  const mine = join(directory, `lock.${process.pid}.tmp`);
  // Written elsewhere and linked: a lock is never seen without its content.
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
        // Gone in the meantime, unless it is there without being a file.
        if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
        throw new InputError(`${path}: expected a file or nothing, got a symbolic link that leads nowhere (remove it)`);
      }
      const pid = Number.parseInt(other, 10);
      if (holderOf(pid) === other) {
        throw new InputError(
          `${directory}: expected no other training in it, got that of process ${pid} (wait for its end, or another --out)`,
        );
      }
      const aside = `${mine}.stale`;
      try {
        renameSync(path, aside);
        // Another process may have been faster, and this its lock.
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

/** A process as it stands in a lock: its number and, where it can be learned, when it began; undefined if there is none of this number. */
function holderOf(pid: number): string | undefined {
  if (!(pid > 0)) return undefined;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  // Linux: the state is the first field after the name in parentheses, the beginning the twentieth.
  const fields = readLock(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  if (fields?.[0] === "Z") return undefined;
  return `${pid} ${fields?.[19] ?? ""}\n`;
}

/** Larger files are no locks. */
const MAX_LOCK_BYTES = 2 ** 16;

/** A file's text, undefined if there is none. @throws {InputError} something else than a small file */
function readLock(path: string): string | undefined {
  try {
    assertRegularFile(statSync(path), MAX_LOCK_BYTES);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof UnreadableFile)
      throw new InputError(`${path}: expected a small file or nothing, got ${error.message} (remove it)`);
    // A process can end while it is being looked at.
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
