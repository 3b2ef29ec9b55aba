// The tokens that messages add to a sequence. They are computed once, when the model first sees them, and never again from the
// whole conversation: sampled tokens that are decoded and encoded again may become other tokens.

import { InputError } from "../base/errors.js";
import type { LanguageModel } from "../language-model.js";
import { answered, endOfAnswer, withoutRepeatedEnd } from "../text/after-answer.js";
import type { ChatMessage } from "../text/format-chat.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { ToolDefinition } from "./environment.js";

/** The tokens of a message. */
export interface MessageTokens {
  readonly ids: readonly number[];
  /** For each token, whether it belongs to the message's own text rather than to the chat format. */
  readonly isContent: readonly boolean[];
}

/** The tokens before an answer of the model. */
export interface TurnTokens {
  /** All of them. */
  readonly ids: readonly number[];
  /** The same tokens, divided among the messages. */
  readonly messages: readonly MessageTokens[];
  /** The rest of them: the opening of the model's answer. */
  readonly opening: readonly number[];
  /** Whether the opening ends with `<think>`, so that the answer begins with reasoning. */
  readonly insideThink: boolean;
}

/** Encodes the messages of a conversation turn by turn, in a model's chat format. */
export class TurnEncoder {
  private readonly tokenizer: Tokenizer;

  /** @throws {InputError} a model without a tokenizer */
  constructor(
    private readonly model: Pick<LanguageModel, "tokenizer" | "formatChat">,
    private readonly tools: readonly ToolDefinition[],
  ) {
    if (!model.tokenizer) throw new InputError("environments: expected a model with a tokenizer, got a model without");
    this.tokenizer = model.tokenizer;
  }

  /** Encodes the first messages of a conversation. */
  async first(messages: readonly ChatMessage[]): Promise<TurnTokens> {
    return this.encode(await this.pieces([], messages), messages);
  }

  /**
   * Encodes the messages that follow an answer of the model.
   *
   * @param lastId the last token of the answer. If it is the token that ends a message, it is not repeated
   * @throws {InputError} a chat template that leaves out the model's answers
   */
  async next(messages: readonly ChatMessage[], lastId: number | undefined): Promise<TurnTokens> {
    return this.encode(await this.pieces(answered, messages), messages, lastId);
  }

  /**
   * Formats messages as texts: one for each message and one for the opening of the answer. If the format does not only append
   * messages, the last message has the text of all.
   *
   * @param before {@link answered} if the messages follow an answer, otherwise none
   */
  private async pieces(before: readonly ChatMessage[], messages: readonly ChatMessage[]): Promise<string[]> {
    const whole = await this.format([...before, ...messages], true);
    const begin = before.length > 0 ? endOfAnswer(whole) : 0;
    const pieces: string[] = [];
    let end = begin;
    for (const i of messages.keys()) {
      const text = await this.format([...before, ...messages.slice(0, i + 1)], false);
      if (text.length < end || !whole.startsWith(text))
        return [...messages.map((_, j) => (j + 1 < messages.length ? "" : whole.slice(begin))), ""];
      pieces.push(text.slice(end));
      end = text.length;
    }
    return [...pieces, whole.slice(end)];
  }

  private encode(pieces: readonly string[], messages: readonly ChatMessage[], lastId?: number): TurnTokens {
    const text = pieces.join("");
    const whole = this.tokenizer.encode(text);
    const ids = withoutRepeatedEnd(whole, lastId);
    const insideThink = text.trimEnd().endsWith("<think>");
    const parts = pieces.map((text, i) => this.encodePiece(text, messages[i]));
    const joined = parts.flatMap((part) => part.ids);
    if (!isEqual(joined, whole)) {
      // A token reaches over the end of a message: all tokens are those of the last one.
      const all = { ids, isContent: ids.map(() => false) };
      return {
        ids,
        messages: messages.map((_, i) => (i + 1 < messages.length ? { ids: [], isContent: [] } : all)),
        opening: [],
        insideThink,
      };
    }
    if (ids.length < whole.length) parts[0] = { ids: parts[0]!.ids.slice(1), isContent: parts[0]!.isContent.slice(1) };
    return { ids, messages: parts.slice(0, -1), opening: parts.at(-1)!.ids, insideThink };
  }

  private encodePiece(text: string, message: ChatMessage | undefined): MessageTokens {
    const ids = this.tokenizer.encode(text);
    const content = typeof message?.content === "string" ? message.content : "";
    const at = content === "" ? -1 : text.indexOf(content);
    if (at < 0) return { ids, isContent: ids.map(() => false) };
    const [before, body, after] = [text.slice(0, at), content, text.slice(at + content.length)].map((part) =>
      this.tokenizer.encode(part),
    ) as [number[], number[], number[]];
    if (!isEqual([...before, ...body, ...after], ids)) return { ids, isContent: ids.map(() => false) };
    return { ids, isContent: ids.map((_, i) => i >= before.length && i < before.length + body.length) };
  }

  private format(messages: readonly ChatMessage[], addGenerationPrompt: boolean): Promise<string> {
    return this.model.formatChat(messages, { addGenerationPrompt, ...(this.tools.length > 0 && { tools: this.tools }) });
  }
}

function isEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
