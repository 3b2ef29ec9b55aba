// Reads the text and JSONL files that a plan or a command names.

import { InputError } from "../../index.js";
import { describeReadError, readRegularFile, UnreadableFile } from "../../node/regular-file.js";
import { parseRows, type Row } from "../../train/index.js";

/** Maximum total size of the data files of a run, which are held in memory as text and as tokens. */
export const MAX_DATA_BYTES = 2 ** 28;

export interface ReadDataOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A file to read, and its name in messages. */
export interface NamedFile {
  readonly path: string;
  readonly where: string;
}

/** Whether the extension of a path is that of a JSONL file. */
export const isJsonl = (path: string): boolean => /\.(jsonl|ndjson)$/i.test(path);

/** Reads text files. @throws {InputError} a file that is missing, not a regular file, too large or not UTF-8 */
export async function readTexts(files: readonly NamedFile[], expected: string, { signal }: ReadDataOptions = {}): Promise<string[]> {
  const texts: string[] = [];
  let left = MAX_DATA_BYTES;
  for (const { path, where } of files) {
    const bytes = await readRegularFile(path, left, signal).catch((cause: unknown) => {
      signal?.throwIfAborted();
      const others = left < MAX_DATA_BYTES && cause instanceof UnreadableFile ? " (all files together: at most 256 MiB)" : "";
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

/** Reads the rows of JSONL files. @throws {InputError} as {@link readTexts}, and for an invalid line or a file without rows */
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

/** Lets pending events run during long work, then throws if the signal is aborted. */
export async function yieldToEvents(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
