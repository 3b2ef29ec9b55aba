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

/** Cost of streaming so far. */
export interface StreamingStatistics {
  /** Bytes that were read, and the total time of the reads. Reads of files follow one another; requests to a server overlap. */
  readonly readBytes: number;
  readonly readMs: number;
  /** Time that the computing thread waited for reads. Computation hides the rest of `readMs`. */
  readonly waitMs: number;
  /** Number of uses of a matrix without a wait, and number of uses with a wait. */
  readonly hits: number;
  readonly misses: number;
}

/** Limit for reading ahead: an expert has three matrices, the attention of a layer four. */
const MAX_MATRICES_READ_AHEAD = 12;

/**
 * Weights that are read from files when they are needed, and kept as long as a budget allows (`MatrixCache`). Matrices are streamed per
 * layer and per chosen expert; vectors and routers are resident. While a layer computes, the matrices that the next layer certainly needs
 * are read ahead, and so are all chosen experts but the first.
 */
export class StreamedWeights implements StoredWeights {
  readonly stable = false;
  readonly vocabulary: VocabularyMatrices;
  private readonly pendingReads: PendingReads;
  private readonly cache: MatrixCache;
  private readonly streamedVocabulary: StreamedVocabulary;
  private readonly matrices = new Map<string, CachedMatrix>();
  /** Matrices that were announced and are not being read yet, in order of use. */
  private readonly announced = new Set<CachedMatrix>();
  /** By layer: the matrices that every forward pass needs, in order of use. */
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

  /** @throws {LightningError} no scope is open: a matrix stays in memory until the enclosing scope ends */
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
   * A layer uses all its experts before anything else, unless the pass failed: experts that are still announced are not needed any more.
   */
  private forgetExperts(): void {
    for (const matrix of this.announced) if (matrix.expert) this.announced.delete(matrix);
    this.cache.unprotectExperts();
  }

  /**
   * Starts reads that need no eviction of matrices in use or read ahead.
   *
   * @param nextLayer the layer after this one, once the experts of this one are known: its matrices come after the announced ones
   */
  private readAhead(nextLayer: number | undefined): void {
    const next = nextLayer === undefined ? [] : (this.matricesOfLayer[nextLayer % this.matricesOfLayer.length] ?? []);
    for (const matrix of [...this.announced, ...next]) {
      const isAbsent = !matrix.tensor && !matrix.pendingRead;
      if (isAbsent && !(this.cache.readAheadCount < MAX_MATRICES_READ_AHEAD && this.cache.tryReadAhead(matrix))) return;
      this.announced.delete(matrix);
    }
  }

  /** The first bytes of a weight in its in-memory layout. */
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

  /** False: `readRows` reads the stored values. */
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
