import type { GenerateOptions, Generation, PrefillOptions, SessionInput } from "./generate/index.js";
import type { TokenIds } from "./model/token-ids.js";
import type { ChatMessage, ChatOptions, Tool } from "./text/format-chat.js";
import type { Tokenizer } from "./text/tokenizer.js";

export type { Usage } from "./generate/index.js";

/** The input of a generation: text, a conversation, or token ids. Text is used as it is, without a chat format. */
export type Prompt = string | readonly ChatMessage[] | TokenIds;

/** Options of `generate`, including those of conversations. */
export interface PromptOptions extends GenerateOptions {
  /** Tools that the model may call. Only for conversations. */
  tools?: readonly Tool[];
  /** A Jinja template that replaces the checkpoint's chat template. Only for conversations. */
  template?: string;
}

/** A model that generates text: `MiniMaxM1` in this thread, `WorkerModel` in a worker, or `RemoteModel` on a server. */
export interface LanguageModel {
  /** The tokenizer. Undefined if the vocabulary is not available in this process. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Continues text, a conversation or token ids, token by token. Decoding is greedy by default. */
  generate(input: Prompt, options?: PromptOptions): Generation;
  /** Continues several prompts at once. `token.index` is the index of its prompt. Prompt i uses the seed plus i. */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): Generation;
  /** Formats a conversation as a prompt. */
  formatChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<string>;
  /** Starts a session, which is a sequence that is continued turn by turn. */
  session(options?: { seed?: number }): LanguageSession;
  /** Restores a session from the bytes of `session.save()`. */
  restore(bytes: Uint8Array): LanguageSession;
  /** Aborts running calls and frees all resources. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/**
 * A sequence of tokens that is continued turn by turn: `Session` in this thread, `WorkerSession` in a worker, or
 * `RemoteSession` on a server.
 */
export interface LanguageSession {
  /** All tokens so far: inputs, generated tokens, and end-of-sequence tokens. */
  readonly ids: number[];
  /** Number of tokens so far. */
  readonly length: number;
  /** The seed of the session's random generator. */
  readonly seed: number;
  /** Adds input and computes its state, so that the next `generate` starts sooner. */
  append(input: SessionInput, options?: PrefillOptions): Promise<void>;
  /** Adds input, if any, and generates tokens. */
  generate(input?: SessionInput, options?: GenerateOptions): Generation;
  /** Encodes the session as bytes. Returns a promise if the session is in another thread. */
  save(): Uint8Array | Promise<Uint8Array>;
  /** Copies the session. */
  fork(): LanguageSession;
  /** Drops all tokens after the first `length`. */
  rewind(length: number): void;
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Whether a prompt is a conversation, that is, an array of messages. */
export function isConversation(input: Prompt): input is readonly ChatMessage[] {
  return Array.isArray(input) && typeof input[0] === "object";
}
