import { ConfigError } from "../base/errors.js";
import type { LightningSettings, SoftmaxSettings } from "./attention-settings.js";
import {
  type ConfigKeys,
  dtypeOf,
  expectConfig,
  miniMaxKeys,
  readKeys,
  singleValue,
  throwConfigError,
  type WarningHandler,
} from "./config-keys.js";
import { readHypeNetConfig } from "./hypenet-config.js";
import { readRopeSettings } from "./rope-settings.js";

/** Scales of one residual branch: `alpha · residual + beta · branch`. */
export interface ResidualScale {
  readonly alpha: number;
  readonly beta: number;
}

/**
 * The dialect of a config and checkpoint: `minimax_m1` for MiniMax's own code, `minimax` for transformers' implementation, `hypenet` for
 * HypeNet.
 */
export type Dialect = "minimax_m1" | "minimax" | "hypenet";

/** The typed configuration of a model. Names follow the published keys. Configurations of all dialects are converted to this type. */
export interface Config {
  readonly dialect: Dialect;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Width of one expert, or of the dense MLP. The published code uses the same width for the shared expert. */
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  /** Number of query heads in softmax attention. */
  readonly numAttentionHeads: number;
  /** Number of key and value heads in softmax attention. */
  readonly numKeyValueHeads: number;
  /** Head dim of softmax attention. */
  readonly headDim: number;
  /** Number of leading dims of each head to which softmax attention applies the rotary embedding. 0: it has none. */
  readonly rotaryDim: number;
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  /** Per layer: 0 = lightning attention, 1 = softmax attention. */
  readonly attnTypeList: readonly (0 | 1)[];
  readonly lightning: LightningSettings;
  readonly softmax: SoftmaxSettings;
  /** Number of experts per layer. 0: each layer has a dense MLP instead, a SwiGLU without a router. */
  readonly numLocalExperts: number;
  /** Number of experts that each token is routed to (top-k). 0 if the MLP is dense. */
  readonly numExpertsPerTok: number;
  /** If above 0, every layer has a shared expert. */
  readonly sharedIntermediateSize: number;
  /** Whether residual branches carry the normalised input (true, as in DeepNorm) or the raw input (false). */
  readonly postnorm: boolean;
  readonly residual: { readonly lightning: ResidualScale; readonly softmax: ResidualScale; readonly mlp: ResidualScale };
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Dtype of the checkpoint's matrices, except routers. */
  readonly dtype: "bf16" | "f16" | "f32";
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
  /** Standard deviation of newly initialised matrices. */
  readonly initializerRange: number;
  /** Weight of the load-balancing loss in training. */
  readonly routerAuxLossCoef: number;
  /** The JSON as it was read. It is saved with the model. */
  readonly source: Readonly<Record<string, unknown>>;
}

const dialects: Readonly<Record<string, Dialect>> = {
  minimax_m1: "minimax_m1",
  MiniMaxM1: "minimax_m1",
  MiniMaxM1ForCausalLM: "minimax_m1",
  minimax_text_01: "minimax_m1",
  MiniMaxText01: "minimax_m1",
  MiniMaxText01ForCausalLM: "minimax_m1",
  minimax: "minimax",
  MiniMaxForCausalLM: "minimax",
  hypenet: "hypenet",
  HypeNetForCausalLM: "hypenet",
  hybrid: "hypenet",
  HybridForCausalLM: "hypenet",
};

/**
 * Parses a `config.json` of any dialect, {@link Dialect}. A MiniMax file may use the keys of both MiniMax dialects. Rotary settings are read
 * from all places that a file can give them. Keys that give one setting different values are errors.
 *
 * @param json the parsed file
 * @param warn receives a message for every unknown key that changes nothing, and for settings that other programs interpret differently
 * @throws {ConfigError} another architecture, a value of the wrong type, inconsistent values, or an unknown key that would change what the
 *   model computes
 */
export function parseConfig(json: unknown, warn: WarningHandler = () => {}): Config {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new ConfigError(`config: expected a JSON object, got ${json === null ? "null" : Array.isArray(json) ? "an array" : typeof json}`);
  }
  const source = json as Record<string, unknown>;
  const dialect = dialectOf(source);
  const config = dialect === "hypenet" ? readHypeNetConfig(source, warn) : readMiniMaxConfig(source, dialect, warn);
  checkConfig(config);
  return config;
}

