import { ShapeError } from "../base/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Tape } from "../runtime/tape.js";
import {
  bytesOf,
  expectShape,
  expectTensor,
  MATMUL_PANEL_OUTPUTS,
  Q8_BLOCK_INPUTS,
  runtimeOf,
  slice,
  type Tensor,
} from "../runtime/tensor.js";
import type { Kernels } from "../runtime/wasm.js";
import type { VocabularyPart } from "../weights/weights.js";

/**
 * Computes the matrix multiplication `y = x·wᵀ`, as used by every projection, expert and head. The bits of a row do not depend on the other
 * rows.
 *
 * With float32 and bf16, sums are in float32. q8 and q4 are multiplied as integers. For q8, x is rounded to 16 bits, with a scale per row
 * and block of inputs; for q4, to 8 bits, with a scale per row and group of inputs. Synthetic weights are computed as bf16.
 *
 * @param x `[rows, in]`
 * @param w `[out, in]` in panels: float32, bf16, q8, q4 or synthetic
 * @returns `[rows, out]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function matmul(x: Tensor, w: Tensor): Tensor {
  expectTensor("matmul: x", x);
  return groupedMatmuls(x, [0, x.shape[0] ?? 0], [[w]])[0]!;
}

/** Computes `x·wᵀ` for several `w`, in one kernel call per dtype. The results are bit-identical to those of separate calls of `matmul`. */
export function matmuls<const W extends readonly Tensor[]>(x: Tensor, weights: W): { [I in keyof W]: Tensor } {
  expectTensor("matmuls: x", x);
  const sets = weights.map((w) => [w]);
  return groupedMatmuls(x, [0, x.shape[0] ?? 0], sets) as { [I in keyof W]: Tensor };
}

/**
 * Multiplies groups of rows with separate weights: `y_i = x_i · w_gᵀ` for the rows i of group g. The results are bit-identical to those of
 * separate calls of `matmul`. Rows are packed once, and all groups share one kernel call. Few rows of many experts therefore keep every
 * thread busy.
 *
 * @param x `[rows, in]`
 * @param offsets first row of each group, followed by the number of rows
 * @param sets sets of weights, each with one `[out, in]` per group; all weights of a set have the same shape and dtype
 * @returns `[rows, out]` for each of `sets`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function groupedMatmuls(x: Tensor, offsets: readonly number[], sets: readonly (readonly Tensor[])[]): Tensor[] {
  expectTensor("matmul: x", x);
  if (x.shape.length !== 2 || x.shape[1] === 0) throw new ShapeError(`matmul: x: expected [rows, in], got [${x.shape.join(", ")}]`);
  const [rows, inputs] = x.shape as [number, number];
  expectShape("matmul: x", x, [rows, inputs]);
  expectOffsets(offsets, rows);
  for (const weights of sets) expectWeights(x, weights, offsets.length - 1);

  const ys: Tensor[] = [];
  for (const weights of sets) ys.push(x.rt.empty([rows, weights[0]!.shape[0]!]));
  // Consecutive sets of one dtype share a kernel call.
  for (let first = 0, end = 0; first < sets.length; first = end) {
    const { dtype } = sets[first]![0]!;
    while (end < sets.length && sets[end]![0]!.dtype === dtype) end++;
    runMatmuls(dtype as keyof typeof KERNELS, x, offsets, sets, ys, first, end);
  }
  const { tape } = x.rt;
  if (tape) for (const [i, weights] of sets.entries()) recordMatmulBackward(tape, ys[i]!, x, offsets, weights);
  return ys;
}

/**
 * Computes `x·wᵀ` for a `w` that is given in parts of consecutive rows. The result is bit-identical to that of `matmul`.
 *
 * @param outputs number of rows of the whole `w`
 * @returns `[rows, outputs]`
 */
export function matmulInParts(x: Tensor, outputs: number, parts: Iterable<VocabularyPart>): Tensor {
  const { rt } = x;
  const rows = x.shape[0] ?? 0;
  const y = rt.empty([rows, outputs]);
  for (const { first, tensor } of parts) {
    rt.scope(() => {
      const part = rt.read(matmul(x, tensor));
      const width = part.length / rows;
      for (let row = 0; row < rows; row++) rt.f32(y).set(part.subarray(row * width, (row + 1) * width), row * outputs + first);
    });
  }
  return y;
}

