import { InputError, WeightError } from "../base/errors.js";
import { fnv1a } from "../base/hash.js";
import type { Runtime } from "../runtime/runtime.js";
import { sizeOf, type Tensor } from "../runtime/tensor.js";
import { ResidentWeights } from "./resident.js";
import { matrixShape, pieceRows } from "./stored-rows.js";
import type { StoredWeights, WeightSpec } from "./weights.js";

/** The kind of a synthetic weight. It determines the scale of the values, and whether they are rounded to bf16. */
export type SyntheticKind = "matrix" | "embedding" | "router" | "norm";

/**
 * Synthetic weights. Each weight is a function of its tensor's name and its flat (row-major) index i, so a model of any size needs almost
 * no memory.
 *
 *     u = hash(i + FNV-1a(name)) in [−1, 1), in steps of 2^−23
 *     matrix      bf16(u · s),  s = √3 / √in          so that a matmul keeps the variance of its input
 *     embedding   bf16(u · √3)
 *     router      u · 2√3 / √in, float32
 *     norm        bf16(1 + u / 8)
 *
 * A matrix or an embedding takes eight bytes; kernels compute it panel by panel (`assembly/synthetic.ts`). Routers and norms are resident.
 */
export class SyntheticWeights implements StoredWeights {
  readonly stable = true;
  private readonly matrices = new Map<string, Tensor>();
  private readonly resident: ResidentWeights;
  private readonly known = new Map<string, WeightSpec>();

  constructor(readonly rt: Runtime) {
    this.resident = new ResidentWeights(rt);
  }

  /**
   * Declares a weight.
   *
   * @param spec `[out, in]`, or `[dim]` for a norm. `dtype` is the dtype that `readRows` returns
   * @throws {InputError} float16, which cannot represent the values
   */
  add(spec: WeightSpec, kind: SyntheticKind): void {
    const { name, shape, dtype } = spec;
    if (this.known.has(name)) throw new WeightError(`${name}: expected every name once, got it twice`);
    if (dtype === "f16") throw new InputError(`${name}: expected bfloat16 or float32, got float16, which cannot hold synthetic weights`);
    this.known.set(name, spec);
    const matrix = this.declare(name, shape, scaleOf(kind, shape));
    if (kind === "matrix" || kind === "embedding") {
      this.matrices.set(name, matrix);
      return;
    }
    this.resident.add(spec, "f32");
    const [rows] = matrixShape(shape);
    const step = pieceRows(shape);
    for (let row = 0; row < rows; row += step) {
      const values = this.values(matrix, row, Math.min(row + step, rows));
      this.resident.writeRows(
        name,
        row,
        kind === "norm"
          ? this.stored(
              values.map((u) => 1 + u),
              "f32",
            )
          : bytesOf(values),
        "f32",
      );
    }
    this.rt.release(matrix);
  }

  at(name: string): Tensor {
    return this.matrices.get(name) ?? this.resident.at(name);
  }

  isRounded(): boolean {
    return false;
  }

  spec(name: string): WeightSpec {
    const spec = this.known.get(name);
    if (!spec) throw new WeightError(`${name}: missing`);
    return spec;
  }

  specs(): Iterable<WeightSpec> {
    return this.known.values();
  }

  pieceRows(name: string): number {
    return pieceRows(this.spec(name).shape);
  }

  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const matrix = this.matrices.get(name);
    return matrix ? this.stored(this.values(matrix, begin, end), this.spec(name).dtype) : this.resident.readRows(name, begin, end);
  }

  private declare(name: string, shape: readonly number[], scale: number): Tensor {
    const { rt } = this;
    const matrix = rt.keep(shape, "synthetic", "panels");
    const words = new DataView(new ArrayBuffer(8));
    words.setUint32(0, seedOfName(name), true);
    words.setFloat32(4, scale, true);
    rt.bytes(matrix.ptr, 8).set(new Uint8Array(words.buffer));
    return matrix;
  }

  /** Computes float32(u · s) for rows `begin` to `end` (exclusive). */
  private values(matrix: Tensor, begin: number, end: number): Float32Array<ArrayBuffer> {
    const { rt } = this;
    const [, width] = matrixShape(matrix.shape);
    return rt.scope(() => {
      const rows = rt.empty([end - begin, width]);
      rt.kernels.syntheticF32(rows.ptr, matrix.ptr, (begin * width) | 0, sizeOf(rows.shape));
      return rt.read(rows);
    });
  }

  /** Converts values that are rounded to bf16 to the bytes of a dtype that can represent them. */
  private stored(values: Float32Array, dtype: "f32" | "bf16" | "f16"): Uint8Array<ArrayBuffer> {
    const { rt } = this;
    return rt.scope(() => {
      const wide = rt.from(values);
      const narrow = rt.empty([Math.ceil(values.length / 2)]);
      rt.kernels.f32ToBf16(narrow.ptr, wide.ptr, values.length);
      if (dtype === "bf16") return rt.bytes(narrow.ptr, 2 * values.length).slice();
      rt.kernels.bf16ToF32(wide.ptr, narrow.ptr, values.length);
      return rt.bytes(wide.ptr, 4 * values.length).slice();
    });
  }
}

function scaleOf(kind: SyntheticKind, shape: readonly number[]): number {
  const inputs = shape.at(-1)!;
  if (kind === "norm") return 1 / 8;
  if (kind === "embedding") return Math.sqrt(3);
  return ((kind === "router" ? 2 : 1) * Math.sqrt(3)) / Math.sqrt(inputs);
}

/** Computes the 32-bit FNV-1a hash of the name's UTF-8 bytes. */
export function seedOfName(name: string): number {
  return fnv1a(new TextEncoder().encode(name));
}

function bytesOf(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
