import { ShapeError } from "../runtime/errors.js";
import { expectShape, PANEL, runtimeOf, type Tensor } from "../runtime/tensor.js";

/**
 * `y = x·wᵀ`, the product of every projection, expert and head.
 *
 * @param x `[rows, in]`
 * @param w `[out, in]` in panels, float32 or bf16; sums are float32
 * @returns `[rows, out]`. A row's bits do not depend on the other rows.
 * @throws {ShapeError}
 */
export function matmul(x: Tensor, w: Tensor): Tensor {
  return matmuls(x, [w])[0]!;
}

/** `x·wᵀ` for several `w`: the rows are brought into the order of the product once. */
export function matmuls(x: Tensor, weights: readonly Tensor[]): Tensor[] {
  if (x.shape.length !== 2) throw new ShapeError(`matmul: x: expected [rows, in], got [${x.shape.join(", ")}]`);
  const [rows, inputs] = x.shape as [number, number];
  expectShape("matmul: x", x, [rows, inputs]);
  for (const w of weights) {
    expectShape("matmul: w", w, ["*", inputs], { dtype: ["f32", "bf16"], layout: "panels", hint: "weights are [out, in]" });
  }
  const rt = runtimeOf("matmul", x, ...weights);
  const ys = weights.map((w) => rt.empty([rows, w.shape[0]!]));
  const workspaceBytes = Number(rt.kernels.matmulWorkspaceBytes.value);
  const tiles = rt.kernels.rowTiles(rows);
  const packed = tiles ? rt.empty(x.shape) : x;
  if (tiles) rt.run("packRows", [packed.ptr, x.ptr, rows, inputs], tiles, 2 * rows * inputs);
  for (const [i, w] of weights.entries()) {
    const outputs = w.shape[0]!;
    const kernel = w.dtype === "f32" ? "matmulF32" : "matmulBf16";
    const args = [ys[i]!.ptr, x.ptr, packed.ptr, w.ptr, rows, outputs, inputs] as const;
    rt.runIn(workspaceBytes, kernel, [...args], Math.ceil(outputs / PANEL), 2 * rows * outputs * inputs);
  }
  if (tiles) rt.release(packed);
  return ys;
}
