import { type Config, parseConfig } from "./config.js";

/** Returns the `attn_type_list` of the published model: seven lightning layers, then one softmax layer, repeated. */
function hybridLayers(layers: number): (0 | 1)[] {
  return Array.from({ length: layers }, (_, i) => (i % 8 === 7 ? 1 : 0));
}

/** The published residual scale, (2 · 80)^(1/4). */
const RESIDUAL_ALPHA = 3.5565588200778455;

function definePreset(overrides: Record<string, unknown> & { num_hidden_layers: number }): Config {
  return parseConfig({
    architectures: ["MiniMaxM1ForCausalLM"],
    model_type: "minimax_m1",
    attn_type_list: hybridLayers(overrides.num_hidden_layers),
    hidden_act: "silu",
    initializer_range: 0.02,
    layernorm_full_attention_alpha: RESIDUAL_ALPHA,
    layernorm_full_attention_beta: 1,
    layernorm_linear_attention_alpha: RESIDUAL_ALPHA,
    layernorm_linear_attention_beta: 1,
    layernorm_mlp_alpha: RESIDUAL_ALPHA,
    layernorm_mlp_beta: 1,
    num_experts_per_tok: 2,
    postnorm: true,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000_000,
    router_aux_loss_coef: 0.001,
    shared_intermediate_size: 0,
    shared_moe_mode: "sigmoid",
    tie_word_embeddings: false,
    ...overrides,
  });
}

/** The published MiniMax-M1 configuration: 456B parameters, 45.9B activated per token. */
export const minimaxM1: Config = /* @__PURE__ */ definePreset({
  hidden_size: 6144,
  intermediate_size: 9216,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  head_dim: 128,
  rotary_dim: 64,
  num_local_experts: 32,
  vocab_size: 200_064,
  max_position_embeddings: 10_240_000,
  eos_token_id: 200_020,
});

/**
 * A small model of the same architecture, for tests and first steps. It has 8 layers, 790,016 parameters, and a vocabulary of 256 bytes and
 * 64 special tokens.
 */
export const tinyM1: Config = /* @__PURE__ */ definePreset({
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 8,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  rotary_dim: 8,
  num_local_experts: 4,
  vocab_size: 320,
  max_position_embeddings: 4096,
  torch_dtype: "float32",
});

/** The softmax layers of HypeNet-2B. The others are lightning layers. */
const HYPENET_SOFTMAX_LAYERS: readonly number[] = [2, 3, 6, 8, 9, 21, 25];

/** The published HypeNet-2B configuration: 1.93 billion parameters, distilled from Qwen3-1.7B (arXiv 2601.22156, table 6). */
export const hypeNet2B: Config = /* @__PURE__ */ parseConfig({
  architectures: ["HypeNetForCausalLM"],
  model_type: "hypenet",
  attention_bias: false,
  attn_logits_scaling: "hype 500",
  attn_use_output_gate: true,
  attn_use_rope: false,
  bos_token_id: 151_643,
  eos_token_id: 151_645,
  head_dim: 128,
  hidden_act: "silu",
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 6144,
  lightning_head_dim: 128,
  lightning_nh: 16,
  lightning_nkv: 16,
  lightning_scale: "1/sqrt(d)",
  lightning_use_output_gate: true,
  lightning_use_output_norm: true,
  lightning_use_qk_norm: true,
  lightning_use_rope: true,
  max_position_embeddings: 1_048_576,
  mixer_types: Array.from({ length: 28 }, (_, i) => (HYPENET_SOFTMAX_LAYERS.includes(i) ? "attn" : "lightning-attn")),
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
  vocab_size: 151_936,
});

/** Presets by name, for the command line. */
export const presets: Readonly<Record<string, Config>> = { "minimax-m1": minimaxM1, "hypenet-2b": hypeNet2B, "tiny-m1": tinyM1 };
