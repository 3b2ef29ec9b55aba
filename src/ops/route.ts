import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import { expectIndices, expectShape, expectTensor, runtimeOf, slice, type Tensor } from "../runtime/tensor.js";

/** The experts of every token, also sorted by expert. Slot `t · k + j` is the j-th choice of token t. */
export interface Routing {
  /** Experts per token, k. */
  readonly topK: number;
  /** Renormalised weights, `[tokens, k]`. */
  readonly weights: Tensor;
  /** Slots sorted by expert, then by token: `[tokens · k]` int32. */
  readonly order: Tensor;
  /** Index in `order` of each expert's first slot, followed by the number of slots. */
  readonly offsets: readonly number[];
}

/**
 * Routes tokens to experts. The k largest probabilities of `p = softmax(logits)` are kept for each token and renormalised to a sum of 1.
 * Among equal probabilities, the lower index comes first.
 *
 * @param logits `[tokens, experts]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function route(logits: Tensor, topK: number): Routing {
  const { experts, weights } = routeTokens(logits, topK);
  const [tokens, count] = logits.shape as [number, number];
  const { rt } = logits;
  rt.tape?.record(weights, [weights, experts], (dy, d) =>
    rt.run("routeBackward", [d(logits).ptr, dy.ptr, experts.ptr, weights.ptr, count, topK, 0, tokens], 8 * tokens * topK),
  );
  const order = rt.empty([tokens * topK], "i32");
  const offsets = rt.empty([count + 1], "i32");
  rt.kernels.groupByExpert(order.ptr, offsets.ptr, experts.ptr, tokens * topK, count);
  return { topK, weights, order, offsets: rt.integers(offsets) };
}

/**
 * Computes the chosen `experts` `[tokens, k]` int32, their `weights` `[tokens, k]`, and all `probabilities` `[tokens, experts]`. @internal
 */
export function routeTokens(logits: Tensor, topK: number): { experts: Tensor; weights: Tensor; probabilities: Tensor } {
  expectTensor("route: logits", logits);
  const [tokens = 0, count = 0] = logits.shape;
  expectShape("route: logits", logits, [tokens, count]);
  if (!(Number.isInteger(topK) && topK >= 1 && topK <= count))
    throw new ShapeError(`route: topK: expected 1 to ${count} experts, got ${printed(topK)}`);
  const { rt } = logits;
  const experts = rt.empty([tokens, topK], "i32");
  const weights = rt.empty([tokens, topK]);
  const probabilities = rt.empty([tokens, count]);
  rt.run("route", [experts.ptr, weights.ptr, probabilities.ptr, logits.ptr, count, topK, 0, tokens], tokens * count * (20 + 4 * topK));
  return { experts, weights, probabilities };
}

/**
 * Copies the rows of `x` that are routed to experts `first` to `end` (exclusive), sorted by expert.
 *
 * @param x `[tokens, dim]`
 * @returns `[slots of these experts, dim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function gather(x: Tensor, routing: Routing, first: number, end = first + 1): Tensor {
  expectTensor("gather: x", x);
  const [tokens = 0, dim = 0] = x.shape;
  expectShape("gather: x", x, [tokens, dim]);
  const slots = slotsOf("gather", routing, first, end, tokens);
  const rt = runtimeOf("gather", x, slots);
  const rows = slots.shape[0]!;
  const y = rt.empty([rows, dim]);
  rt.run("gather", [y.ptr, x.ptr, slots.ptr, routing.topK, dim, 0, rows], rows * dim);
  rt.tape?.record(y, [slots], (dy, d) =>
    rt.run("gatherBackward", [d(x).ptr, dy.ptr, slots.ptr, rows, routing.topK, dim, 0, dim], rows * dim),
  );
  return y;
}

/**
 * Adds the weighted results of experts `first` to `end` (exclusive) to their tokens: `y_t += w_tj · x_i`. Changes `y` in place.
 *
 * @param y `[tokens, dim]`
 * @param x `[slots of these experts, dim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function scatter(y: Tensor, x: Tensor, routing: Routing, first: number, end = first + 1): void {
  expectTensor("scatter: y", y);
  const [tokens = 0, dim = 0] = y.shape;
  const slots = slotsOf("scatter", routing, first, end, tokens);
  expectShape("scatter: y", y, [tokens, dim]);
  expectShape("scatter: x", x, [slots.shape[0]!, dim]);
  const rt = runtimeOf("scatter", y, x, slots);
  const rows = slots.shape[0]!;
  const { weights, topK } = routing;
  rt.run("scatter", [y.ptr, x.ptr, slots.ptr, weights.ptr, rows, topK, dim, 0, dim], 2 * rows * dim);
  rt.tape?.recordChange(y, [x, slots, weights], (dy, d) =>
    rt.run("scatterBackward", [d(x).ptr, d(weights).ptr, dy.ptr, x.ptr, slots.ptr, weights.ptr, topK, dim, 0, rows], 4 * rows * dim),
  );
}

/** Returns the slots of experts `first` to `end` (exclusive). */
function slotsOf(where: string, { order, offsets, topK }: Routing, first: number, end: number, tokens: number): Tensor {
  const [from, to] = [offsets[first], offsets[end]];
  if (from === undefined || to === undefined || first > end)
    throw new ShapeError(`${where}: experts: expected a range within [0, ${offsets.length - 1}], got ${printed(first)} to ${end}`);
  expectShape(`${where}: order`, order, [tokens * topK], { dtype: "i32", hint: "the routing may belong to other tokens" });
  return slice(order, from, to);
}

/** Creates a tensor of zeros in the shape of `x`, as a target of {@link scatter}. */
export function zerosLike(x: Tensor): Tensor {
  expectTensor("zerosLike: x", x);
  const y = x.rt.empty(x.shape);
  x.rt.fill(y, 0);
  x.rt.tape?.record(y, [], () => {});
  return y;
}

/**
 * Copies rows of `x` by index.
 *
 * @param x `[rows, dim]`
 * @returns `[indices.length, dim]`
 * @throws {ShapeError} shapes or dtypes that do not fit, or indices outside `x`
 */
export function take(x: Tensor, indices: readonly number[]): Tensor {
  expectTensor("take: x", x);
  const [count = 0, dim = 0] = x.shape;
  expectShape("take: x", x, [count, dim]);
  const { rt } = x;
  const order = rt.from(indices, [indices.length], "i32");
  expectIndices("take: indices", order, count);
  const y = rt.empty([indices.length, dim]);
  rt.run("gather", [y.ptr, x.ptr, order.ptr, 1, dim, 0, indices.length], indices.length * dim);
  rt.tape?.record(y, [order], (dy, d) =>
    rt.run("gatherBackward", [d(x).ptr, dy.ptr, order.ptr, indices.length, 1, dim, 0, dim], indices.length * dim),
  );
  return y;
}
