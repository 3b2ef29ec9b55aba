import type { Token } from "../generate/generate.js";
import type { ChoiceContext } from "./choice.js";

interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
}

/** Minimum log-probability that is sent, because JSON has no −∞. */
const MIN_LOGPROB = -9999;

/**
 * Converts the log-probabilities of one token to the format of /v1/completions. The alternatives are keyed by name. A second token of the
 * same name is keyed by its id.
 *
 * @param offset number of characters of the answer before this token
 */
export function completionLogprobs({ id, logprob, topLogprobs = [] }: Token, offset: number, context: ChoiceContext) {
  const name = tokenName(id, context);
  const owners = new Map([[name, id]]);
  const uniqueName = (one: TokenLogprob): string => {
    const name = tokenName(one.id, context);
    if (!owners.has(name)) owners.set(name, one.id);
    return owners.get(name) === one.id ? name : `token_id:${one.id}`;
  };
  const pairs: TokenLogprob[] = [...topLogprobs, { id, logprob }];
  return {
    tokens: [name],
    token_logprobs: [finite(logprob)],
    top_logprobs: [topLogprobs.length > 0 ? Object.fromEntries(pairs.map((one) => [uniqueName(one), finite(one.logprob)])) : null],
    text_offset: [offset],
  };
}

/** Converts the log-probabilities of one token to the format of /v1/chat/completions. `bytes` is null for an id without a token. */
export function chatLogprobs({ id, logprob, topLogprobs = [] }: Token, context: ChoiceContext) {
  const bytesOf = (id: number) => {
    const bytes = context.tokenizer?.bytesOf(id);
    return bytes ? [...bytes] : null;
  };
  const entry = (one: TokenLogprob) => ({ token: tokenName(one.id, context), logprob: finite(one.logprob), bytes: bytesOf(one.id) });
  return { ...entry({ id, logprob }), top_logprobs: topLogprobs.map(entry) };
}

/**
 * Returns the name of a token, which is usually its text. As in OpenAI's interface, a part of a character is `bytes:` followed by the
 * bytes. An id without text is `token_id:123`, and so is every token if the request asks for ids.
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

function finite(logprob: number): number {
  return Math.max(logprob, MIN_LOGPROB);
}
