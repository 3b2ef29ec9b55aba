import { expectIndices, expectShape, runtimeOf, type Tensor } from "../runtime/tensor.js";

/**
 * Embedding: `y_t = w[ids_t]`.
 *
 * @param ids `[tokens]` int32
 * @param w `[vocab, hidden]` in panels, float32 or bf16
 * @returns `[tokens, hidden]`
 * @throws {ShapeError} also for ids outside the vocabulary
 */
export function embed(ids: Tensor, w: Tensor): Tensor {
  const [tokens = 0] = ids.shape;
  expectShape("embed: ids", ids, [tokens], { dtype: "i32" });
  expectShape("embed: w", w, ["*", "*"], { dtype: ["f32", "bf16"], layout: "panels" });
  expectIndices("embed: ids", ids, w.shape[0]!);
  const rt = runtimeOf("embed", ids, w);
  const hidden = w.shape[1]!;
  const y = rt.empty([tokens, hidden]);
  rt.run(w.dtype === "f32" ? "embedF32" : "embedBf16", [y.ptr, ids.ptr, w.ptr, hidden], tokens, tokens * hidden);
  return y;
}
