import { InputError } from "../../base/errors.js";
import type { ByteSource } from "../../io/byte-source.js";
import { STORED_BYTES } from "../../weights/stored-rows.js";
import type { StoredDType, StoredWeights } from "../../weights/weights.js";
import type { MatchedWeight } from "../match-weights.js";

/** The weights of a model in stored form. */
export interface WeightReader {
  dtype(name: string): StoredDType;
  /** Yields consecutive whole rows, from the first to the last. A vector is one row. */
  pieces(name: string): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Approximate size of a piece that is read from a file, in bytes. */
const PIECE_BYTES = 4 << 20;

/** Returns a reader of loaded weights. @throws {InputError} weights that were rounded to 8 bits while loading */
export function loadedWeights(weights: StoredWeights): WeightReader {
  const rounded = [...weights.specs()].find(({ name }) => weights.isRounded(name));
  if (rounded) {
    throw new InputError(
      `save: ${rounded.name}: expected weights in their stored precision, got rounded weights (load the checkpoint without dtype "q8" or "q4"; a GGUF file may have dtype "q8_0")`,
    );
  }
  return {
    dtype: (name) => weights.spec(name).dtype,
    *pieces(name) {
      for (const [begin, end] of rowRanges(weights.spec(name).shape, weights.pieceRows(name))) yield weights.readRows(name, begin, end);
    },
  };
}

/** Returns a reader of weights that stay in their files. The next piece is read while the previous one is converted. */
export function storedWeights(source: ByteSource, matched: readonly MatchedWeight[], signal: AbortSignal | undefined): WeightReader {
  const byName = new Map(matched.map((weight) => [weight.spec.name, weight]));
  return {
    dtype: (name) => byName.get(name)!.spec.dtype,
    async *pieces(name) {
      const { spec, stored } = byName.get(name)!;
      const rowBytes = spec.shape.at(-1)! * STORED_BYTES[spec.dtype];
      const ranges = [...rowRanges(spec.shape, Math.max(1, Math.floor(PIECE_BYTES / rowBytes)))];
      const read = ([begin, end]: readonly [number, number]) =>
        source.read(stored.file, stored.begin + begin * rowBytes, stored.begin + end * rowBytes, signal);
      let next = read(ranges[0]!);
      for (const [i] of ranges.entries()) {
        const piece = await next;
        const following = ranges[i + 1];
        if (following) {
          next = read(following);
          // If the consumer stops before it awaits this read, its failure must not count as unhandled.
          next.catch(() => {});
        }
        yield piece;
      }
    },
  };
}

/** Yields ranges of at most `step` rows. */
function* rowRanges(shape: readonly number[], step: number): Generator<readonly [begin: number, end: number]> {
  const rows = shape.length === 2 ? shape[0]! : 1;
  for (let row = 0; row < rows; row += step) yield [row, Math.min(row + step, rows)];
}
