import { expectShape, type Tensor } from "../runtime/tensor.js";

/**
 * Embedding: `y_t = w[ids_t]`.
 *
 * @param ids `[tokens]` int32, each below `vocab`: the caller checks them
 * @param w `[vocab, hidden]` in panels, float32 or bf16
 * @returns `[tokens, hidden]`
 */
export function embed(ids: Tensor, w: Tensor): Tensor {
  const [tokens = 0] = ids.shape;
  expectShape("embed: ids", ids, [tokens], { dtype: "i32" });
  expectShape("embed: w", w, ["*", "*"], { dtype: ["f32", "bf16"], layout: "panels" });
  const { rt } = ids;
  const hidden = w.shape[1]!;
  const y = rt.empty([tokens, hidden]);
  const kernel = w.dtype === "f32" ? rt.kernels.embedF32 : rt.kernels.embedBf16;
  kernel(y.ptr, ids.ptr, w.ptr, hidden, 0, tokens);
  return y;
}
