// Measures softmax attention: a prompt over itself, and then tokens one by one after it. The rate of the float32 matmul is measured for
// comparison.
import { checkpoint, smallConfig } from "../bench-model.mjs";
import { stage } from "../contest.mjs";
import { limits, ours } from "../contestants.mjs";
import { PEAK } from "../ours/limits.mjs";
import { randomIds } from "../random.mjs";

const config = {
  ...smallConfig,
  num_hidden_layers: 1,
  attn_type_list: [1],
  num_attention_heads: 8,
  num_key_value_heads: 2,
  head_dim: 128,
  rotary_dim: 64,
};
export async function run(options) {
  const product = options.quick ? { M: 64, K: 64, N: 64 } : { M: 512, K: 512, N: 1536 };
  const [prompt, tokens] = options.quick ? [64, 2] : [4096, 32];
  const folder = await checkpoint("attention", config);
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim } = config;
  /** Two matmuls of `dim` multiply-adds for every pair of a query and a position that it attends to. */
  const work = (pairs) => ({ unit: "GFLOP/s", work: (4 * pairs * heads * dim) / 1e9 });
  const heat = {
    title: `softmax attention, ${heads} heads of ${dim} over ${kvHeads}, a prompt of ${prompt}, then ${tokens} tokens`,
    task: { kind: "rate", ids: randomIds(prompt, config.vocab_size, 9), tokens, product },
    metrics: {
      peak: PEAK,
      product: { unit: "GFLOP/s", work: (2 * product.M * product.N * product.K) / 1e9 },
      prefill: work((prompt * (prompt + 1)) / 2),
      decode: work(tokens * prompt + (tokens * (tokens + 1)) / 2),
    },
  };
  return stage(
    [
      ...["f32", "bf16", "q8"].flatMap((kv) => ours("ours/attention.mjs", { label: `kv ${kv}`, options: { folder, kv } })),
      ...ours("ours/product-rate.mjs", { label: "product" }),
      ...limits(),
    ],
    [heat],
    options,
  );
}
