import { formatBytes, LightningError, MemoryError, WeightError } from "./errors.js";
import type { Runtime } from "./runtime.js";
import { bytesOf, PANEL, type Tensor } from "./tensor.js";
import {
  matrixShape,
  PACKING,
  pieceRows,
  type ResidentDType,
  ResidentWeights,
  STORED_BYTES,
  type StoredWeights,
  type Vocabulary,
  type WeightSpec,
} from "./weights.js";

/** Reads under way into a runtime's memory, which the calling thread can wait for. */
export interface Reads {
  /** Begins to read bytes `begin` to `end` of a file to an address. @returns the read's number */
  begin(file: string, begin: number, end: number, ptr: number): number;
  isDone(read: number): boolean;
  /** Waits for a read; its number is free afterwards. @throws {CheckpointError} it failed */
  wait(read: number): void;
  /** How many more reads can be begun. */
  readonly room: number;
  /** Time that all finished reads took, in milliseconds. */
  readonly milliseconds: number;
  dispose(): void;
}

/** Where a weight lies. */
export interface Place {
  readonly file: string;
  readonly begin: number;
  /** Undefined for matrices over the vocabulary, which are never held whole. */
  readonly layer: number | undefined;
  /** Whether it belongs to an expert: of those, a pass needs a few that nobody knows before. */
  readonly expert: boolean;
}

/** What streaming has cost. */
export interface StreamingStatistics {
  /** Bytes that were read, and the time it took the reading thread. */
  readonly readBytes: number;
  readonly readMs: number;
  /** Time that the computing thread waited for them. What reading ahead hides is the rest. */
  readonly waitMs: number;
  /** How often a matrix that was asked for was there, and how often it had to be read. */
  readonly hits: number;
  readonly misses: number;
}

/** A matrix that is not always there. */
interface Entry {
  readonly spec: WeightSpec;
  readonly resident: ResidentDType;
  readonly place: Place;
  /** As stored, and as held. */
  readonly storedBytes: number;
  readonly heldBytes: number;
  /** While it is being read. */
  reading: { readonly read: number; readonly raw: Tensor } | undefined;
  tensor: Tensor | undefined;
  /** Scopes that use it. */
  pins: number;
  /** When it was last asked for. */
  used: number;
}

/** Matrices that are read ahead at most: an expert has three, and one layer's attention four. */
const AHEAD = 12;

/** Rows of the vocabulary's matrices are read in parts of about this size, two at a time. */
const PART_BYTES = 16 << 20;

/**
 * Weights that are read when they are needed, and kept as long as a budget allows: matrices per layer and per chosen expert, while vectors and routers
 * are resident. What the next layer needs for certain is read while this one computes, and so are all chosen experts but the first.
 *
 * What makes room, in this order: experts, the longest unused first; then matrices of every pass, the last used first, because the next pass asks for
 * them in the same order and would find the first ones gone otherwise.
 */
export class StreamedWeights implements StoredWeights {
  readonly fixed = false;
  readonly vocabulary: Vocabulary = { rows: (name, ids) => this.rows(name, ids), parts: (name) => this.parts(name) };
  private readonly entries = new Map<string, Entry>();
  /** Those that are here. */
  private readonly present = new Set<Entry>();
  /** Those that were read ahead, or are being read, and were not asked for yet. */
  private readonly unused = new Set<Entry>();
  /** By layer, the matrices that every pass needs, in this order. */
  private readonly certain: Entry[][] = [];
  /** What this layer will ask for, first things first. */
  private readonly announced = new Set<Entry>();
  private held = 0;
  private clock = 0;
  private readonly counts = { readBytes: 0, waitMs: 0, hits: 0, misses: 0 };

  constructor(
    readonly rt: Runtime,
    private readonly reads: Reads,
    readonly budgetBytes: number,
    /** Vectors and routers. */
    readonly small: ResidentWeights,
    private readonly checkNaN = false,
  ) {}

