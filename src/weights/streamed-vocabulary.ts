import { MATMUL_PANEL_OUTPUTS, type Tensor } from "../runtime/tensor.js";
import type { MatrixCache } from "./matrix-cache.js";
import type { ByteRange, PendingRead, PendingReads } from "./pending-reads.js";
import { firstBytes, matrixShape } from "./stored-rows.js";
import { packMatrix, partBytes, rowBytes, type StreamedMatrix } from "./streamed-matrix.js";
import type { VocabularyMatrices, VocabularyPart } from "./weights.js";

/** Approximate size in bytes of the parts in which a whole vocabulary matrix is read. Two parts are in memory at a time. */
const VOCABULARY_PART_BYTES = 16 << 20;

/** A part that is going to be read: its place in the sequence of rows, and where its rows are stored. */
interface PlannedPart {
  readonly first: number;
  readonly ranges: readonly ByteRange[];
}

/** Streamed matrices over the vocabulary. Such a matrix is never in memory as a whole. All or some of its rows are read in parts. */
export class StreamedVocabulary implements VocabularyMatrices {
  /** @param find returns the matrix with a given name @throws {WeightError} an unknown name */
  constructor(
    private readonly find: (name: string) => StreamedMatrix,
    private readonly cache: MatrixCache,
    private readonly pendingReads: PendingReads,
    private readonly checkNaN: boolean,
  ) {}

  rows(name: string, ids: readonly number[]): Generator<VocabularyPart> {
    const matrix = this.find(name);
    const bytes = rowBytes(matrix.spec);
    const parts: PlannedPart[] = [];
    for (let first = 0; first < ids.length; first += MATMUL_PANEL_OUTPUTS) {
      const ranges = ids
        .slice(first, first + MATMUL_PANEL_OUTPUTS)
        .map((id): ByteRange => [matrix.begin + id * bytes, matrix.begin + (id + 1) * bytes]);
      parts.push({ first, ranges });
    }
    return this.stream(matrix, parts);
  }

  parts(name: string): Generator<VocabularyPart> {
    const matrix = this.find(name);
    const [rows] = matrixShape(matrix.spec.shape);
    const bytes = rowBytes(matrix.spec);
    const panels = Math.floor(Math.min(VOCABULARY_PART_BYTES, this.cache.budgetBytes / 8) / bytes / MATMUL_PANEL_OUTPUTS);
    const step = Math.max(1, panels) * MATMUL_PANEL_OUTPUTS;
    const parts: PlannedPart[] = [];
    for (let first = 0; first < rows; first += step) {
      parts.push({ first, ranges: [[matrix.begin + first * bytes, matrix.begin + Math.min(first + step, rows) * bytes]] });
    }
    return this.stream(matrix, parts);
  }

  /** Returns the first bytes that a streamed matrix would have in memory. */
  sample(matrix: StreamedMatrix, bytes: number): Uint8Array<ArrayBuffer> {
    const [rows] = matrixShape(matrix.spec.shape);
    const end = matrix.begin + Math.min(MATMUL_PANEL_OUTPUTS, rows) * rowBytes(matrix.spec);
    let sample: Uint8Array<ArrayBuffer> | undefined;
    for (const { tensor } of this.stream(matrix, [{ first: 0, ranges: [[matrix.begin, end]] }])) sample = firstBytes(tensor, bytes);
    return sample!;
  }

  /** Yields parts of a matrix. Each part is valid until the next one. The next part is read while the caller uses the current one. */
  private *stream({ spec, file, resident }: StreamedMatrix, parts: readonly PlannedPart[]): Generator<VocabularyPart> {
    const [, width] = matrixShape(spec.shape);
    const rowsOf = (ranges: readonly ByteRange[]) => ranges.reduce((sum, [begin, end]) => sum + end - begin, 0) / rowBytes(spec);
    const maxRows = Math.max(0, ...parts.map(({ ranges }) => rowsOf(ranges)));
    const bytes = partBytes(spec, resident, maxRows);
    this.cache.reserve(spec.name, bytes);
    let next: PendingRead | undefined;
    try {
      for (const [i, { first, ranges }] of parts.entries()) {
        const pendingRead = next ?? this.pendingReads.begin(file, ranges);
        next = undefined;
        const following = parts[i + 1];
        let tensor: Tensor;
        try {
          if (following) next = this.pendingReads.begin(file, following.ranges);
        } finally {
          tensor = this.pendingReads.take(pendingRead, (raw) =>
            packMatrix({ spec: { ...spec, shape: [rowsOf(ranges), width] }, resident }, raw, this.checkNaN),
          );
        }
        try {
          yield { first, tensor };
        } finally {
          tensor.rt.release(tensor);
        }
      }
    } finally {
      if (next) this.pendingReads.discard(next);
      this.cache.free(bytes);
    }
  }
}
