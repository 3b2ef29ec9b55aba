import { ShapeError } from "../runtime/errors.js";
import { expectShape, runtimeOf, slice, type Tensor } from "../runtime/tensor.js";
import { expectSegments, type Segment } from "./segment.js";

/** Keys and values of one sequence so far. */
export interface KeysValues {
  /** `[capacity, kvHeads, headDim]`, of which the first `length` rows are filled. */
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly length: number;
}

/**
 * Causal grouped-query softmax attention, each segment over its own keys and values, which end with the segment's own:
 * `o_t = Σ_{s ≤ t} softmax_s(q_t·k_s / sqrt(headDim)) v_s`, computed online, never as an n × n matrix.
 *
 * @param q `[tokens, heads, headDim]`
 * @returns o `[tokens, heads · headDim]`
 * @throws {ShapeError}
 */
export function attention(q: Tensor, segments: readonly Segment[], caches: readonly KeysValues[]): Tensor {
  const [tokens = 0, heads = 0, dim = 0] = q.shape;
  expectShape("attention: q", q, [tokens, heads, dim]);
  expectSegments("attention", segments, tokens, caches.length);
  const rt = runtimeOf("attention", q, ...caches.flatMap(({ keys, values }) => [keys, values]));
  const o = rt.empty([tokens, heads * dim]);
  for (const [i, { begin, end }] of segments.entries()) {
    const { keys, values, length } = caches[i]!;
    const kvHeads = keys.shape[1]!;
    expectShape("attention: keys", keys, ["*", kvHeads, dim]);
    expectShape("attention: values", values, keys.shape);
    if (length > keys.shape[0]! || length < end - begin || heads % kvHeads !== 0) {
      throw new ShapeError(
        `attention: keys: expected at least ${end - begin} of [${keys.shape.join(", ")}] for ${heads} heads, got ${length}`,
      );
    }
    const [to, from, rows] = [slice(o, begin, end), slice(q, begin, end), end - begin];
    const args = [to.ptr, from.ptr, keys.ptr, values.ptr, rows, length, heads, kvHeads, dim, dim ** -0.5] as const;
    rt.runIn(rt.kernels.attentionWorkspaceBytes(dim), "attention", [...args], kvHeads, 4 * rows * heads * dim * (length - rows / 2));
  }
  return o;
}
