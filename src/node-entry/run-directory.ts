// The directory of a training run. The state file is replaced atomically. Before a run resumes, log lines that were written after the last
// save are removed. However the process ended, the directory then equals that of an uninterrupted run at the last save.

import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, InputError } from "../index.js";
import { describeReadError, readRegularFile } from "../node/regular-file.js";
import type { Trainer } from "../train/index.js";
import { addStateMetadata, readStateHeader } from "../train/training-state.js";
import { type Columns, csvHeader, csvRow } from "./csv.js";
import { lockDirectory } from "./lock.js";
import { replaceFile, withWriteErrors, writeAll } from "./write-files.js";

/** The identity of a run: all settings that determine its numbers, except its length, as JSON. A saved state belongs to one identity. */
export type RunIdentity = Readonly<Record<string, unknown>>;

/** Maximum sizes of `metrics.jsonl` and `state.json`, in bytes. */
const [MAX_METRICS_BYTES, MAX_IDENTITY_BYTES] = [2 ** 30, 2 ** 24];

/** Maximum size of a state file without its tensors, in bytes. */
export const MAX_STATE_HEADER_BYTES = 2 ** 27;

/** Options of {@link RunDirectory.resume}. */
export interface ResumeOptions {
  /** Maximum size of the state file, in bytes. */
  readonly maxStateBytes: number;
  /** Aborts the read, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The properties that the runs of one command share. */
export interface RunKind<Point> {
  /** The name of the command. */
  readonly command: string;
  /** The unit that lines of metrics count, such as "step". */
  readonly unit: string;
  /** Returns the number of units that the trainer has completed. */
  position(trainer: Trainer): number;
  /** Parses a line of metrics. Returns its number, and the part of it that stays in memory. Returns undefined if the line is invalid. */
  read(line: Readonly<Record<string, unknown>>): { readonly at: number; readonly point: Point } | undefined;
  /** File name of the figure of all lines so far. */
  readonly figure?: string;
  /** Draws the figure as SVG. If missing, no figure is written. */
  readonly draw?: ((points: readonly Point[]) => string | Promise<string>) | undefined;
  /** Columns of metrics.csv. If missing, the file is not written. */
  readonly columns?: Columns;
}

export class RunDirectory<Point> {
  /** One point per line of metrics so far. */
  readonly points: Point[] = [];
  /** Directory in which the trained model is saved. */
  readonly model: string;
  private readonly state: string;
  private readonly identity: string;
  private readonly lines: string;
  private readonly table: string;
  /** The identity of this run, including the name of its command. */
  private own: RunIdentity = {};
  private metrics: number | undefined;
  private csv: number | undefined;

  private constructor(
    readonly path: string,
    readonly kind: RunKind<Point>,
    private readonly unlock: () => void,
  ) {
    this.model = join(path, "model");
    this.state = join(path, "state.safetensors");
    this.identity = join(path, "state.json");
    this.lines = join(path, "metrics.jsonl");
    this.table = join(path, "metrics.csv");
  }

  /** Creates the directory if it is missing, and locks it until `close`. @throws {InputError} another process holds the lock */
  static open<Point>(path: string, kind: RunKind<Point>): RunDirectory<Point> {
    return withWriteErrors(path, () => {
      mkdirSync(path, { recursive: true });
      return new RunDirectory(path, kind, lockDirectory(path));
    });
  }

