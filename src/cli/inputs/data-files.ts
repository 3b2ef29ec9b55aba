// The text and JSONL files that a plan or a command names.

import { InputError } from "../../index.js";
import { describeReadError, readRegularFile, UnreadableFile } from "../../node-entry/regular-file.js";
import { parseRows, type Row } from "../../train/index.js";

/** All files of a training together: what fits into memory as text and as tokens. */
export const MAX_DATA_BYTES = 2 ** 28;

export interface ReadDataOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A file that is read, and how messages name it. */
export interface NamedFile {
  readonly path: string;
  readonly where: string;
}

/** Names that say that a file is JSONL. */
export const isJsonl = (path: string): boolean => /\.(jsonl|ndjson)$/i.test(path);

/** The texts of files. @throws {InputError} a file that is missing, is no regular file, is too large or is not UTF-8 */
export async function readTexts(files: readonly NamedFile[], expected: string, { signal }: ReadDataOptions = {}): Promise<string[]> {
  const texts: string[] = [];
  let left = MAX_DATA_BYTES;
  for (const { path, where } of files) {
    const bytes = await readRegularFile(path, left, signal).catch((cause: unknown) => {
      signal?.throwIfAborted();
      const others = left < MAX_DATA_BYTES && cause instanceof UnreadableFile ? " (together the files may have 256 MiB)" : "";
      throw new InputError(`${where}: expected ${expected}, got ${describeReadError(cause)}${others}`, { cause });
    });
    left -= bytes.byteLength;
    try {
      texts.push(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new InputError(`${where}: expected UTF-8 text, got other bytes`, { cause });
    }
  }
  return texts;
}

/** The rows of JSONL files. @throws {InputError} as `readTexts`, and for a line that cannot be read or files without any row */
export async function readRows(files: readonly NamedFile[], { signal, onWarning }: ReadDataOptions = {}): Promise<Row[]> {
  const texts = await readTexts(files, "a JSONL file", { signal });
  const rows: Row[] = [];
  for (const [i, text] of texts.entries()) {
    const { where } = files[i]!;
    const before = rows.length;
    for (const row of parseRows(text, where, onWarning)) {
      rows.push(row);
      if (rows.length % 1000 === 0) await yieldToEvents(signal);
    }
    if (rows.length === before) throw new InputError(`${where}: expected rows, got an empty file`);
  }
  return rows;
}

/** Lets a signal arrive during long work. */
export async function yieldToEvents(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
