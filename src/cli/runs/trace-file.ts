// A file of traces. A line is appended for each finished episode, so that none is lost if the process is killed.

import { closeSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { formatTrace, parseTraces, type Trace } from "../../environments/index.js";
import { InputError } from "../../index.js";
import { withWriteErrors, writeAll } from "../../node-entry/write-files.js";

/** The beginning of every trace that this library writes. */
const BEGINNING = '{"version":1,"task":';

/**
 * Parses a file of traces. If the last line has no end, because the process was killed while writing it, it is left out.
 *
 * @throws {InputError} a line that is not a trace, or a last line that is not the beginning of one
 */
export function parseTraceFile(text: string, where: string): { readonly traces: Trace[]; readonly bytes: number } {
  const end = text.lastIndexOf("\n") + 1;
  const torn = text.slice(end);
  if (!torn.startsWith(BEGINNING) && !BEGINNING.startsWith(torn)) {
    throw new InputError(`${where}: expected traces, got other text (write to another file)`);
  }
  const whole = text.slice(0, end);
  return { traces: parseTraces(whole, where), bytes: Buffer.byteLength(whole) };
}

/** A file to which traces are appended. It also contains the traces of earlier calls. */
export class TraceFile {
  private constructor(
    private readonly path: string,
    private readonly file: number,
    /** All traces, those of earlier calls included. */
    readonly traces: Trace[],
  ) {}

  /**
   * Opens a file, or creates it.
   *
   * @param difference returns why a trace belongs to another evaluation, or undefined if it belongs to this one
   * @throws {InputError} a file with other content, or with traces of another evaluation
   */
  static async open(path: string, difference: (trace: Trace) => string | undefined): Promise<TraceFile> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw new InputError(`--out: ${path}: cannot be read: ${error.message}`, { cause: error });
    });
    const { traces, bytes } = parseTraceFile(text, `--out: ${path}`);
    for (const [i, trace] of traces.entries()) {
      const wrong = difference(trace);
      if (wrong) throw new InputError(`--out: ${path}: trace ${i + 1}: ${wrong} (write to another file, or delete this one)`);
    }
    const file = withWriteErrors(path, () => openSync(path, "a"));
    // If a kill has cut off the last line, the next line must not be appended to it.
    withWriteErrors(path, () => ftruncateSync(file, bytes));
    return new TraceFile(path, file, traces);
  }

  /** Appends a trace and waits until it is on the drive. */
  append(trace: Trace): void {
    withWriteErrors(this.path, () => {
      writeAll(this.file, Buffer.from(formatTrace(trace)));
      fsyncSync(this.file);
    });
    this.traces.push(trace);
  }

  close(): void {
    closeSync(this.file);
  }
}
