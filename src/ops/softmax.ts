import { expectShape, type Tensor } from "../runtime/tensor.js";

/** Operations per exponential, about. */
const EXP = 20;

/** `y_i = e^(x_i − M) / Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, M its maximum. @throws {ShapeError} */
export function softmax(x: Tensor): Tensor {
  const [rows = 0, dim = 0] = x.shape;
  expectShape("softmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.run("softmax", [y.ptr, x.ptr, dim], rows, EXP * rows * dim);
  return y;
}

/** `y_i = x_i − M − log Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, M its maximum. @throws {ShapeError} */
export function logSoftmax(x: Tensor): Tensor {
  const [rows = 0, dim = 0] = x.shape;
  expectShape("logSoftmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.run("logSoftmax", [y.ptr, x.ptr, dim], rows, EXP * rows * dim);
  return y;
}
