import * as v from "valibot";
import { ConfigError } from "../runtime/errors.js";
import { number } from "../runtime/options.js";

/** Scales of one residual branch: `alpha · residual + beta · branch`. */
export interface ResidualScale {
  readonly alpha: number;
  readonly beta: number;
}

/** The two families of published files: MiniMax's own modelling code, and transformers' `minimax`. */
export type Dialect = "minimax_m1" | "minimax";

/** The typed configuration of a model. Names follow the published keys; both dialects end in this one shape. */
export interface Config {
  readonly dialect: Dialect;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Width of one expert (and of the shared expert: the published code uses the same value there). */
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Heads of keys and values in softmax attention. */
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  /** Leading dims of each head that rotary embedding turns, in softmax attention. */
  readonly rotaryDim: number;
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  /** Per layer: 0 = lightning attention, 1 = softmax attention. */
  readonly attnTypeList: readonly (0 | 1)[];
  readonly numLocalExperts: number;
  /** Experts that each token is routed to (top-k). */
  readonly numExpertsPerTok: number;
  /** More than 0 adds a shared expert to every layer. */
  readonly sharedIntermediateSize: number;
  /** Whether residual branches carry the normalised input (DeepNorm) or the raw one. */
  readonly postnorm: boolean;
  readonly residual: { readonly lightning: ResidualScale; readonly softmax: ResidualScale; readonly mlp: ResidualScale };
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Dtype in which the checkpoint's matrices are stored, routers aside. */
  readonly dtype: "bf16" | "f16" | "f32";
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
  /** Standard deviation of freshly initialised matrices. */
  readonly initializerRange: number;
  /** Weight of the load-balancing loss in training. */
  readonly routerAuxLossCoef: number;
  /** The JSON as it was read, for saving it back. */
  readonly source: Readonly<Record<string, unknown>>;
}

