import { WeightError } from "../base/errors.js";
import type { ByteSource } from "../io/byte-source.js";
import type { ResidentWeights } from "../weights/resident.js";
import { STORED_BYTES } from "../weights/stored-rows.js";
import type { MatchedWeight } from "./match-weights.js";
import type { StoredTensor } from "./shards.js";

/** Maximum size of one read in bytes, unless a single range is larger. */
const MAX_READ_BYTES = 8 << 20;

/** Maximum gap between two ranges that are read together. Reading such a gap costs less than a second read. */
const MAX_GAP_BYTES = 64 << 10;

/** A range of a file, and the function that consumes its bytes. */
export interface RangeConsumer {
  readonly begin: number;
  readonly end: number;
  readonly consume: (bytes: Uint8Array) => void;
}

/** Returns the ranges that fill a weight. Each range consists of whole rows. */
export function weightRanges(weights: ResidentWeights, { spec, stored }: MatchedWeight, nonFinite: NonFiniteCounts): RangeConsumer[] {
  const { name, shape, dtype } = spec;
  const rows = shape.length === 2 ? shape[0]! : 1;
  const rowBytes = shape.at(-1)! * STORED_BYTES[dtype];
  const step = weights.pieceRows(name);
  const ranges: RangeConsumer[] = [];
  for (let row = 0; row < rows; row += step) {
    const [begin, end] = [row, Math.min(row + step, rows)].map((row) => stored.begin + row * rowBytes) as [number, number];
    ranges.push({ begin, end, consume: (bytes) => nonFinite.add(name, weights.writeRows(name, row, bytes, dtype)) });
  }
  return ranges;
}

/** Returns the ranges of a tensor whose bytes are copied to `target`. */
export function bufferRanges({ begin, end }: StoredTensor, target: Uint8Array): RangeConsumer[] {
  const ranges: RangeConsumer[] = [];
  for (let at = begin; at < end; at += MAX_READ_BYTES) {
    ranges.push({ begin: at, end: Math.min(at + MAX_READ_BYTES, end), consume: (bytes) => target.set(bytes, at - begin) });
  }
  return ranges;
}

/**
 * Reads ranges of a file and combines neighbouring ranges. The next read runs while the bytes of the previous one are consumed, so at most
 * two reads are in memory.
 *
 * @param ranges in the order of the file
 * @param onBytes called with the number of bytes that have arrived. Bytes in gaps between ranges do not count
 */
export async function readRanges(
  source: ByteSource,
  file: string,
  ranges: readonly RangeConsumer[],
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const pending: Promise<void>[] = [];
  const begin = (group: readonly RangeConsumer[]): Promise<() => void> => {
    const reading = readNeighbours(source, file, group, onBytes, controller.signal);
    pending.push(
      reading.then(
        () => {},
        () => {},
      ),
    );
    return reading;
  };
  try {
    signal?.throwIfAborted();
    const all = groupNeighbours(ranges);
    const first = all.next().value;
    let reading = first && begin(first);
    while (reading) {
      const following = all.next().value;
      const ahead = following && begin(following);
      const take = await reading;
      take();
      reading = ahead;
    }
  } catch (error) {
    // Stops the reads that are still running.
    controller.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
    await Promise.all(pending);
  }
}

/** Reads a group of neighbouring ranges at once. @returns a function that passes the bytes to the consumers */
async function readNeighbours(
  source: ByteSource,
  file: string,
  group: readonly RangeConsumer[],
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<() => void> {
  const [begin, end] = [group[0]!.begin, group.at(-1)!.end];
  let missing = group.reduce((sum, range) => sum + range.end - range.begin, 0);
  const count = (bytes: number) => {
    const wanted = Math.min(bytes, missing);
    missing -= wanted;
    if (wanted > 0) onBytes(wanted);
  };
  const bytes = await source.read(file, begin, end, signal, count);
  return () => {
    for (const range of group) range.consume(bytes.subarray(range.begin - begin, range.end - begin));
    count(missing);
  };
}

function* groupNeighbours(ranges: readonly RangeConsumer[]): Generator<RangeConsumer[]> {
  let group: RangeConsumer[] = [];
  for (const range of ranges) {
    if (group.length > 0 && (range.end - group[0]!.begin > MAX_READ_BYTES || range.begin - group.at(-1)!.end > MAX_GAP_BYTES)) {
      yield group;
      group = [];
    }
    group.push(range);
  }
  if (group.length > 0) yield group;
}

/** Counts the NaN and infinite elements of each weight. */
export class NonFiniteCounts {
  private readonly counts = new Map<string, number>();

  add(name: string, count: number): void {
    if (count > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + count);
  }

  /**
   * Throws one error for all weights with non-finite elements. @throws {WeightError} the message gives the names and counts of the first
   * ones
   */
  throwIfAny(): void {
    if (this.counts.size === 0) return;
    const named = [...this.counts].slice(0, 3).map(([name, count]) => `${name} (${count} elements)`);
    const rest = this.counts.size - named.length;
    throw new WeightError(
      `${named.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}: expected finite numbers, got NaN or infinity (the checkpoint is damaged, or its training diverged)`,
    );
  }
}