  /** Declares a matrix, in the order of the graph. */
  add(spec: WeightSpec, resident: ResidentDType, place: Place): void {
    const [rows, width] = matrixShape(spec.shape);
    const storedBytes = rows * width * STORED_BYTES[spec.dtype];
    const heldBytes = bytesOf(spec.shape, resident, "panels");
    const entry: Entry = { spec, resident, place, storedBytes, heldBytes, reading: undefined, tensor: undefined, pins: 0, used: 0 };
    this.entries.set(spec.name, entry);
    const { layer, expert } = place;
    if (layer === undefined || expert) return;
    this.certain[layer] ??= [];
    this.certain[layer].push(entry);
  }

  get statistics(): StreamingStatistics {
    return { ...this.counts, readMs: this.reads.milliseconds };
  }

  at(name: string): Tensor {
    const entry = this.entries.get(name);
    if (!entry) return this.small.at(name);
    const { layer, expert } = entry.place;
    if (layer === undefined) throw new WeightError(`${name}: expected to be read in parts, it is not held whole`);
    this.counts[entry.tensor || (entry.reading && this.reads.isDone(entry.reading.read)) ? "hits" : "misses"]++;
    this.announced.delete(entry);
    if (!entry.tensor && !entry.reading) this.begin(entry, true);
    if (!expert) for (const other of this.certain[layer]!) this.announce(other);
    this.readAhead(expert ? layer + 1 : undefined);
    if (entry.reading) this.finish(entry);
    this.unused.delete(entry);
    entry.used = ++this.clock;
    entry.pins++;
    this.rt.atScopeEnd(() => void entry.pins--);
    return entry.tensor!;
  }

  soon(name: string): void {
    const entry = this.entries.get(name);
    if (entry) this.announce(entry);
  }

  /** The least budget with which a pass can be computed: what it uses at one time, and of this one matrix more as it is stored. */
  get leastBytes(): number {
    const groups = new Map<string, { held: number; stored: number }>();
    for (const { spec, place, heldBytes, storedBytes } of this.entries.values()) {
      if (place.layer === undefined) continue;
      const together = place.expert ? spec.name.slice(0, spec.name.lastIndexOf(".w")) : String(place.layer);
      const { held, stored } = groups.get(together) ?? { held: 0, stored: 0 };
      groups.set(together, { held: held + heldBytes, stored: Math.max(stored, storedBytes) });
    }
    return Math.max(0, ...[...groups.values()].map(({ held, stored }) => held + stored));
  }

  private announce(entry: Entry): void {
    if (!entry.tensor && !entry.reading) this.announced.add(entry);
  }

  /**
   * Begins what can be begun without pushing out anything that is in use or was read ahead itself.
   *
   * @param next the layer after this one, once this one's experts are known: they come first
   */
  private readAhead(next: number | undefined): void {
    for (const entry of this.announced) {
      if (!this.beginAhead(entry)) return;
      this.announced.delete(entry);
    }
    if (next === undefined) return;
    for (const entry of this.certain[next % this.certain.length] ?? []) {
      if (!entry.tensor && !entry.reading && !this.beginAhead(entry)) return;
    }
  }

  private beginAhead(entry: Entry): boolean {
    if (this.unused.size >= AHEAD || this.reads.room < 2) return false;
    return Boolean(entry.tensor ?? entry.reading) || this.begin(entry, false);
  }

  /** @param needed whether a pass waits for it: then even what was read ahead makes room @returns whether there was room */
  private begin(entry: Entry, needed: boolean): boolean {
    const bytes = entry.storedBytes + entry.heldBytes;
    while (this.held + bytes > this.budgetBytes) if (!this.makeRoom(needed)) break;
    if (this.held + bytes > this.budgetBytes) {
      if (!needed) return false;
      throw new MemoryError(
        `${entry.spec.name}: needs ${formatBytes(bytes)} while ${formatBytes(this.held)} are in use, the budget is ${formatBytes(this.budgetBytes)} (a larger budgetBytes)`,
      );
    }
    const { place, storedBytes } = entry;
    const raw = this.rt.keep([Math.ceil(storedBytes / 4)]);
    this.held += bytes;
    entry.reading = { raw, read: this.reads.begin(place.file, place.begin, place.begin + storedBytes, raw.ptr) };
    this.unused.add(entry);
    return true;
  }

