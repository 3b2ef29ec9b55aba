import { LightningError, WeightError } from "../base/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import { bytesOf, MATMUL_PANEL_OUTPUTS, sizeOf, type Tensor } from "../runtime/tensor.js";

/**
 * Where layers find their parameters, by checkpoint name. Whether a weight is resident, fetched or computed is the
 * implementation's business; a layer calls `at` inside its scope and cannot tell.
 */
export interface Weights {
  /** @throws {WeightError} no such weight */
  at(name: string): Tensor;
  /** Whether a name always gives the same tensor, so that who asks for it may keep it. Otherwise one is valid until the enclosing scope ends. */
  readonly stable: boolean;
  /** Says that a weight will be asked for soon: where fetching takes time, it may begin. */
  prefetch?(name: string): void;
  /** The first bytes of a weight as it is held, where `at` would have to fetch all of it. */
  sample?(name: string, bytes: number): Uint8Array<ArrayBuffer>;
  /** The matrices over the vocabulary, where they are too large to be held whole. */
  readonly vocabulary?: VocabularyMatrices;
}

/** Matrices `[vocab, hidden]`, of which a pass needs a few rows, or every row once. */
export interface VocabularyMatrices {
  /** Rows of these numbers, one for each. */
  rows(name: string, ids: readonly number[]): Iterable<VocabularyPart>;
  /** All rows. */
  parts(name: string): Iterable<VocabularyPart>;
}

/** Some rows of a matrix in panels, valid until the next ones; together they are all rows that were asked for, in order. */
export interface VocabularyPart {
  /** The first one's place among those asked for. */
  readonly first: number;
  readonly tensor: Tensor;
}

/** Float dtypes that checkpoints store. */
export type StoredDType = "f32" | "bf16" | "f16";

export const STORED_BYTES: Readonly<Record<StoredDType, number>> = { f32: 4, bf16: 2, f16: 2 };

/** Dtypes in which a matrix can stay in memory; a vector is always f32. */
export type ResidentDType = "f32" | "bf16" | "q8";

/** What a weight is, as a checkpoint describes it. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dtype in which `writeRows` expects it, and in which `readRows` gives it back. */
  readonly dtype: StoredDType;
}

/** Weights that can be read back in stored form, whole rows at a time: what saving needs. */
export interface StoredWeights extends Weights {
  /** Whether `readRows` gives other numbers than were loaded. */
  isRounded(name: string): boolean;
  /** @throws {WeightError} no such weight */
  spec(name: string): WeightSpec;
  /** All of them, in order. */
  specs(): Iterable<WeightSpec>;
  /** Rows per piece, a multiple of 32 except that the last piece may be shorter. A vector is one row. */
  pieceRows(name: string): number;
  /** Rows `begin` to `end`, little-endian. */
  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer>;
}

/** Operations that take as long as bringing a number into its panel, about. */
export const OPERATIONS_PER_PACKED_WEIGHT = 2;

/** Stored rows are staged in wasm memory in pieces of about this size. */
const STAGING_BYTES = 1 << 20;

/**
 * Weights that stay in the runtime's memory: matrices in panels, as float32, bf16 or 8-bit integers with scales; vectors as float32.
 * Filled and read back in stored form, whole rows at a time, without change of a bit unless the resident dtype is narrower.
 * What is read back is what products compute with: of q8 the values scale · integer, rounded to the stored dtype.
 */
export class ResidentWeights implements StoredWeights {
  readonly stable = true;
  private entries = new Map<string, { tensor: Tensor; spec: WeightSpec }>();

  constructor(readonly rt: Runtime) {}

  /** Makes room for a weight; its contents are undefined until `writeRows`. */
  add(spec: WeightSpec, resident: ResidentDType): Tensor {
    if (this.entries.has(spec.name)) throw new WeightError(`${spec.name}: given twice`);
    const tensor = this.rt.keep(spec.shape, resident, spec.shape.length === 2 ? "panels" : "rows");
    this.entries.set(spec.name, { tensor, spec });
    return tensor;
  }