const count = number("an integer within [1, 2^31)", (x) => Number.isInteger(x) && x >= 1 && x < 2 ** 31);
const countOrZero = number("an integer within [0, 2^31)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 31);
const finite = number("a number", Number.isFinite);
const positive = number("a number above 0", (x) => Number.isFinite(x) && x > 0);
/** Far beyond any model, and few enough to build tables of. */
const headCount = number("an integer within [1, 65,536]", (x) => Number.isInteger(x) && x >= 1 && x <= 65_536);
const headSize = number("an integer within [1, 4,096]", (x) => Number.isInteger(x) && x >= 1 && x <= 4096);
const layerCount = number("an integer within [1, 10,000]", (x) => Number.isInteger(x) && x >= 1 && x <= 10_000);
const tokenId = v.nullish(countOrZero);
const tokenIds = v.nullish(v.union([countOrZero, v.array(countOrZero)]));
/** Keys that do not change what the model computes. */
const ignored = v.optional(v.unknown());

/** What both dialects share. */
const common = {
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  head_dim: v.nullish(headSize),
  hidden_act: v.optional(v.literal("silu", "only silu is known"), "silu"),
  rms_norm_eps: v.optional(positive, 1e-5),
  max_position_embeddings: v.optional(count, 4096 * 32),
  tie_word_embeddings: v.optional(v.boolean(), false),
  num_experts_per_tok: v.optional(count, 2),
  num_local_experts: v.optional(count, 8),
  sliding_window: v.nullish(v.never("a sliding window is not part of MiniMax-M1 and would be ignored silently")),
  quantization_config: v.nullish(v.never("quantised checkpoints cannot be read (use the bf16 or float32 one)")),
  torch_dtype: v.nullish(v.string()),
  dtype: v.nullish(v.string()),
  bos_token_id: tokenId,
  eos_token_id: tokenIds,
  initializer_range: v.optional(positive, 0.02),
  router_aux_loss_coef: v.optional(finite, 0.001),
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
};

/** Keys of MiniMax's own files (MiniMax-M1, MiniMax-Text-01), with the defaults of the published code. */
const published = v.object({
  ...common,
  num_key_value_heads: v.nullish(count),
  attn_type_list: v.array(v.picklist([0, 1], "0 is lightning attention, 1 is softmax attention")),
  rotary_dim: v.nullish(count),
  rope_theta: v.optional(positive, 1e6),
  rope_scaling: v.nullish(v.never("scaled rotary embedding is not part of MiniMax-M1")),
  postnorm: v.optional(v.boolean(), false),
  shared_intermediate_size: v.nullish(countOrZero),
  shared_moe_mode: v.optional(v.literal("sigmoid", "only the sigmoid shared expert is known"), "sigmoid"),
  layernorm_linear_attention_alpha: v.optional(finite, 1),
  layernorm_linear_attention_beta: v.optional(finite, 1),
  layernorm_full_attention_alpha: v.optional(finite, 1),
  layernorm_full_attention_beta: v.optional(finite, 1),
  layernorm_mlp_alpha: v.optional(finite, 1),
  layernorm_mlp_beta: v.optional(finite, 1),
  bias: v.nullish(v.literal(false, "biases are not part of MiniMax-M1")),
  debug: ignored,
  do_eval: ignored,
  eval_and_not_generate: ignored,
  use_triton: ignored,
});

const ropeParameters = v.looseObject({
  rope_theta: v.nullish(positive),
  rope_type: v.optional(v.literal("default", "only the default rotary embedding is known"), "default"),
});

/** Keys of transformers' `minimax`, with its defaults. */
const transformers = v.object({
  ...common,
  num_key_value_heads: v.nullish(count),
  layer_types: v.nullish(v.array(v.picklist(["linear_attention", "full_attention"]))),
  block_size: v.optional(count, 256),
  rope_theta: v.nullish(positive),
  rope_scaling: v.nullish(v.never("scaled rotary embedding is not part of MiniMax-M1")),
  rope_parameters: v.nullish(ropeParameters),
  full_attn_alpha_factor: v.optional(finite, 1),
  full_attn_beta_factor: v.optional(finite, 1),
  linear_attn_alpha_factor: v.optional(finite, 1),
  linear_attn_beta_factor: v.optional(finite, 1),
  mlp_alpha_factor: v.optional(finite, 1),
  mlp_beta_factor: v.optional(finite, 1),
});

const dialects: Readonly<Record<string, Dialect>> = {
  minimax_m1: "minimax_m1",
  MiniMaxM1: "minimax_m1",
  MiniMaxM1ForCausalLM: "minimax_m1",
  minimax_text_01: "minimax_m1",
  MiniMaxText01: "minimax_m1",
  MiniMaxText01ForCausalLM: "minimax_m1",
  minimax: "minimax",
  MiniMaxForCausalLM: "minimax",
};

/**
 * Reads a `config.json` of either dialect.
 *
 * @param json the parsed file
 * @param warn receives a sentence for every key that is not known; such keys change nothing
 * @throws {ConfigError} another architecture, a value of the wrong kind, or values that contradict each other
 */
export function parseConfig(json: unknown, warn: (message: string) => void = () => {}): Config {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new ConfigError(`config: expected a JSON object, got ${json === null ? "null" : Array.isArray(json) ? "an array" : typeof json}`);
  }
  const source = json as Record<string, unknown>;
  const dialect = dialectOf(source);
  const raw = dialect === "minimax" ? fromTransformers(source, warn) : fromPublished(source, warn);
  checkConfig(raw);
  return raw;
}

/**
 * Holds the values of a configuration against each other.
 *
 * @throws {ConfigError} sizes that are none, or values that contradict each other
 */
