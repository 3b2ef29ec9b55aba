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
  if (x.shape.length !== 2) throw new ShapeError(`matmul: x: expected [rows, in], got [${x.shape.join(", ")}]`);
  const [rows, inputs] = x.shape as [number, number];
  expectShape("matmul: x", x, [rows, inputs]);
  expectShape("matmul: w", w, ["*", inputs], { dtype: ["f32", "bf16"], layout: "panels", hint: "weights are [out, in]" });
  const rt = runtimeOf("matmul", x, w);
  const outputs = w.shape[0]!;
  const y = rt.empty([rows, outputs]);
  const kernel = w.dtype === "f32" ? "matmulF32" : "matmulBf16";
  const workspaceBytes = Number(rt.kernels.matmulWorkspaceBytes.value);
  const panels = Math.ceil(outputs / PANEL);
  rt.runIn(workspaceBytes, kernel, [y.ptr, x.ptr, w.ptr, rows, outputs, inputs], panels, 2 * rows * outputs * inputs);
  return y;
}
