// A model as llama.cpp's architecture minimax-01 reads it: hyperparameters, and names and shapes of tensors. Source: src/models/minimax-01.cpp
// and src/llama-hparams.h of llama.cpp b10437, the first release with this architecture.

import { ConfigError } from "../../base/errors.js";
import { printed } from "../../base/printed.js";
import type { Config } from "../../model/config.js";
import type { MetadataEntry, TensorDescription } from "./file-format.js";
import { Q8_0_BLOCK, type TensorType } from "./tensor-types.js";
import { type HeadLayout, headLayout, widenColumns, widenRows } from "./widen-heads.js";

const ARCHITECTURE = "minimax-01";

/** llama.cpp's limits of the numbers of layers and of experts (LLAMA_MAX_LAYERS, LLAMA_MAX_EXPERTS). */
const MAX_LAYERS = 512;
const MAX_EXPERTS = 512;

/** llama.cpp's numbers of whole files, by the type of most matrices (llama_ftype). */
const FILE_TYPES: Readonly<Record<TensorType, number>> = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 };

/** Version of the quantised types (GGML_QNT_VERSION). */
const QUANTISATION_VERSION = 2;

/** A tensor of the file, and the weights that it consists of. */
export interface TensorToConvert extends TensorDescription {
  /** Names of the weights whose rows follow each other in the tensor. */
  readonly sources: readonly string[];
  /** Rearranges the numbers of the only weight. Without it, weights can be converted piece by piece. */
  readonly rearrange?: ((values: Float32Array) => Float32Array<ArrayBuffer>) | undefined;
}

/**
 * Checks that llama.cpp computes the same model.
 *
 * @throws {ConfigError} a setting that its architecture does not have. The message says which
 */
export function expectLlamaCppModel(config: Config): void {
  const { residual, attnTypeList, numHiddenLayers: layers } = config;
  const alphas = [residual.lightning.alpha, residual.softmax.alpha, residual.mlp.alpha];
  const betas = [residual.lightning.beta, residual.softmax.beta, residual.mlp.beta];
  expectSetting(config.dialect !== "hypenet", "model_type", "minimax_m1, minimax_text_01 or minimax", config.dialect, "has no HypeNet");
  expectSetting(
    config.sharedIntermediateSize === 0,
    "shared_intermediate_size",
    "0",
    config.sharedIntermediateSize,
    "has no shared expert",
  );
  expectSetting(config.postnorm, "postnorm", "true", config.postnorm, "always carries the normalised input in the residual branch");
  expectSetting(new Set(alphas).size === 1, "layernorm alphas", "one value", alphas.join(", "), "has one residual scale for all layers");
  expectSetting(
    betas.every((beta) => beta === 1),
    "layernorm betas",
    "1",
    betas.join(", "),
    "does not scale the results of branches",
  );
  expectSetting(config.rotaryDim > 0, "rotary_dim", "at least 2", config.rotaryDim, "always applies the rotary embedding");
  const kinds = new Set(attnTypeList).size === 2 ? "both" : attnTypeList[0] === 0 ? "lightning layers only" : "softmax layers only";
  expectSetting(kinds === "both", "attention types", "lightning and softmax layers", kinds, "ends the process if one kind is missing");
  expectSetting(layers <= MAX_LAYERS, "num_hidden_layers", `at most ${MAX_LAYERS}`, layers, "has this limit");
  const experts = config.numLocalExperts;
  expectSetting(experts <= MAX_EXPERTS, "num_local_experts", `at most ${MAX_EXPERTS}`, experts, "has this limit");
}

function expectSetting(fits: boolean, name: string, expected: string, got: unknown, reason: string): void {
  if (fits) return;
  throw new ConfigError(
    `gguf: ${name}: expected ${expected}, got ${printed(got)} (llama.cpp's architecture ${ARCHITECTURE} ${reason}; save the model as safetensors instead, which this library can stream from disk)`,
  );
}

/** Returns the metadata of the model. @param name shown by programs that load the file */
export function modelMetadata(config: Config, name: string, type: TensorType): MetadataEntry[] {
  const { heads, keyValueHeads } = headLayout(config);
  return [
    ["general.architecture", "string", ARCHITECTURE],
    ["general.type", "string", "model"],
    ["general.name", "string", name],
    ["general.file_type", "u32", FILE_TYPES[type]],
    ...(type === "Q8_0" ? [["general.quantization_version", "u32", QUANTISATION_VERSION] as const] : []),
    [`${ARCHITECTURE}.vocab_size`, "u32", config.vocabSize],
    [`${ARCHITECTURE}.context_length`, "u32", config.maxPositionEmbeddings],
    [`${ARCHITECTURE}.embedding_length`, "u32", config.hiddenSize],
    [`${ARCHITECTURE}.block_count`, "u32", config.numHiddenLayers],
    [`${ARCHITECTURE}.feed_forward_length`, "u32", config.intermediateSize],
    [`${ARCHITECTURE}.attention.head_count`, "u32", heads],
    [`${ARCHITECTURE}.attention.head_count_kv`, "u32", keyValueHeads],
    [`${ARCHITECTURE}.attention.key_length`, "u32", config.headDim],
    [`${ARCHITECTURE}.attention.value_length`, "u32", config.headDim],
    [`${ARCHITECTURE}.attention.layer_norm_rms_epsilon`, "f32", config.rmsNormEps],
    [`${ARCHITECTURE}.attention.recurrent_layers`, "bool", config.attnTypeList.map((type) => type === 0)],
    [`${ARCHITECTURE}.rope.freq_base`, "f32", config.ropeTheta],
    [`${ARCHITECTURE}.rope.dimension_count`, "u32", config.rotaryDim],
    [`${ARCHITECTURE}.expert_count`, "u32", config.numLocalExperts],
    [`${ARCHITECTURE}.expert_used_count`, "u32", config.numExpertsPerTok],
    [`${ARCHITECTURE}.residual_scale`, "f32", config.residual.mlp.alpha],
  ];
}