const DTYPES = ["f32", "bf16", "q8", "q4", "synthetic"] as const;

/** The kernels for one matmul, and for a list of matmuls. */
const KERNELS = {
  f32: ["matmulF32", "matmulListF32"],
  bf16: ["matmulBf16", "matmulListBf16"],
  q8: ["matmulQ8", "matmulListQ8"],
  q4: ["matmulQ4", "matmulListQ4"],
  synthetic: ["matmulSynthetic", "matmulListSynthetic"],
} as const;

/** Runs the matmuls of sets `first` to `end` (exclusive), whose weights have the same dtype. */
function runMatmuls(
  dtype: keyof typeof KERNELS,
  x: Tensor,
  offsets: readonly number[],
  sets: readonly (readonly Tensor[])[],
  ys: readonly Tensor[],
  first: number,
  end: number,
): void {
  const { rt } = x;
  const [rows, inputs] = x.shape as [number, number];
  const arranged = packInputs(x, offsets, dtype);
  const rowBytes = bytesOf(arranged.shape, "f32") / rows;
  // The arguments of each matmul's kernel, as 32-bit words.
  const list: number[] = [];
  let [count, panels, work] = [0, 0, 0];
  for (let i = first; i < end; i++) {
    const weights = sets[i]!;
    const y = ys[i]!;
    const outputs = y.shape[1]!;
    for (let g = 0; g < weights.length; g++) {
      const begin = offsets[g]!;
      const own = offsets[g + 1]! - begin;
      if (own === 0) continue;
      list.push(y.ptr + 4 * begin * outputs, x.ptr + 4 * begin * inputs, arranged.ptr + begin * rowBytes);
      list.push(weights[g]!.ptr, own, outputs, inputs);
      count++;
      panels += Math.ceil(outputs / MATMUL_PANEL_OUTPUTS);
      work += 2 * own * outputs * inputs;
    }
  }
  const [one, several] = KERNELS[dtype];
  const workspace = rt.workspace(workspaceBytes(rt, dtype, inputs));
  if (count === 1) {
    list.push(workspace, 0, panels);
    rt.runIn(one, list as Parameters<Kernels[typeof one]>, work);
  } else if (count > 1) {
    rt.runIn(several, [rt.from(list, [list.length], "i32").ptr, count, workspace, 0, panels], work);
  }
  if (arranged !== x) rt.release(arranged);
}

/** Returns the bytes of workspace per thread. For synthetic weights, it also holds a panel of computed weights. */
function workspaceBytes({ kernels }: Runtime, dtype: keyof typeof KERNELS, inputs: number): number {
  if (dtype === "q8") return kernels.matmulQ8WorkspaceBytes(inputs);
  if (dtype === "q4") return kernels.matmulQ4WorkspaceBytes(inputs);
  return kernels.matmulWorkspaceBytes + (dtype === "synthetic" ? bytesOf([MATMUL_PANEL_OUTPUTS, inputs], "bf16", "panels") : 0);
}

/** Records the backward closure of a set's matmuls. */
function recordMatmulBackward(tape: Tape, y: Tensor, x: Tensor, offsets: readonly number[], weights: readonly Tensor[]): void {
  tape.record(y, [x], (dy, d) => {
    for (const [g, w] of weights.entries()) {
      const [begin, end] = [offsets[g]!, offsets[g + 1]!];
      if (begin < end) runMatmulBackward(slice(x, begin, end), w, slice(dy, begin, end), slice(d(x), begin, end), d(w));
    }
  });
}

