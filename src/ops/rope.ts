import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Runtime } from "../runtime/runtime.js";
import { expectShape, expectTensor, runtimeOf, type Tensor } from "../runtime/tensor.js";

/** Cosines and sines of every token's angles, each of shape `[tokens, rotaryDim / 2]`. */
export interface Rotation {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * Computes cosines and sines of the angles `t · theta^(−2j/rotaryDim)` of every token's position t. Frequencies and angles are first
 * rounded to float32, as in the published code. At position 1,000,000, this rounding outweighs all others.
 */
export function rotation(rt: Runtime, positions: readonly number[], rotaryDim: number, theta: number): Rotation {
  const half = rotaryDim / 2;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  const frequencies = Float32Array.from({ length: half }, (_, j) => 1 / Math.fround(theta ** Math.fround((2 * j) / rotaryDim)));
  let i = 0;
  for (const position of positions) {
    for (const frequency of frequencies) {
      const angle = Math.fround(Math.fround(position) * frequency);
      cos[i] = Math.cos(angle);
      sin[i++] = Math.sin(angle);
    }
  }
  return { cos: rt.from(cos, [positions.length, half]), sin: rt.from(sin, [positions.length, half]) };
}

/**
 * Applies the partial rotary embedding: rotates the pairs (j, j + rotaryDim/2) of the first `rotaryDim` dims of each head, and copies the
 * rest.
 *
 * @param x `[tokens, heads, headDim]`
 * @returns `[tokens, heads, headDim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function rope(x: Tensor, { cos, sin }: Rotation): Tensor {
  expectTensor("rope: x", x);
  const [tokens = 0, heads = 0, headDim = 0] = x.shape;
  const half = cos.shape[1] ?? 0;
  expectShape("rope: x", x, [tokens, heads, headDim]);
  expectShape("rope: cos", cos, [tokens, half]);
  expectShape("rope: sin", sin, [tokens, half]);
  if (2 * half > headDim) throw new ShapeError(`rope: cos: expected at most ${headDim / 2} angles per token, got ${printed(half)}`);
  const rt = runtimeOf("rope", x, cos, sin);
  const y = rt.empty(x.shape);
  rt.run("rope", [y.ptr, x.ptr, cos.ptr, sin.ptr, heads, headDim, 2 * half, 0, tokens], 3 * tokens * heads * headDim);
  rt.tape?.record(y, [cos, sin], (dy, d) =>
    rt.run("ropeBackward", [d(x).ptr, dy.ptr, cos.ptr, sin.ptr, heads, headDim, 2 * half, 0, tokens], 4 * tokens * heads * headDim),
  );
  return y;
}
