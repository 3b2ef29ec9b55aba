// The tensors of a GGUF file, and the type that llama-quantize of llama.cpp v0.5.0 (src/llama-quant.cpp) gives each of them. Importance
// matrices change none of these choices.

import { InputError } from "../base/errors.js";
import { printedJson } from "../base/printed.js";
import { type GraphTensor, graphOf, type Model } from "../model/graph.js";
import { expectLlamaCppArchitecture } from "./llama-cpp.js";

/** A tensor type of ggml. */
export type GgmlType = "F32" | "F16" | "BF16" | "Q8_0" | "Q5_1" | "Q5_0" | "Q4_0" | "Q6_K" | "Q5_K" | "Q4_K" | "Q3_K" | "Q2_K";

/** Tensor types of ggml (ggml-common.h): numbers per block, and bytes per block. */
export const ggmlTypes: Readonly<Record<GgmlType, { readonly block: number; readonly bytes: number }>> = {
  F32: { block: 1, bytes: 4 },
  F16: { block: 1, bytes: 2 },
  BF16: { block: 1, bytes: 2 },
  Q8_0: { block: 32, bytes: 34 },
  Q5_1: { block: 32, bytes: 24 },
  Q5_0: { block: 32, bytes: 22 },
  Q4_0: { block: 32, bytes: 18 },
  Q6_K: { block: 256, bytes: 210 },
  Q5_K: { block: 256, bytes: 176 },
  Q4_K: { block: 256, bytes: 144 },
  Q3_K: { block: 256, bytes: 110 },
  Q2_K: { block: 256, bytes: 84 },
};

/** A format of GGUF files, as `llama-quantize` names it. */
export type GgufFormat =
  | ("BF16" | "F16" | "Q8_0" | "Q6_K" | "Q5_K_M" | "Q5_K_S")
  | ("Q4_K_M" | "Q4_K_S" | "Q3_K_L" | "Q3_K_M" | "Q3_K_S" | "Q2_K");

/** What the choice of a type depends on, besides the tensor's role. */
interface Place {
  /** Index of the layer, and number of layers. */
  readonly layer: number;
  readonly layers: number;
  /** Query heads per KV head. */
  readonly group: number;
}

type Choice = GgmlType | ((place: Place) => GgmlType);

/** A format of GGUF files: the type of most matrices, and the types of the exceptions. */
interface Mix {
  readonly base: GgmlType;
  /** `attn_v` and `attn_qkv`. */
  readonly values?: Choice;
  /** `attn_output`. */
  readonly output?: GgmlType;
  /** `ffn_down_exps`. */
  readonly down?: Choice;
}

/** The layers whose sensitive matrices get more bits: the first and the last eighth, and every third layer between them. */
function getsMoreBits({ layer, layers }: Place): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

const moreBits = (more: GgmlType, base: GgmlType) => (place: Place) => (getsMoreBits(place) ? more : base);
const firstLayers = (limit: (layers: number) => number, first: GgmlType, rest: GgmlType) => (place: Place) =>
  place.layer < limit(place.layers) ? first : rest;

const mixes: Readonly<Record<GgufFormat, Mix>> = {
  BF16: { base: "BF16" },
  F16: { base: "F16" },
  Q8_0: { base: "Q8_0" },
  Q6_K: { base: "Q6_K" },
  Q5_K_M: { base: "Q5_K", values: moreBits("Q6_K", "Q5_K"), down: moreBits("Q6_K", "Q5_K") },
  Q5_K_S: { base: "Q5_K" },
  Q4_K_M: { base: "Q4_K", values: moreBits("Q6_K", "Q4_K"), down: moreBits("Q6_K", "Q4_K") },
  Q4_K_S: {
    base: "Q4_K",
    values: firstLayers(() => 4, "Q5_K", "Q4_K"),
    down: firstLayers((layers) => Math.floor(layers / 8), "Q5_K", "Q4_K"),
  },
  Q3_K_L: { base: "Q3_K", values: "Q5_K", output: "Q5_K", down: "Q5_K" },
  Q3_K_M: {
    base: "Q3_K",
    values: firstLayers(() => 2, "Q5_K", "Q4_K"),
    output: "Q4_K",
    down: firstLayers((layers) => Math.floor(layers / 16), "Q5_K", "Q4_K"),
  },
  Q3_K_S: { base: "Q3_K" },
  Q2_K: { base: "Q2_K", values: ({ group }) => (group >= 4 ? "Q4_K" : "Q3_K"), output: "Q3_K", down: "Q3_K" },
};

/** The formats of GGUF files whose sizes are computed exactly, largest first. */
export const ggufFormats = Object.keys(mixes) as GgufFormat[];

/** Models with eight experts keep these types for attention (a rule made for Mixtral). */
const EIGHT_EXPERTS: { readonly keysAndValues: GgmlType; readonly output: GgmlType; readonly formats: readonly GgufFormat[] } = {
  keysAndValues: "Q8_0",
  output: "Q5_K",
  formats: ["Q4_K_M", "Q4_K_S", "Q3_K_M", "Q3_K_S", "Q2_K"],
};

