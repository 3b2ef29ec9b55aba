import { WeightError } from "../base/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tensor } from "../runtime/tensor.js";
import { type CachedMatrix, cachedMatrix, MatrixCache } from "./matrix-cache.js";
import { type BackgroundReader, PendingReads } from "./pending-reads.js";
import type { ResidentWeights } from "./resident.js";
import { firstBytes, pieceRows } from "./stored-rows.js";
import { rowBytes, type StreamedMatrix } from "./streamed-matrix.js";
import { StreamedVocabulary } from "./streamed-vocabulary.js";
import type { StoredWeights, VocabularyMatrices, WeightSpec } from "./weights.js";

/** Statistics of streaming so far. */
export interface StreamingStatistics {
  /**
   * Number of bytes that were read. `readMs` is the total time of the reads. Reads of files run one after the other; requests to a server
   * overlap.
   */
  readonly readBytes: number;
  readonly readMs: number;
  /** Time in milliseconds that the computing thread waited for reads. The rest of `readMs` overlapped with computation. */
  readonly waitMs: number;
  /** Number of times that a matrix was used without waiting. `misses` is the number of times with waiting. */
  readonly hits: number;
  readonly misses: number;
}

/** Maximum number of matrices that are read ahead. An expert has three matrices, and the attention of a layer has four. */
const MAX_MATRICES_READ_AHEAD = 12;

/**
 * Weights that are read from files when they are needed, and kept as long as the budget allows (`MatrixCache`). Matrices are streamed per
 * layer and per chosen expert. Vectors and routers are resident.
 *
 * While a layer computes, matrices are read ahead: those that the next layer certainly needs, and all chosen experts except the first.
 */
export class StreamedWeights implements StoredWeights {
  readonly stable = false;
  readonly vocabulary: VocabularyMatrices;
  private readonly pendingReads: PendingReads;
  private readonly cache: MatrixCache;
  private readonly streamedVocabulary: StreamedVocabulary;
  private readonly matrices = new Map<string, CachedMatrix>();
  /** Matrices that will be used soon but are not being read yet, in order of use. */
  private readonly announced = new Set<CachedMatrix>();
  /** For each layer, the matrices that every forward pass needs, in order of use. */
  private readonly matricesOfLayer: CachedMatrix[][] = [];
  private readonly samples = new Map<string, Uint8Array<ArrayBuffer>>();
  private uses = 0;
  private hits = 0;
  private misses = 0;

  /**
   * @param matrices in the order of the graph
   * @param resident vectors and routers
   * @param budgetBytes at least `minBudgetBytes(matrices)`
   */
  constructor(
    readonly rt: Runtime,
    reader: BackgroundReader,
    matrices: readonly StreamedMatrix[],
    private readonly resident: ResidentWeights,
    readonly budgetBytes: number,
    checkNaN = false,
  ) {
    this.pendingReads = new PendingReads(rt, reader);
    this.cache = new MatrixCache(rt, this.pendingReads, budgetBytes, checkNaN);
    this.streamedVocabulary = new StreamedVocabulary((name) => this.matrix(name), this.cache, this.pendingReads, checkNaN);
    this.vocabulary = this.streamedVocabulary;
    for (const streamed of matrices) {
      const matrix = cachedMatrix(streamed);
      this.matrices.set(matrix.spec.name, matrix);
      if (matrix.layer === undefined || matrix.expert) continue;
      this.matricesOfLayer[matrix.layer] ??= [];
      this.matricesOfLayer[matrix.layer]!.push(matrix);
    }
  }

  get statistics(): StreamingStatistics {
    const { hits, misses } = this;
    const { readBytes, readMs, waitMs } = this.pendingReads;
    return { readBytes, readMs, waitMs, hits, misses };
  }

