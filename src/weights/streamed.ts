import { formatBytes, MemoryError, WeightError } from "../base/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import { MATMUL_PANEL_OUTPUTS, type Tensor } from "../runtime/tensor.js";
import { type BackgroundReader, type ByteRange, type PendingRead, PendingReads } from "./pending-reads.js";
import type { ResidentWeights } from "./resident.js";
import { firstBytes, matrixShape, pieceRows } from "./stored-rows.js";
import { packMatrix, partBytes, rowBytes, type StreamedMatrix, sizesOf } from "./streamed-matrix.js";
import type { StoredWeights, VocabularyMatrices, VocabularyPart, WeightSpec } from "./weights.js";

/** What streaming has cost. */
export interface StreamingStatistics {
  /** Bytes that were read, and the time that the reads took. Those of files follow one another; requests to a server overlap. */
  readonly readBytes: number;
  readonly readMs: number;
  /** Time that the computing thread waited for them. What reading ahead hides is the rest. */
  readonly waitMs: number;
  /** How often a matrix that was asked for was there, and how often it had to be waited for. */
  readonly hits: number;
  readonly misses: number;
}

/** A matrix, and what is there of it. */
interface Entry extends StreamedMatrix {
  /** As stored, and as held. */
  readonly storedBytes: number;
  readonly heldBytes: number;
  /** While it is being read. */
  pendingRead: PendingRead | undefined;
  tensor: Tensor | undefined;
  /** Scopes that use it. */
  pins: number;
  /** When it was last asked for. */
  used: number;
}

/** Matrices that are read ahead at most: an expert has three, and one layer's attention four. */
const MAX_MATRICES_READ_AHEAD = 12;

/** Rows of the vocabulary's matrices are read in parts of about this size, two at a time. */
const VOCABULARY_PART_BYTES = 16 << 20;

/**
 * Weights that are read when they are needed, and kept as long as a budget allows: matrices per layer and per chosen expert, while vectors and routers
 * are resident. What the next layer needs for certain is read while this one computes, and so are all chosen experts but the first.
 *
 * What makes room, in this order: experts, the longest unused first; matrices of every pass, the last used first, because the next pass asks for
 * them in the same order and would find the first ones gone otherwise; and, for what is needed at once, whatever was read ahead, the last first.
 */
export class StreamedWeights implements StoredWeights {
  readonly stable = false;
  readonly vocabulary: VocabularyMatrices = { rows: (name, ids) => this.rows(name, ids), parts: (name) => this.parts(name) };
  private readonly pendingReads: PendingReads;
  private readonly entries = new Map<string, Entry>();
  /** Those that take memory, in the order in which they were begun. */
  private readonly present = new Set<Entry>();
  /** Those that were read ahead and not asked for yet. */
  private readonly readEarly = new Set<Entry>();
  /** What this layer will ask for, first things first. */
  private readonly announced = new Set<Entry>();
  /** By layer, the matrices that every pass needs, in this order. */
  private readonly matricesOfLayer: Entry[][] = [];
  private readonly samples = new Map<string, Uint8Array<ArrayBuffer>>();
  private held = 0;
  private clock = 0;
  private hits = 0;
  private misses = 0;

  /**
   * @param matrices in the order of the graph
   * @param resident vectors and routers
   * @param budgetBytes at least `minBudgetBytes(matrices)`
   */
  constructor(
    readonly rt: Runtime,
    reads: BackgroundReader,
    matrices: readonly StreamedMatrix[],
    private readonly resident: ResidentWeights,
    readonly budgetBytes: number,
    private readonly checkNaN = false,
  ) {
    this.pendingReads = new PendingReads(rt, reads);
    for (const matrix of matrices) {
      const entry: Entry = { ...matrix, ...sizesOf(matrix), pendingRead: undefined, tensor: undefined, pins: 0, used: 0 };
      this.entries.set(matrix.spec.name, entry);
      if (matrix.layer === undefined || matrix.expert) continue;
      this.matricesOfLayer[matrix.layer] ??= [];
      this.matricesOfLayer[matrix.layer]!.push(entry);
    }
  }

  get statistics(): StreamingStatistics {
    const { hits, misses } = this;
    const { readBytes, readMs, waitMs } = this.pendingReads;
    return { readBytes, readMs, waitMs, hits, misses };
  }

