// Code that both training commands use: reading the plan file, the output directory, and resuming after an interruption.

import type { ArgsDef } from "citty";
import { InputError, type MiniMaxM1 } from "../../index.js";
import { describeReadError, readRegularFile } from "../../node/regular-file.js";
import { recordRun } from "../../node-entry/record-run.js";
import { MAX_STATE_HEADER_BYTES, RunDirectory, type RunIdentity, type RunKind } from "../../node-entry/run-directory.js";
import { Trainer, type TrainerOptions } from "../../train/index.js";
import { loadingArguments, threadsOption, UsageError } from "../options.js";
import { type Terminal, visible } from "../text/terminal.js";
import { type MetricsDisplay, openRunView } from "./run-view.js";

/** Maximum size of a plan file. */
const MAX_PLAN_BYTES = 2 ** 24;

/** Options of every training command. */
export const runArguments = {
  out: { type: "string", valueHint: "dir", description: "Directory of the run (default: beside the plan file)" },
  threads: loadingArguments.threads,
  json: { type: "boolean", description: "Print the summary as a JSON line" },
} as const satisfies ArgsDef;

/** Parses `runArguments`. @throws {UsageError} invalid values */
export function runOptions(args: Readonly<Record<string, unknown>>) {
  if (args.out === "") throw new UsageError('--out: expected a directory, got ""');
  return { out: args.out as string | undefined, threads: threadsOption(args) };
}

/** Options for loading or creating the model. */
export type PrepareOptions = Pick<NonNullable<Parameters<typeof MiniMaxM1.load>[1]>, "threads" | "signal" | "onWarning">;

/** The description of a training run. */
export interface Training<Line extends object, Point> {
  readonly kind: RunKind<Point>;
  /** The plan file, and the directory of the run (default: beside the plan file). */
  readonly file: string;
  readonly out?: string | undefined;
  readonly threads?: number | "auto" | undefined;
  readonly trainer: TrainerOptions;
  /** Total number of steps or batches, and the number between two saves. */
  readonly total: number;
  readonly saveEvery: number;
  /**
   * Creates or loads the model, and returns it with the identity of the run. `lines` runs the remaining training and yields one line of
   * metrics at a time; `points` are the points of earlier lines.
   */
  prepare(options: PrepareOptions): Promise<{
    readonly model: MiniMaxM1;
    readonly identity: RunIdentity;
    lines(trainer: Trainer, points: readonly Point[]): AsyncIterable<Line>;
  }>;
  /** Selects the part of a line that is written to `metrics.jsonl`. */
  toStoredLine(line: Line): object;
  /** Converts a line for display. */
  toDisplay(line: Line): MetricsDisplay;
}

/** The result of a run: the directory of the model, the number of steps, and the points of all lines, including earlier calls. */
export interface Trained<Point> {
  readonly model: string;
  readonly steps: number;
  readonly points: readonly Point[];
}

/**
 * Trains in a directory and saves the model at the end. After an interruption, the same call continues from the last save, with
 * bit-identical results.
 */
export async function trainInDirectory<Line extends object, Point>(
  training: Training<Line, Point>,
  terminal: Terminal,
): Promise<Trained<Point>> {
  const { kind, file, out } = training;
  const { err, signal } = terminal;
  const directory = RunDirectory.open(out ?? `${file.replace(/(\.train)?(\.json)?$/, "")}-run`, kind);
  try {
    terminal.note(err.dim(`preparing the model and data of ${file}`));
    const onWarning = (message: string) => terminal.note(`${err.yellow("warning:")} ${visible(message)}`);
    const { model, identity, lines } = await training.prepare({ threads: training.threads, signal, onWarning });
    try {
      const trainer = new Trainer(model, training.trainer);
      const { parameters, build, threads } = model;
      await directory.resume(trainer, identity, { maxStateBytes: 12 * parameters + MAX_STATE_HEADER_BYTES, signal });
      const kernels = `${parameters.toLocaleString("en-US")} parameters, ${build} kernels on ${threads} thread${threads === 1 ? "" : "s"}`;
      const done = kind.position(trainer);
      terminal.note(err.dim(`${kernels}; ${done > 0 ? `continuing after ${kind.unit} ${done}` : "starting"}, in ${directory.path}`));
      await runAndRecord(lines(trainer, directory.points), trainer, training, directory, terminal);
      await model.save(directory.model, { signal });
      return { model: directory.model, steps: trainer.steps, points: directory.points };
    } finally {
      model.dispose();
    }
  } finally {
    directory.close();
  }
}

/** Reads a plan file. @throws {InputError} the file is missing or unreadable, or `parse` rejects it */
export async function readPlan<Plan>(file: string, parse: (bytes: Uint8Array, where: string) => Plan): Promise<Plan> {
  const bytes = await readRegularFile(file, MAX_PLAN_BYTES).catch((cause: unknown) => {
    throw new InputError(`${file}: expected a JSON file with a plan, got ${describeReadError(cause)}`, { cause });
  });
  return parse(bytes, file);
}

/** Runs the remaining training: records and shows each line, and saves periodically. Ctrl-C saves before the run ends. */
async function runAndRecord<Line extends object, Point>(
  lines: AsyncIterable<Line>,
  trainer: Trainer,
  { kind, total, saveEvery, toStoredLine, toDisplay }: Training<Line, Point>,
  directory: RunDirectory<Point>,
  terminal: Terminal,
): Promise<void> {
  const { signal } = terminal;
  const view = openRunView(terminal, kind.unit, total);
  try {
    for await (const line of recordRun(directory, trainer, lines, { toStoredLine, saveEvery, signal })) {
      view.update(kind.position(trainer), toDisplay(line));
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      view.stop();
      terminal.note(`saved after ${kind.unit} ${kind.position(trainer)}; run the same command to continue`);
    }
    throw error;
  } finally {
    view.stop();
  }
}
