// The model that all implementations run: MiniMax-M1's architecture at 119 million parameters, 39 million of them active, with seeded
// weights; as a checkpoint, and as GGUF for llama.cpp.
import { createHash } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { cached } from "./cache.mjs";
import { tensorTypes, writeGguf } from "./formats/gguf.mjs";
import { encodeSafetensors, openSafetensors } from "./formats/safetensors.mjs";
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
  const tensor = openSafetensors(`${await checkpoint(name, config)}model.safetensors`);
  writeGguf(`${file}.partial`, metadata(config, type), tensorsOf(config, type, tensor));
  renameSync(`${file}.partial`, file);
  return file;
}

function metadata(config, type) {
  const tokens = Array.from({ length: config.vocab_size }, (_, id) => `<|${id}|>`);
  const USER_DEFINED = 4;
  const end = config.vocab_size - 1;
  const own = {
    context_length: ["u32", config.max_position_embeddings],
    embedding_length: ["u32", config.hidden_size],
    block_count: ["u32", config.num_hidden_layers],
    feed_forward_length: ["u32", config.intermediate_size],
    vocab_size: ["u32", config.vocab_size],
    "attention.head_count": ["u32", config.num_attention_heads],
    "attention.head_count_kv": ["u32", config.num_key_value_heads],
    "attention.key_length": ["u32", config.head_dim],
    "attention.value_length": ["u32", config.head_dim],
    "attention.layer_norm_rms_epsilon": ["f32", config.rms_norm_eps],
    "attention.recurrent_layers": ["bool", config.attn_type_list.map((kind) => kind === 0)],
    "rope.freq_base": ["f32", config.rope_theta],
    "rope.dimension_count": ["u32", config.rotary_dim],
    expert_count: ["u32", config.num_local_experts],
    expert_used_count: ["u32", config.num_experts_per_tok],
    residual_scale: ["f32", config.layernorm_mlp_alpha],
  };
  return [
    ["general.architecture", "string", "minimax-01"],
    ["general.name", "string", "bench"],
    ["general.file_type", "u32", tensorTypes[type].fileType],
    ...Object.entries(own).map(([key, [kind, value]]) => [`minimax-01.${key}`, kind, value]),
    // Every token stands only for itself, so that input and output are ids. Nothing is ever merged.
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "gpt-2"],
    ["tokenizer.ggml.tokens", "string", tokens],
    ["tokenizer.ggml.token_type", "i32", tokens.map(() => USER_DEFINED)],
    ["tokenizer.ggml.merges", "string", ["< |"]],
    ["tokenizer.ggml.bos_token_id", "u32", end],
    ["tokenizer.ggml.eos_token_id", "u32", end],
    ["tokenizer.ggml.add_bos_token", "bool", false],
  ];
}

/** Returns the tensors under llama.cpp's names. The experts of a layer are one tensor there. */
function tensorsOf(config, type, tensor) {
  const one = (name, source, own = type) => {
    const { shape } = tensor(source);
    return { name: `${name}.weight`, shape, type: shape.length === 1 ? "F32" : own, read: () => tensor(source).data };
  };
  const stacked = (name, sources) => {
    const { shape } = tensor(sources[0]);
    const read = () => {
      const parts = sources.map((source) => tensor(source).data);
      const all = new Float32Array(parts.length * parts[0].length);
      for (const [i, part] of parts.entries()) all.set(part, i * part.length);
      return all;
    };
    return { name: `${name}.weight`, shape: [sources.length, ...shape], type, read };
  };
  const layers = config.attn_type_list.flatMap((kind, i) => {
    const [to, from] = [`blk.${i}`, `model.layers.${i}`];
    const attention =
      kind === 0
        ? { attn_qkv: "qkv_proj", attn_gate: "output_gate", attn_norm_2: "norm", attn_output: "out_proj" }
        : { attn_q: "q_proj", attn_k: "k_proj", attn_v: "v_proj", attn_output: "o_proj" };
    const experts = { ffn_gate_exps: "w1", ffn_down_exps: "w2", ffn_up_exps: "w3" };
    return [
      one(`${to}.attn_norm`, `${from}.input_layernorm.weight`),
      one(`${to}.ffn_norm`, `${from}.post_attention_layernorm.weight`),
      ...Object.entries(attention).map(([name, source]) => one(`${to}.${name}`, `${from}.self_attn.${source}.weight`)),
      one(`${to}.ffn_gate_inp`, `${from}.block_sparse_moe.gate.weight`, "F32"),
      ...Object.entries(experts).map(([name, source]) =>
        stacked(
          `${to}.${name}`,
          Array.from({ length: config.num_local_experts }, (_, e) => `${from}.block_sparse_moe.experts.${e}.${source}.weight`),
        ),
      ),
    ];
  });
  return [
    one("token_embd", "model.embed_tokens.weight"),
    one("output_norm", "model.norm.weight"),
    one("output", "lm_head.weight"),
    ...layers,
  ];
}
