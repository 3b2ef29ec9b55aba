import { rmsNorm } from "../ops/norm.js";
import { type Rotation, rope } from "../ops/rope.js";
import { reshape, type Tensor } from "../runtime/tensor.js";

/**
 * Splits rows into heads: `rope(norm(x))` per head.
 *
 * @param x `[tokens, heads · headDim]`
 * @param norm weights `[headDim]` of the norm; undefined: no norm
 * @param rotation rotary angles; undefined: no rotary embedding
 * @returns `[tokens, heads, headDim]`
 */
export function splitHeads(x: Tensor, headDim: number, norm: Tensor | undefined, eps: number, rotation: Rotation | undefined): Tensor {
  const [tokens, width] = x.shape as [number, number];
  const heads = width / headDim;
  const normed = norm ? rmsNorm(reshape(x, [tokens * heads, headDim]), norm, eps) : x;
  const split = reshape(normed, [tokens, heads, headDim]);
  return rotation ? rope(split, rotation) : split;
}
