import { STORED_BYTES } from "../weights/stored-rows.js";
import type { ResidentDType, StoredDType } from "../weights/weights.js";
import { type Config, checkConfig, parseConfig } from "./config.js";

/**
 * The part of the model that a tensor belongs to. A `router` tensor chooses experts or weights the shared expert. `mlp` is the dense MLP of
 * a layer without experts.
 */
export type Block = "embedding" | "lightning" | "softmax" | "norm" | "router" | "expert" | "shared" | "mlp" | "head";

/** One tensor of a checkpoint. */
export interface GraphTensor {
  /** Name in the published files. */
  readonly name: string;
  /** `[out, in]` for matrices, `[dim]` for norms. */
  readonly shape: readonly number[];
  /** Dtype as stored. */
  readonly dtype: StoredDType;
  readonly bytes: number;
  readonly block: Block;
  /** Index of the layer. Absent for the embedding, the final norm and the head. */
  readonly layer?: number;
  /** Index of the expert. Present only in tensors of experts. */
  readonly expert?: number;
}

/** All parameters of a model, and their counts. */
export interface Graph {
  readonly config: Config;
  readonly tensors: readonly GraphTensor[];
  /** Number of all parameters. */
  readonly parameterCount: number;
  /** Number of parameters that one token uses. It includes only the top-k experts of each layer, and neither the embedding nor the head. */
  readonly activatedParameterCount: number;
  /** Bytes of all tensors as stored, without file headers. */
  readonly checkpointBytes: number;
}

/**
 * Lists all parameters of a model with name, shape, stored dtype and block. It needs no weights. Loading, saving and counting use this
 * list. Counts are exact: the largest, 912,210,767,872 bytes, is far below 2^53.
 *
 * @param config a typed configuration, or the JSON of a `config.json`
 */
export function graph(config: Config | Record<string, unknown>): Graph {
  const typed = isConfig(config) ? config : parseConfig(config);
  checkConfig(typed);
  const tensors = [...listTensors(typed)];
  const { numExpertsPerTok, numLocalExperts } = typed;
  let parameterCount = 0;
  let usedByAll = 0;
  let ofExperts = 0;
  let checkpointBytes = 0;
  for (const { shape, bytes, block } of tensors) {
    const size = shape.reduce((product, dim) => product * dim, 1);
    parameterCount += size;
    checkpointBytes += bytes;
    if (block === "expert") ofExperts += size;
    else if (block !== "embedding" && block !== "head") usedByAll += size;
  }
  // The multiplication comes first. Every layer has the same number of experts, so the quotient is an integer.
  const activatedParameterCount = usedByAll + (ofExperts * numExpertsPerTok) / Math.max(1, numLocalExperts);
  return { config: typed, tensors, parameterCount, activatedParameterCount, checkpointBytes };
}

/** The description of a model: its graph, a configuration, or the JSON of a `config.json`. */
export type Model = Graph | Config | Record<string, unknown>;

/** Returns the graph of a model. A graph is returned as it is. */
export function graphOf(model: Model): Graph {
  return isGraph(model) ? model : graph(model);
}

function isGraph(model: Model): model is Graph {
  return typeof model === "object" && model !== null && "tensors" in model && isConfig(model.config);
}

/** Returns whether a value is a typed configuration, in contrast to the JSON of one. */
export function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && "dialect" in value && "attnTypeList" in value && "lightning" in value;
}

/**
 * Returns the dtype of a weight in memory. Vectors and routers are float32. All other matrices have `dtype` or, by default, the stored
 * dtype; float16 becomes float32, which represents it exactly. With `"q4"`, the embedding and the head are q8, because they lose more
 * accuracy than other matrices of their size.
 */
export function residentDType(stored: Pick<GraphTensor, "shape" | "block" | "dtype">, dtype?: ResidentDType): ResidentDType {
  if (stored.shape.length !== 2 || stored.block === "router") return "f32";
  if (dtype === "q4" && (stored.block === "embedding" || stored.block === "head")) return "q8";
  return dtype ?? (stored.dtype === "bf16" ? "bf16" : "f32");
}