/** Adds to the gradients of x and w: `dx += dy·w, dw += dyᵀ·x`. */
function runMatmulBackward(x: Tensor, w: Tensor, dy: Tensor, dx: Tensor, dw: Tensor): void {
  const { rt } = x;
  const [rows, inputs] = x.shape as [number, number];
  const outputs = w.shape[0]!;
  const work = 2 * rows * outputs * inputs;
  rt.scope(() => {
    const packed = packInputs(dy, [0, rows], "f32");
    const workspace = rt.workspace(rt.kernels.matmulBackwardWorkspaceBytes);
    const args = [dx.ptr, dy.ptr, packed.ptr, w.ptr, rows, outputs, inputs] as const;
    rt.runIn("matmulBackwardX", [...args, workspace, 0, Math.ceil(inputs / 8)], work);
  });
  rt.scope(() => {
    const [tiles, packed] = [rt.kernels.rowTiles(inputs), rt.empty(x.shape)];
    rt.run("packColumnTiles", [packed.ptr, x.ptr, rows, inputs, 0, tiles], OPERATIONS_PER_PACKED_INPUT * rows * inputs);
    const workspace = rt.workspace(rt.kernels.matmulBackwardWorkspaceBytes);
    const args = [dw.ptr, dy.ptr, x.ptr, packed.ptr, rows, outputs, inputs] as const;
    rt.runIn("matmulBackwardW", [...args, workspace, 0, Math.ceil(outputs / MATMUL_PANEL_OUTPUTS)], work);
  });
}

/** Approximate cost of packing a number, in floating point operations. With a cost of 1, packing ran on one thread while others waited. */
const OPERATIONS_PER_PACKED_INPUT = 8;

/** Approximate cost of quantizing a number, in floating point operations. */
const OPERATIONS_PER_QUANTIZED_INPUT = 4;

/**
 * Packs the rows of each group into tiles, in the order in which the matmul kernels read them. For q8 and q4, tiles hold integers with
 * scales. Rows that do not fill a tile stay unpacked; the kernels of q8 and q4 quantize them themselves.
 */
function packInputs(x: Tensor, offsets: readonly number[], dtype: keyof typeof KERNELS): Tensor {
  const { rt } = x;
  const [all, inputs] = x.shape as [number, number];
  const quantize = dtype === "q8" ? "quantizeRows" : dtype === "q4" ? "quantizeRowsQ4" : undefined;
  const words = packedWords(rt, dtype, inputs);
  let arranged = x;
  for (let g = 0; g + 1 < offsets.length; g++) {
    const [begin, rows] = [offsets[g]!, offsets[g + 1]! - offsets[g]!];
    const tiles = quantize ? rows >> 2 : rt.kernels.rowTiles(rows);
    if (!tiles) continue;
    if (arranged === x) arranged = rt.empty([all, words]);
    const [to, from] = [arranged.ptr + 4 * begin * words, x.ptr + 4 * begin * inputs];
    if (quantize) rt.run(quantize, [to, from, 4 * tiles, inputs, 0, 4 * tiles], OPERATIONS_PER_QUANTIZED_INPUT * 4 * tiles * inputs);
    else rt.run("packRows", [to, from, rows, inputs, 0, tiles], OPERATIONS_PER_PACKED_INPUT * rows * inputs);
  }
  return arranged;
}

/** Returns the size of a packed row, in 32-bit words. */
function packedWords({ kernels }: Runtime, dtype: keyof typeof KERNELS, inputs: number): number {
  if (dtype === "q8") return 2 * Math.ceil(inputs / 4) + 2 * Math.ceil(inputs / Q8_BLOCK_INPUTS);
  return dtype === "q4" ? kernels.q4RowBytes(inputs) / 4 : inputs;
}

function expectOffsets(offsets: readonly number[], rows: number): void {
  let ascending = offsets.length > 0 && offsets[0] === 0 && offsets.at(-1) === rows;
  for (let g = 1; ascending && g < offsets.length; g++) ascending = offsets[g - 1]! <= offsets[g]!;
  if (!ascending) throw new ShapeError(`matmul: offsets: expected 0 to ${rows}, ascending, got ${offsets.join(", ")}`);
}

function expectWeights(x: Tensor, weights: readonly Tensor[], groups: number): void {
  if (weights.length !== groups || groups === 0)
    throw new ShapeError(`matmul: w: expected one weight tensor per group of rows (${groups}), got ${weights.length}`);
  const { shape, dtype } = weights[0]!;
  for (const w of weights) {
    const [outputs, only] = w === weights[0] ? (["*", DTYPES] as const) : ([shape[0]!, dtype] as const);
    expectShape("matmul: w", w, [outputs, x.shape[1]!], {
      dtype: only,
      layout: "panels",
      hint: "weights are [out, in]; ResidentWeights stores them in panels",
    });
  }
  runtimeOf("matmul", x, ...weights);
}
