import { expectShape, type Tensor } from "../runtime/tensor.js";

/** `y_i = e^(x_i − M) / Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, M its maximum. @throws {ShapeError} */
export function softmax(x: Tensor): Tensor {
  const [rows = 0, dim = 0] = x.shape;
  expectShape("softmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.kernels.softmax(y.ptr, x.ptr, dim, 0, rows);
  return y;
}

/** `y_i = x_i − M − log Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, M its maximum. @throws {ShapeError} */
export function logSoftmax(x: Tensor): Tensor {
  const [rows = 0, dim = 0] = x.shape;
  expectShape("logSoftmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.kernels.logSoftmax(y.ptr, x.ptr, dim, 0, rows);
  return y;
}