  at(name: string): Tensor {
    return this.entry(name).tensor;
  }

  isRounded(name: string): boolean {
    return this.entry(name).tensor.dtype === "q8";
  }

  /** What was added under this name. */
  spec(name: string): WeightSpec {
    return this.entry(name).spec;
  }

  /** What was added, in order. */
  *specs(): Generator<WeightSpec> {
    for (const { spec } of this.entries.values()) yield spec;
  }

  pieceRows(name: string): number {
    return pieceRows(this.entry(name).spec.shape);
  }

  /**
   * Takes rows `begin` onwards in stored form.
   *
   * @param bytes whole rows, little-endian
   * @param dtype of the bytes, where it is not the spec's (a weight narrowed for good is added in its new dtype)
   * @returns how many of the elements are NaN or infinite, as bf16 those that become so included
   */
  writeRows(name: string, begin: number, bytes: Uint8Array, dtype?: StoredDType): number {
    const { rt } = this;
    const { tensor, spec } = this.entry(name);
    const from = dtype ?? spec.dtype;
    const [, width] = matrixShape(spec.shape);
    const rows = bytes.byteLength / STORED_BYTES[from] / width;
    this.checkRows(name, begin, rows, bytes.byteLength);
    return rt.scope(() => {
      const stored = rt.empty([Math.ceil(bytes.byteLength / 4)]);
      rt.bytes(stored.ptr, bytes.byteLength).set(bytes);
      return packRows(tensor, begin, stored.ptr, rows, from);
    });
  }

  /** Rows `begin` to `end` in stored form, little-endian. */
  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const { rt } = this;
    const { kernels: k } = rt;
    const { tensor, spec } = this.entry(name);
    const [, width] = matrixShape(spec.shape);
    const rows = end - begin;
    const bytes = rows * width * STORED_BYTES[spec.dtype];
    this.checkRows(name, begin, rows, bytes);
    const size = rows * width;
    return rt.scope(() => {
      const source = tensor.ptr + rowOffset(tensor, begin);
      const wide = rt.empty([size]);
      const stored = spec.dtype === "f32" ? wide : rt.empty([Math.ceil(bytes / 4)]);
      if (tensor.layout === "rows") rt.bytes(wide.ptr, size * 4).set(rt.bytes(source, size * 4));
      else if (tensor.dtype === "f32") k.unpackF32(wide.ptr, source, rows, width);
      else if (tensor.dtype === "q8") k.unpackQ8(wide.ptr, source, rows, width);
      else {
        const narrow = spec.dtype === "bf16" ? stored : rt.empty([Math.ceil(size / 2)]);
        k.unpackBf16(narrow.ptr, source, rows, width);
        if (spec.dtype === "bf16") return rt.bytes(stored.ptr, bytes).slice();
        k.bf16ToF32(wide.ptr, narrow.ptr, size);
      }
      if (spec.dtype === "bf16") k.f32ToBf16(stored.ptr, wide.ptr, size);
      if (spec.dtype === "f16") k.f32ToF16(stored.ptr, wide.ptr, size);
      return rt.bytes(stored.ptr, bytes).slice();
    });
  }

  private entry(name: string): { tensor: Tensor; spec: WeightSpec } {
    const entry = this.entries.get(name);
    if (!entry) throw new WeightError(`${name}: missing`);
    return entry;
  }

  private checkRows(name: string, begin: number, rows: number, bytes: number): void {
    const { spec } = this.entry(name);
    const [total] = matrixShape(spec.shape);
    const aligned =
      spec.shape.length < 2 || (begin % MATMUL_PANEL_OUTPUTS === 0 && (rows % MATMUL_PANEL_OUTPUTS === 0 || begin + rows === total));
    if (!Number.isInteger(rows) || rows < 1 || begin < 0 || begin + rows > total || !aligned) {
      throw new LightningError(
        `${name}: expected whole pieces of rows within [${spec.shape.join(", ")}], got ${bytes} bytes from row ${begin}`,
      );
    }
  }
}

