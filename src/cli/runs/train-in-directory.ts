// What commands that train share: a plan file, a directory for all output, and resuming after an interruption.

import type { ArgsDef } from "citty";
import { InputError, type MiniMaxM1 } from "../../index.js";
import { recordRun } from "../../node-entry/record-run.js";
import { describeReadError, readRegularFile } from "../../node-entry/regular-file.js";
import { MAX_STATE_HEADER_BYTES, RunDirectory, type RunIdentity, type RunKind } from "../../node-entry/run-directory.js";
import { Trainer, type TrainerOptions } from "../../train/index.js";
import { loadingArguments, threadsOption, UsageError } from "../options.js";
import { type Terminal, visible } from "../text/terminal.js";
import { type MetricsDisplay, openRunView } from "./run-view.js";

/** Largest file of a training that is read. */
const MAX_PLAN_BYTES = 2 ** 24;

/** Options of every such command. */
export const runArguments = {
  out: { type: "string", valueHint: "dir", description: "Directory of the run (default: beside the plan file)" },
  threads: loadingArguments.threads,
  json: { type: "boolean", description: "Print the summary as a JSON line" },
} as const satisfies ArgsDef;

/** What the command line says, as `runArguments` has it. @throws {UsageError} values that do not fit */
export function runOptions(args: Readonly<Record<string, unknown>>) {
  if (args.out === "") throw new UsageError('--out: expected a directory, got ""');
  return { out: args.out as string | undefined, threads: threadsOption(args) };
}

/** How a model is loaded or made. */
export type PrepareOptions = Pick<NonNullable<Parameters<typeof MiniMaxM1.load>[1]>, "threads" | "signal" | "onWarning">;

/** One training. */
export interface Training<Line extends object, Point> {
  readonly kind: RunKind<Point>;
  /** The file that describes it, and the directory if it is not to be beside that. */
  readonly file: string;
  readonly out?: string | undefined;
  readonly threads?: number | "auto" | undefined;
  readonly trainer: TrainerOptions;
  /** Steps or batches in all, and between two saves. */
  readonly total: number;
  readonly saveEvery: number;
  /** Makes the model, and what decides the numbers of the run. `lines` does what the trainer has left to do, a line of metrics at a time; `points` are those of earlier lines. */
  prepare(options: PrepareOptions): Promise<{
    readonly model: MiniMaxM1;
    readonly identity: RunIdentity;
    lines(trainer: Trainer, points: readonly Point[]): AsyncIterable<Line>;
  }>;
  /** What is written of a line, and what is shown. */
  toStoredLine(line: Line): object;
  toDisplay(line: Line): MetricsDisplay;
}

/** What became of it: where the model is, how far the trainer, and a point for every line, earlier calls' included. */
export interface Trained<Point> {
  readonly model: string;
  readonly steps: number;
  readonly points: readonly Point[];
}

/** Trains in a directory, continuing after its last save, and saves the model at the end. Called again after a kill, it ends with the same bits. */
export async function trainInDirectory<Line extends object, Point>(
  training: Training<Line, Point>,
  terminal: Terminal,
): Promise<Trained<Point>> {
  const { kind, file, out } = training;
  const { err, signal } = terminal;
  const directory = RunDirectory.open(out ?? `${file.replace(/(\.train)?(\.json)?$/, "")}-run`, kind);
  try {
    terminal.note(err.dim(`preparing what ${file} describes`));
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

/** Reads the file of a training. @throws {InputError} there is none, or `parse` refuses it */
export async function readPlan<Plan>(file: string, parse: (bytes: Uint8Array, where: string) => Plan): Promise<Plan> {
  const bytes = await readRegularFile(file, MAX_PLAN_BYTES).catch((cause: unknown) => {
    throw new InputError(`${file}: expected the JSON file of a training, got ${describeReadError(cause)}`, { cause });
  });
  return parse(bytes, file);
}

/** Writes and shows all lines that are left, and saves every so many. Ctrl-C saves before it ends them. */
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
      terminal.note(`saved after ${kind.unit} ${kind.position(trainer)}; the same command continues`);
    }
    throw error;
  } finally {
    view.stop();
  }
}
