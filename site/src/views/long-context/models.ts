// The models of the view and what the library predicts of them. They are those of the recall study: eight layers and nearly equal sizes.

import { cacheBytes, type Graph, graph, parseConfig } from "lightning-m1";
import { passFlops } from "lightning-m1/analysis";
import study from "../../../../studies/recall/config.json";

export const modelNames = ["lightning", "hybrid", "softmax"] as const;
export type ModelName = (typeof modelNames)[number];

export const modelLabels: Readonly<Record<ModelName, string>> = {
  lightning: "all lightning",
  hybrid: "7 lightning, 1 softmax",
  softmax: "all softmax",
};

/** The measured lengths: 1,024 tokens to 1,048,576. */
export const LENGTHS: readonly number[] = Array.from({ length: 11 }, (_, i) => 1024 * 2 ** i);
export const LONGEST = LENGTHS.at(-1)!;

/** Tokens per forward pass of a prompt. */
export const CHUNK = 128;

const { keys, values, fillers } = study.vocabulary;
export const VOCABULARY = keys + values + fillers;

/** The `config.json` of a model. */
export function configOf(name: ModelName): Record<string, unknown> {
  const ids = { vocab_size: VOCABULARY, bos_token_id: 0, eos_token_id: 0 };
  return { ...study.model, ...study.arms[name], ...ids, max_position_embeddings: 2 * LONGEST };
}

const graphs = Object.fromEntries(modelNames.map((name) => [name, graph(parseConfig(configOf(name)))])) as Record<ModelName, Graph>;

export const parametersOf = (name: ModelName): number => graphs[name].parameterCount;

/** Bytes of the state and the cache of one sequence. */
export function predictedBytes(name: ModelName, length: number): number {
  return cacheBytes(graphs[name].config, length);
}

/** What is timed: a token at the end of a prompt of some length, or a token generated after it. */
export type TokenKind = "prompt" | "generated";

/** Operations of one token. */
export function tokenFlops(name: ModelName, kind: TokenKind, length: number): number {
  if (kind === "generated") return passFlops(graphs[name], { tokens: 1, past: length }).total;
  return passFlops(graphs[name], { tokens: CHUNK, past: length - CHUNK }).total / CHUNK;
}

/** Operations of all tokens of a prompt from one length to another. */
export function promptFlops(name: ModelName, from: number, to: number): number {
  return passFlops(graphs[name], { tokens: to - from, past: from }).total;
}
