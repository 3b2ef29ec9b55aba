import { ShapeError } from "../base/errors.js";
import { expectIndices, expectShape, expectTensor, runtimeOf, sizeOf, type Tensor } from "../runtime/tensor.js";

/** Approximate floating point operations per exponential. */
const OPERATIONS_PER_EXPONENTIAL = 20;

/**
 * Computes `y_i = e^(x_i − M) / Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, where M is the maximum. @throws {ShapeError} another
 * shape or dtype
 */
export function softmax(x: Tensor): Tensor {
  expectTensor("softmax: x", x);
  const [rows = 0, dim = 0] = x.shape;
  expectShape("softmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.run("softmax", [y.ptr, x.ptr, dim, 0, rows], OPERATIONS_PER_EXPONENTIAL * rows * dim);
  rt.tape?.record(y, [y], (dy, d) => rt.run("softmaxBackward", [d(x).ptr, dy.ptr, y.ptr, dim, dim, 0, rows], 4 * rows * dim));
  return y;
}

/**
 * Computes `y_i = x_i − M − log Σ_j e^(x_j − M)` along the last axis of `[rows, dim]`, where M is the maximum. @throws {ShapeError} another
 * shape or dtype
 */
export function logSoftmax(x: Tensor): Tensor {
  expectTensor("logSoftmax: x", x);
  const [rows = 0, dim = 0] = x.shape;
  expectShape("logSoftmax: x", x, [rows, dim]);
  const { rt } = x;
  const y = rt.empty(x.shape);
  rt.run("logSoftmax", [y.ptr, x.ptr, dim, 0, rows], OPERATIONS_PER_EXPONENTIAL * rows * dim);
  rt.tape?.record(y, [y], (dy, d) =>
    rt.run("logSoftmaxBackward", [d(x).ptr, dy.ptr, y.ptr, dim, 0, rows], OPERATIONS_PER_EXPONENTIAL * rows * dim),
  );
  return y;
}

/**
 * Computes the log-probability of one target per row: `y_r = x_{r,target_r} − log Σ_i e^(x_ri)`. The other log-probabilities are not
 * stored.
 *
 * @param x `[rows, dim]` logits
 * @param targets `[rows]` int32
 * @returns `[rows]`
 * @throws {ShapeError} shapes or dtypes that do not fit, or targets outside the row
 */
export function targetLogprobs(x: Tensor, targets: Tensor): Tensor {
  expectTensor("targetLogprobs: x", x);
  const [rows = 0, dim = 0] = x.shape;
  expectShape("targetLogprobs: x", x, [rows, dim]);
  expectShape("targetLogprobs: targets", targets, [rows], { dtype: "i32" });
  expectIndices("targetLogprobs: targets", targets, dim);
  const rt = runtimeOf("targetLogprobs", x, targets);
  const y = rt.empty([rows]);
  rt.run("targetLogprobs", [y.ptr, x.ptr, targets.ptr, dim, 0, rows], OPERATIONS_PER_EXPONENTIAL * rows * dim);
  rt.tape?.record(y, [x, targets], (dy, d) =>
    rt.run("targetLogprobsBackward", [d(x).ptr, dy.ptr, x.ptr, targets.ptr, dim, 0, rows], 2 * OPERATIONS_PER_EXPONENTIAL * rows * dim),
  );
  return y;
}

/** Returns the index of the largest element, or the first such index. @throws {ShapeError} no elements */
export function argmax(x: Tensor): number {
  expectTensor("argmax: x", x);
  expectShape("argmax: x", x, x.shape);
  const size = sizeOf(x.shape);
  if (size === 0) throw new ShapeError(`argmax: x: expected elements, got [${x.shape.join(", ")}]`);
  return x.rt.kernels.argmax(x.ptr, size);
}
