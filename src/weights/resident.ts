import { LightningError, WeightError } from "../base/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import { MATMUL_PANEL_OUTPUTS, type Tensor } from "../runtime/tensor.js";
import { matrixShape, packRows, pieceRows, rowOffset, STORED_BYTES } from "./stored-rows.js";
import type { ResidentDType, StoredDType, StoredWeights, WeightSpec } from "./weights.js";

/**
 * Weights that stay in the runtime's memory. Matrices are in panels, as float32, bf16, q8 or q4. Vectors are float32.
 *
 * Weights are written and read back in stored form, whole rows at a time. No bit changes, unless the resident dtype is narrower than the
 * stored one. In this case, `readRows` returns the values that matmuls use. For q8, these are scale · integer,
 * for q4 scale · integer + offset, rounded to the stored dtype.
 */
export class ResidentWeights implements StoredWeights {
  readonly stable = true;
  private entries = new Map<string, { tensor: Tensor; spec: WeightSpec }>();

  constructor(readonly rt: Runtime) {}

  /** Allocates a weight. Its contents are undefined until `writeRows`. @throws {WeightError} the name is already in use */
  add(spec: WeightSpec, resident: ResidentDType): Tensor {
    if (this.entries.has(spec.name)) throw new WeightError(`${spec.name}: expected every name once, got it twice`);
    const tensor = this.rt.keep(spec.shape, resident, spec.shape.length === 2 ? "panels" : "rows");
    this.entries.set(spec.name, { tensor, spec });
    return tensor;
  }

  at(name: string): Tensor {
    return this.entry(name).tensor;
  }

  isRounded(name: string): boolean {
    const { dtype } = this.entry(name).tensor;
    return dtype === "q8" || dtype === "q4";
  }

  /** Returns the specification that was added under this name. */
  spec(name: string): WeightSpec {
    return this.entry(name).spec;
  }

  /** Yields all specifications, in the order in which they were added. */
  *specs(): Generator<WeightSpec> {
    for (const { spec } of this.entries.values()) yield spec;
  }

  pieceRows(name: string): number {
    return pieceRows(this.entry(name).spec.shape);
  }

  /**
   * Writes rows, starting with row `begin`.
   *
   * @param bytes whole rows in stored form, little-endian
   * @param dtype dtype of the bytes, if it is not the dtype of the specification
   * @returns number of elements that are NaN or infinite, including those that become infinite as bf16
   * @throws {LightningError} rows that are incomplete or out of range, or that do not begin and end at panels
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

  /** Returns rows `begin` to `end` (exclusive) in stored form, little-endian. */
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
      else if (tensor.dtype === "q4") k.unpackQ4(wide.ptr, source, rows, width);
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
        `${name}: expected whole rows in panels of ${MATMUL_PANEL_OUTPUTS} within [${spec.shape.join(", ")}], got ${bytes} bytes from row ${begin}`,
      );
    }
  }
}
