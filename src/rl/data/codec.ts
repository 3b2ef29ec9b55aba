import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import type { Tokenizer } from "../../text/tokenizer.js";

/** How questions and responses become token ids; `chatCodec` makes one of a model's tokenizer and chat format. */
export interface Codec {
  /** The prompt of a question, up to where the response begins. */
  prompt(question: string): readonly number[];
  /** A response with its end. */
  response(text: string): readonly number[];
}

/** What stands for the question while a prompt is taken apart. */
const QUESTION_PLACEHOLDER = "\u0001";

/**
 * Questions as a user's message in a model's own chat format.
 *
 * @param tokenizer `model.tokenizer`
 * @param formatChat what `model.formatChat` does: `(messages) => model.formatChat(messages)`
 * @throws {InputError} a format that does not write the message out, or a tokenizer without an end of sentence
 */
export async function chatCodec(
  tokenizer: Tokenizer,
  formatChat: (messages: { role: "user"; content: string }[]) => Promise<string>,
): Promise<Codec> {
  expectArgument("chatCodec: tokenizer", isObjectLike(tokenizer), "a tokenizer", tokenizer);
  expectArgument("chatCodec: formatChat", typeof formatChat === "function", "a function", formatChat);
  const [before, after, ...more] = (await formatChat([{ role: "user", content: QUESTION_PLACEHOLDER }])).split(QUESTION_PLACEHOLDER);
  const { eosId } = tokenizer;
  if (before === undefined || after === undefined || more.length > 0) {
    throw new InputError("chatCodec: formatChat: expected a format that writes the user's message once, got another");
  }
  if (eosId === undefined) throw new InputError("chatCodec: tokenizer: expected an end-of-sequence token, got none");
  return {
    prompt: (question) => tokenizer.encode(before + question + after),
    response: (text) => [...tokenizer.encode(text), eosId],
  };
}
