// Node's half of `src/io/reader-thread.ts`: directories too.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { type ReaderData, type ReadFunction, type ReadRequest, readFromMemory, readFromServer, serveReads } from "../io/reader-thread.js";
import { fileVersion } from "./file-version.js";

/** Files that are open at a time. */
const MAX_OPEN_FILES = 64;

/** Read at once: how often the other thread hears that something happens. */
const MAX_READ_BYTES = 32 << 20;

/** Positioned reads straight into the memory. */
function readFromDirectory(path: string): ReadFunction {
  const handles = new Map<string, number>();
  const close = (file: string) => {
    const handle = handles.get(file);
    handles.delete(file);
    if (handle !== undefined) closeSync(handle);
  };
  const open = (file: string): number => {
    const known = handles.get(file);
    if (known !== undefined) return known;
    const [oldest] = handles.keys();
    if (oldest !== undefined && handles.size >= MAX_OPEN_FILES) close(oldest);
    const handle = openSync(join(path, file), "r");
    handles.set(file, handle);
    return handle;
  };
  return ({ file, begin, version }, target, onBytes) => {
    const handle = open(file);
    try {
      for (let at = 0; at < target.byteLength; ) {
        const count = readSync(handle, target, at, Math.min(MAX_READ_BYTES, target.byteLength - at), begin + at);
        if (count === 0) throw new Error(`it ended at byte ${begin + at} (changed since it was opened? load the model again)`);
        at += count;
        onBytes();
      }
      // Afterwards: a change during the read counts as well.
      if (version && fileVersion(fstatSync(handle)) !== version)
        throw new Error("it has changed since it was opened (load the model again)");
    } catch (error) {
      // The next try begins anew.
      close(file);
      throw error;
    }
  };
}

export function serve(data: ReaderData, listen: (receive: (request: ReadRequest) => void) => void): void {
  const { location } = data;
  const read =
    location.kind === "directory"
      ? readFromDirectory(location.path)
      : location.kind === "http"
        ? readFromServer(location)
        : readFromMemory(location.files);
  serveReads(data, listen, read);
}
