import { ShapeError } from "../runtime/errors.js";
import { expectShape, sizeOf, type Tensor } from "../runtime/tensor.js";

/** Operations per exponential, about. */
const EXP = 20;

/** `y_i = e^(x_i − M) / Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, M its maximum. @throws {ShapeError} */
export function softmax(x: Tensor): Tensor {
  const [rows = 0, dim = 0] = x.shape;
  expectShape("softmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.run("softmax", [y.ptr, x.ptr, dim, 0, rows], EXP * rows * dim);
  return y;
}

/** `y_i = x_i − M − log Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, M its maximum. @throws {ShapeError} */
export function logSoftmax(x: Tensor): Tensor {
  const [rows = 0, dim = 0] = x.shape;
  expectShape("logSoftmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.run("logSoftmax", [y.ptr, x.ptr, dim, 0, rows], EXP * rows * dim);
  return y;
}

/** The index of the largest of all elements, of equals the first. @throws {ShapeError} no elements */
export function argmax(x: Tensor): number {
  expectShape("argmax: x", x, x.shape);
  const size = sizeOf(x.shape);
  if (size === 0) throw new ShapeError(`argmax: x: expected elements, got [${x.shape.join(", ")}]`);
  return x.rt.kernels.argmax(x.ptr, size);
}
