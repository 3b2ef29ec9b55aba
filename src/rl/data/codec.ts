import { InputError } from "../../base/errors.js";
import { expectArgument } from "../../base/options.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import { expectMethods } from "../arguments.js";

/** Encodes questions and responses as token ids. {@link chatCodec} creates one from a model's tokenizer and chat format. */
export interface Codec {
  /** Encodes a question as a prompt, up to the position where the response begins. */
  prompt(question: string): readonly number[];
  /** Encodes a response, including its end-of-sequence token. */
  response(text: string): readonly number[];
}

/** Stands for the question while the chat is formatted. The formatted text is then split at this placeholder. */
const QUESTION_PLACEHOLDER = "\u0001";

/**
 * Creates a codec that encodes a question as a user message in a model's chat format.
 *
 * @param tokenizer `model.tokenizer`
 * @param formatChat the model's chat format: `(messages) => model.formatChat(messages)`
 * @throws {InputError} a format that does not contain the message exactly once, or a tokenizer without an end-of-sequence token
 */
export async function chatCodec(
  tokenizer: Tokenizer,
  formatChat: (messages: { role: "user"; content: string }[]) => Promise<string>,
): Promise<Codec> {
  expectMethods("chatCodec: tokenizer", tokenizer, "a tokenizer", ["encode"]);
  expectArgument("chatCodec: formatChat", typeof formatChat === "function", "a function", formatChat);
  const formatted = await formatChat([{ role: "user", content: QUESTION_PLACEHOLDER }]);
  expectArgument("chatCodec: formatChat", typeof formatted === "string", "a function that returns a promise of a string", formatted);
  const [before, after, ...more] = formatted.split(QUESTION_PLACEHOLDER);
  const { eosId } = tokenizer;
  if (before === undefined || after === undefined || more.length > 0) {
    throw new InputError("chatCodec: formatChat: expected a chat format that contains the user's message exactly once, got another format");
  }
  if (eosId === undefined) throw new InputError("chatCodec: tokenizer: expected an end-of-sequence token, got none");
  return {
    prompt: (question) => tokenizer.encode(before + question + after),
    response: (text) => [...tokenizer.encode(text), eosId],
  };
}
