// Computes C = A · W with the library's `matmul`. A is copied in, and C is copied out.
import { createRuntime, describe, ops, weight } from "./library.mjs";

export async function setupProduct(dtype) {
  const rt = await createRuntime();
  const info = describe(rt, `${dtype} weights`);
  rt.dispose();
  return info;
}

export async function prepareProduct({ M, N, K }, A, W, dtype) {
  const rt = await createRuntime();
  const w = weight(rt, transpose(W, K, N), N, K, dtype);
  const x = rt.keep([M, K]);
  const C = new Float32Array(M * N);
  const multiply = () => C.set(rt.f32(ops.matmul(x, w)));
  return {
    run() {
      rt.f32(x).set(A);
      rt.scope(multiply);
    },
    result: () => C,
    dispose: () => rt.dispose(),
  };
}

/** Transposes [rows, columns] to [columns, rows]. */
function transpose(matrix, rows, columns) {
  const turned = new Float32Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j];
  return turned;
}
