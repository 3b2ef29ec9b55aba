import { ShapeError } from "../runtime/errors.js";
import { BLOCK, expectShape, PANEL, runtimeOf, type Tensor } from "../runtime/tensor.js";

/**
 * `y = x·wᵀ`, the product of every projection, expert and head.
 *
 * @param x `[rows, in]`
 * @param w `[out, in]` in panels: float32 or bf16, with sums in float32; or q8, whose products are integers (x is rounded to 16 bits
 *   for every row and block of inputs)
 * @returns `[rows, out]`. A row's bits do not depend on the other rows.
 * @throws {ShapeError}
 */
export function matmul(x: Tensor, w: Tensor): Tensor {
  return matmuls(x, [w])[0];
}

/** `x·wᵀ` for several `w`, as `matmul` computes each: the rows are brought into the order of the products once. */
export function matmuls<const W extends readonly Tensor[]>(x: Tensor, weights: W): { [I in keyof W]: Tensor } {
  if (x.shape.length !== 2) throw new ShapeError(`matmul: x: expected [rows, in], got [${x.shape.join(", ")}]`);
  const [rows, inputs] = x.shape as [number, number];
  expectShape("matmul: x", x, [rows, inputs]);
  for (const w of weights) {
    expectShape("matmul: w", w, ["*", inputs], { dtype: ["f32", "bf16", "q8"], layout: "panels", hint: "weights are [out, in]" });
  }
  const rt = runtimeOf("matmul", x, ...weights);

  const ys = weights.map((w) => rt.empty([rows, w.shape[0]!]));
  const packed = weights.some(({ dtype }) => dtype !== "q8") ? pack(x) : x;
  const quantized = weights.some(({ dtype }) => dtype === "q8") ? quantize(x) : x;

  for (const [i, { ptr, shape, dtype }] of weights.entries()) {
    const [outputs, y] = [shape[0]!, ys[i]!.ptr];
    const [panels, work] = [Math.ceil(outputs / PANEL), 2 * rows * outputs * inputs];
    if (dtype === "q8") {
      rt.runIn(Number(rt.kernels.matmulQ8WorkspaceBytes.value), "matmulQ8", [y, quantized.ptr, ptr, rows, outputs, inputs], panels, work);
    } else {
      const kernel = dtype === "f32" ? "matmulF32" : "matmulBf16";
      const args = [y, x.ptr, packed.ptr, ptr, rows, outputs, inputs] as [number, number, number, number, number, number, number];
      rt.runIn(Number(rt.kernels.matmulWorkspaceBytes.value), kernel, args, panels, work);
    }
  }
  for (const scratch of [packed, quantized]) if (scratch !== x) rt.release(scratch);
  return ys as { [I in keyof W]: Tensor };
}

/** Rows in the tiles of float32 products; fewer than make a tile stay as they are. */
function pack(x: Tensor): Tensor {
  const { rt } = x;
  const [rows, inputs] = x.shape as [number, number];
  const tiles = rt.kernels.rowTiles(rows);
  if (!tiles) return x;
  const packed = rt.empty(x.shape);
  rt.run("packRows", [packed.ptr, x.ptr, rows, inputs], tiles, rows * inputs);
  return packed;
}

/** Rows as 16-bit integers, with a scale for every block of inputs, in the tiles of q8 products. */
function quantize(x: Tensor): Tensor {
  const { rt } = x;
  const [rows, inputs] = x.shape as [number, number];
  const quantized = rt.empty([rows * (Math.ceil(inputs / 2) + Math.ceil(inputs / BLOCK))]);
  rt.run("quantizeRows", [quantized.ptr, x.ptr, rows, inputs], rows, 4 * rows * inputs);
  return quantized;
}