function readMiniMaxConfig(source: Record<string, unknown>, dialect: "minimax_m1" | "minimax", warn: WarningHandler): Config {
  const keys = readKeys(miniMaxKeys, source, warn);
  if (dialect === "minimax") checkTransformersDialect(keys);
  const headDim = headDimOf(keys);
  const rope = readRopeSettings(keys, headDim);
  if (dialect === "minimax" && rope.dim < headDim) {
    warn(
      `config: rotary embedding: the file rotates ${rope.dim} of ${headDim} dims (transformers' own code for model_type minimax rotates all)`,
    );
  }
  return {
    dialect,
    vocabSize: keys.vocab_size,
    hiddenSize: keys.hidden_size,
    intermediateSize: keys.intermediate_size,
    numHiddenLayers: keys.num_hidden_layers,
    numAttentionHeads: keys.num_attention_heads,
    // In both implementations, a missing key means 8, and null means the number of query heads.
    numKeyValueHeads: keys.num_key_value_heads ?? (keys.num_key_value_heads === null ? keys.num_attention_heads : 8),
    headDim,
    rotaryDim: rope.dim,
    ropeTheta: rope.theta,
    rmsNormEps: keys.rms_norm_eps,
    attnTypeList: attnTypesOf(keys, dialect),
    lightning: {
      heads: keys.num_attention_heads,
      keyValueHeads: keys.num_attention_heads,
      headDim,
      projection: "joint",
      qkNorm: false,
      rotaryDim: 0,
      scale: 1,
      layerDecay: true,
      outputNorm: true,
      outputGate: true,
      normEps: 1e-6,
    },
    softmax: { qkNorm: false, queryScale: 1, outputGate: false },
    numLocalExperts:
      singleValue<number>([
        ["num_local_experts", keys.num_local_experts],
        ["num_experts", keys.num_experts],
      ]) ?? 8,
    numExpertsPerTok: keys.num_experts_per_tok,
    sharedIntermediateSize: keys.shared_intermediate_size ?? 0,
    postnorm: keys.postnorm ?? dialect === "minimax",
    residual: {
      lightning: residualScale(keys, "layernorm_linear_attention", "linear_attn"),
      softmax: residualScale(keys, "layernorm_full_attention", "full_attn"),
      mlp: residualScale(keys, "layernorm_mlp", "mlp"),
    },
    maxPositionEmbeddings: keys.max_position_embeddings,
    tieWordEmbeddings: keys.tie_word_embeddings,
    dtype: dtypeOf(keys, warn),
    bosTokenId: keys.bos_token_id ?? undefined,
    eosTokenIds: [keys.eos_token_id ?? []].flat(),
    initializerRange: keys.initializer_range,
    routerAuxLossCoef: keys.router_aux_loss_coef,
    source,
  };
}

/**
 * Checks the consistency of a configuration.
 *
 * @throws {ConfigError} invalid sizes or inconsistent values
 */
export function checkConfig(config: Config): void {
  const { dialect, numAttentionHeads, numKeyValueHeads, headDim, rotaryDim, attnTypeList, lightning } = config;
  const isDense = dialect === "hypenet";
  for (const [name, value] of Object.entries(config)) {
    if (typeof value !== "number" || !/^(vocab|hidden|intermediate|num|head|max)/.test(name)) continue;
    if (isDense && EXPERT_COUNTS.includes(name)) expectConfig(value === 0, name, "0, because HypeNet has no experts", value);
    else expectConfig(Number.isInteger(value) && value >= 1, name, "an integer of at least 1", value);
  }
  expectConfig(
    numAttentionHeads % numKeyValueHeads === 0,
    "num_key_value_heads",
    `a divisor of num_attention_heads ${numAttentionHeads}`,
    numKeyValueHeads,
  );
  expectConfig(
    lightning.heads % lightning.keyValueHeads === 0,
    "lightning_nkv",
    `a divisor of lightning_nh ${lightning.heads}`,
    lightning.keyValueHeads,
  );
  expectConfig(
    attnTypeList.length === config.numHiddenLayers,
    layerTypeKey(config),
    `${config.numHiddenLayers} entries (num_hidden_layers)`,
    `${attnTypeList.length}`,
  );
  expectConfig(
    rotaryDim % 2 === 0 && rotaryDim <= headDim,
    dialect !== "minimax_m1" && rotaryDim === headDim ? "head_dim" : "rotary_dim",
    `an even number of at most head_dim ${headDim}`,
    rotaryDim,
  );
  expectConfig(
    lightning.rotaryDim % 2 === 0 && lightning.rotaryDim <= lightning.headDim,
    "lightning_head_dim",
    "an even number, because of the rotary embedding",
    lightning.rotaryDim,
  );
  const matrices = 3 * config.numHiddenLayers * config.numLocalExperts;
  expectConfig(matrices <= MAX_TENSORS, "num_local_experts", `at most ${MAX_TENSORS} matrices in all layers`, matrices);
  expectConfig(
    config.numExpertsPerTok <= config.numLocalExperts,
    "num_experts_per_tok",
    `at most num_local_experts ${config.numLocalExperts}`,
    config.numExpertsPerTok,
  );
}

