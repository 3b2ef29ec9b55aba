// What both interfaces say of an answer: why it ended, and how probable its tokens were.

import type { Token } from "../generate/generate.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { RequestParams } from "./request-params.js";

/** One answer on its way to the client. */
export interface Choice {
  /** What a stream tells of the next token; undefined if there is nothing to tell yet. */
  push(token: Token): object | undefined;
  /** What a body tells, after the last token. */
  result(): object;
}

/** What answers are written with. */
export interface ChoiceContext {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly params: RequestParams;
  readonly tokenizer: Tokenizer | undefined;
}

/** Why an answer ended, in OpenAI's words and vLLM's: `stop_reason` is the id or the string that ended it, null for an end of sequence. */
export function finishFields({ stop, stopString, id }: Token) {
  if (stop === "eos") return { finish_reason: "stop", stop_reason: null };
  if (stop === "stop") return { finish_reason: "stop", stop_reason: stopString ?? id };
  if (stop === "repetition") return { finish_reason: stop, stop_reason: null };
  return { finish_reason: stop ? "length" : null, stop_reason: null };
}

interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
}

/**
 * A token's name: its text; `bytes:` and its bytes for a part of a character, as OpenAI writes it; its id for one without a text, or if
 * the request asks for ids.
 */
function tokenName(id: number, { params, tokenizer }: ChoiceContext): string {
  const bytes = tokenizer?.bytesOf(id);
  if (params.tokensAsIds || !bytes) return `token_id:${id}`;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join("")}`;
  }
}

/** JSON has no −∞. */
const finite = (logprob: number): number => Math.max(logprob, -9999);

/** Log-probabilities of one token as /v1/completions writes them. Alternatives with the name of another token are named by their ids. */
export function completionLogprobs({ id, logprob, topLogprobs = [] }: Token, offset: number, writing: ChoiceContext) {
  const name = tokenName(id, writing);
  const owners = new Map([[name, id]]);
  const distinct = (one: TokenLogprob): string => {
    const name = tokenName(one.id, writing);
    if (!owners.has(name)) owners.set(name, one.id);
    return owners.get(name) === one.id ? name : `token_id:${one.id}`;
  };
  const pairs: TokenLogprob[] = [...topLogprobs, { id, logprob }];
  return {
    tokens: [name],
    token_logprobs: [finite(logprob)],
    top_logprobs: [topLogprobs.length > 0 ? Object.fromEntries(pairs.map((one) => [distinct(one), finite(one.logprob)])) : null],
    text_offset: [offset],
  };
}

/** Log-probabilities of one token as /v1/chat/completions writes them. `bytes` is null for an id without a token. */
export function chatLogprobs({ id, logprob, topLogprobs = [] }: Token, writing: ChoiceContext) {
  const bytesOf = (id: number) => {
    const bytes = writing.tokenizer?.bytesOf(id);
    return bytes ? [...bytes] : null;
  };
  const entry = (one: TokenLogprob) => ({ token: tokenName(one.id, writing), logprob: finite(one.logprob), bytes: bytesOf(one.id) });
  return { ...entry({ id, logprob }), top_logprobs: topLogprobs.map(entry) };
}
