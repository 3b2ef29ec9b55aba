import { ShapeError } from "../base/errors.js";
import { expectShape, expectTensor, runtimeOf, type Tensor } from "../runtime/tensor.js";

/**
 * Computes RMSNorm, `y = w ⊙ x / sqrt(mean(x²) + eps)`, over the last axis.
 *
 * @param x `[rows, dim]`
 * @param w `[dim]`
 * @returns `[rows, dim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function rmsNorm(x: Tensor, w: Tensor, eps: number): Tensor {
  expectTensor("rmsNorm: x", x);
  if (x.shape.length !== 2) throw new ShapeError(`rmsNorm: x: expected [rows, dim], got [${x.shape.join(", ")}]`);
  const [rows, dim] = x.shape as [number, number];
  expectShape("rmsNorm: x", x, [rows, dim]);
  expectShape("rmsNorm: w", w, [dim]);
  const rt = runtimeOf("rmsNorm", x, w);
  const y = rt.empty(x.shape);
  rt.run("rmsNorm", [y.ptr, x.ptr, w.ptr, dim, eps, 0, rows], 4 * rows * dim);
  rt.tape?.record(y, [x], (dy, d) => {
    const scales = rt.empty([rows]);
    rt.run("rmsNormBackwardX", [d(x).ptr, scales.ptr, dy.ptr, x.ptr, w.ptr, dim, eps, 0, rows], 8 * rows * dim);
    rt.run("rmsNormBackwardW", [d(w).ptr, dy.ptr, x.ptr, scales.ptr, rows, dim, 0, dim], 4 * rows * dim);
  });
  return y;
}
