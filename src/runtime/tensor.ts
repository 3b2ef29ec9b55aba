import { ShapeError } from "../base/errors.js";
import { kindOf, printed } from "../base/printed.js";
import type { Runtime } from "./runtime.js";

/**
 * Element types of tensors in wasm memory. Arithmetic is float32. Four dtypes exist only for weight matrices:
 *
 * - `bf16`: kernels widen the numbers to float32.
 * - `q8`: 8-bit integers with one scale per output and block of `Q8_BLOCK_INPUTS` inputs. Matmuls multiply integers.
 * - `q4`: 4-bit integers with a scale and an offset per output and group of `Q4_GROUP_INPUTS` inputs. Matmuls multiply integers.
 * - `synthetic`: only a seed and a scale are stored. Kernels compute the weights, which are bf16 numbers, on the fly.
 */
export type DType = "f32" | "bf16" | "q8" | "q4" | "i32" | "synthetic";

const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { f32: 4, bf16: 2, q8: 1, q4: 0.5, i32: 4, synthetic: 0 };

/** Size of a synthetic tensor, which consists of a seed and a scale. */
const SYNTHETIC_TENSOR_BYTES = 8;

/** Number of outputs per panel of a weight matrix. */
export const MATMUL_PANEL_OUTPUTS = 32;

/** Number of inputs per block of a q8 matrix. Each block of an output has one scale. */
export const Q8_BLOCK_INPUTS = 512;

/** Number of inputs per group of a q4 matrix. Each group of an output has a scale and an offset, which are bf16. */
export const Q4_GROUP_INPUTS = 32;

/**
 * A tensor: a shape, a dtype and an address in the memory of one runtime. Elements are row-major and contiguous. A tensor holds no view of
 * the memory, because growing the memory detaches views. `rt.read` copies the elements, and `rt.f32` creates a view.
 *
 * A weight matrix `[out, in]` is stored in `panels` instead of rows, in the order in which matmul reads it. Panel p holds outputs 32p …
 * 32p+31 as `[in][32]`; the last panel is padded with zeros. A q8 panel groups inputs by four, `[in/4][32][4]`, and stores 32 float32
 * scales before each block. A q4 panel consists of two halves with 16 outputs each. A half has, for each group, 16 words of scale and
 * offset, and then `[4][16]` words with eight inputs each.
 */
export interface Tensor {
  readonly rt: Runtime;
  readonly ptr: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly layout: "rows" | "panels";
  /** The tensor of which this one is a slice or a reshape. */
  readonly whole: Tensor | undefined;
}

/** Returns the number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  if (!Array.isArray(shape)) throw new ShapeError(`shape: expected an array of numbers, got ${kindOf(shape)}`);
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size;
}

/** Returns the size of a tensor in memory, including padding and scales of panels. */
export function bytesOf(shape: readonly number[], dtype: DType, layout: Tensor["layout"] = "rows"): number {
  if (dtype === "synthetic") return SYNTHETIC_TENSOR_BYTES;
  if (layout === "rows") return sizeOf(shape) * BYTES_PER_ELEMENT[dtype];
  const [outputs, inputs] = shape as [number, number];
  return Math.ceil(outputs / MATMUL_PANEL_OUTPUTS) * MATMUL_PANEL_OUTPUTS * panelRowBytes(inputs, dtype);
}

/** Returns the size of the weights of one output in panels. */
function panelRowBytes(inputs: number, dtype: DType): number {
  if (dtype === "q8") return 4 * Math.ceil(inputs / 4) + 4 * Math.ceil(inputs / Q8_BLOCK_INPUTS);
  if (dtype === "q4") return Math.ceil(inputs / Q4_GROUP_INPUTS) * (Q4_GROUP_INPUTS / 2 + 4);
  return inputs * BYTES_PER_ELEMENT[dtype];
}

/** Returns a tensor with the same elements in another shape. It shares memory with `x`. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  expectTensor("reshape: x", x);
  if (x.layout !== "rows" || sizeOf(shape) !== sizeOf(x.shape)) {
    throw new ShapeError(`reshape: expected ${sizeOf(x.shape)} elements, got [${shape.join(", ")}]`);
  }
  return { ...x, shape, whole: x.whole ?? x };
}

/** Returns rows `begin` to `end` (exclusive) of the first axis. The slice shares memory with `x`. */
export function slice(x: Tensor, begin: number, end: number): Tensor {
  expectTensor("slice: x", x);
  const [rows = 0, ...rest] = x.shape;
  if (x.layout !== "rows" || begin < 0 || end > rows || begin > end) {
    throw new ShapeError(`slice: expected rows within [0, ${rows}], got [${begin}, ${end}]`);
  }
  return { ...x, ptr: x.ptr + begin * sizeOf(rest) * BYTES_PER_ELEMENT[x.dtype], shape: [end - begin, ...rest], whole: x.whole ?? x };
}

/** Checks that a value is a tensor. @param where `"op: argument"` @throws {ShapeError} it is not */
export function expectTensor(where: string, x: Tensor): void {
  if (typeof x !== "object" || x === null || !Array.isArray(x.shape) || typeof x.rt !== "object" || x.rt === null) {
    throw new ShapeError(`${where}: expected a tensor, got ${kindOf(x)}`);
  }
}

/** Returns the runtime of all tensors of an op. @throws {ShapeError} tensors of several runtimes */
export function runtimeOf(where: string, x: Tensor, ...others: readonly Tensor[]): Runtime {
  for (let i = 0; i < others.length; i++) {
    if (others[i]!.rt === x.rt) continue;
    throw new ShapeError(`${where}: expected tensors of one runtime, got several. Copy tensors of another model with rt.read and rt.from.`);
  }
  return x.rt;
}

/**
 * Checks shape, dtype and layout of a tensor.
 *
 * @param where `"op: argument"`
 * @param shape expected dims; `"*"` matches any
 * @throws {ShapeError} they differ. The message contains `hint` as the remedy
 */
export function expectShape(
  where: string,
  x: Tensor,
  shape: readonly (number | "*")[],
  { dtype = "f32", layout = "rows", hint }: { dtype?: DType | readonly DType[]; layout?: Tensor["layout"]; hint?: string } = {},
): void {
  expectTensor(where, x);
  let fits =
    x.shape.length === shape.length && x.layout === layout && (typeof dtype === "string" ? dtype === x.dtype : dtype.includes(x.dtype));
  for (let i = 0; fits && i < shape.length; i++) fits = shape[i] === "*" || shape[i] === x.shape[i];
  if (fits) return;
  const dtypes = typeof dtype === "string" ? [dtype] : dtype;
  throw new ShapeError(
    `${where}: expected [${shape.join(", ")}] ${dtypes.join(" or ")} in ${layout}, got [${x.shape.join(", ")}] ${x.dtype} in ${x.layout}${hint ? ` (${hint})` : ""}`,
  );
}

/** Checks that every int32 of `x` is within [0, count). @throws {ShapeError} one is not */
export function expectIndices(where: string, x: Tensor, count: number): void {
  const wrong = x.rt.i32(x).find((index) => index < 0 || index >= count);
  if (wrong !== undefined) throw new ShapeError(`${where}: expected indices within [0, ${count}), got ${printed(wrong)}`);
}