export function checkConfig(config: Config): void {
  const { dialect, numAttentionHeads, numKeyValueHeads, headDim, rotaryDim, attnTypeList } = config;
  for (const [name, value] of Object.entries(config)) {
    const fits =
      typeof value !== "number" || !/^(vocab|hidden|intermediate|num|head|max)/.test(name) || (Number.isInteger(value) && value >= 1);
    expectThat(fits, name, "an integer of at least 1", value);
  }
  expectThat(
    numAttentionHeads % numKeyValueHeads === 0,
    "num_key_value_heads",
    `a divisor of num_attention_heads ${numAttentionHeads}`,
    numKeyValueHeads,
  );
  expectThat(
    attnTypeList.length === config.numHiddenLayers,
    dialect === "minimax" ? "layer_types" : "attn_type_list",
    `${config.numHiddenLayers} entries (num_hidden_layers)`,
    `${attnTypeList.length}`,
  );
  expectThat(
    rotaryDim % 2 === 0 && rotaryDim <= headDim,
    dialect === "minimax" ? "head_dim" : "rotary_dim",
    `an even number of at most head_dim ${headDim}`,
    rotaryDim,
  );
  const matrices = 3 * config.numHiddenLayers * config.numLocalExperts;
  expectThat(matrices <= MAX_TENSORS, "num_local_experts", `at most ${MAX_TENSORS} matrices in all layers`, matrices);
  expectThat(
    config.numExpertsPerTok <= config.numLocalExperts,
    "num_experts_per_tok",
    `at most num_local_experts ${config.numLocalExperts}`,
    config.numExpertsPerTok,
  );
}

/** More tensors than this are not listed: 100 times the published model's. */
const MAX_TENSORS = 1_000_000;

function expectThat(condition: boolean, key: string, expected: string, got: unknown): void {
  if (!condition) throw new ConfigError(`config: ${key}: expected ${expected}, got ${got}`);
}

function dialectOf(source: Record<string, unknown>): Dialect {
  const architectures = Array.isArray(source.architectures) ? source.architectures : [];
  const named = [source.model_type, ...architectures].filter((name) => name !== undefined && name !== null);
  const known = named.map((name) => (typeof name === "string" && Object.hasOwn(dialects, name) ? dialects[name] : undefined));
  if (named.length > 0 && known.every((dialect) => dialect !== undefined && dialect === known[0])) return known[0]!;
  const got = named.length === 0 ? "neither model_type nor architectures" : named.map((name) => JSON.stringify(name)).join(", ");
  throw new ConfigError(
    `config: architecture: expected minimax_m1 (MiniMaxM1ForCausalLM), minimax_text_01 (MiniMaxText01ForCausalLM) or minimax (MiniMaxForCausalLM), got ${got} (MiniMax-M2 and later are other models: no lightning attention)`,
  );
}

function validate<const Schema extends v.ObjectSchema<v.ObjectEntries, undefined>>(
  schema: Schema,
  source: Record<string, unknown>,
  warn: (message: string) => void,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, source);
  if (!result.success) {
    const issue = result.issues[0];
    throw new ConfigError(`config: ${v.getDotPath(issue) ?? "?"}: ${explain(issue)}`);
  }
  warnUnknown(schema.entries, source, "", warn);
  return result.output;
}

function warnUnknown(known: object, given: Readonly<Record<string, unknown>>, prefix: string, warn: (message: string) => void): void {
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(known, key)) warn(`config: ${prefix}${key}: unknown key, ignored (value ${JSON.stringify(value)?.slice(0, 80)})`);
  }
}

function explain(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "custom") return `expected ${issue.message}, got ${issue.received}`;
  const remark = /^Invalid /.test(issue.message) ? "" : ` (${issue.message})`;
  return `expected ${issue.expected === "never" ? "nothing" : issue.expected}, got ${issue.received}${remark}`;
}

type Shared = v.InferOutput<v.ObjectSchema<typeof common, undefined>>;