/**
 * Brings rows as they are stored, at an address, into the order of a tensor.
 *
 * @param begin the first one's number, a multiple of 32
 * @returns how many of the elements are NaN or infinite, as bf16 those that become so included
 */
export function packRows(tensor: Tensor, begin: number, stored: number, rows: number, from: StoredDType): number {
  const { rt } = tensor;
  const { kernels: k } = rt;
  const [, width] = matrixShape(tensor.shape);
  const size = rows * width;
  const target = tensor.ptr + rowOffset(tensor, begin);
  return rt.scope(() => {
    const wide = from === "f32" ? stored : rt.empty([size]).ptr;
    if (from === "bf16") k.bf16ToF32(wide, stored, size);
    if (from === "f16") k.f16ToF32(wide, stored, size);
    if (tensor.layout === "rows") rt.bytes(target, size * 4).set(rt.bytes(wide, size * 4));
    else if (tensor.dtype === "f32")
      rt.run("packF32", [target, wide, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)], OPERATIONS_PER_PACKED_WEIGHT * size);
    else if (tensor.dtype === "q8") k.packQ8(target, wide, rows, width);
    else if (from === "bf16")
      rt.run("packBf16", [target, stored, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)], OPERATIONS_PER_PACKED_WEIGHT * size);
    else {
      const narrow = rt.empty([Math.ceil(size / 2)]);
      k.f32ToBf16(narrow.ptr, wide, size);
      rt.run("packBf16", [target, narrow.ptr, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)], OPERATIONS_PER_PACKED_WEIGHT * size);
      // The largest float32 numbers round to infinity: count what is held.
      const held = rt.empty([size]);
      k.bf16ToF32(held.ptr, narrow.ptr, size);
      return k.countNonFinite(held.ptr, size);
    }
    return k.countNonFinite(wide, size);
  });
}

/** Rows of about a megabyte as float32, in whole panels. */
export function pieceRows(shape: readonly number[]): number {
  const [rows, width] = matrixShape(shape);
  return Math.min(
    rows,
    Math.max(MATMUL_PANEL_OUTPUTS, Math.floor(STAGING_BYTES / (width * 4) / MATMUL_PANEL_OUTPUTS) * MATMUL_PANEL_OUTPUTS),
  );
}

/** A copy of the first words of a tensor as it lies in memory, at most so many bytes. */
export function firstBytes({ rt, ptr, shape, dtype, layout }: Tensor, bytes: number): Uint8Array<ArrayBuffer> {
  return rt.bytes(ptr, Math.min(bytes, bytesOf(shape, dtype, layout) & ~3)).slice();
}

/** `[rows, width]`; a vector is one row. */
export function matrixShape(shape: readonly number[]): [rows: number, width: number] {
  return shape.length === 2 ? [shape[0]!, shape[1]!] : [1, sizeOf(shape)];
}

function rowOffset(x: Tensor, row: number): number {
  return x.layout === "panels" ? bytesOf([row, x.shape[1]!], x.dtype, "panels") : 0;
}

/** The weights whose names begin with `prefix`, by the rest of their names. */
export function withPrefix(weights: Weights, prefix: string): Weights {
  if (!weights.stable) {
    return { stable: false, at: (name) => weights.at(prefix + name), prefetch: (name) => weights.prefetch?.(prefix + name) };
  }
  // A joined string is hashed anew at every look-up, and a long path through cold memory at every op is time that a decoded token feels.
  const known = new Map<string, Tensor>();
  return {
    stable: true,
    at(name) {
      let tensor = known.get(name);
      if (!tensor) {
        tensor = weights.at(prefix + name);
        known.set(name, tensor);
      }
      return tensor;
    },
  };
}
