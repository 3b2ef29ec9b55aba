// Measures training: forward pass, backward pass and update of a model of hidden size 512 on 1,024 tokens per step, with one and two
// threads. The rate of the float32 matmul is measured for comparison. Rates count 6 operations per active weight and token: 2 forward, 4
// backward.
import { benchConfig, smallConfig } from "../bench-model.mjs";
import { stage } from "../contest.mjs";
import { ours } from "../contestants.mjs";

export async function run(options) {
  const product = options.quick ? { M: 64, K: 64, N: 64 } : { M: 1024, K: 512, N: 1024 };
  const config = options.quick ? smallConfig : { ...benchConfig, vocab_size: 2048 };
  const tokens = options.quick ? 64 : 1024;
  const { graph } = await import("../../dist/node/index.js");
  const { tensors } = graph(config);
  const size = (shape) => shape.reduce((product, dim) => product * dim, 1);
  const share = (block) => (block === "expert" ? config.num_experts_per_tok / config.num_local_experts : block === "embedding" ? 0 : 1);
  const active = tensors.filter(({ shape }) => shape.length === 2).reduce((sum, { shape, block }) => sum + share(block) * size(shape), 0);
  const heats = [
    [1, tokens],
    [8, tokens / 8],
  ].map(([documents, length]) => ({
    title: `training, hidden ${config.hidden_size}, ${tokens} tokens a step in ${documents} document${documents > 1 ? "s" : ""}`,
    task: { kind: "rate", documents, length, product },
    metrics: {
      product: { unit: "GFLOP/s", work: (2 * product.M * product.N * product.K) / 1e9 },
      step: { unit: "GFLOP/s", work: (6 * active * tokens) / 1e9 },
      tokens: { unit: "tokens/s", work: tokens },
    },
  }));
  return stage(
    [1, 2].flatMap((threads) => [
      ...ours("ours/train.mjs", { threads, options: { config } }),
      ...ours("ours/product-rate.mjs", { threads, label: "product" }),
    ]),
    heats,
    { ...options, rounds: Math.min(options.rounds, 5) },
  );
}