  /**
   * Restores the trainer from the last save. If nothing has been saved yet, writes the identity of the run.
   *
   * @throws {InputError} the directory belongs to another run, or contains files of the same names that no run wrote
   * @throws {CheckpointError} a damaged state, or missing or damaged lines of metrics before it
   */
  async resume(trainer: Trainer, identity: RunIdentity, { maxStateBytes, signal }: ResumeOptions): Promise<void> {
    this.own = JSON.parse(JSON.stringify({ command: this.kind.command, ...identity })) as RunIdentity;
    const read = (path: string, most: number) => readRegularFile(path, most, signal);
    const [saved, begun] = [existsSync(this.state), existsSync(this.identity)];
    const written = existsSync(this.lines) ? await read(this.lines, MAX_METRICS_BYTES).catch(unreadable(this.lines)) : new Uint8Array(0);
    if (saved || (begun && written.byteLength > 0)) {
      const made = await read(this.identity, MAX_IDENTITY_BYTES).catch((cause: unknown) => cause as Error);
      this.compare(this.parseIdentity(made), saved ? this.state : this.lines);
    } else {
      const own = ["metrics.jsonl", ...(this.kind.columns ? ["metrics.csv"] : []), ...(this.kind.figure ? [this.kind.figure] : [])];
      const foreign = begun ? undefined : own.find((name) => existsSync(join(this.path, name)));
      if (foreign)
        throw new InputError(
          `${this.path}: expected a new directory or the directory of a run, got a directory that contains ${foreign}. Choose another --out.`,
        );
      replaceFile(this.identity, new TextEncoder().encode(`${JSON.stringify(this.own, null, 2)}\n`));
    }
    const state = saved ? await read(this.state, maxStateBytes).catch((cause: unknown) => cause as Error) : undefined;
    signal?.throwIfAborted();
    const rows: string[] = [];
    let end = 0;
    if (state) {
      const { lines, points } = this.restore(trainer, state);
      end = this.readLines(written, lines, this.kind.position(trainer), rows);
      if (points !== undefined && points !== this.digest()) {
        throw new CheckpointError(
          `${this.lines}: expected the lines that ${this.state} was saved with, got different lines. ${this.recovery()}`,
        );
      }
    }
    withWriteErrors(this.lines, () => {
      this.metrics = openSync(this.lines, "a+");
      ftruncateSync(this.metrics, Math.min(end, written.byteLength));
      // The newline of the last line may be missing.
      if (end > written.byteLength) writeAll(this.metrics, new TextEncoder().encode("\n"));
    });
    const { columns } = this.kind;
    if (!columns) return;
    // The table is rebuilt from the lines, so that an existing table need not be parsed.
    replaceFile(this.table, new TextEncoder().encode([csvHeader(columns), ...rows].join("")));
    this.csv = withWriteErrors(this.table, () => openSync(this.table, "a"));
  }

  /** Appends a line of metrics. The line must be valid for the kind of run. */
  append(line: object): void {
    const { columns, read } = this.kind;
    withWriteErrors(this.lines, () => writeAll(this.metrics!, new TextEncoder().encode(`${JSON.stringify(line)}\n`)));
    if (columns) withWriteErrors(this.table, () => writeAll(this.csv!, new TextEncoder().encode(csvRow(columns, line))));
    this.points.push(read(line as Record<string, unknown>)!.point);
  }

  /** Saves the trainer, then redraws the figure. */
  async save(trainer: Trainer): Promise<void> {
    withWriteErrors(this.path, () => fsyncSync(this.metrics!));
    const more = { run: JSON.stringify(this.own), lines: `${this.points.length}`, points: this.digest() };
    replaceFile(this.state, ...addStateMetadata(trainer.save(), more));
    const { figure, draw } = this.kind;
    if (figure && draw) replaceFile(join(this.path, figure), new TextEncoder().encode(await draw(this.points)));
  }

  close(): void {
    for (const file of [this.metrics, this.csv]) if (file !== undefined) closeSync(file);
    this.metrics = this.csv = undefined;
    this.unlock();
  }

  /** Returns a digest of all points. Points contain no timings, so equal runs have equal digests. */
  private digest(): string {
    const text = JSON.stringify(this.points, (_, value: unknown) => (Number.isNaN(value) || value === null ? undefined : value));
    return createHash("sha256").update(text).digest("hex");
  }

