import type { Tensor } from "../runtime/tensor.js";
import { loadKeysValues } from "./attention-backward.js";
import type { KeyValueCache } from "./kv-cache.js";
import type { Segment } from "./segment.js";

/**
 * Computes the probabilities `p_ts = softmax_s(q_t·k_s / sqrt(headDim))` of causal grouped-query attention, for inspection. Sums are in
 * float64.
 *
 * @param q `[tokens, heads, headDim]`
 * @param segments segments of equal length; their queries belong to the last positions of their caches
 * @param caches one per segment, in float32
 * @returns `[segments, heads, queries, positions]`, where positions is the length of the longest cache; 0 for later positions. @internal
 */
export function attentionProbabilities(q: Tensor, segments: readonly Segment[], caches: readonly KeyValueCache[]): Float32Array {
  const { rt } = q;
  const [, heads, dim] = q.shape as [number, number, number];
  const queries = segments[0]!.end - segments[0]!.begin;
  const positions = Math.max(...caches.map(({ length }) => length));
  const result = new Float32Array(segments.length * heads * queries * positions);
  for (const [i, { begin }] of segments.entries()) {
    const { kvHeads, length } = caches[i]!;
    rt.scope(() => {
      // Loading allocates. A view that was taken before would be detached if the memory grew.
      const { keys } = loadKeysValues(caches[i]!);
      const [qs, ks] = [rt.f32(q), rt.f32(keys)];
      for (let h = 0; h < heads; h++) {
        const kvHead = Math.floor((h * kvHeads) / heads);
        for (let t = 0; t < queries; t++) {
          const query = qs.subarray(((begin + t) * heads + h) * dim).subarray(0, dim);
          const row = ((i * heads + h) * queries + t) * positions;
          const visible = length - queries + t + 1;
          const scores = new Float64Array(visible);
          for (let s = 0; s < visible; s++) {
            const key = (s * kvHeads + kvHead) * dim;
            let dot = 0;
            for (let j = 0; j < dim; j++) dot += query[j]! * ks[key + j]!;
            scores[s] = dot / Math.sqrt(dim);
          }
          const max = scores.reduce((a, b) => Math.max(a, b));
          const exponentials = scores.map((score) => Math.exp(score - max));
          const sum = exponentials.reduce((a, b) => a + b);
          result.set(
            exponentials.map((x) => x / sum),
            row,
          );
        }
      }
    });
  }
  return result;
}