function* listTensors(config: Config): Generator<GraphTensor> {
  const { vocabSize, hiddenSize: hidden, intermediateSize: width, numAttentionHeads, numKeyValueHeads, headDim } = config;
  const { numLocalExperts, attnTypeList, sharedIntermediateSize, tieWordEmbeddings, dtype, lightning, softmax } = config;

  function tensor(
    block: Block,
    name: string,
    shape: number[],
    place: { layer?: number; expert?: number } = {},
    stored = dtype,
  ): GraphTensor {
    return { name, shape, dtype: stored, bytes: shape.reduce((product, dim) => product * dim, STORED_BYTES[stored]), block, ...place };
  }

  function* lightningTensors(at: string, layer: number): Generator<GraphTensor> {
    const here = { layer };
    const { headDim: dim, projection, qkNorm, outputNorm, outputGate } = lightning;
    const heads = lightning.heads * dim;
    const kvHeads = lightning.keyValueHeads * dim;
    if (projection === "joint") {
      yield tensor("lightning", `${at}.self_attn.qkv_proj.weight`, [3 * heads, hidden], here);
      yield tensor("lightning", `${at}.self_attn.output_gate.weight`, [heads, hidden], here);
      yield tensor("lightning", `${at}.self_attn.norm.weight`, [heads], here);
      yield tensor("lightning", `${at}.self_attn.out_proj.weight`, [hidden, heads], here);
      return;
    }
    yield tensor("lightning", `${at}.self_attn.q_proj.weight`, [heads, hidden], here);
    yield tensor("lightning", `${at}.self_attn.k_proj.weight`, [kvHeads, hidden], here);
    yield tensor("lightning", `${at}.self_attn.v_proj.weight`, [kvHeads, hidden], here);
    if (outputGate) yield tensor("lightning", `${at}.self_attn.z_proj.weight`, [heads, hidden], here);
    if (qkNorm) yield tensor("lightning", `${at}.self_attn.q_norm.weight`, [dim], here);
    if (qkNorm) yield tensor("lightning", `${at}.self_attn.k_norm.weight`, [dim], here);
    if (outputNorm) yield tensor("lightning", `${at}.self_attn.o_norm.weight`, [heads], here);
    yield tensor("lightning", `${at}.self_attn.o_proj.weight`, [hidden, heads], here);
  }

  function* softmaxTensors(at: string, layer: number): Generator<GraphTensor> {
    const here = { layer };
    const heads = numAttentionHeads * headDim;
    const kvHeads = numKeyValueHeads * headDim;
    yield tensor("softmax", `${at}.self_attn.q_proj.weight`, [heads, hidden], here);
    yield tensor("softmax", `${at}.self_attn.k_proj.weight`, [kvHeads, hidden], here);
    yield tensor("softmax", `${at}.self_attn.v_proj.weight`, [kvHeads, hidden], here);
    if (softmax.outputGate) yield tensor("softmax", `${at}.self_attn.o_gate.weight`, [heads, hidden], here);
    if (softmax.qkNorm) yield tensor("softmax", `${at}.self_attn.q_norm.weight`, [headDim], here);
    if (softmax.qkNorm) yield tensor("softmax", `${at}.self_attn.k_norm.weight`, [headDim], here);
    yield tensor("softmax", `${at}.self_attn.o_proj.weight`, [hidden, heads], here);
  }

  function* mlpTensors(at: string, layer: number): Generator<GraphTensor> {
    const here = { layer };
    yield tensor("mlp", `${at}.mlp.gate_proj.weight`, [width, hidden], here);
    yield tensor("mlp", `${at}.mlp.up_proj.weight`, [width, hidden], here);
    yield tensor("mlp", `${at}.mlp.down_proj.weight`, [hidden, width], here);
  }

  function* expertTensors(at: string, layer: number): Generator<GraphTensor> {
    const here = { layer };
    // The published checkpoint keeps its routers in float32. In transformers' files, all tensors have one dtype.
    yield tensor(
      "router",
      `${at}.block_sparse_moe.gate.weight`,
      [numLocalExperts, hidden],
      here,
      config.dialect === "minimax" ? dtype : "f32",
    );
    for (let expert = 0; expert < numLocalExperts; expert++) {
      const one = { layer, expert };
      yield tensor("expert", `${at}.block_sparse_moe.experts.${expert}.w1.weight`, [width, hidden], one);
      yield tensor("expert", `${at}.block_sparse_moe.experts.${expert}.w2.weight`, [hidden, width], one);
      yield tensor("expert", `${at}.block_sparse_moe.experts.${expert}.w3.weight`, [width, hidden], one);
    }
    if (sharedIntermediateSize > 0) {
      yield tensor("shared", `${at}.shared_mlp.gate_proj.weight`, [width, hidden], here);
      yield tensor("shared", `${at}.shared_mlp.up_proj.weight`, [width, hidden], here);
      yield tensor("shared", `${at}.shared_mlp.down_proj.weight`, [hidden, width], here);
      yield tensor("router", `${at}.coefficient.weight`, [1, hidden], here);
    }
  }

  yield tensor("embedding", "model.embed_tokens.weight", [vocabSize, hidden]);
  for (const [layer, type] of attnTypeList.entries()) {
    const at = `model.layers.${layer}`;
    const here = { layer };
    yield tensor("norm", `${at}.input_layernorm.weight`, [hidden], here);
    yield* type === 0 ? lightningTensors(at, layer) : softmaxTensors(at, layer);
    yield tensor("norm", `${at}.post_attention_layernorm.weight`, [hidden], here);
    yield* numLocalExperts === 0 ? mlpTensors(at, layer) : expertTensors(at, layer);
  }
  yield tensor("norm", "model.norm.weight", [hidden]);
  if (!tieWordEmbeddings) yield tensor("head", "lm_head.weight", [vocabSize, hidden]);
}
