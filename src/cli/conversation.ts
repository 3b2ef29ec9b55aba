import { type ChatMessage, type Generation, InputError, type MiniMaxM1, type Session } from "../index.js";

/** Stands for an answer while the format around it is found out. */
const ANSWER = "\u2042answer\u2042";

/** A chat whose memory is the exact state of its session: a turn computes only what it adds. */
export class Conversation {
  private session: Session;

  constructor(
    /** With a tokenizer. */
    private readonly model: MiniMaxM1,
    private readonly system: string | undefined,
  ) {
    this.session = model.session();
  }

  get length(): number {
    return this.session.length;
  }

  /** The model's answer to the next message of the user. */
  async answer(content: string, options: Parameters<Session["generate"]>[1]): Promise<{ promptTokens: number; generation: Generation }> {
    const ids = this.session.length === 0 ? this.encode(await this.opening(content)) : await this.continuation(content);
    return { promptTokens: ids.length, generation: this.session.generate(ids, options) };
  }

  /** Forgets everything. */
  reset(): void {
    this.replace(this.model.session());
  }

  save(): Uint8Array {
    return this.session.save();
  }

  load(bytes: Uint8Array): void {
    this.replace(this.model.restore(bytes));
  }

  private replace(session: Session): void {
    this.session.dispose();
    this.session = session;
  }

  private opening(content: string): Promise<string> {
    const messages: ChatMessage[] = [{ role: "user", content }];
    if (this.system) messages.unshift({ role: "system", content: this.system });
    return this.model.formatChat(messages);
  }

  /** What the format puts between an answer and the next one: the answer's end, unless the model wrote it itself, and the new message. */
  private async continuation(content: string): Promise<number[]> {
    const text = await this.model.formatChat([
      { role: "user", content: "." },
      { role: "assistant", content: ANSWER },
      { role: "user", content },
    ]);
    const end = text.indexOf(ANSWER) + ANSWER.length;
    if (end < ANSWER.length)
      throw new InputError("chat: template: expected one that writes the assistant's messages, got one that drops them");
    const ids = this.encode(text.slice(end));
    return ids[0] === this.session.ids.at(-1) ? ids.slice(1) : ids;
  }

  private encode(text: string): number[] {
    return this.model.tokenizer!.encode(text);
  }
}