  at(name: string): Tensor {
    const entry = this.entries.get(name);
    if (!entry) return this.resident.at(name);
    const { layer, expert } = entry;
    if (layer === undefined) throw new WeightError(`${name}: expected to be read in parts, it is not held whole`);
    this.rt.onScopeEnd(() => void entry.pins--);
    entry.pins++;
    if (entry.tensor || (entry.pendingRead && this.pendingReads.isComplete(entry.pendingRead))) this.hits++;
    else this.misses++;
    this.announced.delete(entry);
    this.readEarly.delete(entry);
    const early = entry.pendingRead !== undefined;
    if (!entry.tensor && !entry.pendingRead) this.begin(entry, true);
    if (!expert) {
      this.forgetExperts();
      for (const other of this.matricesOfLayer[layer]!) this.announce(other);
    }
    this.readAhead(expert ? layer + 1 : undefined);
    if (entry.pendingRead) this.finish(entry, entry.pendingRead, early);
    entry.used = ++this.clock;
    return entry.tensor!;
  }

  prefetch(name: string): void {
    const entry = this.entries.get(name);
    if (entry) this.announce(entry);
  }

  private announce(entry: Entry): void {
    if (!entry.tensor && !entry.pendingRead) this.announced.add(entry);
  }

  /** A layer has asked for all its experts when it asks for anything else, unless the pass has failed: then they may go like any other. */
  private forgetExperts(): void {
    for (const set of [this.announced, this.readEarly]) for (const entry of set) if (entry.expert) set.delete(entry);
  }

  /**
   * Begins what can be begun without pushing out anything that is in use or was read ahead itself.
   *
   * @param next the layer after this one, once this one's experts are known: they come first
   */
  private readAhead(next: number | undefined): void {
    const wanted = [...this.announced, ...(next === undefined ? [] : (this.matricesOfLayer[next % this.matricesOfLayer.length] ?? []))];
    for (const entry of wanted) {
      if (!entry.tensor && !entry.pendingRead && !(this.readEarly.size < MAX_MATRICES_READ_AHEAD && this.begin(entry, false))) return;
      this.announced.delete(entry);
    }
  }

  /** @param needed whether a pass waits for it @returns whether there was room */
  private begin(entry: Entry, needed: boolean): boolean {
    const { file, begin, storedBytes, spec } = entry;
    const bytes = storedBytes + entry.heldBytes;
    if (!this.reserve(bytes, needed)) {
      if (needed) throw this.budgetError(spec.name, bytes);
      return false;
    }
    entry.pendingRead = this.pendingReads.begin(file, [[begin, begin + rowBytes(spec) * matrixShape(spec.shape)[0]]]);
    this.held += bytes;
    this.present.add(entry);
    if (!needed) this.readEarly.add(entry);
    return true;
  }

  /** Waits for a matrix, and brings it into panels. @param again whether it is read once more if that fails: what was begun early may have failed long ago */
  private finish(entry: Entry, arrival: PendingRead, again: boolean): void {
    entry.pendingRead = undefined;
    try {
      entry.tensor = this.pendingReads.take(arrival, (raw) => packMatrix(entry, raw, this.checkNaN));
    } catch (error) {
      this.present.delete(entry);
      this.held -= entry.heldBytes;
      if (!again) throw error;
    } finally {
      this.held -= entry.storedBytes;
    }
    if (entry.tensor) return;
    this.begin(entry, true);
    this.finish(entry, entry.pendingRead!, false);
  }

  /** Makes room within the budget. @param all whether even what was read ahead may go @returns whether there is room now */
  private reserve(bytes: number, all: boolean): boolean {
    while (this.held + bytes > this.budgetBytes) if (!this.evictOne(all)) return false;
    return true;
  }

  /** Gives up one matrix that nobody uses. @returns whether there was one */
  private evictOne(all: boolean): boolean {
    let chosen: Entry | undefined;
    for (const entry of this.present) {
      if (entry.pins > 0 || (this.readEarly.has(entry) && !all)) continue;
      if (!chosen || this.isEvictedBefore(entry, chosen)) chosen = entry;
    }
    if (!chosen) return false;
    const { tensor, pendingRead, storedBytes, heldBytes } = chosen;
    if (tensor) this.rt.release(tensor);
    if (pendingRead) this.pendingReads.discard(pendingRead);
    this.held -= heldBytes + (pendingRead ? storedBytes : 0);
    chosen.tensor = undefined;
    chosen.pendingRead = undefined;
    this.present.delete(chosen);
    this.readEarly.delete(chosen);
    return true;
  }

  /** Whether one makes room before another, which was begun earlier. */
  private isEvictedBefore(one: Entry, other: Entry): boolean {
    const [ahead, otherAhead] = [this.readEarly.has(one), this.readEarly.has(other)];
    if (ahead || otherAhead) return otherAhead;
    if (one.expert !== other.expert) return one.expert;
    return one.expert ? one.used < other.used : one.used > other.used;
  }

  private budgetError(name: string, bytes: number): MemoryError {
    const [needed, held, budget] = [bytes, this.held, this.budgetBytes].map(formatBytes);
    return new MemoryError(`${name}: needs ${needed} while ${held} are in use, the budget is ${budget} (a larger budgetBytes)`);
  }