/** The counts that are 0 if the MLP is dense. */
const EXPERT_COUNTS = ["numLocalExperts", "numExpertsPerTok"];

/** Returns the key that gives the attention type of each layer in the file. */
function layerTypeKey({ source, dialect }: Config): string {
  if (dialect === "hypenet") return "mixer_types";
  return Object.hasOwn(source ?? {}, "layer_types") || dialect === "minimax" ? "layer_types" : "attn_type_list";
}

/** Maximum number of listed tensors. It is 100 times the number of the published model. */
const MAX_TENSORS = 1_000_000;

function dialectOf(source: Record<string, unknown>): Dialect {
  const architectures = Array.isArray(source.architectures) ? source.architectures : [];
  const named = [source.model_type, ...architectures].filter((name) => name !== undefined && name !== null);
  const known = named.map((name) => (typeof name === "string" && Object.hasOwn(dialects, name) ? dialects[name] : undefined));
  if (named.length > 0 && known.every((dialect) => dialect !== undefined && dialect === known[0])) return known[0]!;
  const got = named.length === 0 ? "neither model_type nor architectures" : named.map((name) => JSON.stringify(name)).join(", ");
  throw new ConfigError(
    `config: architecture: expected minimax_m1 (MiniMaxM1ForCausalLM), minimax_text_01 (MiniMaxText01ForCausalLM), minimax (MiniMaxForCausalLM) or hypenet (HypeNetForCausalLM), got ${got}. MiniMax-M2 and later models have no lightning attention and are not supported.`,
  );
}

/**
 * Checks the settings that the `minimax` dialect of transformers fixes: normalised residuals and no shared expert. @throws {ConfigError}
 * other values
 */
function checkTransformersDialect({ postnorm, shared_intermediate_size: shared }: ConfigKeys): void {
  const without = "in a model of type minimax (model_type minimax_m1 supports it)";
  expectConfig(postnorm !== false, "postnorm", `true ${without}`, postnorm);
  expectConfig(!shared, "shared_intermediate_size", `0 ${without}`, shared);
}

function headDimOf({ head_dim, hidden_size, num_attention_heads }: ConfigKeys): number {
  if (head_dim) return head_dim;
  expectConfig(
    hidden_size % num_attention_heads === 0,
    "head_dim",
    "a value, because num_attention_heads does not divide hidden_size",
    "nothing",
  );
  return hidden_size / num_attention_heads;
}

/**
 * Returns the attention type of each layer. If the file has no list, transformers alternates softmax and lightning layers; the published
 * code has no default.
 */
function attnTypesOf({ attn_type_list, layer_types, num_hidden_layers }: ConfigKeys, dialect: Dialect): readonly (0 | 1)[] {
  const fromTypes = layer_types?.map((type) => (type === "linear_attention" ? 0 : 1));
  const types = singleValue<readonly (0 | 1)[]>([
    ["attn_type_list", attn_type_list],
    ["layer_types", fromTypes],
  ]);
  if (types) return types;
  if (dialect === "minimax") return Array.from({ length: num_hidden_layers }, (_, i) => (i % 2 === 0 ? 1 : 0));
  throwConfigError("attn_type_list", "expected a list with 0 for each lightning layer and 1 for each softmax layer, got nothing");
}

type M1ScaleKey = "layernorm_linear_attention" | "layernorm_full_attention" | "layernorm_mlp";
type TransformersScaleKey = "linear_attn" | "full_attn" | "mlp";

function residualScale(keys: ConfigKeys, here: M1ScaleKey, there: TransformersScaleKey): ResidualScale {
  const [alpha, beta] = (["alpha", "beta"] as const).map((name) =>
    singleValue<number>([
      [`${here}_${name}`, keys[`${here}_${name}`]],
      [`${there}_${name}_factor`, keys[`${there}_${name}_factor`]],
    ]),
  );
  return { alpha: alpha ?? 1, beta: beta ?? 1 };
}