  /** Waits for a read, and brings the matrix into panels. */
  private finish(entry: Entry): void {
    const { raw, read } = entry.reading!;
    const since = performance.now();
    try {
      this.reads.wait(read);
      this.counts.waitMs += performance.now() - since;
      this.counts.readBytes += entry.storedBytes;
      entry.tensor = this.pack(entry, raw);
      this.present.add(entry);
    } catch (error) {
      this.held -= entry.heldBytes;
      this.unused.delete(entry);
      throw error;
    } finally {
      entry.reading = undefined;
      this.held -= entry.storedBytes;
      this.rt.release(raw);
    }
  }

  private pack({ spec, resident }: Entry, raw: Tensor): Tensor {
    const { rt } = this;
    const [rows, width] = matrixShape(spec.shape);
    if (spec.dtype === resident && !this.checkNaN) {
      const tensor = rt.keep(spec.shape, resident, "panels");
      rt.run(
        resident === "bf16" ? "packBf16" : "packF32",
        [tensor.ptr, raw.ptr, rows, width, 0, Math.ceil(rows / PANEL)],
        PACKING * rows * width,
      );
      return tensor;
    }
    const one = new ResidentWeights(rt);
    const tensor = one.add(spec, resident);
    const step = pieceRows(spec.shape);
    const rowBytes = width * STORED_BYTES[spec.dtype];
    let wrong = 0;
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      wrong += one.writeRows(spec.name, row, rt.bytes(raw.ptr + row * rowBytes, count * rowBytes).slice(), spec.dtype);
    }
    if (wrong > 0 && this.checkNaN) {
      rt.release(tensor);
      throw new WeightError(
        `${spec.name} (${wrong} elements): expected finite numbers, got NaN or infinity (damaged or diverged checkpoint)`,
      );
    }
    return tensor;
  }

  /** Gives up one matrix that nobody uses. @param all whether what was read ahead counts as well @returns whether there was one */
  private makeRoom(all: boolean): boolean {
    let chosen: Entry | undefined;
    for (const entry of this.present) {
      if (entry.pins > 0 || this.unused.has(entry)) continue;
      if (!chosen || goesBefore(entry, chosen)) chosen = entry;
    }
    if (!chosen && all) {
      for (const entry of this.unused) {
        if (entry.reading) this.finish(entry);
        chosen = entry;
        break;
      }
    }
    if (!chosen) return false;
    this.rt.release(chosen.tensor!);
    chosen.tensor = undefined;
    this.present.delete(chosen);
    this.unused.delete(chosen);
    this.held -= chosen.heldBytes;
    return true;
  }

  private rows(name: string, ids: readonly number[]): Tensor {
    const { spec, place } = this.vocabularyEntry(name);
    const { rt, reads } = this;
    const [, width] = matrixShape(spec.shape);
    const rowBytes = width * STORED_BYTES[spec.dtype];
    const y = rt.empty([ids.length, width]);
    rt.scope(() => {
      // Rows begin at multiples of four bytes, as kernels expect.
      const stride = 4 * Math.ceil(rowBytes / 4);
      const raw = rt.empty([(ids.length * stride) / 4]);
      for (let first = 0; first < ids.length; ) {
        const begun: number[] = [];
        const since = performance.now();
        for (; first < ids.length && reads.room > 0; first++) {
          const from = place.begin + ids[first]! * rowBytes;
          begun.push(reads.begin(place.file, from, from + rowBytes, raw.ptr + first * stride));
        }
        if (begun.length === 0) throw new LightningError(`${name}: expected room for a read, all are under way`);
        waitAll(reads, begun);
        this.counts.waitMs += performance.now() - since;
        this.counts.readBytes += begun.length * rowBytes;
      }
      for (let t = 0; t < ids.length; t++) widen(rt, spec.dtype, y.ptr + 4 * t * width, raw.ptr + t * stride, width);
    });
    return y;
  }

  private *parts(name: string): Generator<{ begin: number; tensor: Tensor }> {
    const entry = this.vocabularyEntry(name);
    const { spec, place, resident } = entry;
    const { rt, reads } = this;
    const [rows, width] = matrixShape(spec.shape);
    const rowBytes = width * STORED_BYTES[spec.dtype];
    const partBytes = Math.min(PART_BYTES, this.budgetBytes / 8);
    const step = Math.max(PANEL, Math.floor(partBytes / rowBytes / PANEL) * PANEL);
    const together = 2 * step * rowBytes + bytesOf([step, width], resident, "panels");
    while (this.held + together > this.budgetBytes) if (!this.makeRoom(false)) break;
    const buffers = [rt.keep([Math.ceil((step * rowBytes) / 4)]), rt.keep([Math.ceil((step * rowBytes) / 4)])];
    const begin = (row: number, i: number) => {
      const count = Math.min(step, rows - row);
      const from = place.begin + row * rowBytes;
      return { row, count, raw: buffers[i % 2]!, read: reads.begin(place.file, from, from + count * rowBytes, buffers[i % 2]!.ptr) };
    };
    let next: ReturnType<typeof begin> | undefined = begin(0, 0);
    try {
      for (let i = 1; next; i++) {
        const { row, count, raw, read }: ReturnType<typeof begin> = next;
        next = row + count < rows ? begin(row + count, i) : undefined;
        const since = performance.now();
        reads.wait(read);
        this.counts.waitMs += performance.now() - since;
        this.counts.readBytes += count * rowBytes;
        const tensor = this.pack({ ...entry, spec: { ...spec, shape: [count, width] } }, raw);
        try {
          yield { begin: row, tensor };
        } finally {
          rt.release(tensor);
        }
      }
    } finally {
      if (next) waitAll(reads, [next.read]);
      for (const buffer of buffers) rt.release(buffer);
    }
  }

  private vocabularyEntry(name: string): Entry {
    const entry = this.entries.get(name);
    if (!entry) throw new WeightError(`${name}: missing`);
    return entry;
  }

  spec(name: string): WeightSpec {
    return this.entries.get(name)?.spec ?? this.small.spec(name);
  }

  *specs(): Generator<WeightSpec> {
    for (const { spec } of this.entries.values()) yield spec;
    yield* this.small.specs();
  }

  /** What is read back is what is stored. */
  rounded(): boolean {
    return false;
  }

  pieceRows(name: string): number {
    return pieceRows(this.spec(name).shape);
  }

  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const entry = this.entries.get(name);
    if (!entry) return this.small.readRows(name, begin, end);
    const { rt, reads } = this;
    const [, width] = matrixShape(entry.spec.shape);
    const rowBytes = width * STORED_BYTES[entry.spec.dtype];
    const bytes = (end - begin) * rowBytes;
    return rt.scope(() => {
      const raw = rt.empty([Math.ceil(bytes / 4)]);
      const from = entry.place.begin + begin * rowBytes;
      reads.wait(reads.begin(entry.place.file, from, from + bytes, raw.ptr));
      return rt.bytes(raw.ptr, bytes).slice();
    });
  }
}

/** Whether one makes room before another: experts before the rest; of experts the longest unused, of the rest the last used. */
function goesBefore(one: Entry, other: Entry): boolean {
  if (one.place.expert !== other.place.expert) return one.place.expert;
  return one.place.expert ? one.used < other.used : one.used > other.used;
}

/** Waits for all, and then throws what the first failure threw: none may still write when its memory is freed. */
function waitAll(reads: Reads, begun: readonly number[]): void {
  let fault: { error: unknown } | undefined;
  for (const read of begun) {
    try {
      reads.wait(read);
    } catch (error) {
      fault ??= { error };
    }
  }
  if (fault) throw fault.error;
}

/** One stored row as float32. */
function widen(rt: Runtime, dtype: WeightSpec["dtype"], y: number, x: number, size: number): void {
  if (dtype === "bf16") rt.kernels.bf16ToF32(y, x, size);
  else if (dtype === "f16") rt.kernels.f16ToF32(y, x, size);
  else rt.bytes(y, 4 * size).set(rt.bytes(x, 4 * size));
}
