import { InputError, ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import { expectShape, expectTensor, runtimeOf, sizeOf, type Tensor } from "../runtime/tensor.js";

/**
 * Joins queries, keys and values of separate projections into the input of {@link lightning}: `y_th = (scale · q_th, k_tg, v_tg)`. Each
 * head g of keys and values serves `heads / kvHeads` consecutive query heads, `g = ⌊h · kvHeads / heads⌋`.
 *
 * @param q `[tokens, heads, headDim]`
 * @param k `[tokens, kvHeads, headDim]`, in the same shape as v
 * @param scale factor of the queries
 * @returns qkv `[tokens, heads, 3 · headDim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 * @throws {InputError} a non-finite scale
 */
export function joinHeads(q: Tensor, k: Tensor, v: Tensor, scale = 1): Tensor {
  expectTensor("joinHeads: q", q);
  expectTensor("joinHeads: k", k);
  const [tokens = 0, heads = 0, dim = 0] = q.shape;
  const kvHeads = k.shape[1] ?? 0;
  expectShape("joinHeads: q", q, [tokens, heads, dim]);
  expectShape("joinHeads: k", k, [tokens, kvHeads, dim]);
  expectShape("joinHeads: v", v, k.shape);
  if (!(kvHeads >= 1 && heads % kvHeads === 0))
    throw new ShapeError(`joinHeads: k: expected a number of heads that divides ${heads}, got ${printed(kvHeads)}`);
  if (!Number.isFinite(scale)) throw new InputError(`joinHeads: scale: expected a finite number, got ${printed(scale)}`);
  const rt = runtimeOf("joinHeads", q, k, v);
  const y = rt.empty([tokens, heads, 3 * dim]);
  const size = sizeOf(q.shape);
  rt.run("joinHeads", [y.ptr, q.ptr, k.ptr, v.ptr, heads, kvHeads, dim, scale, 0, tokens], 3 * size);
  rt.tape?.record(y, [], (dy, d) =>
    rt.run("joinHeadsBackward", [d(q).ptr, d(k).ptr, d(v).ptr, dy.ptr, heads, kvHeads, dim, scale, 0, tokens], 6 * size),
  );
  return y;
}

/**
 * Multiplies each row by a constant, `y_t = s_t x_t`, where a row is everything after the first axis.
 *
 * @param x `[rows, …]`
 * @param scales `[rows]`; constants, without a gradient
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function scaleRows(x: Tensor, scales: Tensor): Tensor {
  expectTensor("scaleRows: x", x);
  const [rows = 0, ...rest] = x.shape;
  expectShape("scaleRows: x", x, [rows, ...rest]);
  expectShape("scaleRows: scales", scales, [rows]);
  const rt = runtimeOf("scaleRows", x, scales);
  const y = rt.empty(x.shape);
  const width = sizeOf(rest);
  rt.run("scaleRows", [y.ptr, x.ptr, scales.ptr, width, 0, rows], rows * width);
  rt.tape?.record(y, [scales], (dy, d) => rt.run("scaleRowsBackward", [d(x).ptr, dy.ptr, scales.ptr, width, 0, rows], 2 * rows * width));
  return y;
}
