import { ShapeError } from "../runtime/errors.js";
import { expectShape, runtimeOf, slice, type Tensor } from "../runtime/tensor.js";
import { expectSegments, type Segment } from "./segment.js";

/** Rows per chunk. The intra-chunk square is wasted work beyond what the state costs anyway; 32 is fastest at head dim 128. */
const CHUNK = 32;

/**
 * Lightning attention: `S_t = e^−λ S_{t−1} + k_t v_tᵀ, o_t = q_tᵀ S_t` per head, each segment from its own state.
 * One token runs the recurrence, more run in chunks; any cut of a sequence gives the same up to rounding.
 *
 * @param qkv `[tokens, heads, 3 · headDim]`, each head's q, k and v side by side
 * @param slopes λ `[heads]`
 * @param states per segment `[heads, headDim, headDim]`, read and replaced
 * @returns o `[tokens, heads · headDim]`
 * @throws {ShapeError}
 */
export function lightning(qkv: Tensor, slopes: Tensor, segments: readonly Segment[], states: readonly Tensor[], chunk = CHUNK): Tensor {
  const [tokens = 0, heads = 0, triple = 0] = qkv.shape;
  const dim = triple / 3;
  expectShape("lightning: qkv", qkv, [tokens, heads, 3 * Math.floor(dim)]);
  expectShape("lightning: slopes", slopes, [heads]);
  expectSegments("lightning", segments, tokens, states.length);
  if (!(Number.isInteger(chunk) && chunk >= 1)) throw new ShapeError(`lightning: chunk: expected an integer of at least 1, got ${chunk}`);
  const rt = runtimeOf("lightning", qkv, slopes, ...states);
  const o = rt.empty([tokens, heads * dim]);
  for (const [i, { begin, end }] of segments.entries()) {
    const state = states[i]!;
    expectShape("lightning: state", state, [heads, dim, dim]);
    const from = slice(qkv, begin, end);
    const to = slice(o, begin, end);
    const length = end - begin;
    const rows = Math.min(chunk, length);
    const [args, work] = [[to.ptr, state.ptr, from.ptr, slopes.ptr] as const, 2 * length * heads * dim * (2 * dim + rows)];
    if (length === 1) rt.run("lightningStep", [...args, heads, dim], heads, work);
    else rt.runIn(rt.kernels.lightningWorkspaceBytes(rows, dim), "lightning", [...args, length, heads, dim, rows], heads, work);
  }
  return o;
}
