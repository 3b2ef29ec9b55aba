// What both interfaces say of an answer: why it ended, and how probable its tokens were.

import type { Token } from "../generate/generate.js";
import type { Tokenizer } from "../io/tokenizer.js";
import type { Asked } from "./request.js";

/** One answer on its way to the client. */
export interface Choice {
  /** What a stream tells of the next token; undefined if there is nothing to tell yet. */
  push(token: Token): object | undefined;
  /** What a body tells, after the last token. */
  whole(): object;
}

/** What answers are written with. */
export interface Writing {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly asked: Asked;
  readonly tokenizer: Tokenizer | undefined;
}

/** Why an answer ended, in OpenAI's words and vLLM's: `stop_reason` is the id or the string that ended it, null for an end of sequence. */
export function ending({ stop, id }: Token, { options: { stop: stops, stopIds } }: Asked) {
  if (stop === "eos") return { finish_reason: "stop", stop_reason: null };
  if (stop === "stop") {
    const strings = [stops ?? []].flat();
    // Of several strings a token does not say which it was.
    const reason = stopIds?.includes(id) ? id : strings.length === 1 ? strings[0] : "stop";
    return { finish_reason: "stop", stop_reason: reason };
  }
  if (stop === "repetition") return { finish_reason: stop, stop_reason: null };
  return { finish_reason: stop ? "length" : null, stop_reason: null };
}

interface Known {
  readonly id: number;
  readonly logprob: number;
}

/** A token's own text; empty for ids without one. */
function textOf(id: number, tokenizer: Tokenizer | undefined): string {
  return tokenizer && id < tokenizer.vocabSize ? tokenizer.decode([id]) : "";
}

function nameOf(id: number, { asked, tokenizer }: Writing): string {
  return asked.namedByIds ? `token_id:${id}` : textOf(id, tokenizer);
}

/** JSON has no −∞. */
const finite = (logprob: number): number => Math.max(logprob, -9999);

/** Log-probabilities of one token as /v1/completions writes them. */
export function completionLogprobs({ id, logprob, topLogprobs = [] }: Token, offset: number, writing: Writing) {
  const pairs: Known[] = [...topLogprobs, { id, logprob }];
  return {
    tokens: [nameOf(id, writing)],
    token_logprobs: [finite(logprob)],
    top_logprobs: [topLogprobs.length > 0 ? Object.fromEntries(pairs.map((one) => [nameOf(one.id, writing), finite(one.logprob)])) : null],
    text_offset: [offset],
  };
}

/** Log-probabilities of one token as /v1/chat/completions writes them. */
export function chatLogprobs({ id, logprob, topLogprobs = [] }: Token, writing: Writing) {
  const entry = (one: Known) => ({ token: nameOf(one.id, writing), logprob: finite(one.logprob), bytes: bytesOf(one.id, writing) });
  return { ...entry({ id, logprob }), top_logprobs: topLogprobs.map(entry) };
}

/** Null for a token that is a part of a character. */
function bytesOf(id: number, { tokenizer }: Writing): number[] | null {
  const text = textOf(id, tokenizer);
  return text.includes("\u{fffd}") ? null : [...new TextEncoder().encode(text)];
}