  /**
   * Restores the trainer from a state.
   *
   * @returns the number of lines at the time of the save, and their digest (undefined in states of earlier versions)
   */
  private restore(trainer: Trainer, state: Uint8Array | Error): { readonly lines: number; readonly points?: string | undefined } {
    const remedy = "Choose another --out, or remove this file to start over.";
    let [made, lines, points]: [unknown, number, string | undefined] = [undefined, 0, undefined];
    if (state instanceof Error)
      throw new CheckpointError(`${this.state}: expected a training state, got ${describeReadError(state)}. ${remedy}`, { cause: state });
    try {
      trainer.restore(state);
      const { metadata } = readStateHeader(state);
      made = metadata.run && JSON.parse(metadata.run);
      lines = Number(metadata.lines);
      points = metadata.points;
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw new CheckpointError(`${this.state}: ${cause.message} (to start over, remove this file)`, { cause });
    }
    if (!made)
      throw new CheckpointError(`${this.state}: expected the state of a run, got a state without the identity of a run. ${remedy}`);
    this.compare(made, this.state);
    const position = this.kind.position(trainer);
    if (!(position >= 1 && lines >= 1)) {
      throw new CheckpointError(
        `${this.state}: expected at least one ${this.kind.unit} and one line of metrics, got ${position} and ${lines}. ${remedy}`,
      );
    }
    return { lines, points };
  }

  /**
   * Reads the first `lines` lines, which must be numbered consecutively up to `last`. Adds their points to the run, and their rows to
   * `rows`.
   *
   * @returns the offset of the end of the last line, including its newline
   */
  private readLines(bytes: Uint8Array, lines: number, last: number, rows: string[]): number {
    const { columns } = this.kind;
    let end = 0;
    for (let line = 1; line <= lines; line++) {
      const newline = bytes.indexOf(10, end);
      const next = newline < 0 ? bytes.byteLength : newline;
      const text = new TextDecoder().decode(bytes.subarray(end, next));
      const known = this.readLine(text);
      const due = last - lines + line;
      if (known?.at !== due) {
        const { unit } = this.kind;
        const got = known ? `${unit} ${known.at}` : text ? excerpt(text) : "none";
        throw new CheckpointError(`${this.lines}: line ${line}: expected ${unit} ${due}, got ${got}. ${this.recovery()}`);
      }
      this.points.push(known.point);
      if (columns) rows.push(csvRow(columns, JSON.parse(text)));
      end = next + 1;
    }
    return end;
  }

  /** Returns the remedy for damaged metrics, as a sentence. */
  private recovery(): string {
    return `Restore the file, choose another --out, or remove ${this.state} to start over.`;
  }

  private readLine(text: string): ReturnType<RunKind<Point>["read"]> {
    try {
      const line: unknown = JSON.parse(text);
      return isObject(line) ? this.kind.read(line) : undefined;
    } catch {
      return undefined;
    }
  }

  private parseIdentity(bytes: Uint8Array | Error): unknown {
    try {
      if (bytes instanceof Error) throw bytes;
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch (cause) {
      const got = cause instanceof SyntaxError ? "invalid JSON" : describeReadError(cause);
      throw new CheckpointError(`${this.identity}: expected the identity of the run as JSON, got ${got}`, { cause });
    }
  }

  /** Compares a stored identity with the identity of this run. @param where the file that messages name @throws {InputError} they differ */
  private compare(made: unknown, where: string): void {
    const difference = findDifference(made, this.own);
    if (!difference) return;
    const [at, expected, got] = difference;
    throw new InputError(
      `${where}: made with another ${at}: expected ${excerpt(expected)}, got ${excerpt(got)}. Choose another --out for a different run.`,
    );
  }
}

function isObject(x: unknown): x is Readonly<Record<string, unknown>> {
  return typeof x === "object" && x !== null;
}

/** Finds the first difference between two JSON values. The order of keys does not matter. */
function findDifference(a: unknown, b: unknown, at = ""): readonly [at: string, a: unknown, b: unknown] | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b || Array.isArray(a) !== Array.isArray(b)) return [at, a, b];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [of, other] = [a, b] as Record<string, unknown>[];
    const found = findDifference(of![key], other![key], at ? `${at}.${key}` : key);
    if (found) return found;
  }
  return undefined;
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? "none";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function unreadable(path: string): (cause: unknown) => never {
  return (cause) => {
    throw new CheckpointError(`${path}: expected the metrics of a run, got ${describeReadError(cause)}`, { cause });
  };
}
