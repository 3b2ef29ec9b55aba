import { ShapeError } from "../runtime/errors.js";
import { expectShape, runtimeOf, type Tensor } from "../runtime/tensor.js";
import { expectPages, type KeysValues, KV_PAGE } from "./kv-pages.js";

/**
 * The way back through the attention of one sequence, its scores computed again block by block:
 *
 *     p_ts = softmax_s(q_t·k_s / sqrt(headDim)),   dx_ts = p_ts (do_t·v_s − do_t·o_t)
 *     dq_t += Σ_s dx_ts k_s / sqrt(headDim),   dk_s += Σ_t dx_ts q_t / sqrt(headDim),   dv_s += Σ_t p_ts do_t
 *
 * @param d gradients to add to, of q, k and v
 * @param dO `[tokens, heads, headDim]`, as are o and q
 * @param k `[positions, kvHeads, headDim]`, as is v; the queries are the last positions
 * @throws {ShapeError}
 */
export function attentionBackward(
  d: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
  dO: Tensor,
  o: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
): void {
  const [tokens = 0, heads = 0, dim = 0] = q.shape;
  const [positions = 0, kvHeads = 0] = k.shape;
  for (const [name, x] of Object.entries({ dq: d.q, dO, o, q })) expectShape(`attentionBackward: ${name}`, x, [tokens, heads, dim]);
  for (const [name, x] of Object.entries({ dk: d.k, dv: d.v, k, v }))
    expectShape(`attentionBackward: ${name}`, x, [positions, kvHeads, dim]);
  if (positions < tokens || heads % kvHeads !== 0) {
    throw new ShapeError(`attentionBackward: k: expected at least ${tokens} positions for ${heads} heads, got [${k.shape.join(", ")}]`);
  }
  const rt = runtimeOf("attentionBackward", d.q, d.k, d.v, dO, o, q, k, v);
  const stats = rt.empty([tokens, heads, 2]);
  const sizes = [tokens, positions, heads, kvHeads, dim, dim ** -0.5] as const;
  const work = 8 * tokens * heads * dim * (positions - tokens / 2);
  const workspace = rt.workspace(rt.kernels.attentionBackwardWorkspaceBytes(dim));
  const blocks = rt.kernels.attentionBackwardBlocks(tokens, heads, kvHeads);
  const first = [d.q.ptr, stats.ptr, dO.ptr, o.ptr, q.ptr, k.ptr, v.ptr] as const;
  rt.runIn("attentionBackwardQ", [...first, ...sizes, workspace, 0, blocks], work);
  const second = [d.k.ptr, d.v.ptr, stats.ptr, dO.ptr, q.ptr, k.ptr, v.ptr] as const;
  rt.runIn("attentionBackwardKV", [...second, ...sizes, workspace, 0, kvHeads * Math.ceil(positions / KV_PAGE)], work);
}

/** Keys and values of a float32 cache as `[length, kvHeads, headDim]` each. @throws {ShapeError} */
export function loadKeysValues({ kv, kvHeads, headDim, pages, length }: KeysValues): { keys: Tensor; values: Tensor } {
  expectPages("loadKeysValues", pages, length);
  if (kv !== "f32") throw new ShapeError(`loadKeysValues: cache: expected float32 keys and values, got ${kv}`);
  const { rt } = pages;
  const [keys, values] = [rt.empty([length, kvHeads, headDim]), rt.empty([length, kvHeads, headDim])];
  rt.run("loadKeysValues", [keys.ptr, values.ptr, pages.ptr, kvHeads, headDim, 0, length], 2 * length * kvHeads * headDim);
  return { keys, values };
}
