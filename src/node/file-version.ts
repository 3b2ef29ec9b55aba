import type { Stats } from "node:fs";

/** What tells a version of a file from others. */
export function fileVersion({ ino, size, mtimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}
