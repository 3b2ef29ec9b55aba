import { attention, type KeysValues, KV_PAGE, type KVType, pageBytes, storeKeysValues } from "../ops/attention.js";
import { matmul, matmuls } from "../ops/matmul.js";
import { type Rotation, rope } from "../ops/rope.js";
import type { Segment } from "../ops/segment.js";
import type { Runtime } from "../runtime/runtime.js";
import { reshape, slice, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../runtime/weights.js";

/** Places for page addresses that a cache begins with; they double from there, four bytes each. */
const FIRST_PLACES = 16;

/**
 * Keys and values of one sequence in one softmax layer, in pages: growing allocates pages and moves nothing.
 * Places that are not filled are zero.
 */
export class KeyValueCache implements KeysValues {
  pages: Tensor;
  length = 0;
  private readonly kept: Tensor[] = [];

  constructor(
    private readonly rt: Runtime,
    readonly kvHeads: number,
    readonly headDim: number,
    readonly kv: KVType,
  ) {
    this.pages = rt.keep([FIRST_PLACES], "i32");
  }

  /** The pages that are in use. */
  get tensors(): readonly Tensor[] {
    return this.kept.slice(0, Math.ceil(this.length / KV_PAGE));
  }

  /** Appends `[tokens, kvHeads, headDim]`. */
  append(keys: Tensor, values: Tensor): void {
    const from = this.length;
    this.reserve(from + keys.shape[0]!);
    storeKeysValues(keys, values, from, this);
    this.length += keys.shape[0]!;
  }

  /** Makes room for so many positions in all. */
  reserve(positions: number): void {
    const { rt, kept } = this;
    const bytes = pageBytes(this.kvHeads, this.headDim, this.kv);
    while (kept.length * KV_PAGE < positions) {
      if (kept.length === this.pages.shape[0]) this.doublePlaces();
      const page = rt.keep([bytes / 4]);
      rt.bytes(page.ptr, bytes).fill(0);
      rt.i32(this.pages)[kept.length] = page.ptr;
      kept.push(page);
    }
  }

  /** Declares that `length` positions are filled: makes room for more, forgets what lies beyond. */
  resize(length: number): void {
    const { rt, kept, kvHeads, headDim } = this;
    const wasted = Math.min(this.length, Math.ceil(length / KV_PAGE) * KV_PAGE) - length;
    this.reserve(length);
    if (wasted > 0) {
      rt.scope(() => {
        const zeros = rt.from(new Float32Array(wasted * kvHeads * headDim), [wasted, kvHeads, headDim]);
        storeKeysValues(zeros, zeros, length, this);
      });
    }
    for (const page of kept.splice(Math.ceil(length / KV_PAGE))) rt.release(page);
    this.length = length;
  }

  dispose(): void {
    for (const page of this.kept) this.rt.release(page);
    this.rt.release(this.pages);
  }

  private doublePlaces(): void {
    const { rt, pages } = this;
    const more = rt.keep([2 * pages.shape[0]!], "i32");
    rt.i32(more).set(rt.i32(pages));
    rt.release(pages);
    this.pages = more;
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
    const [xq, xk, xv] = matmuls(x, [w.at("q_proj.weight"), w.at("k_proj.weight"), w.at("v_proj.weight")]);
    const q = rope(reshape(xq, [tokens, heads, headDim]), rotation);
    const k = rope(reshape(xk, [tokens, kvHeads, headDim]), rotation);
    const v = reshape(xv, [tokens, kvHeads, headDim]);
    for (const [i, { begin, end }] of segments.entries()) caches[i]!.append(slice(k, begin, end), slice(v, begin, end));
    return matmul(attention(q, segments, caches), w.at("o_proj.weight"));
  }
}
