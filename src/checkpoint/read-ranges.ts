import { WeightError } from "../base/errors.js";
import type { ByteSource } from "../io/byte-source.js";
import type { ResidentWeights } from "../weights/resident.js";
import { STORED_BYTES } from "../weights/stored-rows.js";
import type { MatchedWeight } from "./match-weights.js";
import type { StoredTensor } from "./shards.js";

/** Read at once at most, unless one piece is larger. */
const MAX_READ_BYTES = 8 << 20;

/** Bytes between two pieces that nobody wants and that cost less than a read of their own. */
const MAX_GAP_BYTES = 64 << 10;

/** A stretch of a file, and who wants it. */
export interface RangeConsumer {
  readonly begin: number;
  readonly end: number;
  readonly consume: (bytes: Uint8Array) => void;
}

/** The pieces that fill a weight: whole rows each. */
export function weightRanges(weights: ResidentWeights, { spec, stored }: MatchedWeight, nan: NonFiniteCounts): RangeConsumer[] {
  const { name, shape, dtype } = spec;
  const rows = shape.length === 2 ? shape[0]! : 1;
  const rowBytes = shape.at(-1)! * STORED_BYTES[dtype];
  const step = weights.pieceRows(name);
  const pieces: RangeConsumer[] = [];
  for (let row = 0; row < rows; row += step) {
    const [begin, end] = [row, Math.min(row + step, rows)].map((row) => stored.begin + row * rowBytes) as [number, number];
    pieces.push({ begin, end, consume: (bytes) => nan.add(name, weights.writeRows(name, row, bytes, dtype)) });
  }
  return pieces;
}

/** The pieces that make up a tensor kept byte for byte. */
export function bufferRanges({ begin, end }: StoredTensor, target: Uint8Array): RangeConsumer[] {
  const pieces: RangeConsumer[] = [];
  for (let at = begin; at < end; at += MAX_READ_BYTES) {
    pieces.push({ begin: at, end: Math.min(at + MAX_READ_BYTES, end), consume: (bytes) => target.set(bytes, at - begin) });
  }
  return pieces;
}

/**
 * Reads neighbouring pieces of a file, several at once. The next read is under way while the bytes of this one are taken, so at most two are held.
 *
 * @param onBytes told of bytes as they arrive; those that no piece wants do not count
 */
export async function readRanges(
  source: ByteSource,
  file: string,
  pieces: readonly RangeConsumer[],
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const follow = () => over.abort(signal?.reason);
  signal?.addEventListener("abort", follow, { once: true });
  const pending: Promise<void>[] = [];
  const begin = (run: readonly RangeConsumer[]): Promise<() => void> => {
    const reading = readNeighbours(source, file, run, onBytes, over.signal);
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
    const all = groupNeighbours(pieces);
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
    // Nothing may be read any more.
    over.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", follow);
    await Promise.all(pending);
  }
}

/** Reads a run of pieces. @returns what hands the bytes over */
async function readNeighbours(
  source: ByteSource,
  file: string,
  run: readonly RangeConsumer[],
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<() => void> {
  const [begin, end] = [run[0]!.begin, run.at(-1)!.end];
  let missing = run.reduce((sum, piece) => sum + piece.end - piece.begin, 0);
  const count = (bytes: number) => {
    const wanted = Math.min(bytes, missing);
    missing -= wanted;
    if (wanted > 0) onBytes(wanted);
  };
  const bytes = await source.read(file, begin, end, signal, count);
  return () => {
    for (const piece of run) piece.consume(bytes.subarray(piece.begin - begin, piece.end - begin));
    count(missing);
  };
}

function* groupNeighbours(pieces: readonly RangeConsumer[]): Generator<RangeConsumer[]> {
  let run: RangeConsumer[] = [];
  for (const piece of pieces) {
    if (run.length > 0 && (piece.end - run[0]!.begin > MAX_READ_BYTES || piece.begin - run.at(-1)!.end > MAX_GAP_BYTES)) {
      yield run;
      run = [];
    }
    run.push(piece);
  }
  if (run.length > 0) yield run;
}

/** How many elements of which weights are NaN or infinite. */
export class NonFiniteCounts {
  private readonly counts = new Map<string, number>();

  add(name: string, count: number): void {
    if (count > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + count);
  }

  /** @throws {WeightError} with the names of the first weights and how many there are */
  throwIfAny(): void {
    if (this.counts.size === 0) return;
    const named = [...this.counts].slice(0, 3).map(([name, count]) => `${name} (${count} elements)`);
    const rest = this.counts.size - named.length;
    throw new WeightError(
      `${named.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}: expected finite numbers, got NaN or infinity (damaged or diverged checkpoint)`,
    );
  }
}
