// The model that all implementations run: MiniMax-M1's architecture at 119 million parameters, 39 million of them active, with seeded
// weights; as a checkpoint, and as GGUF for llama.cpp.
import { createHash } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { cached } from "./cache.mjs";
import { encodeSafetensors } from "./formats/safetensors.mjs";
import { random } from "./random.mjs";

const ALPHA = 3.5565588200778455;

const common = {
  architectures: ["MiniMaxM1ForCausalLM"],
  model_type: "minimax_m1",
  torch_dtype: "float32",
  hidden_act: "silu",
  postnorm: true,
  num_experts_per_tok: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 1e7,
  shared_intermediate_size: 0,
  tie_word_embeddings: false,
  layernorm_full_attention_alpha: ALPHA,
  layernorm_linear_attention_alpha: ALPHA,
  layernorm_mlp_alpha: ALPHA,
};

/** Layer types: seven lightning layers, then one softmax layer. */
export const sevenToOne = [0, 0, 0, 0, 0, 0, 0, 1];

export const benchConfig = {
  ...common,
  vocab_size: 8192,
  hidden_size: 512,
  intermediate_size: 1024,
  num_hidden_layers: 8,
  attn_type_list: sevenToOne,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  head_dim: 64,
  rotary_dim: 32,
  num_local_experts: 8,
  max_position_embeddings: 8192,
};

/** A model that is small enough to check within seconds that everything runs. It is also the base of the models for long contexts. */
export const smallConfig = {
  ...common,
  vocab_size: 256,
  hidden_size: 64,
  intermediate_size: 64,
  num_hidden_layers: 8,
  attn_type_list: sevenToOne,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 32,
  rotary_dim: 16,
  num_local_experts: 4,
  max_position_embeddings: 2 ** 21,
};

/** Draws weights that keep the variance of their input. Routers have a larger scale, so that the choice of experts is seldom close. */
function draw({ shape, block }, seed) {
  const [, inputs] = shape;
  const data = random(
    shape.reduce((product, dim) => product * dim, 1),
    seed,
  );
  if (inputs === undefined) return data.map((x) => 1 + x / 2);
  const deviation = block === "embedding" ? 1 : (block === "router" ? 2 : 1) / Math.sqrt(inputs);
  // A uniform number in [−0.5, 0.5) has standard deviation 1 / √12.
  return data.map((x) => x * deviation * Math.sqrt(12));
}

/** Returns the directory of a model. Another configuration is another model. */
function place(name, config) {
  return cached(`${name}-${createHash("sha256").update(JSON.stringify(config)).digest("hex").slice(0, 8)}`);
}

/** Writes the model's checkpoint once, as the library saves it. Returns its directory. */
export async function checkpoint(name, config) {
  const folder = `${place(name, config)}/`;
  if (existsSync(folder)) return folder;
  const { graph, MiniMaxM1 } = await import("../dist/node/index.js");
  const tensors = graph(config).tensors.map((tensor, i) => ({ ...tensor, data: draw(tensor, i + 1) }));
  const files = new Map([
    ["config.json", Buffer.from(JSON.stringify(config, null, 2))],
    ["model.safetensors", encodeSafetensors(tensors)],
  ]);
  const model = await MiniMaxM1.load(files);
  const partial = `${place(name, config)}.partial`;
  rmSync(partial, { recursive: true, force: true });
  await model.save(partial);
  model.dispose();
  renameSync(partial, folder);
  return folder;
}

/** Writes the same model once as GGUF, with matrices of one type, and routers and vectors as float32. Returns its path. */
export async function gguf(name, config, type) {
  const file = `${place(name, config)}-${type}.gguf`;
  if (existsSync(file)) return file;
  const { exportGguf } = await import("../dist/node/index.js");
  await exportGguf(await checkpoint(name, config), file, { dtype: type.toLowerCase() });
  return file;
}