/**
 * Returns the tensors of the file, in llama.cpp's order of layers.
 *
 * @param type of matrices. Vectors and routers are F32. Matrices whose rows are not whole Q8_0 blocks are F16
 */
export function modelTensors(config: Config, type: TensorType): TensorToConvert[] {
  const layout = headLayout(config);
  const { hiddenSize: hidden, intermediateSize: width, vocabSize, numLocalExperts: experts } = config;
  const matrix = (name: string, sources: string | readonly string[], shape: readonly number[]): TensorToConvert => ({
    name: `${name}.weight`,
    shape,
    type: type === "Q8_0" && shape.at(-1)! % Q8_0_BLOCK !== 0 ? "F16" : type,
    sources: [sources].flat(),
  });
  const float32 = (name: string, source: string, shape: readonly number[]): TensorToConvert => ({
    ...matrix(name, source, shape),
    type: "F32",
  });
  const layers = config.attnTypeList.flatMap((kind, layer) => {
    const [to, from] = [`blk.${layer}`, `model.layers.${layer}`];
    const expertMatrices = (name: string, source: string, shape: readonly number[]) =>
      matrix(
        `${to}.${name}`,
        Array.from({ length: experts }, (_, expert) => `${from}.block_sparse_moe.experts.${expert}.${source}.weight`),
        [experts, ...shape],
      );
    return [
      float32(`${to}.attn_norm`, `${from}.input_layernorm.weight`, [hidden]),
      ...(kind === 0 ? lightningTensors(config, layout) : softmaxTensors(config, layout)).map(({ name, source, shape, rearrange }) => ({
        ...(shape.length === 1 ? float32 : matrix)(`${to}.${name}`, `${from}.self_attn.${source}.weight`, shape),
        rearrange,
      })),
      float32(`${to}.ffn_norm`, `${from}.post_attention_layernorm.weight`, [hidden]),
      float32(`${to}.ffn_gate_inp`, `${from}.block_sparse_moe.gate.weight`, [experts, hidden]),
      expertMatrices("ffn_gate_exps", "w1", [width, hidden]),
      expertMatrices("ffn_down_exps", "w2", [hidden, width]),
      expertMatrices("ffn_up_exps", "w3", [width, hidden]),
    ];
  });
  return [
    matrix("token_embd", "model.embed_tokens.weight", [vocabSize, hidden]),
    ...layers,
    float32("output_norm", "model.norm.weight", [hidden]),
    // Without this tensor, llama.cpp uses the embedding.
    ...(config.tieWordEmbeddings ? [] : [matrix("output", "lm_head.weight", [vocabSize, hidden])]),
  ];
}

interface AttentionTensor {
  readonly name: string;
  readonly source: string;
  readonly shape: readonly number[];
  readonly rearrange?: TensorToConvert["rearrange"];
}

function lightningTensors({ hiddenSize: hidden, headDim }: Config, { heads, lightning, normScale }: HeadLayout): AttentionTensor[] {
  const inner = heads * headDim;
  const isWidened = lightning.length < heads;
  const rows = isWidened ? (values: Float32Array) => widenRows(values, lightning, heads) : undefined;
  const columns = isWidened ? (values: Float32Array) => widenColumns(values, hidden, lightning, heads) : undefined;
  const norm = isWidened ? (values: Float32Array) => widenRows(values, lightning, heads).map((x) => x * normScale) : undefined;
  return [
    { name: "attn_norm_2", source: "norm", shape: [inner], rearrange: norm },
    { name: "attn_qkv", source: "qkv_proj", shape: [3 * inner, hidden], rearrange: rows },
    { name: "attn_gate", source: "output_gate", shape: [inner, hidden], rearrange: rows },
    { name: "attn_output", source: "out_proj", shape: [hidden, inner], rearrange: columns },
  ];
}

function softmaxTensors(
  { hiddenSize: hidden, headDim }: Config,
  { heads, keyValueHeads, softmax, keyValue }: HeadLayout,
): AttentionTensor[] {
  const rows = (places: readonly number[], wide: number) =>
    places.length < wide ? (values: Float32Array) => widenRows(values, places, wide) : undefined;
  const columns = softmax.length < heads ? (values: Float32Array) => widenColumns(values, hidden, softmax, heads) : undefined;
  const keyValueShape = [keyValueHeads * headDim, hidden];
  return [
    { name: "attn_q", source: "q_proj", shape: [heads * headDim, hidden], rearrange: rows(softmax, heads) },
    { name: "attn_k", source: "k_proj", shape: keyValueShape, rearrange: rows(keyValue, keyValueHeads) },
    { name: "attn_v", source: "v_proj", shape: keyValueShape, rearrange: rows(keyValue, keyValueHeads) },
    { name: "attn_output", source: "o_proj", shape: [hidden, heads * headDim], rearrange: columns },
  ];
}
