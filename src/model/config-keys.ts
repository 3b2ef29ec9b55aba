// The keys of a config.json: the types of known keys, and the treatment of unknown keys.

import * as v from "valibot";
import { ConfigError } from "../base/errors.js";
import { number } from "../base/options.js";
import type { StoredDType } from "../weights/weights.js";

/** A function that receives warnings. */
export type WarningHandler = (message: string) => void;

export const count = number("an integer within [1, 2^31)", (x) => Number.isInteger(x) && x >= 1 && x < 2 ** 31);
const countOrZero = number("an integer within [0, 2^31)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 31);
export const finite = number("a number", Number.isFinite);
export const positive = number("a number above 0", (x) => Number.isFinite(x) && x > 0);
const fraction = number("a number within (0, 1]", (x) => x > 0 && x <= 1);
/** Limits that are larger than in all real models, but small enough to allocate tables of this size. */
export const headCount = number("an integer within [1, 65,536]", (x) => Number.isInteger(x) && x >= 1 && x <= 65_536);
export const headSize = number("an integer within [1, 4,096]", (x) => Number.isInteger(x) && x >= 1 && x <= 4096);
export const layerCount = number("an integer within [1, 10,000]", (x) => Number.isInteger(x) && x >= 1 && x <= 10_000);
export const tokenId = v.nullish(countOrZero);
export const tokenIds = v.nullish(v.union([countOrZero, v.array(countOrZero)]));
const scale = v.nullish(finite);
const onlyTrue = (remark: string) => v.nullish(v.literal(true, remark));
/** A key that does not change what the model computes. */
export const ignored = v.optional(v.unknown());

/** All keys of the two MiniMax dialects. A file of one dialect may also use the keys of the other dialect. */
export const miniMaxKeys = v.object({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  num_key_value_heads: v.nullish(count),
  head_dim: v.nullish(headSize),
  hidden_act: v.optional(v.picklist(["silu", "swish"], "only silu is supported"), "silu"),
  rms_norm_eps: v.optional(positive, 1e-5),
  max_position_embeddings: v.optional(count, 4096 * 32),
  tie_word_embeddings: v.optional(v.boolean(), false),
  num_experts_per_tok: v.optional(count, 2),
  num_local_experts: v.nullish(count),
  num_experts: v.nullish(count),
  norm_topk_prob: onlyTrue("the weights of the chosen experts always sum to 1"),
  scoring_func: v.nullish(v.literal("softmax", "only the softmax router is supported")),
  sliding_window: v.nullish(v.never("a sliding window is not part of MiniMax-M1 and would be ignored silently")),
  quantization_config: v.nullish(v.never("quantised checkpoints cannot be read (use the bf16 or float32 one)")),
  compression_config: v.nullish(v.never("quantised checkpoints cannot be read (use the bf16 or float32 one)")),
  torch_dtype: v.nullish(v.string()),
  dtype: v.nullish(v.string()),
  bos_token_id: tokenId,
  eos_token_id: tokenIds,
  initializer_range: v.optional(positive, 0.02),
  router_aux_loss_coef: v.optional(finite, 0.001),
  attn_type_list: v.nullish(v.array(v.picklist([0, 1], "0 is lightning attention, 1 is softmax attention"))),
  layer_types: v.nullish(v.array(v.picklist(["linear_attention", "full_attention"]))),
  rope_theta: v.nullish(positive),
  rotary_dim: v.nullish(count),
  partial_rotary_factor: v.nullish(fraction),
  // Read by rope-settings.ts.
  rope_parameters: ignored,
  rope_scaling: ignored,
  postnorm: v.nullish(v.boolean()),
  shared_intermediate_size: v.nullish(countOrZero),
  shared_moe_mode: v.nullish(v.literal("sigmoid", "only the sigmoid shared expert is supported")),
  layernorm_linear_attention_alpha: scale,
  layernorm_linear_attention_beta: scale,
  layernorm_full_attention_alpha: scale,
  layernorm_full_attention_beta: scale,
  layernorm_mlp_alpha: scale,
  layernorm_mlp_beta: scale,
  linear_attn_alpha_factor: scale,
  linear_attn_beta_factor: scale,
  full_attn_alpha_factor: scale,
  full_attn_beta_factor: scale,
  mlp_alpha_factor: scale,
  mlp_beta_factor: scale,
  bias: v.nullish(v.literal(false, "biases are not part of MiniMax-M1")),
  // Block size of lightning attention in the reference code. It affects only the speed.
  block_size: v.optional(count, 256),
  model_type: ignored,
  architectures: ignored,
  attention_dropout: ignored,
  auto_map: ignored,
  output_attentions: ignored,
  output_hidden_states: ignored,
  output_router_logits: ignored,
  pad_token_id: ignored,
  return_dict: ignored,
  router_jitter_noise: ignored,
  transformers_version: ignored,
  unk_token_id: ignored,
  use_cache: ignored,
  _name_or_path: ignored,
  debug: ignored,
  do_eval: ignored,
  eval_and_not_generate: ignored,
  use_triton: ignored,
});

/** Values of the keys of the MiniMax dialects. A missing key differs from null if the published code distinguishes them. */
export type ConfigKeys = v.InferOutput<typeof miniMaxKeys>;

const ropeDefault = v.nullish(v.literal("default", "only the default rotary embedding is supported"));
const ropeObject = v.looseObject({
  rope_theta: v.nullish(positive),
  partial_rotary_factor: v.nullish(fraction),
  rope_type: ropeDefault,
  type: ropeDefault,
});

/** Rotary settings in an object such as `rope_parameters`. */
export type RopeObject = v.InferOutput<typeof ropeObject>;
export const ROPE_KEYS: readonly string[] = Object.keys(ropeObject.entries);

/** Parses an object of rotary settings. @throws {ConfigError} a value of the wrong type */
export function readRopeObject(value: unknown, where: string): RopeObject {
  const result = v.safeParse(ropeObject, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue);
  return throwConfigError(path ? `${where}.${path}` : where, describeIssue(issue));
}

/**
 * Parses the known keys. An unknown key that would change what the model computes is an error. For every other unknown key, `warn` receives
 * a message.
 *
 * @throws {ConfigError} the message names the key
 */
export function readKeys<Entries extends v.ObjectEntries>(
  knownKeys: v.ObjectSchema<Entries, undefined>,
  source: Record<string, unknown>,
  warn: WarningHandler,
): v.InferOutput<v.ObjectSchema<Entries, undefined>> {
  const result = v.safeParse(knownKeys, source);
  if (!result.success) {
    const issue = result.issues[0];
    throwConfigError(v.getDotPath(issue) ?? "?", describeIssue(issue));
  }
  for (const [key, value] of Object.entries(source)) {
    if (Object.hasOwn(knownKeys.entries, key)) continue;
    if (changesResults(key)) expectNeutral(key, value, key);
    else warn(`config: ${key}: unknown key, ignored (value ${preview(value)})`);
  }
  return result.output;
}

/** Matches keys whose name contains a part of the model's computation. */
const COMPUTATION_WORDS =
  /(^|_)m?rope|rotary|yarn|(^|_)ntk|alibi|(^|_)nope(_|$)|slope|scal(e|ing|ar)|multiplier|norm(?!als?(_|$))|softcap|capping|window|sliding|dual_chunk|attention_chunk|bias(?!ed)|activation|swiglu|logit|causal|bidirectional|temperature_tuning|position_embedding_type|scor(e|ing)_func|sigmoid|parallel_(residual|attn|attention|block)|zero_centered|unit_offset|(^|_)(topk|n|num)_(expert_)?groups?(_|$)|(^|_)(cap|clip|clamp|limit|sinks?|eps|epsilon|theta|alpha|beta|factor|acts?|qk)(_|$)/;
/**
 * Matches keys about training, initialisation, outputs or implementation. They change no result, even if they also match COMPUTATION_WORDS.
 */
const HARMLESS_WORDS =
  /(^|_)(grads?|gradients?|loss|losses|lr|init|initiali[sz]er|initiali[sz]ation|adam\w*|optim\w*|dropout|checkpoint\w*|recompute|offload\w*|fused?|renormalize|label_smoothing|backend|kernels?|impl|implementation)(_|$)|^max_window_layers$|^(output|return)_(\w+_)?logits$|logits_to_keep$/;
/** Matches switches for parts that every model of this architecture has. */
const SWITCH_KEYS =
  /^((use|with|enable|apply|is|attn|attention)_)*(rope|rotary|rotary_(emb|embs|embedding|embeddings)|(rms|layer)_?norm|norm|causal|scale_attn(_weights)?|scale_attention)$/;

/** Converts a key to snake case. */
const toSnakeCase = (key: string) =>
  key
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_");

function changesResults(key: string): boolean {
  return COMPUTATION_WORDS.test(toSnakeCase(key)) && !HARMLESS_WORDS.test(toSnakeCase(key));
}

/** Checks that an unknown key does not change the model. @throws {ConfigError} a value that would change what the model computes */
export function expectNeutral(key: string, value: unknown, where: string): void {
  if (!isNeutral(toSnakeCase(key), value)) {
    throwConfigError(
      where,
      `expected no such key, because this architecture does not have it and it would change results, got ${preview(value)}. Remove the key if the weights were trained without it.`,
    );
  }
}

/** Returns whether a setting with this value leaves the model unchanged. */
function isNeutral(key: string, value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (SWITCH_KEYS.test(key)) return value === true;
  if (value === false || (typeof value === "object" && Object.keys(value).length === 0)) return true;
  if (/rope|rotary/.test(key) && value === "default") return true;
  if (key === "position_embedding_type" && (value === "rope" || value === "rotary")) return true;
  if (/activation|(^|_)act(_|$)/.test(key) && (value === "silu" || value === "swish")) return true;
  if (/scor(e|ing)_func/.test(key) && value === "softmax") return true;
  if (/_groups?$/.test(key) && (value === 0 || value === 1)) return true;
  if (/softcap|capping|(^|_)cap(_|$)|window|sliding|bias|(^|_)sinks?(_|$)/.test(key) && value === 0) return true;
  return /scal(e|ing)|multiplier|factor/.test(key) && value === 1;
}

/**
 * Returns the value of a setting that has several keys, or undefined if none of them is present.
 *
 * @throws {ConfigError} keys with different values
 */
export function singleValue<T>(places: readonly (readonly [key: string, value: T | null | undefined])[]): T | undefined {
  const given = places.filter((place): place is [string, T] => place[1] !== null && place[1] !== undefined);
  const [first, ...others] = given;
  if (!first) return undefined;
  for (const [key, value] of others) {
    if (JSON.stringify(value) === JSON.stringify(first[1])) continue;
    throwConfigError(key, `expected ${preview(first[1])}, the value of ${first[0]}, got ${preview(value)}. Remove the wrong key.`);
  }
  return first[1];
}

/** Throws a ConfigError. @param reason `expected …, got …` */
export function throwConfigError(where: string, reason: string): never {
  throw new ConfigError(`config: ${where}: ${reason}`);
}

/** Throws a ConfigError unless a condition holds. */
export function expectConfig(condition: boolean, key: string, expected: string, got: unknown): void {
  if (!condition) throwConfigError(key, `expected ${expected}, got ${got}`);
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "custom") return `expected ${issue.message}, got ${issue.received}`;
  const remark = /^Invalid /.test(issue.message) ? "" : ` (${issue.message})`;
  return `expected ${issue.expected === "never" ? "nothing" : issue.expected}, got ${issue.received}${remark}`;
}

/** Returns the beginning of a value as JSON, for messages. */
export function preview(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}

/**
 * Returns the dtype of the configuration. If the two keys differ, this is only a warning, because loading uses the dtypes of the weight
 * files.
 */
export function dtypeOf({ dtype, torch_dtype }: Pick<ConfigKeys, "dtype" | "torch_dtype">, warn: WarningHandler): StoredDType {
  const dtypes: Record<string, StoredDType> = { bfloat16: "bf16", float16: "f16", float32: "f32" };
  const [first, second] = Object.entries({ dtype, torch_dtype }).flatMap(([key, name]) => {
    if (name === null || name === undefined) return [];
    const short = name.replace(/^torch\./, "");
    if (!Object.hasOwn(dtypes, short)) throwConfigError(key, `expected bfloat16, float16 or float32, got ${name}`);
    return [dtypes[short]!];
  });
  if (second && first !== second) warn(`config: torch_dtype: ${torch_dtype} is ignored, because dtype is ${dtype}`);
  return first ?? "bf16";
}
