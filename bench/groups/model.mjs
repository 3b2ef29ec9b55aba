// Measures the whole bench model in tokens/s: a prompt of 512 tokens, then 64 greedy tokens, by build, dtype and number of threads.
import { benchConfig, checkpoint, gguf, smallConfig } from "../bench-model.mjs";
import { stage } from "../contest.mjs";
import { limits, ours, peer } from "../contestants.mjs";
import { read } from "../ours/limits.mjs";
import { randomIds } from "../random.mjs";

const ROUNDS = 5;
/** Bytes per weight. */
const WIDTH = { f32: 4, bf16: 2, q8: 1, q4: 5 / 8 };

/** Counts the weights that one token is multiplied with, in the layers and in the head, and all weights. */
function weightsOf(c) {
  const heads = c.num_attention_heads * c.head_dim;
  const kvHeads = c.num_key_value_heads * c.head_dim;
  const attention = { 0: c.hidden_size * heads * 5, 1: c.hidden_size * (2 * heads + 2 * kvHeads) };
  const expert = 3 * c.hidden_size * c.intermediate_size;
  const router = c.hidden_size * c.num_local_experts;
  const layers = (experts) => c.attn_type_list.reduce((sum, kind) => sum + attention[kind] + experts * expert + router, 0);
  const head = c.hidden_size * c.vocab_size;
  return { body: layers(c.num_experts_per_tok), head, all: layers(c.num_local_experts) + 2 * head };
}

/** Returns the task and its metrics, for the groups that run a whole model. */
export async function modelHeat(title, { quick }, dtype = "f32") {
  const [name, config] = quick ? ["small", smallConfig] : ["bench", benchConfig];
  const [prompt, tokens] = quick ? [16, 4] : [512, 64];
  const product = { M: prompt, K: config.hidden_size, N: 3 * config.hidden_size };
  const weights = weightsOf(config);
  // The limit of memory: a block as large as the weights is read, in the same order.
  const bytes = Math.floor((weights.all * WIDTH[dtype]) / 256) * 256;
  return {
    folder: await checkpoint(name, config),
    file: (type) => gguf(name, config, type),
    context: prompt + tokens + 64,
    weights,
    heat: {
      title: `${title}, prompt of ${prompt}, then ${tokens} tokens`,
      // The last id is llama.cpp's end of text.
      task: { kind: "model", ids: randomIds(prompt, config.vocab_size - 1, 9), tokens, product, bytes },
      metrics: {
        read: read(bytes),
        product: { unit: "GFLOP/s", work: (2 * product.M * product.N * product.K) / 1e9 },
        prefill: { unit: "tokens/s", work: prompt },
        decode: { unit: "tokens/s", work: tokens },
      },
    },
  };
}

export async function run(options) {
  const heats = [];
  const skipped = [];
  let weights;
  let reference;
  for (const [i, [dtype, type]] of [
    ["f32", "F32"],
    ["bf16", "BF16"],
    ["q8", "Q8_0"],
    ["q4", undefined], // no peer has a file of the same precision
  ].entries()) {
    // The short form runs each contestant once. The dtypes take turns, with one thread and with two.
    for (const threads of options.quick ? [1 + (i % 2)] : [1, 2]) {
      const own = await modelHeat(`model ${dtype}, ${threads} thread${threads > 1 ? "s" : ""}`, options, dtype);
      const { folder, context, heat } = own;
      const file = options.own || !type ? "" : await own.file(type);
      weights = own.weights;
      const wllama = type && dtype !== "bf16" ? peer("wllama", "peers/wllama-model.mjs", { threads, options: { file, context } }) : [];
      const whole = peer("onnxruntime-web", "peers/onnxruntime-model.mjs", { threads, options: { folder, platform: "web" } });
      const part = await stage(
        [
          ...ours("ours/model.mjs", { threads, options: { folder, dtype } }),
          ...wllama,
          ...(type ? peer("llama.cpp", "peers/llama-cpp-model.mjs", { threads, options: { file }, native: true }) : []),
          ...(dtype === "f32" ? whole : []),
          ...ours("ours/product-rate.mjs", { threads, label: "product" }),
          ...(threads === 1 ? limits() : []),
        ],
        [heat],
        { ...options, rounds: Math.min(options.rounds, ROUNDS) },
      );
      reference ??= part.heats[0].results.find(({ note }) => note)?.note;
      for (const result of part.heats[0].results) {
        if (result.note) result.agreement = { tokens: agreeing(result.note, reference), of: reference.length };
        delete result.note;
      }
      heats.push(...part.heats);
      skipped.push(...part.skipped);
    }
  }
  return { weights, heats, skipped };
}

/** Returns the number of tokens that two continuations have in common before they differ. */
function agreeing(a, b) {
  const first = a.findIndex((id, i) => id !== b[i]);
  return first < 0 ? Math.min(a.length, b.length) : first;
}
