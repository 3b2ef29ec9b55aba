import { WeightError } from "../runtime/errors.js";
import { type ResidentWeights, STORED_BYTES } from "../runtime/weights.js";
import type { StoredWeight } from "./match.js";
import type { StoredTensor } from "./shards.js";
import type { Source } from "./source.js";

/** Read at once at most, unless one piece is larger. */
const READ_BYTES = 8 << 20;

/** Bytes between two pieces that nobody wants and that cost less than a read of their own. */
const GAP_BYTES = 64 << 10;

/** A stretch of a file, and who wants it. */
export interface Piece {
  readonly begin: number;
  readonly end: number;
  readonly take: (bytes: Uint8Array) => void;
}

/** The pieces that fill a weight: whole rows each. */
export function weightPieces(weights: ResidentWeights, { spec, stored }: StoredWeight, nan: NaNCount): Piece[] {
  const { name, shape, dtype } = spec;
  const rows = shape.length === 2 ? shape[0]! : 1;
  const rowBytes = shape.at(-1)! * STORED_BYTES[dtype];
  const step = weights.pieceRows(name);
  const pieces: Piece[] = [];
  for (let row = 0; row < rows; row += step) {
    const [begin, end] = [row, Math.min(row + step, rows)].map((row) => stored.begin + row * rowBytes) as [number, number];
    pieces.push({ begin, end, take: (bytes) => nan.add(name, weights.writeRows(name, row, bytes, dtype)) });
  }
  return pieces;
}

/** The pieces that make up a tensor kept byte for byte. */
export function bufferPieces({ begin, end }: StoredTensor, target: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  for (let at = begin; at < end; at += READ_BYTES) {
    pieces.push({ begin: at, end: Math.min(at + READ_BYTES, end), take: (bytes) => target.set(bytes, at - begin) });
  }
  return pieces;
}

/** Reads neighbouring pieces of a file, several at once. */
export async function readPieces(
  source: Source,
  file: string,
  pieces: readonly Piece[],
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (const run of runs(pieces, source.stepBytes ?? READ_BYTES)) {
    const [begin, end] = [run[0]!.begin, run.at(-1)!.end];
    const bytes = await source.read(file, begin, end, signal);
    for (const piece of run) piece.take(bytes.subarray(piece.begin - begin, piece.end - begin));
    onBytes(run.reduce((sum, piece) => sum + piece.end - piece.begin, 0));
  }
}

function* runs(pieces: readonly Piece[], most: number): Generator<Piece[]> {
  let run: Piece[] = [];
  for (const piece of pieces) {
    if (run.length > 0 && (piece.end - run[0]!.begin > most || piece.begin - run.at(-1)!.end > GAP_BYTES)) {
      yield run;
      run = [];
    }
    run.push(piece);
  }
  if (run.length > 0) yield run;
}

/** How many elements of which weights are NaN or infinite. */
export class NaNCount {
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
