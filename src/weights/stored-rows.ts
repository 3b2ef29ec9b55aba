// Rows in stored form, and their conversion to the layout of a tensor.

import { bytesOf, MATMUL_PANEL_OUTPUTS, sizeOf, type Tensor } from "../runtime/tensor.js";
import type { StoredDType } from "./weights.js";

/** Number of bytes per stored number. */
export const STORED_BYTES: Readonly<Record<StoredDType, number>> = { f32: 4, bf16: 2, f16: 2 };

/** Approximate cost of moving a number into its panel, in floating point operations. */
export const OPERATIONS_PER_PACKED_WEIGHT = 2;

/** Approximate cost of rounding a number to 4 bits, in floating point operations. */
const OPERATIONS_PER_QUANTIZED_WEIGHT = 8;

/** Approximate size in bytes of the pieces in which stored rows are staged in wasm memory. */
const STAGING_BYTES = 1 << 20;

/**
 * Converts stored rows at an address to the dtype and layout of a tensor.
 *
 * @param begin index of the first row, a multiple of 32
 * @returns number of elements that are NaN or infinite, including those that become infinite as bf16
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
    else if (tensor.dtype === "q4")
      rt.run("packQ4", [target, wide, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)], OPERATIONS_PER_QUANTIZED_WEIGHT * size);
    else if (from === "bf16")
      rt.run("packBf16", [target, stored, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)], OPERATIONS_PER_PACKED_WEIGHT * size);
    else {
      const narrow = rt.empty([Math.ceil(size / 2)]);
      k.f32ToBf16(narrow.ptr, wide, size);
      rt.run("packBf16", [target, narrow.ptr, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)], OPERATIONS_PER_PACKED_WEIGHT * size);
      // The largest float32 numbers become infinite as bf16, so the count comes after rounding.
      const held = rt.empty([size]);
      k.bf16ToF32(held.ptr, narrow.ptr, size);
      return k.countNonFinite(held.ptr, size);
    }
    return k.countNonFinite(wide, size);
  });
}

/** Returns the number of rows that take about a megabyte as float32, in whole panels. */
export function pieceRows(shape: readonly number[]): number {
  const [rows, width] = matrixShape(shape);
  return Math.min(
    rows,
    Math.max(MATMUL_PANEL_OUTPUTS, Math.floor(STAGING_BYTES / (width * 4) / MATMUL_PANEL_OUTPUTS) * MATMUL_PANEL_OUTPUTS),
  );
}

/**
 * Copies at most `bytes` first bytes of a tensor in its in-memory layout. If the tensor is shorter, the number is rounded down to whole
 * words.
 */
export function firstBytes({ rt, ptr, shape, dtype, layout }: Tensor, bytes: number): Uint8Array<ArrayBuffer> {
  return rt.bytes(ptr, Math.min(bytes, bytesOf(shape, dtype, layout) & ~3)).slice();
}

/** Returns the shape of a weight as `[rows, width]`. A vector counts as one row. */
export function matrixShape(shape: readonly number[]): [rows: number, width: number] {
  return shape.length === 2 ? [shape[0]!, shape[1]!] : [1, sizeOf(shape)];
}

export function rowOffset(x: Tensor, row: number): number {
  return x.layout === "panels" ? bytesOf([row, x.shape[1]!], x.dtype, "panels") : 0;
}
