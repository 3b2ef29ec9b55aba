import { ShapeError } from "../runtime/errors.js";
import { expectShape, slice, type Tensor } from "../runtime/tensor.js";

/** Which experts every token goes to, and the same sorted by expert. Slot `t · k + j` is token t's j-th choice. */
export interface Routing {
  /** Experts per token, k. */
  readonly topK: number;
  /** `[tokens, k]` renormalised weights. */
  readonly weights: Tensor;
  /** `[tokens · k]` int32: slots, expert by expert, tokens ascending. */
  readonly order: Tensor;
  /** Where each expert's slots begin in `order`; one entry more than experts. */
  readonly offsets: readonly number[];
}

/**
 * `p = softmax(logits)`; the k largest of each token are kept (of equals the lower index first) and renormalised to sum to one.
 *
 * @param logits `[tokens, experts]`
 */
export function route(logits: Tensor, topK: number): Routing {
  const [tokens = 0, count = 0] = logits.shape;
  expectShape("route: logits", logits, [tokens, count]);
  if (topK > count) throw new ShapeError(`route: topK: expected at most ${count} experts, got ${topK}`);
  const { rt } = logits;
  const experts = rt.empty([tokens, topK], "i32");
  const weights = rt.empty([tokens, topK]);
  const probabilities = rt.empty([tokens, count]);
  rt.kernels.route(experts.ptr, weights.ptr, probabilities.ptr, logits.ptr, count, topK, 0, tokens);
  const order = rt.empty([tokens * topK], "i32");
  const offsets = rt.empty([count + 1], "i32");
  rt.kernels.group(order.ptr, offsets.ptr, experts.ptr, tokens * topK, count);
  return { topK, weights, order, offsets: [...rt.i32(offsets)] };
}

/**
 * The rows of `x` that go to one expert.
 *
 * @param x `[tokens, dim]`
 * @returns `[slots of that expert, dim]`
 */
export function gather(x: Tensor, { order, offsets, topK }: Routing, expert: number): Tensor {
  const [tokens = 0, dim = 0] = x.shape;
  expectShape("gather: x", x, [tokens, dim]);
  expectShape("gather: order", order, [tokens * topK], { dtype: "i32" });
  const { rt } = x;
  const [begin, end] = [offsets[expert]!, offsets[expert + 1]!];
  const y = rt.empty([end - begin, dim]);
  rt.kernels.gather(y.ptr, x.ptr, order.ptr, topK, dim, begin, end);
  return y;
}

/**
 * Adds one expert's results to the tokens they belong to: `y_t += w_tj · x_i`. Changes `y`.
 *
 * @param y `[tokens, dim]`
 * @param x `[slots of that expert, dim]`
 */
export function scatter(y: Tensor, x: Tensor, { order, offsets, weights, topK }: Routing, expert: number): void {
  const [tokens = 0, dim = 0] = y.shape;
  const [begin, end] = [offsets[expert]!, offsets[expert + 1]!];
  expectShape("scatter: y", y, [tokens, dim]);
  expectShape("scatter: x", x, [end - begin, dim]);
  y.rt.kernels.scatter(y.ptr, x.ptr, slice(order, begin, end).ptr, weights.ptr, end - begin, topK, dim, 0, dim);
}

/** A tensor of zeros, to scatter into. */
export function zerosLike(x: Tensor): Tensor {
  const y = x.rt.empty(x.shape);
  x.rt.f32(y).fill(0);
  return y;
}

/** Rows of `x` by index: `[rows.length, dim]`. */
export function take(x: Tensor, rows: readonly number[]): Tensor {
  const [count = 0, dim = 0] = x.shape;
  expectShape("take: x", x, [count, dim]);
  const { rt } = x;
  const order = rt.from(rows, [rows.length], "i32");
  const y = rt.empty([rows.length, dim]);
  rt.kernels.gather(y.ptr, x.ptr, order.ptr, 1, dim, 0, rows.length);
  return y;
}
