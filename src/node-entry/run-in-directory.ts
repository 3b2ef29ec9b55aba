import { graph, InputError } from "../index.js";
import type { Trainer } from "../train/index.js";
import { recordRun } from "./record-run.js";
import { MAX_STATE_HEADER_BYTES, RunDirectory, type RunIdentity, type RunKind } from "./run-directory.js";

/** Options of {@link runInDirectory}. */
export interface DirectoryRunOptions<Line extends StepLine> {
  /**
   * All settings that determine the numbers of the run, as JSON, such as seed, data and options. A directory with another identity is
   * refused.
   */
  identity: RunIdentity;
  /** Trains from `trainer.steps` on and yields one line of metrics per step. An example is `run` of `lightning-m1/train`. */
  train: (trainer: Trainer) => AsyncIterable<Line>;
  /** Number of steps between two saves (default: 100). */
  saveEvery?: number;
  /** The signal that was passed to `train`. If it aborts, the run is saved before the error is thrown. */
  signal?: AbortSignal;
}

/** A line of metrics. */
export interface StepLine {
  readonly step: number;
}

type Numbers = Readonly<Record<string, number>>;

/** The kind of these runs: one line of metrics per step. Points omit `tokensPerSecond`, because it differs from call to call. */
const kind: RunKind<Numbers> = {
  command: "run",
  unit: "step",
  position: ({ steps }) => steps,
  read(line) {
    if (!Number.isSafeInteger(line.step)) return undefined;
    const numbers = Object.entries(line).filter(([name, value]) => Number.isFinite(value) && name !== "tokensPerSecond");
    return { at: line.step as number, point: Object.fromEntries(numbers) as Numbers };
  },
};

/**
 * Trains in a directory. After an interruption, the same call continues from the last save, with bit-identical results.
 *
 * Writes `metrics.jsonl` (the numbers of each step), `state.safetensors`, `state.json` (the identity) and `lock`.
 *
 * @param path the directory. It is created if it is missing
 * @param trainer a new trainer. It is restored from the last save
 * @returns the remaining lines of metrics. Each is yielded after it is written. `break` saves and ends the run
 * @throws {InputError} another process trains there, the directory belongs to another run, or `saveEvery` is invalid
 * @throws {CheckpointError} a damaged state, or metrics that do not belong to it
 */
export async function* runInDirectory<Line extends StepLine>(
  path: string,
  trainer: Trainer,
  { identity, train, saveEvery = 100, signal }: DirectoryRunOptions<Line>,
): AsyncGenerator<Line, void, undefined> {
  if (!Number.isSafeInteger(saveEvery) || saveEvery < 1)
    throw new InputError(`runInDirectory: saveEvery: expected an integer of at least 1, got ${saveEvery}`);
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
function toStoredLine(line: object): object {
  return Object.fromEntries(Object.entries(line).filter(([, value]) => typeof value === "number"));
}
