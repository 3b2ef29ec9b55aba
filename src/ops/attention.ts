import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Runtime } from "../runtime/runtime.js";
import { expectShape, expectTensor, reshape, runtimeOf, slice, type Tensor } from "../runtime/tensor.js";
import { attentionBackward, loadKeysValues } from "./attention-backward.js";
import { expectPages, type KeysValues, KV_BYTES, keysValuesGradients } from "./kv-cache.js";
import { expectSegments, type Segment } from "./segment.js";

/** Maximum number of queries that read the pages together. This is enough to share the reads, and few enough for the L1 cache. */
const MAX_BLOCK_QUERIES = 48;

/**
 * Computes causal grouped-query softmax attention: `o_t = Σ_{s ≤ t} softmax_s(q_t·k_s / sqrt(headDim)) v_s`. It uses online softmax,
 * without an n × n matrix. Each segment attends to the keys and values in its cache, which already contains those of the segment itself.
 *
 * The bits of a token's result do not depend on how the sequence is split into calls, as long as keys and values are finite. Otherwise they
 * can, because tiles also contain later positions with weight 0, and 0 · NaN is NaN.
 *
 * @param q `[tokens, heads, headDim]`
 * @returns o `[tokens, heads · headDim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function attention(q: Tensor, segments: readonly Segment[], caches: readonly KeysValues[]): Tensor {
  expectTensor("attention: q", q);
  const [tokens = 0, heads = 0, dim = 0] = q.shape;
  expectShape("attention: q", q, [tokens, heads, dim]);
  expectSegments("attention", segments, tokens, caches.length);
  const rt = runtimeOf("attention", q, ...caches.map(({ pages }) => pages));
  const o = rt.empty([tokens, heads * dim]);
  for (const [i, { begin, end }] of segments.entries()) {
    const { kv, kvHeads, headDim, pages, length } = caches[i]!;
    expectPages("attention", pages, length);
    if (headDim !== dim || length < end - begin || heads % kvHeads !== 0) {
      throw new ShapeError(
        `attention: cache: expected at least ${end - begin} positions of [kvHeads, ${dim}] for ${heads} heads, got ${printed(length)} of [${kvHeads}, ${headDim}]`,
      );
    }
    const [to, from, steps] = [slice(o, begin, end), slice(q, begin, end), end - begin];
    const block = queriesPerBlock(rt, kvHeads, (steps * heads) / kvHeads);
    const args = [to.ptr, from.ptr, pages.ptr, steps, length, heads, kvHeads, dim, KV_BYTES[kv], block, dim ** -0.5] as const;
    const workspace = rt.workspace(rt.kernels.attentionWorkspaceBytes(block, dim, KV_BYTES[kv]));
    const units = kvHeads * Math.ceil((steps * heads) / kvHeads / block);
    rt.runIn("attention", [...args, workspace, 0, units], 4 * steps * heads * dim * (length - (steps - 1) / 2));
  }
  const { tape } = rt;
  const lengths = tape ? caches.map(({ length }) => length) : [];
  tape?.record(o, [q, o], (dO, d) => {
    for (const [i, { begin, end }] of segments.entries()) {
      rt.scope(() => {
        const part = (x: Tensor) => slice(reshape(x, q.shape), begin, end);
        // The page table is read now, because the cache may have grown and moved it since.
        const { kv, kvHeads, headDim, pages } = caches[i]!;
        const { keys, values } = loadKeysValues({ kv, kvHeads, headDim, pages, length: lengths[i]! });
        const [dk, dv] = keysValuesGradients(tape, caches[i]!, keys.shape);
        attentionBackward({ dq: part(d(q)), dk, dv }, part(dO), part(o), part(q), keys, values);
      });
    }
  });
  return o;
}

/** Returns the number of queries per block. It is smaller than the maximum if there would be less than one block per thread. */
function queriesPerBlock(rt: Runtime, kvHeads: number, queries: number): number {
  return Math.max(1, Math.min(MAX_BLOCK_QUERIES, Math.ceil((queries * kvHeads) / rt.threads)));
}
