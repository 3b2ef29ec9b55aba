import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import { expectShape, reshape, runtimeOf, type Tensor } from "../runtime/tensor.js";
import { expectPages, type KeysValues } from "./kv-cache.js";

/** Number of queries per block. Sums are split at blocks, so this number must not depend on the number of threads. */
const BLOCK_QUERIES = 64;

/** Number of positions per block of `attentionBackwardKV`. */
const BLOCK_POSITIONS = 64;

/** Number of statistics per query: the largest score, the inverse of the sum of exponentials, and dO·o. */
const STATISTICS_PER_QUERY = 3;

/** Gradients of the inputs of attention. The backward pass adds to them. */
export interface AttentionGradients {
  /** `[tokens, heads, headDim]` */
  readonly dq: Tensor;
  /** `[positions, kvHeads, headDim]` */
  readonly dk: Tensor;
  /** `[positions, kvHeads, headDim]` */
  readonly dv: Tensor;
}

/**
 * Computes the backward pass of causal grouped-query softmax attention over one sequence. The queries belong to its last `tokens`
 * positions. With `p_ts = softmax_s(q_t·k_s / sqrt(headDim))`, which is recomputed block by block, and `dx_ts = p_ts (dO_t·v_s −
 * dO_t·o_t)`:
 *
 *     dq_t += Σ_s dx_ts k_s / sqrt(headDim),   dk_s += Σ_t dx_ts q_t / sqrt(headDim),   dv_s += Σ_t p_ts dO_t
 *
 * @param dO `[tokens, heads, headDim]` or `[tokens, heads · headDim]`, in the same shape as o
 * @param o result of attention for these inputs
 * @param q `[tokens, heads, headDim]`
 * @param k `[positions, kvHeads, headDim]`, in the same shape as v
 * @throws {ShapeError} shapes or dtypes that do not fit
 */
export function attentionBackward({ dq, dk, dv }: AttentionGradients, dO: Tensor, o: Tensor, q: Tensor, k: Tensor, v: Tensor): void {
  const [tokens = 0, heads = 0, dim = 0] = q.shape;
  const [positions = 0, kvHeads = 0] = k.shape;
  expectShape("attentionBackward: q", q, [tokens, heads, dim]);
  expectShape("attentionBackward: k", k, [positions, kvHeads, dim]);
  expectShape("attentionBackward: v", v, k.shape);
  expectShape("attentionBackward: o", byHead(o, q), q.shape);
  expectShape("attentionBackward: dO", byHead(dO, q), q.shape);
  expectShape("attentionBackward: dq", dq, q.shape);
  expectShape("attentionBackward: dk", dk, k.shape);
  expectShape("attentionBackward: dv", dv, k.shape);
  if (positions < tokens || heads % kvHeads !== 0) {
    throw new ShapeError(
      `attentionBackward: k: expected at least ${tokens} positions of [kvHeads, ${dim}] for ${heads} heads, got ${printed(positions)} of [${kvHeads}, ${dim}]`,
    );
  }
  const rt = runtimeOf("attentionBackward", dq, dk, dv, dO, o, q, k, v);
  const dims = [tokens, positions, heads, kvHeads, dim, BLOCK_QUERIES, dim ** -0.5] as const;
  const workspace = rt.workspace(rt.kernels.attentionBackwardWorkspaceBytes(BLOCK_QUERIES, dim));
  const matmulWork = 2 * tokens * heads * dim * (positions - tokens / 2);
  rt.scope(() => {
    const statistics = rt.empty([tokens, heads, STATISTICS_PER_QUERY]);
    const queryUnits = kvHeads * Math.ceil((tokens * heads) / kvHeads / BLOCK_QUERIES);
    const [forQ, forKV] = [
      [dq.ptr, statistics.ptr, dO.ptr, o.ptr, q.ptr, k.ptr, v.ptr],
      [dk.ptr, dv.ptr, statistics.ptr, dO.ptr, q.ptr, k.ptr, v.ptr],
    ] as const;
    rt.runIn("attentionBackwardQ", [...forQ, ...dims, workspace, 0, queryUnits], 3 * matmulWork);
    rt.runIn("attentionBackwardKV", [...forKV, ...dims, workspace, 0, kvHeads * Math.ceil(positions / BLOCK_POSITIONS)], 4 * matmulWork);
  });
}

/** Reshapes `[tokens, heads · headDim]` to the shape of q. */
function byHead(x: Tensor, q: Tensor): Tensor {
  const [tokens = 0, heads = 0, dim = 0] = q.shape;
  return x.layout === "rows" && x.shape.length === 2 && x.shape[0] === tokens && x.shape[1] === heads * dim ? reshape(x, q.shape) : x;
}

/**
 * Copies the keys and values of a float32 cache out of its pages.
 *
 * @returns keys and values `[length, kvHeads, headDim]`
 * @throws {ShapeError} a cache of another dtype
 */
export function loadKeysValues(cache: KeysValues): { keys: Tensor; values: Tensor } {
  const { kv, kvHeads, headDim, pages, length } = cache;
  if (kv !== "f32") throw new ShapeError(`loadKeysValues: cache: expected f32, got ${printed(kv)}`);
  expectPages("loadKeysValues", pages, length);
  const { rt } = pages;
  const [keys, values] = [rt.empty([length, kvHeads, headDim]), rt.empty([length, kvHeads, headDim])];
  rt.run("loadKeysValues", [keys.ptr, values.ptr, pages.ptr, 0, kvHeads, headDim, 0, length], 2 * length * kvHeads * headDim);
  return { keys, values };
}
