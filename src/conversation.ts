import { InputError } from "./base/errors.js";
import type { Generation, Session } from "./generate/index.js";
import type { MiniMaxM1 } from "./minimax-m1.js";
import { answered, endOfAnswer, withoutRepeatedEnd } from "./text/after-answer.js";
import type { ChatMessage } from "./text/messages.js";

/** Settings of a {@link Conversation}. */
export interface ConversationOptions {
  /** The system message, before the first message of the user. */
  system?: string;
}

/**
 * A chat with a model. It keeps the state of a session, so each message computes only the tokens that it adds.
 *
 * Read an answer to its end, or leave its loop with `break`, before you send the next message.
 */
export class Conversation implements Disposable {
  private session: Session;
  private readonly system: string | undefined;

  /**
   * @param model owned by the caller; it must outlive the conversation
   * @throws {InputError} a model without a tokenizer
   */
  constructor(
    private readonly model: MiniMaxM1,
    { system }: ConversationOptions = {},
  ) {
    if (!model.tokenizer)
      throw new InputError("conversation: expected a model with a tokenizer, got a model without. Use session() and token ids.");
    this.system = system;
    this.session = model.session();
  }

  /** Number of tokens so far, in messages, answers and the chat format. */
  get length(): number {
    return this.session.length;
  }

  /**
   * Sends the user's next message.
   *
   * @param options the options of `Session.generate`
   * @returns the answer, whose `usage.promptTokens` counts the whole conversation before it
   * @throws {InputError} a chat template that drops the assistant's messages
   */
  async send(message: string, options?: Parameters<Session["generate"]>[1]): Promise<Generation> {
    const ids = this.session.length === 0 ? this.encode(await this.opening(message)) : await this.continuation(message);
    return this.session.generate(ids, options);
  }

  /** Forgets all messages. */
  reset(): void {
    this.replaceSession(this.model.session());
  }

  /** Encodes the state as bytes. {@link Conversation.load} continues it with the same weights. */
  save(): Uint8Array {
    return this.session.save();
  }

  /** Continues the conversation that `save` wrote. */
  load(bytes: Uint8Array): void {
    this.replaceSession(this.model.restore(bytes));
  }

  /** Frees the session's memory; the model stays loaded. */
  dispose(): void {
    this.session.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private replaceSession(session: Session): void {
    this.session.dispose();
    this.session = session;
  }

  private opening(message: string): Promise<string> {
    const messages: ChatMessage[] = [{ role: "user", content: message }];
    if (this.system) messages.unshift({ role: "system", content: this.system });
    return this.model.formatChat(messages);
  }

  /** Returns the tokens between an answer and the next one: the end of the answer, unless the model generated it, and the new message. */
  private async continuation(message: string): Promise<readonly number[]> {
    const text = await this.model.formatChat([...answered, { role: "user", content: message }]);
    return withoutRepeatedEnd(this.encode(text.slice(endOfAnswer(text))), this.session.ids.at(-1));
  }

  private encode(text: string): number[] {
    return this.model.tokenizer!.encode(text);
  }
}