  /** Returns a matrix, which stays in memory until the enclosing scope ends. @throws {LightningError} no scope is open */
  at(name: string): Tensor {
    const matrix = this.matrices.get(name);
    if (!matrix) return this.resident.at(name);
    const { layer, expert } = matrix;
    if (layer === undefined) throw new WeightError(`${name}: expected to be read in parts, got a request for the whole matrix`);
    this.rt.onScopeEnd(() => void matrix.pins--);
    matrix.pins++;
    if (this.cache.isHere(matrix)) this.hits++;
    else this.misses++;
    this.announced.delete(matrix);
    this.cache.unprotect(matrix);
    const wasReadAhead = matrix.pendingRead !== undefined;
    if (!matrix.tensor && !matrix.pendingRead) this.cache.read(matrix);
    if (!expert) {
      this.forgetExperts();
      for (const other of this.matricesOfLayer[layer]!) this.announce(other);
    }
    this.readAhead(expert ? layer + 1 : undefined);
    if (matrix.pendingRead) this.cache.finish(matrix, matrix.pendingRead, wasReadAhead);
    matrix.lastUse = ++this.uses;
    return matrix.tensor!;
  }

  prefetch(name: string): void {
    const matrix = this.matrices.get(name);
    if (matrix) this.announce(matrix);
  }

  private announce(matrix: CachedMatrix): void {
    if (!matrix.tensor && !matrix.pendingRead) this.announced.add(matrix);
  }

  /**
   * Forgets experts that are announced but were not used. A layer uses all its experts before anything else, so they belong to a failed
   * pass and are not needed any more.
   */
  private forgetExperts(): void {
    for (const matrix of this.announced) if (matrix.expert) this.announced.delete(matrix);
    this.cache.unprotectExperts();
  }

  /**
   * Starts reads that do not evict matrices in use or read ahead.
   *
   * @param nextLayer the layer after this one, if the experts of this layer are known. Its matrices come after the announced ones
   */
  private readAhead(nextLayer: number | undefined): void {
    const next = nextLayer === undefined ? [] : (this.matricesOfLayer[nextLayer % this.matricesOfLayer.length] ?? []);
    for (const matrix of [...this.announced, ...next]) {
      const isAbsent = !matrix.tensor && !matrix.pendingRead;
      if (isAbsent && !(this.cache.readAheadCount < MAX_MATRICES_READ_AHEAD && this.cache.tryReadAhead(matrix))) return;
      this.announced.delete(matrix);
    }
  }

  /** Returns the first bytes of a weight in its in-memory layout. */
  sample(name: string, bytes: number): Uint8Array<ArrayBuffer> {
    const matrix = this.matrices.get(name);
    if (!matrix) return firstBytes(this.resident.at(name), bytes);
    const sample = this.samples.get(name) ?? this.streamedVocabulary.sample(matrix, bytes);
    this.samples.set(name, sample);
    return sample;
  }

  spec(name: string): WeightSpec {
    return this.matrices.get(name)?.spec ?? this.resident.spec(name);
  }

  *specs(): Generator<WeightSpec> {
    for (const { spec } of this.matrices.values()) yield spec;
    yield* this.resident.specs();
  }

  /** Returns false, because `readRows` reads the stored values. */
  isRounded(): boolean {
    return false;
  }

  pieceRows(name: string): number {
    return pieceRows(this.spec(name).shape);
  }

  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const matrix = this.matrices.get(name);
    if (!matrix) return this.resident.readRows(name, begin, end);
    const bytes = rowBytes(matrix.spec);
    const pendingRead = this.pendingReads.begin(matrix.file, [[matrix.begin + begin * bytes, matrix.begin + end * bytes]]);
    return this.pendingReads.take(pendingRead, (raw) => this.rt.bytes(raw.ptr, (end - begin) * bytes).slice());
  }

  private matrix(name: string): CachedMatrix {
    const matrix = this.matrices.get(name);
    if (!matrix) throw new WeightError(`${name}: missing`);
    return matrix;
  }
}
