// DeepSeek-R1 and Qwen3-235B-A22B, described by the parts of their published configurations that determine the cost of a token.

import { expectArgument, isObjectLike } from "../base/options.js";
import type { GenerationCost } from "./flops.js";

/** Grouped-query attention. */
interface GroupedAttention {
  readonly kind: "grouped";
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/**
 * Multi-head latent attention: keys and values of all heads are computed from one short vector per token; the keys also have a rotary part.
 */
interface LatentAttention {
  readonly kind: "latent";
  readonly heads: number;
  readonly queryRank: number;
  readonly keyValueRank: number;
  /**
   * Dimensions of a head: `plainDim` of queries and keys without rotary embedding, `rotaryDim` of those with it, and `valueDim` of values.
   */
  readonly plainDim: number;
  readonly rotaryDim: number;
  readonly valueDim: number;
}

/** A published mixture-of-experts model. */
export interface Peer {
  readonly name: string;
  /** The published context length in tokens. */
  readonly context: number;
  /** The parameter counts that its authors state, in billions. */
  readonly published: { readonly parameters: number; readonly activated: number };
  readonly layers: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly attention: GroupedAttention | LatentAttention;
  /** The first layers, which have one wide feed-forward network instead of experts. */
  readonly dense: { readonly layers: number; readonly width: number };
  readonly experts: { readonly count: number; readonly perToken: number; readonly shared: number; readonly width: number };
  /** Whether the router adds a bias per expert. */
  readonly routerBias: boolean;
}

/** DeepSeek-R1 (the architecture of DeepSeek-V3, without its multi-token prediction module). */
export const deepseekR1: Peer = {
  name: "DeepSeek-R1",
  context: 131_072,
  published: { parameters: 671, activated: 37 },
  layers: 61,
  hidden: 7168,
  vocab: 129_280,
  attention: { kind: "latent", heads: 128, queryRank: 1536, keyValueRank: 512, plainDim: 128, rotaryDim: 64, valueDim: 128 },
  dense: { layers: 3, width: 18_432 },
  experts: { count: 256, perToken: 8, shared: 1, width: 2048 },
  routerBias: true,
};

/** Qwen3-235B-A22B. */
export const qwen3: Peer = {
  name: "Qwen3-235B-A22B",
  context: 131_072,
  published: { parameters: 235, activated: 22 },
  layers: 94,
  hidden: 4096,
  vocab: 151_936,
  attention: { kind: "grouped", heads: 64, kvHeads: 4, headDim: 128 },
  dense: { layers: 0, width: 0 },
  experts: { count: 128, perToken: 8, shared: 0, width: 1536 },
  routerBias: false,
};

/** Parameters of a peer model, counted by the same rules as for MiniMax-M1. */
export interface PeerParameters {
  readonly total: number;
  /** Without the embedding and the head. */
  readonly activated: number;
  readonly activatedWithHead: number;
  readonly activatedWithEmbeddingAndHead: number;
}

/** Counts a peer's parameters from its configuration. */
export function peerParameters(peer: Peer): PeerParameters {
  expectArgument("peerParameters: peer", isObjectLike(peer), "a model such as deepseekR1", peer);
  const { layers, hidden, vocab, dense, experts, routerBias } = peer;
  const embedding = vocab * hidden;
  const router = (layers - dense.layers) * experts.count * (hidden + (routerBias ? 1 : 0));
  const vectors = layers * (2 * hidden + attentionVectors(peer)) + hidden;
  const always = layers * attentionMatrices(peer) + dense.layers * 3 * hidden * dense.width + router + vectors;
  const expert = (layers - dense.layers) * 3 * hidden * experts.width;
  const activated = always + expert * (experts.perToken + experts.shared);
  return {
    total: always + expert * (experts.count + experts.shared) + 2 * embedding,
    activated,
    activatedWithHead: activated + embedding,
    activatedWithEmbeddingAndHead: activated + 2 * embedding,
  };
}

/**
 * How latent attention is computed. `expanded` caches keys and values of every head. `absorbed` projects queries to the short vectors and
 * caches only those.
 */
export type LatentForm = "expanded" | "absorbed";

/**
 * Computes the cost of generating tokens with a peer model. It counts two operations per matrix weight that a token uses, including the
 * head, and two per multiply-add of a query-key pair:
 *
 *     grouped     2 · heads · (d + d)                                       per pair and layer
 *     expanded    2 · heads · (plain + rotary + value)                      per pair and layer
 *     absorbed    2 · heads · (rank + rotary + rank)                        per pair and layer; the weights are the same
 */
export function peerCost(peer: Peer, form: LatentForm = "expanded"): GenerationCost {
  expectArgument("peerCost: peer", isObjectLike(peer), "a model such as deepseekR1", peer);
  const { layers, hidden, vocab, dense, experts } = peer;
  const network =
    dense.layers * 3 * hidden * dense.width +
    (layers - dense.layers) * hidden * (experts.count + 3 * experts.width * (experts.perToken + experts.shared));
  const perToken = 2 * (layers * attentionMatrices(peer) + network + vocab * hidden);
  return { perToken, perPair: 2 * layers * pairWidth(peer, form) };
}

function attentionMatrices({ hidden, attention: a }: Peer): number {
  if (a.kind === "grouped") return 2 * hidden * (a.heads + a.kvHeads) * a.headDim;
  const query = a.queryRank * (hidden + a.heads * (a.plainDim + a.rotaryDim));
  const keyValue = hidden * (a.keyValueRank + a.rotaryDim) + a.keyValueRank * a.heads * (a.plainDim + a.valueDim);
  return query + keyValue + a.heads * a.valueDim * hidden;
}

/** Returns the number of norm weights inside attention, either for queries and keys or for the two short vectors. */
function attentionVectors({ attention: a }: Peer): number {
  return a.kind === "grouped" ? 2 * a.headDim : a.queryRank + a.keyValueRank;
}

function pairWidth({ attention: a }: Peer, form: LatentForm): number {
  if (a.kind === "grouped") return a.heads * 2 * a.headDim;
  return a.heads * (form === "expanded" ? a.plainDim + a.rotaryDim + a.valueDim : 2 * a.keyValueRank + a.rotaryDim);
}
