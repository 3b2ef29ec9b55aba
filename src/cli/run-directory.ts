// A training's directory. The state is replaced as a whole, and what was appended after it is cut off before anything goes on: whenever
// the process ends, however it ends, the directory is that of an uninterrupted run at the last save.

import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { CheckpointError, InputError } from "../index.js";
import type { Trainer } from "../train/index.js";
import { lock } from "./lock.js";
import { whyUnread } from "./terminal.js";

/** What decides the numbers of a run, but how long it is, as JSON. A state belongs to one of these. */
export type Identity = Readonly<Record<string, unknown>>;

/** What is particular to the runs of one command. */
export interface RunKind<Point> {
  /** What lines of metrics count: "step". */
  readonly unit: string;
  /** How many of them the trainer has behind it. */
  position(trainer: Trainer): number;
  /** A line's number, and what is kept of it; undefined if it is no such line. */
  read(line: Readonly<Record<string, unknown>>): { readonly at: number; readonly point: Point } | undefined;
  /** The file with a picture of all lines so far. */
  readonly picture: string;
  draw(points: readonly Point[]): string | Promise<string>;
}

export class RunDirectory<Point> {
  /** One per line so far. */
  readonly points: Point[] = [];
  /** Where the model goes in the end. */
  readonly model: string;
  private readonly state: string;
  private readonly identity: string;
  private metrics: number | undefined;

  private constructor(
    readonly path: string,
    readonly kind: RunKind<Point>,
    private readonly unlock: () => void,
  ) {
    this.model = join(path, "model");
    this.state = join(path, "state.safetensors");
    this.identity = join(path, "state.json");
  }

  /** Makes the directory if need be, and keeps other processes out until `close`. @throws {InputError} another process trains there */
  static open<Point>(path: string, kind: RunKind<Point>): RunDirectory<Point> {
    return guard(path, () => {
      mkdirSync(path, { recursive: true });
      return new RunDirectory(path, kind, lock(path));
    });
  }

  /**
   * Puts the trainer where the last save left it; at the beginning, notes whose run this is.
   *
   * @throws {InputError} a state of another run, or a directory with files of this name that no training made
   * @throws {CheckpointError} a state that is damaged
   */
  resume(trainer: Trainer, identity: Identity): void {
    const restored = existsSync(this.state);
    if (restored) {
      this.compare(identity);
      try {
        trainer.restore(readFileSync(this.state));
      } catch (cause) {
        if (!(cause instanceof Error)) throw cause;
        throw new CheckpointError(`${this.state}: ${cause.message} (to begin anew, remove this file)`, { cause });
      }
    } else {
      const own = ["metrics.jsonl", this.kind.picture];
      const foreign = existsSync(this.identity) ? undefined : own.find((name) => existsSync(join(this.path, name)));
      if (foreign)
        throw new InputError(`${this.path}: expected a new directory or one of a training, got one with ${foreign} (another --out)`);
      replace(this.identity, new TextEncoder().encode(`${JSON.stringify(identity, null, 2)}\n`));
    }
    const path = join(this.path, "metrics.jsonl");
    guard(path, () => {
      this.metrics = openSync(path, "a+");
      ftruncateSync(this.metrics, restored ? this.readMetrics(readFileSync(path), this.kind.position(trainer)) : 0);
    });
  }

  /** One line of metrics, of this kind. */
  append(line: object): void {
    guard(join(this.path, "metrics.jsonl"), () => writeAll(this.metrics!, new TextEncoder().encode(`${JSON.stringify(line)}\n`)));
    this.points.push(this.kind.read(line as Record<string, unknown>)!.point);
  }

  async save(trainer: Trainer): Promise<void> {
    guard(this.path, () => fsyncSync(this.metrics!));
    replace(this.state, trainer.save());
    replace(join(this.path, this.kind.picture), new TextEncoder().encode(await this.kind.draw(this.points)));
  }

  close(): void {
    if (this.metrics !== undefined) closeSync(this.metrics);
    this.metrics = undefined;
    this.unlock();
  }

  /** Takes in the lines with numbers up to `last` and tells where they end; there may be others, and the beginning of one. */
  private readMetrics(bytes: Uint8Array, last: number): number {
    let end = 0;
    for (let next = bytes.indexOf(10); next >= 0; next = bytes.indexOf(10, end)) {
      let line: unknown;
      try {
        line = JSON.parse(new TextDecoder().decode(bytes.subarray(end, next)));
      } catch {
        break;
      }
      const known = isObject(line) ? this.kind.read(line) : undefined;
      if (!known || !(known.at <= last)) break;
      this.points.push(known.point);
      end = next + 1;
    }
    return end;
  }

  private compare(identity: Identity): void {
    let made: unknown;
    try {
      made = JSON.parse(readFileSync(this.identity, "utf8"));
    } catch (cause) {
      const got = cause instanceof SyntaxError ? "other text" : whyUnread(cause);
      throw new CheckpointError(`${this.identity}: expected what the state beside it was made with, got ${got}`, { cause });
    }
    const difference = findDifference(made, JSON.parse(JSON.stringify(identity)));
    if (!difference) return;
    const [at, expected, got] = difference;
    throw new InputError(
      `${this.state}: made with another ${at}: expected ${excerpt(expected)}, got ${excerpt(got)} (another --out for another training)`,
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
function replace(path: string, bytes: Uint8Array): void {
  guard(
    path,
    () => {
      const temporary = `${path}.tmp`;
      const file = openSync(temporary, "w");
      try {
        writeAll(file, bytes);
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

function guard<T>(path: string, body: () => T, tidy = () => {}): T {
  try {
    return body();
  } catch (cause) {
    tidy();
    if (cause instanceof InputError || cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}
