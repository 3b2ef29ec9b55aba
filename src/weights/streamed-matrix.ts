import { WeightError } from "../base/errors.js";
import { allocatedBytes } from "../runtime/heap.js";
import { bytesOf, MATMUL_PANEL_OUTPUTS, type Tensor } from "../runtime/tensor.js";
import { matrixShape, OPERATIONS_PER_PACKED_WEIGHT, packRows, pieceRows, STORED_BYTES } from "./stored-rows.js";
import type { ResidentDType, WeightSpec } from "./weights.js";

/** A matrix that is read from its file when it is needed. */
export interface StreamedMatrix {
  readonly spec: WeightSpec;
  /** Dtype in memory. */
  readonly resident: ResidentDType;
  readonly file: string;
  /** Offset of the matrix in the file, in bytes. */
  readonly begin: number;
  /** Index of the layer. Undefined for matrices over the vocabulary, which are never in memory as a whole. */
  readonly layer: number | undefined;
  /** Whether the matrix belongs to an expert. The router decides during a forward pass which experts are needed. */
  readonly expert: boolean;
}

/**
 * Packs a matrix, or some rows of one, into panels.
 *
 * @param raw the stored bytes
 * @throws {WeightError} NaN or infinity, if `checkNaN` is true
 */
export function packMatrix({ spec, resident }: Pick<StreamedMatrix, "spec" | "resident">, raw: Tensor, checkNaN: boolean): Tensor {
  const { rt } = raw;
  const [rows, width] = matrixShape(spec.shape);
  const tensor = rt.keep(spec.shape, resident, "panels");
  if (spec.dtype === resident && !checkNaN) {
    const kernel = resident === "bf16" ? "packBf16" : "packF32";
    rt.run(
      kernel,
      [tensor.ptr, raw.ptr, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)],
      OPERATIONS_PER_PACKED_WEIGHT * rows * width,
    );
    return tensor;
  }
  try {
    let wrong = 0;
    const step = pieceRows(spec.shape);
    for (let row = 0; row < rows; row += step) {
      wrong += packRows(tensor, row, raw.ptr + row * rowBytes(spec), Math.min(step, rows - row), spec.dtype);
    }
    if (wrong === 0 || !checkNaN) return tensor;
    const elements = `${spec.name} (${wrong} elements)`;
    throw new WeightError(`${elements}: expected finite numbers, got NaN or infinity. The checkpoint is damaged or diverged.`);
  } catch (error) {
    rt.release(tensor);
    throw error;
  }
}

/**
 * Returns the smallest budget with which a forward pass can be computed. It is the size of the largest set of matrices that is used at the
 * same time, plus the stored bytes of the largest matrix of that set.
 *
 * Such a set consists of the matrices of a layer without its experts, of one expert, or of a part of a vocabulary matrix.
 */
export function minBudgetBytes(matrices: readonly StreamedMatrix[]): number {
  const groups = new Map<string, { held: number; stored: number }>();
  for (const matrix of matrices) {
    const { spec, resident, layer, expert } = matrix;
    const { heldBytes, storedBytes } = sizesOf(matrix);
    // The name of an expert is everything before `.w1.weight`.
    const group = layer === undefined ? spec.name : expert ? spec.name.split(".").slice(0, -2).join(".") : String(layer);
    const { held, stored } = groups.get(group) ?? { held: 0, stored: 0 };
    groups.set(
      group,
      layer === undefined
        ? { held: partBytes(spec, resident, MATMUL_PANEL_OUTPUTS), stored: 0 }
        : { held: held + heldBytes, stored: Math.max(stored, storedBytes) },
    );
  }
  return Math.max(0, ...[...groups.values()].map(({ held, stored }) => held + stored));
}

/** Returns the memory that a matrix takes, as stored and as a packed tensor. */
export function sizesOf({ spec, resident }: StreamedMatrix): { storedBytes: number; heldBytes: number } {
  const [rows] = matrixShape(spec.shape);
  return { storedBytes: allocatedBytes(rows * rowBytes(spec)), heldBytes: allocatedBytes(bytesOf(spec.shape, resident, "panels")) };
}

/** Returns the memory that a part of `rows` rows takes while it is streamed. This is two parts as stored, and one packed part. */
export function partBytes(spec: WeightSpec, resident: ResidentDType, rows: number): number {
  const [, width] = matrixShape(spec.shape);
  return 2 * allocatedBytes(rows * rowBytes(spec)) + allocatedBytes(bytesOf([rows, width], resident, "panels"));
}

/** Returns the bytes of one stored row. */
export function rowBytes({ shape, dtype }: WeightSpec): number {
  return matrixShape(shape)[1] * STORED_BYTES[dtype];
}