function shared(raw: Shared, source: Record<string, unknown>) {
  return {
    vocabSize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    intermediateSize: raw.intermediate_size,
    numHiddenLayers: raw.num_hidden_layers,
    numAttentionHeads: raw.num_attention_heads,
    headDim: headDimOf(raw),
    rmsNormEps: raw.rms_norm_eps,
    numLocalExperts: raw.num_local_experts,
    numExpertsPerTok: raw.num_experts_per_tok,
    maxPositionEmbeddings: raw.max_position_embeddings,
    tieWordEmbeddings: raw.tie_word_embeddings,
    dtype: dtypeOf(raw.dtype ?? raw.torch_dtype ?? "bfloat16"),
    bosTokenId: raw.bos_token_id ?? undefined,
    eosTokenIds: [raw.eos_token_id ?? []].flat(),
    initializerRange: raw.initializer_range,
    routerAuxLossCoef: raw.router_aux_loss_coef,
    source,
  };
}

function headDimOf(raw: Shared): number {
  if (raw.head_dim) return raw.head_dim;
  expectThat(
    raw.hidden_size % raw.num_attention_heads === 0,
    "head_dim",
    "to be given, since num_attention_heads does not divide hidden_size",
    "nothing",
  );
  return raw.hidden_size / raw.num_attention_heads;
}

function dtypeOf(name: string): Config["dtype"] {
  const dtypes: Record<string, Config["dtype"]> = { bfloat16: "bf16", float16: "f16", float32: "f32" };
  const short = name.replace(/^torch\./, "");
  const dtype = Object.hasOwn(dtypes, short) ? dtypes[short] : undefined;
  if (!dtype) throw new ConfigError(`config: torch_dtype: expected bfloat16, float16 or float32, got ${name}`);
  return dtype;
}

function fromPublished(source: Record<string, unknown>, warn: (message: string) => void): Config {
  const raw = validate(published, source, warn);
  const base = shared(raw, source);
  return {
    ...base,
    dialect: "minimax_m1",
    // A missing key means 8 in the published code, an explicit null as many as there are query heads.
    numKeyValueHeads: raw.num_key_value_heads ?? (raw.num_key_value_heads === null ? raw.num_attention_heads : 8),
    rotaryDim: raw.rotary_dim ?? base.headDim,
    ropeTheta: raw.rope_theta,
    attnTypeList: raw.attn_type_list,
    sharedIntermediateSize: raw.shared_intermediate_size ?? 0,
    postnorm: raw.postnorm,
    residual: {
      lightning: { alpha: raw.layernorm_linear_attention_alpha, beta: raw.layernorm_linear_attention_beta },
      softmax: { alpha: raw.layernorm_full_attention_alpha, beta: raw.layernorm_full_attention_beta },
      mlp: { alpha: raw.layernorm_mlp_alpha, beta: raw.layernorm_mlp_beta },
    },
  };
}

function fromTransformers(source: Record<string, unknown>, warn: (message: string) => void): Config {
  const raw = validate(transformers, source, warn);
  warnUnknown(ropeParameters.entries, raw.rope_parameters ?? {}, "rope_parameters.", warn);
  const base = shared(raw, source);
  const types =
    raw.layer_types ?? Array.from({ length: raw.num_hidden_layers }, (_, i) => (i % 2 === 0 ? "full_attention" : "linear_attention"));
  return {
    ...base,
    dialect: "minimax",
    numKeyValueHeads: raw.num_key_value_heads ?? (raw.num_key_value_heads === null ? raw.num_attention_heads : 8),
    rotaryDim: base.headDim,
    ropeTheta: raw.rope_parameters?.rope_theta ?? raw.rope_theta ?? 1e6,
    attnTypeList: types.map((type) => (type === "linear_attention" ? 0 : 1)),
    sharedIntermediateSize: 0,
    postnorm: true,
    residual: {
      lightning: { alpha: raw.linear_attn_alpha_factor, beta: raw.linear_attn_beta_factor },
      softmax: { alpha: raw.full_attn_alpha_factor, beta: raw.full_attn_beta_factor },
      mlp: { alpha: raw.mlp_alpha_factor, beta: raw.mlp_beta_factor },
    },
  };
}