  private rows(name: string, ids: readonly number[]): Generator<VocabularyPart> {
    const entry = this.entry(name);
    const starts: number[] = [];
    for (let first = 0; first < ids.length; first += MATMUL_PANEL_OUTPUTS) starts.push(first);
    const bytes = rowBytes(entry.spec);
    return this.stream(
      entry,
      starts.map((first) => ({
        first,
        stretches: ids
          .slice(first, first + MATMUL_PANEL_OUTPUTS)
          .map((id): ByteRange => [entry.begin + id * bytes, entry.begin + (id + 1) * bytes]),
      })),
    );
  }

  private parts(name: string): Generator<VocabularyPart> {
    const entry = this.entry(name);
    const [rows] = matrixShape(entry.spec.shape);
    const bytes = rowBytes(entry.spec);
    const step = Math.max(
      MATMUL_PANEL_OUTPUTS,
      Math.floor(Math.min(VOCABULARY_PART_BYTES, this.budgetBytes / 8) / bytes / MATMUL_PANEL_OUTPUTS) * MATMUL_PANEL_OUTPUTS,
    );
    const starts: number[] = [];
    for (let first = 0; first < rows; first += step) starts.push(first);
    return this.stream(
      entry,
      starts.map((first) => ({
        first,
        stretches: [[entry.begin + first * bytes, entry.begin + Math.min(first + step, rows) * bytes]],
      })),
    );
  }

  /** Parts of a matrix, each valid until the next; one is read while the one before is used. */
  private *stream(
    { spec, file, resident }: Entry,
    pieces: readonly { readonly first: number; readonly stretches: readonly ByteRange[] }[],
  ): Generator<VocabularyPart> {
    const [, width] = matrixShape(spec.shape);
    const countOf = (stretches: readonly ByteRange[]) => stretches.reduce((sum, [begin, end]) => sum + end - begin, 0) / rowBytes(spec);
    const most = Math.max(0, ...pieces.map(({ stretches }) => countOf(stretches)));
    const bytes = partBytes(spec, resident, most);
    if (!this.reserve(bytes, true)) throw this.budgetError(spec.name, bytes);
    this.held += bytes;
    let next: PendingRead | undefined;
    try {
      for (const [i, { first, stretches }] of pieces.entries()) {
        const arrival = next ?? this.pendingReads.begin(file, stretches);
        next = undefined;
        const following = pieces[i + 1];
        let tensor: Tensor;
        try {
          if (following) next = this.pendingReads.begin(file, following.stretches);
        } finally {
          tensor = this.pendingReads.take(arrival, (raw) =>
            packMatrix({ spec: { ...spec, shape: [countOf(stretches), width] }, resident }, raw, this.checkNaN),
          );
        }
        try {
          yield { first, tensor };
        } finally {
          this.rt.release(tensor);
        }
      }
    } finally {
      if (next) this.pendingReads.discard(next);
      this.held -= bytes;
    }
  }

  /** Bytes of a weight as it is held, from the first on. */
  sample(name: string, bytes: number): Uint8Array<ArrayBuffer> {
    const entry = this.entries.get(name);
    if (!entry) return firstBytes(this.resident.at(name), bytes);
    let sample = this.samples.get(name);
    if (!sample) {
      const [rows] = matrixShape(entry.spec.shape);
      const stretch: ByteRange = [entry.begin, entry.begin + Math.min(MATMUL_PANEL_OUTPUTS, rows) * rowBytes(entry.spec)];
      for (const { tensor } of this.stream(entry, [{ first: 0, stretches: [stretch] }])) sample = firstBytes(tensor, bytes);
      this.samples.set(name, sample!);
    }
    return sample!;
  }

  spec(name: string): WeightSpec {
    return this.entries.get(name)?.spec ?? this.resident.spec(name);
  }

  *specs(): Generator<WeightSpec> {
    for (const { spec } of this.entries.values()) yield spec;
    yield* this.resident.specs();
  }

  /** What is read back is what is stored. */
  isRounded(): boolean {
    return false;
  }

  pieceRows(name: string): number {
    return pieceRows(this.spec(name).shape);
  }

  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const entry = this.entries.get(name);
    if (!entry) return this.resident.readRows(name, begin, end);
    const bytes = rowBytes(entry.spec);
    const arrival = this.pendingReads.begin(entry.file, [[entry.begin + begin * bytes, entry.begin + end * bytes]]);
    return this.pendingReads.take(arrival, (raw) => this.rt.bytes(raw.ptr, (end - begin) * bytes).slice());
  }

  private entry(name: string): Entry {
    const entry = this.entries.get(name);
    if (!entry) throw new WeightError(`${name}: missing`);
    return entry;
  }
}
