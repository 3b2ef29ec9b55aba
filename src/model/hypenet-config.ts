// The keys of HypeNet's config.json, and their conversion to the typed configuration.

import * as v from "valibot";
import type { LightningSettings, SoftmaxSettings } from "./attention-settings.js";
import type { Config } from "./config.js";
import {
  count,
  dtypeOf,
  expectConfig,
  headCount,
  headSize,
  ignored,
  layerCount,
  positive,
  preview,
  readKeys,
  throwConfigError,
  tokenId,
  tokenIds,
  type WarningHandler,
} from "./config-keys.js";
import { readRopeSettings } from "./rope-settings.js";

const flag = v.nullish(v.boolean());
const onlyFalse = (remark: string) => v.nullish(v.literal(false, remark));
const mixers = ["attn", "lightning-attn", "lightning_attn"] as const;

/** All keys that are read. */
const hypeNetKeys = v.object({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: layerCount,
  mixer_types: v.array(v.picklist(mixers, "other mixers, such as kda, gdn and mamba2, are not supported")),
  num_attention_heads: headCount,
  num_key_value_heads: v.nullish(count),
  head_dim: v.nullish(headSize),
  attn_use_rope: flag,
  attn_use_output_gate: flag,
  attn_logits_scaling: v.nullish(v.union([v.string(), positive])),
  lightning_nh: v.nullish(headCount),
  lightning_nkv: v.nullish(headCount),
  lightning_head_dim: v.nullish(headSize),
  lightning_scale: v.nullish(v.string()),
  lightning_use_qk_norm: flag,
  lightning_use_rope: flag,
  lightning_use_output_norm: flag,
  lightning_use_output_gate: flag,
  lightning_use_short_conv: onlyFalse("short convolutions are not supported"),
  lightning_conv_size: ignored,
  lightning_rope_scaling: onlyFalse("scaled rotary embeddings are not supported"),
  attention_bias: onlyFalse("biases are not supported"),
  mlp_bias: onlyFalse("biases are not supported"),
  use_sliding_window: onlyFalse("sliding windows are not supported"),
  sliding_window: v.nullish(v.never("sliding windows are not supported")),
  hidden_act: v.optional(v.picklist(["silu", "swish"], "only silu is supported"), "silu"),
  rms_norm_eps: v.optional(positive, 1e-6),
  rope_theta: v.nullish(positive),
  // Read by rope-settings.ts.
  rope_parameters: ignored,
  rope_scaling: ignored,
  max_position_embeddings: v.optional(count, 32_768),
  tie_word_embeddings: v.optional(v.boolean(), false),
  torch_dtype: v.nullish(v.string()),
  dtype: v.nullish(v.string()),
  bos_token_id: tokenId,
  eos_token_id: tokenIds,
  initializer_range: v.optional(positive, 0.02),
  quantization_config: v.nullish(v.never("quantised checkpoints cannot be read (use the bf16 or float32 one)")),
  compression_config: v.nullish(v.never("quantised checkpoints cannot be read (use the bf16 or float32 one)")),
  // Settings of the distillation. They change the shapes of projections at most, which the weights show.
  expand_kv_proj: ignored,
  fused_ce_loss: ignored,
  loss_fn: ignored,
  rand_init: ignored,
  shift_labels: ignored,
  model_type: ignored,
  architectures: ignored,
  attention_dropout: ignored,
  auto_map: ignored,
  output_attentions: ignored,
  output_hidden_states: ignored,
  pad_token_id: ignored,
  return_dict: ignored,
  transformers_version: ignored,
  use_cache: ignored,
  max_window_layers: ignored,
  _attn_implementation: ignored,
  _name_or_path: ignored,
});

type HypeNetKeys = v.InferOutput<typeof hypeNetKeys>;

/** Default of `attn_logits_scaling: "hype"` without a number. */
const DEFAULT_LOG_BASE = 362;

/**
 * Converts HypeNet's configuration. Missing keys have the defaults of the published configuration class.
 *
 * @throws {ConfigError} a value of the wrong type, a variant that is not supported, or an unknown key that would change what the model
 *   computes
 */
