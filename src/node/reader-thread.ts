// The entry of the reader thread in Node. In addition to the sources of `src/io/reader-thread.ts`, it reads directories.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { SourceLocation } from "../io/byte-source.js";
import type { ReaderData, ReadRequest } from "../io/reader-protocol.js";
import { type ReadFunction, readFromMemory, readFromServer, serveReads } from "../io/reader-thread.js";
import { fileVersion } from "./file-version.js";

/** Maximum number of open files. */
const MAX_OPEN_FILES = 64;

/** Maximum number of bytes per read. Progress is reported after each read. */
const MAX_READ_BYTES = 32 << 20;

/** Reads files of a directory directly into the shared memory. */
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
        if (count === 0) throw new Error(`the file ended at byte ${begin + at} (it may have been changed: load the model again)`);
        at += count;
        onBytes();
      }
      // The version is checked after the read, so that a change during the read is detected too.
      if (version && fileVersion(fstatSync(handle)) !== version)
        throw new Error("the file has changed since it was opened (load the model again)");
    } catch (error) {
      // The next read opens the file again.
      close(file);
      throw error;
    }
  };
}

/** Reads files that are stored in pieces, each in a file of its own. */
function readFromPieces({ directory, files }: Extract<SourceLocation, { kind: "pieces" }>): ReadFunction {
  const read = readFromDirectory(directory);
  return (request, target, onBytes) => {
    for (const piece of files.get(request.file)!) {
      const [begin, end] = [Math.max(request.begin, piece.begin), Math.min(request.end, piece.end)];
      if (begin >= end) continue;
      const part = target.subarray(begin - request.begin, end - request.begin);
      read({ ...request, file: piece.name, begin: begin - piece.begin, end: end - piece.begin }, part, onBytes);
    }
  };
}

/** Serves read requests until the thread is stopped. */
export function serve(data: ReaderData, listen: (receive: (request: ReadRequest) => void) => void): void {
  const { location } = data;
  const read =
    location.kind === "directory"
      ? readFromDirectory(location.path)
      : location.kind === "pieces"
        ? readFromPieces(location)
        : location.kind === "http"
          ? readFromServer(location)
          : readFromMemory(location.files);
  serveReads(data, listen, read);
}
