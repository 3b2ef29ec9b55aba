import { ShapeError } from "../runtime/errors.js";
import type { Runtime } from "../runtime/runtime.js";
import { expectShape, runtimeOf, slice, type Tensor } from "../runtime/tensor.js";
import { expectSegments, type Segment } from "./segment.js";

/** How keys and values are kept: float32, bf16, or int8 with a float32 scale for every position and head. */
export type KVType = "f32" | "bf16" | "q8";

/** Bytes per number. */
const WIDTH: Readonly<Record<KVType, number>> = { f32: 4, bf16: 2, q8: 1 };

/** Positions per page. */
export const KV_PAGE = 64;

/** Positions or dims per panel. */
const PANEL = 8;

/** Queries that go through the pages together: enough to share what they read, few enough that all of it stays in the first cache. */
const BLOCK = 48;

/** Keys and values of one sequence so far, in pages. */
export interface KeysValues {
  readonly kv: KVType;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Addresses of the pages, int32; at least `length` positions have one. */
  readonly pages: Tensor;
  /** Positions that are filled. */
  readonly length: number;
}

/** Bytes of one page, 64 positions of all heads. */
export function pageBytes(kvHeads: number, headDim: number, kv: KVType): number {
  const padded = Math.ceil(headDim / PANEL) * PANEL;
  return kvHeads * 2 * KV_PAGE * (padded * WIDTH[kv] + (kv === "q8" ? 4 : 0));
}

/**
 * Writes keys and values `[tokens, kvHeads, headDim]` to the positions from `position` on, which have their pages already.
 *
 * @throws {ShapeError}
 */
export function storeKeysValues(keys: Tensor, values: Tensor, position: number, cache: Omit<KeysValues, "length">): void {
  const { kv, kvHeads, headDim, pages } = cache;
  const [tokens = 0] = keys.shape;
  expectShape("storeKeysValues: keys", keys, [tokens, kvHeads, headDim]);
  expectShape("storeKeysValues: values", values, keys.shape);
  expectPages("storeKeysValues", pages, position + tokens);
  const rt = runtimeOf("storeKeysValues", keys, values, pages);
  const args = [pages.ptr, keys.ptr, values.ptr, position, kvHeads, headDim, WIDTH[kv]] as const;
  rt.run("storeKeysValues", [...args], tokens, 2 * tokens * kvHeads * headDim);
}

/**
 * Causal grouped-query softmax attention, each segment over its own keys and values, which end with the segment's own:
 * `o_t = Σ_{s ≤ t} softmax_s(q_t·k_s / sqrt(headDim)) v_s`, computed online, never as an n × n matrix.
 *
 * @param q `[tokens, heads, headDim]`
 * @returns o `[tokens, heads · headDim]`. A token's bits do not depend on how a sequence was cut.
 * @throws {ShapeError}
 */
export function attention(q: Tensor, segments: readonly Segment[], caches: readonly KeysValues[]): Tensor {
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
        `attention: cache: expected at least ${end - begin} positions of [kvHeads, ${dim}] for ${heads} heads, got ${length} of [${kvHeads}, ${headDim}]`,
      );
    }
    const [to, from, steps] = [slice(o, begin, end), slice(q, begin, end), end - begin];
    const block = queriesPerBlock(rt, kvHeads, (steps * heads) / kvHeads);
    const args = [to.ptr, from.ptr, pages.ptr, steps, length, heads, kvHeads, dim, WIDTH[kv], block, dim ** -0.5] as const;
    const bytes = rt.kernels.attentionWorkspaceBytes(block, dim, WIDTH[kv]);
    const units = kvHeads * Math.ceil((steps * heads) / kvHeads / block);
    rt.runIn(bytes, "attention", [...args], units, 4 * steps * heads * dim * (length - steps / 2));
  }
  return o;
}

/** Smaller blocks where there would be fewer than one for each thread. */
function queriesPerBlock(rt: Runtime, kvHeads: number, queries: number): number {
  return Math.max(1, Math.min(BLOCK, Math.ceil((queries * kvHeads) / rt.threads)));
}

function expectPages(where: string, pages: Tensor, positions: number): void {
  expectShape(`${where}: pages`, pages, ["*"], { dtype: "i32" });
  if (pages.shape[0]! * KV_PAGE < positions) {
    throw new ShapeError(`${where}: pages: expected addresses for ${positions} positions, got ${pages.shape[0]} of ${KV_PAGE} each`);
  }
}
