import type { Runtime } from "../runtime/runtime.js";
import { expectIndices, expectShape, expectTensor, runtimeOf, type Tensor } from "../runtime/tensor.js";
import type { VocabularyPart } from "../weights/weights.js";

const KERNELS = { f32: "embedF32", bf16: "embedBf16", q8: "embedQ8", q4: "embedQ4", synthetic: "embedSynthetic" } as const;

/**
 * Looks up embeddings: `y_t = w[ids_t]`.
 *
 * @param ids `[tokens]` int32
 * @param w `[vocab, hidden]` in panels: float32, bf16, q8, q4 or synthetic
 * @returns `[tokens, hidden]`
 * @throws {ShapeError} shapes or dtypes that do not fit, or ids outside the vocabulary
 */
export function embed(ids: Tensor, w: Tensor): Tensor {
  expectTensor("embed: ids", ids);
  const [tokens = 0] = ids.shape;
  expectShape("embed: ids", ids, [tokens], { dtype: "i32" });
  expectShape("embed: w", w, ["*", "*"], {
    dtype: ["f32", "bf16", "q8", "q4", "synthetic"],
    layout: "panels",
    hint: "ResidentWeights makes panels",
  });
  expectIndices("embed: ids", ids, w.shape[0]!);
  const rt = runtimeOf("embed", ids, w);
  const hidden = w.shape[1]!;
  const y = rt.empty([tokens, hidden]);
  rt.run(KERNELS[w.dtype as keyof typeof KERNELS], [y.ptr, ids.ptr, w.ptr, hidden, 0, tokens], tokens * hidden);
  rt.tape?.record(y, [ids], (dy, d) => rt.run("embedBackward", [d(w).ptr, ids.ptr, dy.ptr, tokens, hidden, 0, hidden], tokens * hidden));
  return y;
}

/**
 * Looks up embeddings like {@link embed}, from rows `w[ids_t]` that the caller passes in parts. The result is bit-identical.
 *
 * @returns `[tokens, hidden]`
 */
export function embedInParts(rt: Runtime, tokens: number, hidden: number, parts: Iterable<VocabularyPart>): Tensor {
  return rt.scope(() => {
    const y = rt.empty([tokens, hidden]);
    for (const { first, tensor } of parts) {
      rt.scope(() => {
        const order = Array.from({ length: tensor.shape[0]! }, (_, row) => row);
        const part = rt.read(embed(rt.from(order, [order.length], "i32"), tensor));
        rt.f32(y).set(part, first * hidden);
      });
    }
    return y;
  });
}
