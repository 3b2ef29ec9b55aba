import { attention, type KeysValues } from "../ops/attention.js";
import { matmul } from "../ops/matmul.js";
import { type Rotation, rope } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, sizeOf, slice, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../runtime/weights.js";

/** Rows that a KV cache begins with; it doubles from there. */
const FIRST_CAPACITY = 64;

/** Rows that a KV cache of so many tokens has. */
export function capacityFor(tokens: number): number {
  return FIRST_CAPACITY * 2 ** Math.max(0, Math.ceil(Math.log2(tokens / FIRST_CAPACITY)));
}

/** Keys and values of one sequence in one softmax layer, time-major: `[capacity, kvHeads, headDim]` each. */
export class KeyValueCache implements KeysValues {
  keys: Tensor;
  values: Tensor;
  length = 0;

  constructor(rt: Runtime, kvHeads: number, headDim: number) {
    [this.keys, this.values] = pair(rt, [FIRST_CAPACITY, kvHeads, headDim]);
  }

  /** Appends `[tokens, kvHeads, headDim]`. */
  append(keys: Tensor, values: Tensor): void {
    const from = this.length;
    this.reserve(from + keys.shape[0]!);
    this.length += keys.shape[0]!;
    const { rt } = keys;
    rt.f32(slice(this.keys, from, this.length)).set(rt.f32(keys));
    rt.f32(slice(this.values, from, this.length)).set(rt.f32(values));
  }

  /** Makes room for `rows` rows in all. */
  reserve(rows: number): void {
    const { rt, shape } = this.keys;
    if (rows <= shape[0]!) return;
    const grown = pair(rt, [capacityFor(rows), ...shape.slice(1)]);
    const filled = this.length * sizeOf(shape.slice(1));
    for (const [i, old] of [this.keys, this.values].entries()) {
      rt.f32(grown[i]!).set(rt.f32(old).subarray(0, filled));
      rt.release(old);
    }
    [this.keys, this.values] = grown;
  }

  dispose(): void {
    this.keys.rt.release(this.keys);
    this.values.rt.release(this.values);
  }
}

/** Two tensors, or neither. */
function pair(rt: Runtime, shape: readonly number[]): [Tensor, Tensor] {
  const first = rt.keep(shape);
  try {
    return [first, rt.keep(shape)];
  } catch (error) {
    rt.release(first);
    throw error;
  }
}

/**
 * Softmax attention block: grouped queries, rotary embedding on the first dims of each head, causal.
 * No bias, no window, no gate.
 *
 *     q, k = rope(x Wqᵀ), rope(x Wkᵀ);   v = x Wvᵀ
 *     o_t = Σ_{s ≤ t} softmax_s(q_t·k_s / sqrt(headDim)) v_s
 *     y = o Woᵀ
 */
export class SoftmaxAttention {
  constructor(
    private readonly weights: Weights,
    private readonly heads: number,
    private readonly kvHeads: number,
    private readonly headDim: number,
  ) {}

  /** @param x `[tokens, hidden]` @returns `[tokens, hidden]` */
  forward(x: Tensor, segments: readonly Segment[], caches: readonly KeyValueCache[], rotation: Rotation): Tensor {
    const { weights: w, heads, kvHeads, headDim } = this;
    const tokens = x.shape[0]!;
    const q = rope(reshape(matmul(x, w.at("q_proj.weight")), [tokens, heads, headDim]), rotation);
    const k = rope(reshape(matmul(x, w.at("k_proj.weight")), [tokens, kvHeads, headDim]), rotation);
    const v = reshape(matmul(x, w.at("v_proj.weight")), [tokens, kvHeads, headDim]);
    for (const [i, { begin, end }] of segments.entries()) caches[i]!.append(slice(k, begin, end), slice(v, begin, end));
    return matmul(attention(q, segments, caches), w.at("o_proj.weight"));
  }
}