export function readHypeNetConfig(source: Record<string, unknown>, warn: WarningHandler): Config {
  const keys = readKeys(hypeNetKeys, source, warn);
  const { num_attention_heads: heads, hidden_size: hidden } = keys;
  if (keys.head_dim === null)
    expectConfig(hidden % heads === 0, "head_dim", "a value, because num_attention_heads does not divide hidden_size", "null");
  const headDim = keys.head_dim ?? (keys.head_dim === null ? hidden / heads : 128);
  const kvHeads = keys.num_key_value_heads ?? heads;
  const rope = readRopeSettings({ ...keys, rotary_dim: undefined, partial_rotary_factor: undefined }, headDim, 10_000);
  expectConfig(rope.dim === headDim, "partial_rotary_factor", "a rotary embedding of the whole head", `${rope.dim} of ${headDim} dims`);
  return {
    dialect: "hypenet",
    vocabSize: keys.vocab_size,
    hiddenSize: hidden,
    intermediateSize: keys.intermediate_size,
    numHiddenLayers: keys.num_hidden_layers,
    numAttentionHeads: heads,
    numKeyValueHeads: kvHeads,
    headDim,
    rotaryDim: (keys.attn_use_rope ?? true) ? headDim : 0,
    ropeTheta: rope.theta,
    rmsNormEps: keys.rms_norm_eps,
    attnTypeList: keys.mixer_types.map((type) => (type === "attn" ? 1 : 0)),
    lightning: lightningSettings(keys, kvHeads, headDim, warn),
    softmax: {
      qkNorm: true,
      queryScale: queryScaleOf(keys.attn_logits_scaling),
      outputGate: keys.attn_use_output_gate ?? false,
    },
    numLocalExperts: 0,
    numExpertsPerTok: 0,
    sharedIntermediateSize: 0,
    postnorm: false,
    residual: { lightning: { alpha: 1, beta: 1 }, softmax: { alpha: 1, beta: 1 }, mlp: { alpha: 1, beta: 1 } },
    maxPositionEmbeddings: keys.max_position_embeddings,
    tieWordEmbeddings: keys.tie_word_embeddings,
    dtype: dtypeOf(keys, warn),
    bosTokenId: keys.bos_token_id ?? undefined,
    eosTokenIds: [keys.eos_token_id ?? []].flat(),
    initializerRange: keys.initializer_range,
    routerAuxLossCoef: 0,
    source,
  };
}

function lightningSettings(keys: HypeNetKeys, kvHeads: number, softmaxHeadDim: number, warn: WarningHandler): LightningSettings {
  const headDim = keys.lightning_head_dim ?? softmaxHeadDim;
  return {
    heads: keys.lightning_nh ?? keys.num_attention_heads,
    keyValueHeads: keys.lightning_nkv ?? kvHeads,
    headDim,
    projection: "separate",
    qkNorm: keys.lightning_use_qk_norm ?? false,
    rotaryDim: (keys.lightning_use_rope ?? true) ? headDim : 0,
    scale: lightningScale(keys.lightning_scale ?? "1/sqrt(d)", headDim, warn),
    layerDecay: false,
    outputNorm: keys.lightning_use_output_norm ?? false,
    outputGate: keys.lightning_use_output_gate ?? false,
    normEps: keys.rms_norm_eps,
  };
}

/** Returns the factor of the scores. The published code uses 1 for every text that it does not know. */
function lightningScale(text: string, headDim: number, warn: WarningHandler): number {
  if (text === "1/sqrt(d)") return headDim ** -0.5;
  if (text === "1/d") return 1 / headDim;
  if (text !== "1") warn(`config: lightning_scale: ${preview(text)} counts as 1, as in the published code`);
  return 1;
}

/** Parses `attn_logits_scaling`: null, a number, `"hype"` or `"hype a"`. */
function queryScaleOf(value: string | number | null | undefined): SoftmaxSettings["queryScale"] {
  if (value === null || value === undefined) return 1;
  if (typeof value === "number") return value;
  const [, base] = /^hype(?: +([0-9.]+))?$/.exec(value) ?? throwScaling(value);
  const logBase = base === undefined ? DEFAULT_LOG_BASE : Number(base);
  return Number.isFinite(logBase) && logBase > 1 ? { logBase } : throwScaling(value);
}

function throwScaling(value: string): never {
  throwConfigError("attn_logits_scaling", `expected null, a number, "hype" or "hype a" with a number a above 1, got ${preview(value)}`);
}
