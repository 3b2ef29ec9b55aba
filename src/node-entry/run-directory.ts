// A training's directory. The state is replaced as a whole, and what was appended after it is cut off before anything goes on: whenever
// the process ends, however it ends, the directory is that of an uninterrupted run at the last save.

import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { CheckpointError, InputError } from "../index.js";
import type { Trainer } from "../train/index.js";
import { addStateMetadata, readStateHeader } from "../train/training-state.js";
import { type Columns, csvHeader, csvRow } from "./csv.js";
import { lockDirectory } from "./lock.js";
import { describeReadError, readRegularFile } from "./regular-file.js";

/** What decides the numbers of a run, but how long it is, as JSON. A state belongs to one of these. */
export type RunIdentity = Readonly<Record<string, unknown>>;

/** Largest files that are read: metrics, and what a run was made with. */
const [MAX_METRICS_BYTES, MAX_IDENTITY_BYTES] = [2 ** 30, 2 ** 24];

/** Size of a state without its numbers, at most. */
export const MAX_STATE_HEADER_BYTES = 2 ** 27;

/** How a directory is read. */
export interface ResumeOptions {
  /** Largest size of a state. */
  readonly maxStateBytes: number;
  /** Ends the reading by its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What is particular to the runs of one command. */
export interface RunKind<Point> {
  /** Its name. */
  readonly command: string;
  /** What lines of metrics count: "step". */
  readonly unit: string;
  /** How many of them the trainer has behind it. */
  position(trainer: Trainer): number;
  /** A line's number, and what is kept of it; undefined if it is no such line. */
  read(line: Readonly<Record<string, unknown>>): { readonly at: number; readonly point: Point } | undefined;
  /** The file with a figure of all lines so far. */
  readonly figure?: string;
  /** Draws the figure as SVG. If undefined, no figure is written. */
  readonly draw?: ((points: readonly Point[]) => string | Promise<string>) | undefined;
  /** Columns of metrics.csv; without them there is no such file. */
  readonly columns?: Columns;
}

export class RunDirectory<Point> {
  /** One per line so far. */
  readonly points: Point[] = [];
  /** Where the model goes in the end. */
  readonly model: string;
  private readonly state: string;
  private readonly identity: string;
  private readonly lines: string;
  private readonly table: string;
  /** Whose run this is, the command included. */
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

  /** Makes the directory if need be, and keeps other processes out until `close`. @throws {InputError} another process trains there */
  static open<Point>(path: string, kind: RunKind<Point>): RunDirectory<Point> {
    return withWriteErrors(path, () => {
      mkdirSync(path, { recursive: true });
      return new RunDirectory(path, kind, lockDirectory(path));
    });
  }

  /**
   * Puts the trainer where the last save left it; at the beginning, notes whose run this is.
   *
   * @throws {InputError} a state or lines of another run, or a directory with files of this name that no training made
   * @throws {CheckpointError} a state that is damaged, or lines up to it that are missing or damaged
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
        throw new InputError(`${this.path}: expected a new directory or one of a training, got one with ${foreign} (another --out)`);
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
          `${this.lines}: expected the lines that belong to ${this.state}, got others (restore the file, or another --out; to begin anew, remove ${this.state})`,
        );
      }
    }
    withWriteErrors(this.lines, () => {
      this.metrics = openSync(this.lines, "a+");
      ftruncateSync(this.metrics, Math.min(end, written.byteLength));
      // The end of the last line may be lost.
      if (end > written.byteLength) writeAll(this.metrics, new TextEncoder().encode("\n"));
    });
    const { columns } = this.kind;
    if (!columns) return;
    // Made anew from the lines: nothing has to be known of the table that is there.
    replaceFile(this.table, new TextEncoder().encode([csvHeader(columns), ...rows].join("")));
    this.csv = withWriteErrors(this.table, () => openSync(this.table, "a"));
  }

  /** One line of metrics, of this kind. */
  append(line: object): void {
    const { columns, read } = this.kind;
    withWriteErrors(this.lines, () => writeAll(this.metrics!, new TextEncoder().encode(`${JSON.stringify(line)}\n`)));
    if (columns) withWriteErrors(this.table, () => writeAll(this.csv!, new TextEncoder().encode(csvRow(columns, line))));
    this.points.push(read(line as Record<string, unknown>)!.point);
  }

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

