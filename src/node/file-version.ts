import type { Stats } from "node:fs";

/** Identifies a version of a file by inode number, size and modification time. */
export function fileVersion({ ino, size, mtimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}
