import { graph, InputError } from "../index.js";
import type { Trainer } from "../train/index.js";
import { recordRun } from "./record-run.js";
import { MAX_STATE_HEADER_BYTES, RunDirectory, type RunIdentity, type RunKind } from "./run-directory.js";

/** Options of {@link runInDirectory}. */
export interface DirectoryRunOptions<Line extends StepLine | BatchLine> {
  /** What a line of metrics counts: `"step"` for runs of `run` (default), `"batch"` for runs of `trainPolicy`. */
  unit?: "step" | "batch";
  /**
   * All settings that determine the numbers of the run, as JSON, such as seed, data and options. A directory with another identity is
   * refused.
   */
  identity: RunIdentity;
  /**
   * Trains from the state of the trainer on, and yields one line of metrics per step or batch: `run` of `lightning-m1/train` or
   * `trainPolicy` of `lightning-m1/rl`. A line 0 may come before the first update, for example with a measurement.
   */
  train: (trainer: Trainer) => AsyncIterable<Line>;
  /** Number of steps or batches between two saves (default: 100). */
  saveEvery?: number;
  /** The signal that was passed to `train`. If it aborts, the run is saved before the error is thrown. */
  signal?: AbortSignal;
}

/** A line of metrics of a step. */
export interface StepLine {
  readonly step: number;
}

/** A line of metrics of a batch of `trainPolicy`. */
export interface BatchLine {
  readonly batch: number;
}

type Numbers = Readonly<Record<string, number>>;

/** Describes these runs. A line of a step is stored without its lists, a line of a batch whole. */
function describeRuns(unit: "step" | "batch") {
  const kind: RunKind<Numbers> = {
    ...{ command: unit === "step" ? "run" : "trainPolicy", unit },
    position: ({ steps, progress }) => (unit === "step" ? steps : ((progress as { batch?: number } | null | undefined)?.batch ?? 0)),
    read(line) {
      if (!Number.isSafeInteger(line[unit])) return undefined;
      // Points omit `tokensPerSecond`, because it differs from call to call.
      const numbers = Object.entries(line).filter(([name, value]) => Number.isFinite(value) && name !== "tokensPerSecond");
      return { at: line[unit] as number, point: Object.fromEntries(numbers) as Numbers };
    },
  };
  return { kind, toStoredLine: unit === "step" ? onlyNumbers : (line: object) => line };
}

/**
 * Trains in a directory. After an interruption, the same call continues from the last save, with bit-identical results.
 *
 * Writes `metrics.jsonl` (the numbers of each step, or the metrics of each batch), `state.safetensors`, `state.json` (the identity) and
 * `lock`.
 *
 * @param path the directory. It is created if it is missing
 * @param trainer a new trainer. It is restored from the last save
 * @returns the remaining lines of metrics. Each is yielded after it is written. `break` saves and ends the run
 * @throws {InputError} another process trains there, the directory belongs to another run, or an option is invalid
 * @throws {CheckpointError} a damaged state, or metrics that do not belong to it
 */
export async function* runInDirectory<Line extends StepLine | BatchLine>(
  path: string,
  trainer: Trainer,
  { identity, train, unit = "step", saveEvery = 100, signal }: DirectoryRunOptions<Line>,
): AsyncGenerator<Line, void, undefined> {
  if (!Number.isSafeInteger(saveEvery) || saveEvery < 1)
    throw new InputError(`runInDirectory: saveEvery: expected an integer of at least 1, got ${saveEvery}`);
  if (unit !== "step" && unit !== "batch") throw new InputError(`runInDirectory: unit: expected "step" or "batch", got ${String(unit)}`);
  const { kind, toStoredLine } = describeRuns(unit);
  const directory = RunDirectory.open(path, kind);
  try {
    const maxStateBytes = 12 * graph(trainer.config).parameterCount + MAX_STATE_HEADER_BYTES;
    await directory.resume(trainer, identity, { maxStateBytes, signal });
    yield* recordRun(directory, trainer, train(trainer), { toStoredLine, saveEvery, signal });
  } finally {
    directory.close();
  }
}

/** Selects the numbers of a line. Counts per expert are left out, because they would be most of the bytes. */
function onlyNumbers(line: object): object {
  return Object.fromEntries(Object.entries(line).filter(([, value]) => typeof value === "number"));
}
