import { Random } from "../../src/base/random.js";
import { type Config, parseConfig } from "../../src/model/config.js";
import { graph } from "../../src/model/graph.js";
import { Transformer } from "../../src/model/transformer.js";
import type { KVType } from "../../src/ops/kv-cache.js";
import { Runtime } from "../../src/runtime/runtime.js";
import { sizeOf } from "../../src/runtime/tensor.js";
import type { TextCodec } from "../../src/text/text-codec.js";
import { ResidentWeights } from "../../src/weights/resident.js";

/** A model of random weights over bytes (and four ids more), lightning and softmax layers by turns. */
export function randomConfig(overrides: Record<string, unknown> = {}): Config {
  return parseConfig({
    model_type: "minimax_m1",
    attn_type_list: [0, 1, 0],
    num_hidden_layers: 3,
    hidden_size: 24,
    intermediate_size: 20,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 8,
    rotary_dim: 4,
    num_local_experts: 4,
    num_experts_per_tok: 2,
    vocab_size: 260,
    max_position_embeddings: 512,
    rope_theta: 10_000,
    torch_dtype: "float32",
    ...overrides,
  });
}

/** @param scales factors of single weights' standard deviation, by name */
export async function randomModel(
  config = randomConfig(),
  scales: Record<string, number> = {},
  seed = 1,
  kv: KVType = "f32",
): Promise<Transformer> {
  const rt = await Runtime.create("simd");
  const weights = new ResidentWeights(rt);
  const random = Random.seeded(seed);
  for (const { name, shape } of graph(config).tensors) {
    weights.add({ name, shape, dtype: "f32" }, "f32");
    const scale = scales[name] ?? 1;
    const vector = shape.length === 1;
    const values = Float32Array.from({ length: sizeOf(shape) }, () => {
      const centred = 2 * random.next() - 1;
      return vector ? 1 + 0.1 * centred : (scale * centred * 3) / Math.sqrt(shape[1]!);
    });
    const bytes = new Uint8Array(values.buffer);
    const piece = weights.pieceRows(name);
    const rows = vector ? 1 : shape[0]!;
    for (let begin = 0; begin < rows; begin += piece) {
      const rowBytes = bytes.length / rows;
      weights.writeRows(name, begin, bytes.subarray(begin * rowBytes, Math.min(begin + piece, rows) * rowBytes));
    }
  }
  return new Transformer(config, weights, rt, kv);
}

/** Every id below 256 is a byte of UTF-8; the others have no text. */
export const bytesCodec: TextCodec = {
  encode: (text) => [...new TextEncoder().encode(text)],
  stream() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return { push: (id) => decoder.decode(Uint8Array.of(...(id < 256 ? [id] : [])), { stream: true }), end: () => decoder.decode() };
  },
};

/** All that an async iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What a promise is rejected with. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
