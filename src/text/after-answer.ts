// The text that follows an answer of the model in its chat format. A conversation that continues its own tokens only encodes this text.

import { InputError } from "../base/errors.js";
import type { ChatMessage } from "./messages.js";

/** Stands for the answer while a conversation is formatted. */
const ANSWER_MARK = "\u2042answer\u2042";

/** The beginning of a conversation that ends in an answer. Put the messages that follow the answer behind it, and format them together. */
export const answered: readonly ChatMessage[] = [
  { role: "user", content: "." },
  { role: "assistant", content: ANSWER_MARK },
];

/** Returns where the answer ends in a formatted conversation. @throws {InputError} a chat template that leaves out the model's answers */
export function endOfAnswer(formatted: string): number {
  const at = formatted.indexOf(ANSWER_MARK);
  if (at < 0)
    throw new InputError("chat: template: expected a template that writes the assistant's messages, got a template that drops them");
  return at + ANSWER_MARK.length;
}

/** Returns the ids that follow an answer. If the model has already generated the token that ends its message, it is not repeated. */
export function withoutRepeatedEnd(ids: readonly number[], lastId: number | undefined): readonly number[] {
  return lastId !== undefined && ids[0] === lastId ? ids.slice(1) : ids;
}
