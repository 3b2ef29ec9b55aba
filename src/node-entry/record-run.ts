import type { Trainer } from "../train/index.js";
import type { RunDirectory } from "./run-directory.js";

/** Options of {@link recordRun}. */
export interface RecordOptions<Line> {
  /** Selects the part of a line that is written to `metrics.jsonl`. */
  readonly toStoredLine: (line: Line) => object;
  /** Steps or batches between two saves. */
  readonly saveEvery: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Appends lines of metrics to a directory, and saves the trainer every `saveEvery` steps or batches. Yields each line after it is written.
 *
 * The trainer is also saved at the end, on `break`, and if the signal aborts. It is not saved after any other error, because an update may
 * be incomplete.
 */
export async function* recordRun<Line extends object, Point>(
  directory: RunDirectory<Point>,
  trainer: Trainer,
  lines: AsyncIterable<Line>,
  { toStoredLine, saveEvery, signal }: RecordOptions<Line>,
): AsyncGenerator<Line, void, undefined> {
  const { kind } = directory;
  let saved = kind.position(trainer);
  async function save(): Promise<void> {
    const position = kind.position(trainer);
    if (position > saved) await directory.save(trainer);
    saved = position;
  }
  let consistent = true;
  try {
    for await (const line of lines) {
      directory.append(toStoredLine(line));
      yield line;
      if (kind.position(trainer) % saveEvery === 0) await save();
    }
  } catch (error) {
    consistent = signal?.aborted === true && error === signal.reason;
    throw error;
  } finally {
    if (consistent) await save();
  }
}
