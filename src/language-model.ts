import type { GenerateOptions, Generation, PrefillOptions, SessionInput } from "./generate/index.js";
import type { TokenIds } from "./model/token-ids.js";
import type { ChatMessage, ChatOptions, Tool } from "./text/format-chat.js";
import type { Tokenizer } from "./text/tokenizer.js";

export type { Usage } from "./generate/index.js";

/** What a model continues: text as it stands, a conversation, or token ids. */
export type Prompt = string | readonly ChatMessage[] | TokenIds;

export interface PromptOptions extends GenerateOptions {
  /** Tools that a conversation offers to the model. */
  tools?: readonly Tool[];
  /** A Jinja template in place of the checkpoint's own. */
  template?: string;
}

/** What generates text, wherever it computes: `MiniMaxM1` here, `RemoteModel` on a server. */
export interface LanguageModel {
  /** Undefined where the vocabulary is not here. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Continues text, a conversation or token ids, token by token; greedy unless options say otherwise. */
  generate(input: Prompt, options?: PromptOptions): Generation;
  /** Continues several prompts at once; each token says with `index` to which it belongs. Sequence i uses seed + i. */
  generateBatch(inputs: readonly Prompt[], options?: PromptOptions): Generation;
  /** The prompt of a conversation as text. */
  formatChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<string>;
  /** A conversation that is continued turn by turn. */
  session(options?: { seed?: number }): LanguageSession;
  /** A session from the bytes of `session.save()`. */
  restore(bytes: Uint8Array): LanguageSession;
  /** Ends what is under way and frees what is held. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** One sequence of tokens, continued turn by turn: `Session` here, `RemoteSession` on a server. */
export interface LanguageSession {
  /** All tokens so far, given and generated, ends of sequence included. */
  readonly ids: number[];
  readonly length: number;
  /** What its randomness began with. */
  readonly seed: number;
  append(input: SessionInput, options?: PrefillOptions): Promise<void>;
  generate(input?: SessionInput, options?: GenerateOptions): Generation;
  save(): Uint8Array;
  fork(): LanguageSession;
  rewind(length: number): void;
  dispose(): void;
  [Symbol.dispose](): void;
}

export function isConversation(input: Prompt): input is readonly ChatMessage[] {
  return Array.isArray(input) && typeof input[0] === "object";
}