  /** Tells the lines of runs apart, without the times in them. */
  private digest(): string {
    const text = JSON.stringify(this.points, (_, value: unknown) => (Number.isNaN(value) || value === null ? undefined : value));
    return createHash("sha256").update(text).digest("hex");
  }

  /** Puts the trainer where the state has it. @returns how many lines there were then, and their digest, which states of earlier versions lack */
  private restore(trainer: Trainer, state: Uint8Array | Error): { readonly lines: number; readonly points?: string | undefined } {
    const anew = "another --out; to begin anew, remove this file";
    let [made, lines, points]: [unknown, number, string | undefined] = [undefined, 0, undefined];
    if (state instanceof Error)
      throw new CheckpointError(`${this.state}: expected a training state, got ${describeReadError(state)} (${anew})`, { cause: state });
    try {
      trainer.restore(state);
      const { metadata } = readStateHeader(state);
      made = metadata.run && JSON.parse(metadata.run);
      lines = Number(metadata.lines);
      points = metadata.points;
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw new CheckpointError(`${this.state}: ${cause.message} (to begin anew, remove this file)`, { cause });
    }
    if (!made) throw new CheckpointError(`${this.state}: expected the state of a run, got one that belongs to none (${anew})`);
    this.compare(made, this.state);
    const position = this.kind.position(trainer);
    if (!(position >= 1 && lines >= 1)) {
      throw new CheckpointError(
        `${this.state}: expected a ${this.kind.unit} or more behind it and their lines, got ${position} and ${lines} lines (${anew})`,
      );
    }
    return { lines, points };
  }

  /** Takes in so many lines, the last of them of number `last`, adds their rows of the table, and tells where they end. */
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
        throw new CheckpointError(
          `${this.lines}: line ${line}: expected that of ${unit} ${due}, got ${got} (restore the file, or another --out; to begin anew, remove ${this.state})`,
        );
      }
      this.points.push(known.point);
      if (columns) rows.push(csvRow(columns, JSON.parse(text)));
      end = next + 1;
    }
    return end;
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
      const got = cause instanceof SyntaxError ? "other text" : describeReadError(cause);
      throw new CheckpointError(`${this.identity}: expected what the state beside it was made with, got ${got}`, { cause });
    }
  }

  /** @param where what was made with it */
  private compare(made: unknown, where: string): void {
    const difference = findDifference(made, this.own);
    if (!difference) return;
    const [at, expected, got] = difference;
    throw new InputError(
      `${where}: made with another ${at}: expected ${excerpt(expected)}, got ${excerpt(got)} (another --out for another training)`,
    );
  }
}

function isObject(x: unknown): x is Readonly<Record<string, unknown>> {
  return typeof x === "object" && x !== null;
}

/** The first place at which two pieces of JSON differ, whatever the order of keys. */
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

/** Replaces a file: at any moment it is the old one or the new one, also on the disk. */
function replaceFile(path: string, ...pieces: readonly Uint8Array[]): void {
  withWriteErrors(
    path,
    () => {
      const temporary = `${path}.tmp`;
      // Whatever has this name, a pipe perhaps, is not written to.
      rmSync(temporary, { force: true });
      const file = openSync(temporary, "wx");
      try {
        for (const piece of pieces) writeAll(file, piece);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
      syncDirectory(dirname(path));
    },
    () => rmSync(`${path}.tmp`, { force: true }),
  );
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
}

/** Makes a renaming last; some systems cannot, and need not. */
function syncDirectory(path: string): void {
  try {
    const directory = openSync(path, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch {}
}

function withWriteErrors<T>(path: string, body: () => T, tidy = () => {}): T {
  try {
    return body();
  } catch (cause) {
    tidy();
    if (cause instanceof InputError || cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}

function unreadable(path: string): (cause: unknown) => never {
  return (cause) => {
    throw new CheckpointError(`${path}: expected the metrics of a run, got ${describeReadError(cause)}`, { cause });
  };
}
