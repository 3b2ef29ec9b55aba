// Runs the model token by token, and keeps what every layer did with every token.

import type { Config, Tokenizer } from "lightning-m1";
import type { WorkerModel } from "lightning-m1/worker";
import { slopesOf } from "./heads.ts";
import { contribution, type HeadState, norm } from "./states.ts";

export interface ExpertChoice {
  readonly expert: number;
  readonly weight: number;
}

/** A token that may come next. */
export interface Candidate {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
}

/** What the model did with one token. */
export interface TokenTrace {
  readonly id: number;
  readonly text: string;
  /** Whether the model wrote the token. Otherwise it belongs to the prompt. */
  readonly isGenerated: boolean;
  /** The most probable next tokens, in descending order. */
  readonly next: readonly Candidate[];
  /** The chosen experts of each layer, in descending order of their weights. */
  readonly experts: readonly (readonly ExpertChoice[])[];
  /** The states of each layer's heads. Undefined for softmax layers. */
  readonly states: readonly (readonly HeadState[] | undefined)[];
  /** Attention of each layer over the tokens so far, `[heads, tokens]`. Undefined for lightning layers. */
  readonly attention: readonly (Float32Array | undefined)[];
}

export interface TraceOptions {
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

const CANDIDATES = 8;

/**
 * Answers a question greedily, and yields every token of the prompt and of the answer. The end-of-sequence token is not one of them.
 *
 * @param model a model with a tokenizer
 */
export async function* traceTokens(
  model: WorkerModel,
  question: string,
  { maxTokens, signal }: TraceOptions,
): AsyncGenerator<TokenTrace, void, undefined> {
  const { config, tokenizer } = model;
  const prompt = tokenizer!.encode(await model.formatChat([{ role: "user", content: question }]));
  const slopes = config.attnTypeList.map((_, layer) => slopesOf(config, layer));
  const cache = model.newCache();
  try {
    let states: readonly (Float32Array | undefined)[] = [];
    let id = prompt[0]!;
    for (let t = 0; t < Math.min(prompt.length + maxTokens, config.maxPositionEmbeddings); t++) {
      const options = { cache: [cache], routerLogits: true, states: true, attention: true, signal } as const;
      const { logits, routerLogits, lightningStates, attention } = await model.forward([[id]], options);
      const next = mostProbable(logits, CANDIDATES).map((one) => ({ ...one, text: textOf(tokenizer!, one.id) }));
      yield {
        id,
        text: textOf(tokenizer!, id),
        isGenerated: t >= prompt.length,
        next,
        experts: routerLogits.map((layer) => chosenExperts(layer, config.numExpertsPerTok)),
        states: lightningStates.map((state, layer) => state && headStates(config, state, states[layer], slopes[layer]!)),
        attention,
      };
      states = lightningStates;
      id = prompt[t + 1] ?? next[0]!.id;
      if (t + 1 >= prompt.length && config.eosTokenIds.includes(id)) return;
    }
  } finally {
    cache.dispose();
  }
}

/** Takes the states of a layer apart. @param states `[heads, headDim, headDim]` */
function headStates(config: Config, states: Float32Array, before: Float32Array | undefined, slopes: readonly number[]): HeadState[] {
  const size = config.headDim ** 2;
  return slopes.map((slope, h) => {
    const [state, previous] = [states, before].map((all) => all?.subarray(h * size, (h + 1) * size));
    return { norm: norm(state!), added: contribution(state!, previous, Math.exp(-slope)) };
  });
}

function softmax(logits: Float32Array): number[] {
  const max = logits.reduce((a, b) => Math.max(a, b));
  const exponentials = Array.from(logits, (logit) => Math.exp(logit - max));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((x) => x / sum);
}

/** The largest probabilities. Among equal ones, the lower id comes first, as in greedy generation. */
export function mostProbable(logits: Float32Array, count: number): { readonly id: number; readonly probability: number }[] {
  return softmax(logits)
    .map((probability, id) => ({ id, probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
}

/** The k experts with the largest probabilities, whose weights are renormalised to a sum of 1. */
export function chosenExperts(logits: Float32Array, k: number): ExpertChoice[] {
  const chosen = mostProbable(logits, k);
  const sum = chosen.reduce((total, { probability }) => total + probability, 0);
  return chosen.map(({ id, probability }) => ({ expert: id, weight: probability / sum }));
}

/** The states of one head after every token. */
export function headHistory(tokens: readonly TokenTrace[], layer: number, head: number): HeadState[] {
  return tokens.map(({ states }) => states[layer]![head]!);
}

/** The attention of one softmax head at a token, over the tokens so far. */
export function attentionOf({ attention }: TokenTrace, layer: number, head: number, position: number): number[] {
  return [...attention[layer]!.subarray(head * (position + 1), (head + 1) * (position + 1))];
}

/** The text of a token. A token that is a part of a character has no text of its own, so that its bytes are named. */
function textOf(tokenizer: Tokenizer, id: number): string {
  const text = tokenizer.decode([id]);
  if (!text.includes("\u{fffd}")) return text;
  return `byte ${Array.from(tokenizer.bytesOf(id) ?? [], (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ")}`;
}

/** A token as text that can be seen: line breaks and lone spaces have a symbol. */
export function visibleText(text: string): string {
  const visible = text.replaceAll("\n", "↵");
  return visible.trim() === "" ? "␣" : visible.trim();
}
