import { expectShape, expectTensor, runtimeOf, sizeOf, type Tensor } from "../runtime/tensor.js";

/** Approximate floating point operations per element, with and without a sigmoid. */
const [OPERATIONS_PER_SIGMOID, OPERATIONS_PER_ELEMENT] = [24, 3];

/** Computes SiLU, `y = x · σ(x)`, for any shape. @throws {ShapeError} not float32 */
export function silu(x: Tensor): Tensor {
  expectTensor("silu: x", x);
  expectShape("silu: x", x, x.shape);
  const { rt } = x;
  const y = rt.empty(x.shape);
  const size = sizeOf(x.shape);
  rt.run("silu", [y.ptr, x.ptr, 0, size], OPERATIONS_PER_SIGMOID * size);
  rt.tape?.record(y, [x], (dy, d) => rt.run("siluBackward", [d(x).ptr, dy.ptr, x.ptr, 0, size], OPERATIONS_PER_SIGMOID * size));
  return y;
}

/** Computes the gate of SwiGLU, `y = silu(a) ⊙ b`, for equal shapes. @throws {ShapeError} other shapes or dtypes */
export function siluGate(a: Tensor, b: Tensor): Tensor {
  expectTensor("siluGate: a", a);
  expectShape("siluGate: a", a, a.shape);
  expectShape("siluGate: b", b, a.shape);
  const rt = runtimeOf("siluGate", a, b);
  const y = rt.empty(a.shape);
  const size = sizeOf(a.shape);
  rt.run("siluGate", [y.ptr, a.ptr, b.ptr, 0, size], OPERATIONS_PER_SIGMOID * size);
  rt.tape?.record(y, [a, b], (dy, d) =>
    rt.run("siluGateBackward", [d(a).ptr, d(b).ptr, dy.ptr, a.ptr, b.ptr, 0, size], OPERATIONS_PER_SIGMOID * size),
  );
  return y;
}

/** Computes the output gate of lightning attention, `y = σ(g) ⊙ x`, for equal shapes. @throws {ShapeError} other shapes or dtypes */
export function sigmoidGate(g: Tensor, x: Tensor): Tensor {
  expectTensor("sigmoidGate: g", g);
  expectShape("sigmoidGate: g", g, g.shape);
  expectShape("sigmoidGate: x", x, g.shape);
  const rt = runtimeOf("sigmoidGate", g, x);
  const y = rt.empty(g.shape);
  const size = sizeOf(g.shape);
  rt.run("sigmoidGate", [y.ptr, g.ptr, x.ptr, 0, size], OPERATIONS_PER_SIGMOID * size);
  rt.tape?.record(y, [g, x], (dy, d) =>
    rt.run("sigmoidGateBackward", [d(g).ptr, d(x).ptr, dy.ptr, g.ptr, x.ptr, 0, size], OPERATIONS_PER_SIGMOID * size),
  );
  return y;
}

/** Computes a scaled residual, `y = alpha · x + beta · f`, for equal shapes. @throws {ShapeError} other shapes or dtypes */
export function residual(x: Tensor, f: Tensor, { alpha, beta }: { alpha: number; beta: number }): Tensor {
  expectTensor("residual: x", x);
  expectShape("residual: x", x, x.shape);
  expectShape("residual: f", f, x.shape);
  const rt = runtimeOf("residual", x, f);
  const y = rt.empty(x.shape);
  const size = sizeOf(x.shape);
  rt.run("residual", [y.ptr, x.ptr, f.ptr, alpha, beta, 0, size], OPERATIONS_PER_ELEMENT * size);
  rt.tape?.record(y, [], (dy, d) => {
    rt.run("addScaled", [d(x).ptr, dy.ptr, alpha, 0, size], OPERATIONS_PER_ELEMENT * size);
    rt.run("addScaled", [d(f).ptr, dy.ptr, beta, 0, size], OPERATIONS_PER_ELEMENT * size);
  });
  return y;
}

/**
 * Mixes the results of routed and shared experts: `y = (1 − σ(c)) · a + σ(c) · b`.
 *
 * @param a `[rows, dim]`
 * @param b `[rows, dim]`
 * @param c `[rows, 1]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function mix(a: Tensor, b: Tensor, c: Tensor): Tensor {
  expectTensor("mix: a", a);
  const [rows = 0, dim = 0] = a.shape;
  expectShape("mix: a", a, [rows, dim]);
  expectShape("mix: b", b, [rows, dim]);
  expectShape("mix: c", c, [rows, 1]);
  const rt = runtimeOf("mix", a, b, c);
  const y = rt.empty(a.shape);
  rt.run("mix", [y.ptr, a.ptr, b.ptr, c.ptr, dim, 0, rows], OPERATIONS_PER_ELEMENT * rows * dim);
  rt.tape?.record(y, [a, b, c], (dy, d) =>
    rt.run(
      "mixBackward",
      [d(a).ptr, d(b).ptr, d(c).ptr, dy.ptr, a.ptr, b.ptr, c.ptr, dim, 0, rows],
      3 * OPERATIONS_PER_ELEMENT * rows * dim,
    ),
  );
  return y;
}
