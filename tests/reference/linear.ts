// The specification of products, norms and pointwise functions: float64, one loop per sum.
// Tensors are flat and row-major; a row's length is given or follows from the weights. Where loops are long, operands are copied into
// float64 arrays first: over arrays of one type they run several times as fast.

/** Anything that holds numbers: float64 of the reference, float32 of the library. */
export type Numbers = ArrayLike<number>;

/** `y_ro = Σ_i x_ri w_oi`.  x `[rows, inner]`, w `[out, inner]` → `[rows, out]`. */
export function matmul(x: Numbers, w: Numbers, inner: number): Float64Array {
  const rows = x.length / inner;
  const out = w.length / inner;
  [x, w] = [new Float64Array(x), new Float64Array(w)];
  const y = new Float64Array(rows * out);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < out; o++) {
      let sum = 0;
      for (let i = 0; i < inner; i++) sum += x[r * inner + i]! * w[o * inner + i]!;
      y[r * out + o] = sum;
    }
  }
  return y;
}

/** `y = w · x / sqrt(mean(x²) + eps)`.  x `[rows, dim]`, w `[dim]`. */
export function rmsNorm(x: Numbers, w: Numbers, eps: number): Float64Array {
  const dim = w.length;
  const y = new Float64Array(x.length);
  for (let r = 0; r < x.length; r += dim) {
    let squares = 0;
    for (let i = 0; i < dim; i++) squares += x[r + i]! ** 2;
    const rms = Math.sqrt(squares / dim + eps);
    for (let i = 0; i < dim; i++) y[r + i] = (w[i]! * x[r + i]!) / rms;
  }
  return y;
}

/** `σ(x) = 1 / (1 + e^−x)`. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** `x · σ(x)`. */
export function silu(x: number): number {
  return x * sigmoid(x);
}

/** `p_i = e^(x_i) / Σ_j e^(x_j)` of one row. */
export function softmax(x: Numbers): Float64Array {
  const row = logSoftmax(x);
  for (let i = 0; i < row.length; i++) row[i] = Math.exp(row[i]!);
  return row;
}

/** `x_i − log Σ_j e^(x_j)` of one row. */
export function logSoftmax(x: Numbers): Float64Array {
  const row = new Float64Array(x);
  let max = -Infinity;
  for (let i = 0; i < row.length; i++) max = Math.max(max, row[i]!);
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - max);
  const logSum = max + Math.log(sum);
  for (let i = 0; i < row.length; i++) row[i]! -= logSum;
  return row;
}

/** `f` of every element. */
export function map(x: Numbers, f: (value: number) => number): Float64Array {
  return Float64Array.from(x, f);
}

/** `f` of every pair of elements. */
export function zip(x: Numbers, y: Numbers, f: (x: number, y: number) => number): Float64Array {
  return Float64Array.from(x, (value, i) => f(value, y[i]!));
}
