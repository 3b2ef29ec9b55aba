import type { Numbers } from "./linear.js";

/**
 * Rotary angles of one position, `[rotaryDim / 2]`: `t · theta^(−2j / rotaryDim)`.
 * Inverse frequencies and their product with t are float32, as in the published code; that rounding is part of the model,
 * because at t = 10⁶ it turns the angle by hundredths.
 */
export function angles(position: number, rotaryDim: number, theta: number): Float64Array {
  return Float64Array.from({ length: rotaryDim / 2 }, (_, j) => {
    const inverseFrequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * j) / rotaryDim)));
    return Math.fround(position * inverseFrequency);
  });
}

/**
 * Rotary embedding of the first `rotaryDim` of each head; the rest stays. Dim j turns with dim j + rotaryDim/2:
 *
 *     y_j     = x_j cos a_j − x_j' sin a_j
 *     y_j'    = x_j' cos a_j + x_j sin a_j          j' = j + rotaryDim/2
 *
 * x `[tokens, heads, headDim]`, one position per token.
 */
export function rope(
  x: Numbers,
  positions: readonly number[],
  heads: number,
  headDim: number,
  rotaryDim: number,
  theta: number,
): Float64Array {
  const y = Float64Array.from(x);
  const half = rotaryDim / 2;
  for (const [t, position] of positions.entries()) {
    const a = angles(position, rotaryDim, theta);
    for (let h = 0; h < heads; h++) {
      const at = (t * heads + h) * headDim;
      for (let j = 0; j < half; j++) {
        const first = x[at + j]!;
        const second = x[at + j + half]!;
        y[at + j] = first * Math.cos(a[j]!) - second * Math.sin(a[j]!);
        y[at + j + half] = second * Math.cos(a[j]!) + first * Math.sin(a[j]!);
      }
    }
  }
  return y;
}
