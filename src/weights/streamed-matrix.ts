import { WeightError } from "../base/errors.js";
import { allocatedBytes } from "../runtime/heap.js";
import { bytesOf, MATMUL_PANEL_OUTPUTS, type Tensor } from "../runtime/tensor.js";
import { matrixShape, OPERATIONS_PER_PACKED_WEIGHT, packRows, pieceRows, STORED_BYTES } from "./stored-rows.js";
import type { ResidentDType, WeightSpec } from "./weights.js";

/** A matrix that stays in its file until it is needed. */
export interface StreamedMatrix {
  readonly spec: WeightSpec;
  /** Precision in memory. */
  readonly resident: ResidentDType;
  readonly file: string;
  /** Its first byte there. */
  readonly begin: number;
  /** Undefined for matrices over the vocabulary, which are never held whole. */
  readonly layer: number | undefined;
  /** Whether it belongs to an expert: of those, a pass needs a few that nobody knows before. */
  readonly expert: boolean;
}

/**
 * Brings a matrix, or some rows of one, into panels.
 *
 * @param raw as stored
 * @throws {WeightError} on request, for NaN and infinity
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
    throw new WeightError(`${elements}: expected finite numbers, got NaN or infinity (damaged or diverged checkpoint)`);
  } catch (error) {
    rt.release(tensor);
    throw error;
  }
}

/**
 * The least budget with which a pass can be computed: what it uses at one time, and of this one matrix more as it is stored. That is a layer's matrices
 * without experts, those of one expert, or a part of the vocabulary.
 */
export function minBudgetBytes(matrices: readonly StreamedMatrix[]): number {
  const groups = new Map<string, { held: number; stored: number }>();
  for (const matrix of matrices) {
    const { spec, resident, layer, expert } = matrix;
    const { heldBytes, storedBytes } = sizesOf(matrix);
    // An expert is what stands before `.w1.weight`.
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

/** What a matrix takes as it is stored, and as it is held. */
export function sizesOf({ spec, resident }: StreamedMatrix): { storedBytes: number; heldBytes: number } {
  const [rows] = matrixShape(spec.shape);
  return { storedBytes: allocatedBytes(rows * rowBytes(spec)), heldBytes: allocatedBytes(bytesOf(spec.shape, resident, "panels")) };
}

/** What so many rows of a matrix take while they are streamed: twice as stored, once as held. */
export function partBytes(spec: WeightSpec, resident: ResidentDType, rows: number): number {
  const [, width] = matrixShape(spec.shape);
  return 2 * allocatedBytes(rows * rowBytes(spec)) + allocatedBytes(bytesOf([rows, width], resident, "panels"));
}

/** Bytes of one row as stored. */
export function rowBytes({ shape, dtype }: WeightSpec): number {
  return matrixShape(shape)[1] * STORED_BYTES[dtype];
}
