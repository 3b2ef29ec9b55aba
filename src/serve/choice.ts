import type { Token } from "../generate/generate.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { RequestParams } from "./request-params.js";

/** One choice of a response. It is built token by token. */
export interface Choice {
  /** Adds a token. Returns the choice of the next streamed chunk, or undefined if nothing can be sent yet. */
  push(token: Token): object | undefined;
  /** Returns the complete choice, after the last token. */
  result(): object;
}

export interface ChoiceContext {
  readonly index: number;
  readonly prompt: readonly number[];
  readonly params: RequestParams;
  readonly tokenizer: Tokenizer | undefined;
}

/**
 * Returns the reason why a choice ended, in OpenAI's field `finish_reason` and in vLLM's field `stop_reason`. `stop_reason` is the stop id
 * or stop string that ended the choice, or null at an end-of-sequence token.
 */
export function finishFields({ stop, stopString, id }: Token) {
  if (stop === "eos") return { finish_reason: "stop", stop_reason: null };
  if (stop === "stop") return { finish_reason: "stop", stop_reason: stopString ?? id };
  if (stop === "repetition") return { finish_reason: stop, stop_reason: null };
  return { finish_reason: stop ? "length" : null, stop_reason: null };
}