/** The types for rows that blocks of 256 do not divide. */
const FALLBACKS: Partial<Readonly<Record<GgmlType, GgmlType>>> = { Q2_K: "Q4_0", Q3_K: "Q4_0", Q4_K: "Q5_0", Q5_K: "Q5_1", Q6_K: "Q8_0" };

/** A tensor of a GGUF file. */
export interface GgufTensor {
  /** Name in the file. */
  readonly name: string;
  /** `[out, in]` for matrices, `[experts, out, in]` for experts, `[dim]` for norms. */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  /** Without the file's padding to multiples of 32 bytes. */
  readonly bytes: number;
  /** Absent for the embedding, the final norm and the head. */
  readonly layer?: number;
}

/** Names in GGUF files by the last part of the name in MiniMax's checkpoints. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ embed_tokens: "token_embd", lm_head: "output", input_layernorm: "attn_norm", post_attention_layernorm: "ffn_norm" },
  ...{ qkv_proj: "attn_qkv", output_gate: "attn_gate", norm: "attn_norm_2", out_proj: "attn_output", o_proj: "attn_output" },
  ...{ q_proj: "attn_q", k_proj: "attn_k", v_proj: "attn_v" },
  ...{ gate: "ffn_gate_inp", w1: "ffn_gate_exps", w2: "ffn_down_exps", w3: "ffn_up_exps" },
};

/**
 * Lists the tensors of a model's GGUF file with their types and bytes, as `llama-quantize` writes them. Norms and routers are float32.
 *
 * @param format a name of {@link ggufFormats}, such as `"Q4_K_M"`
 * @throws {InputError} an unknown format, or a model that llama.cpp does not implement
 */
export function ggufTensors(model: Model, format: GgufFormat): GgufTensor[] {
  if (!(ggufFormats as readonly unknown[]).includes(format)) {
    throw new InputError(
      `ggufTensors: format: expected ${ggufFormats.map((one) => JSON.stringify(one)).join(", ")}, got ${printedJson(format)}`,
    );
  }
  const { config, tensors } = graphOf(model);
  expectLlamaCppArchitecture(config, "ggufTensors");
  const { numLocalExperts: experts, numAttentionHeads, numKeyValueHeads, tieWordEmbeddings, attnTypeList } = config;
  const place = { layers: attnTypeList.length, group: Math.floor(numAttentionHeads / numKeyValueHeads) };

  function gguf({ name: stored, shape: own, block, layer, expert }: GraphTensor): GgufTensor {
    const kind = stored === "model.norm.weight" ? "output_norm" : NAMES[stored.split(".").at(-2)!]!;
    const shape = expert === undefined ? own : [experts, ...own];
    const isMatrix = own.length === 2 && block !== "router";
    const isHead = kind === "output" || (kind === "token_embd" && tieWordEmbeddings);
    const wanted = isMatrix ? chosenType(kind, isHead, format, experts, { ...place, layer: layer ?? 0 }) : "F32";
    const type = fitting(wanted, own.at(-1)!, isHead);
    const size = shape.reduce((product, dim) => product * dim, 1);
    return {
      name: layer === undefined ? `${kind}.weight` : `blk.${layer}.${kind}.weight`,
      shape,
      type,
      bytes: (size / ggmlTypes[type].block) * ggmlTypes[type].bytes,
      ...(layer !== undefined && { layer }),
    };
  }

  return tensors.filter(({ expert }) => expert === undefined || expert === 0).map(gguf);
}

/** Returns the type that a format gives to a kind of matrix, whatever its shape. */
function chosenType(kind: string, isHead: boolean, format: GgufFormat, experts: number, place: Place): GgmlType {
  const { base, values, output, down } = mixes[format];
  if (ggmlTypes[base].block === 1) return base;
  const resolved = (choice: Choice = base) => (typeof choice === "function" ? choice(place) : choice);
  if (isHead) return base === "Q8_0" ? base : "Q6_K";
  const eight = experts === 8;
  switch (kind) {
    case "attn_qkv":
    case "attn_v":
      return eight ? EIGHT_EXPERTS.keysAndValues : resolved(values);
    case "attn_k":
      return eight ? EIGHT_EXPERTS.keysAndValues : base;
    case "attn_output":
      if (eight) return EIGHT_EXPERTS.formats.includes(format) ? EIGHT_EXPERTS.output : base;
      return resolved(output);
    case "ffn_down_exps":
      return resolved(down);
    default:
      return base;
  }
}

/** Returns the type for rows of this many columns: the wanted type, or one with smaller blocks. The head falls back to Q8_0. */
function fitting(wanted: GgmlType, columns: number, isHead: boolean): GgmlType {
  const divides = (type: GgmlType) => columns % ggmlTypes[type].block === 0;
  if (divides(wanted)) return wanted;
  const smaller = isHead ? "Q8_0" : (FALLBACKS[wanted] ?? "F16");
  return divides(smaller) ? smaller : "F16";
}
