// Lightning attention in the library, for all heads of a whole sequence, from an empty state.
import { createRuntime, describe, ops } from "./library.mjs";

export async function setup() {
  const rt = await createRuntime();
  const info = describe(rt, "lightning attention");
  rt.dispose();
  return info;
}

export async function prepare({ tokens, heads, headDim }, q, k, v, slopes) {
  const rt = await createRuntime();
  const interleaved = interleave([q, k, v], headDim);
  const qkv = rt.keep([tokens, heads, 3 * headDim]);
  const state = ops.lightningState(rt, heads, headDim);
  const lambda = rt.keep([heads]);
  rt.f32(lambda).set(slopes);
  const o = new Float32Array(q.length);
  const segments = [{ begin: 0, end: tokens }];
  const attend = () => o.set(rt.f32(ops.lightning(qkv, lambda, segments, [state])));
  return {
    run() {
      rt.f32(qkv).set(interleaved);
      rt.f32(state).fill(0);
      rt.scope(attend);
    },
    result: () => (t, h, d) => o[(t * heads + h) * headDim + d],
    dispose: () => rt.dispose(),
  };
}

/** Interleaves arrays: rows of `size` numbers of each array in turn. */
function interleave(arrays, size) {
  const all = new Float32Array(arrays.length * arrays[0].length);
  for (const [i, array] of arrays.entries()) {
    for (let from = 0, to = i * size; from < array.length; from += size, to += arrays.length * size) {
      all.set(array.subarray(from, from + size), to);
    }
  }
  return all;
}
