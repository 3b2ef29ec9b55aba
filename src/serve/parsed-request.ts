import { InputError } from "../base/errors.js";
import { yieldInTurn } from "../base/event-loop.js";
import type { MiniMaxM1 } from "../minimax-m1.js";
import { TooManyTokensError } from "../text/tokenizer.js";
import { ChatChoice } from "./chat-choice.js";
import type { Choice, ChoiceContext } from "./choice.js";
import { CompletionChoice } from "./completion-choice.js";
import { contextLengthExceeded } from "./http-error.js";
import { parseChatParams, parseCompletionParams, type RequestParams } from "./request-params.js";

/** A prompt as text or as token ids. */
export type PromptInput = string | readonly number[];

/** A request of either endpoint: its prompts, its parameters, and the format of its choices. */
export interface ParsedRequest {
  readonly kind: ResponseKind;
  readonly params: RequestParams;
  readonly promptCount: number;
  /** Returns the prompts. The prompt of a chat is rendered with the chat template, which takes time for every message. */
  promptInputs(): readonly PromptInput[] | Promise<readonly PromptInput[]>;
  createChoice(context: ChoiceContext): Choice;
}

/** Names in a response of OpenAI's interface: the prefix of its id, and the field `object` of a body and of a streamed chunk. */
interface ResponseKind {
  readonly idPrefix: string;
  readonly bodyObject: string;
  readonly chunkObject: string;
}

const COMPLETION: ResponseKind = { idPrefix: "cmpl-", bodyObject: "text_completion", chunkObject: "text_completion" };
const CHAT: ResponseKind = { idPrefix: "chatcmpl-", bodyObject: "chat.completion", chunkObject: "chat.completion.chunk" };

/** Parses a request for /v1/completions. @throws {InputError} an invalid body */
export function parseCompletionRequest(body: unknown): ParsedRequest {
  const params = parseCompletionParams(body);
  const { prompts } = params;
  return {
    ...{ kind: COMPLETION, params, promptCount: prompts.length },
    promptInputs: () => prompts,
    createChoice: (context) => new CompletionChoice(context),
  };
}

/**
 * Parses a request for /v1/chat/completions. @throws {InputError} an invalid body, or a chat template although the server does not accept
 * templates
 */
export function parseChatRequest(model: MiniMaxM1, body: unknown, trustTemplates: boolean): ParsedRequest {
  const params = parseChatParams(body);
  const { messages, tools, template } = params;
  if (template !== undefined && !trustTemplates) {
    throw new InputError(
      "chat_template: this server accepts no chat templates in requests, because a template is a program that it would run. " +
        "The server's option trustTemplates (--trust-templates) allows them.",
    );
  }
  let insideThink = false;
  return {
    ...{ kind: CHAT, params, promptCount: 1 },
    async promptInputs() {
      // If many conversations arrive at once, only one is rendered per turn of the event loop.
      await yieldInTurn();
      const prompt = await model.formatChat(messages, { tools, template });
      insideThink = prompt.trimEnd().endsWith("<think>");
      return [prompt];
    },
    createChoice: (context) => new ChatChoice(context, insideThink, tools.length > 0),
  };
}

/**
 * Returns a lower bound for the number of tokens of a prompt, before its text is encoded.
 *
 * @throws {InputError} text for a model without a tokenizer
 */
export function minimumTokens({ tokenizer }: MiniMaxM1, input: PromptInput): number {
  if (typeof input !== "string") return input.length;
  if (!tokenizer) throw new InputError("prompt: this model has no tokenizer (expected token ids, got text)");
  return tokenizer.fewestTokens(input);
}

/**
 * Encodes prompts one after the other.
 *
 * @throws {HttpError} a prompt that leaves no room for an answer in the context
 * @throws {InputError} text that the vocabulary cannot express; the signal's reason
 */
export async function encodePrompts({ tokenizer, config }: MiniMaxM1, inputs: readonly PromptInput[], signal: AbortSignal) {
  const context = config.maxPositionEmbeddings;
  const prompts: (readonly number[])[] = [];
  for (const input of inputs) {
    const ids = typeof input === "string" ? await encodeText(input) : input;
    if (ids.length >= context) throw contextLengthExceeded(context, `${ids.length}`);
    prompts.push(ids);
  }
  return prompts;

  async function encodeText(text: string): Promise<number[]> {
    try {
      return await tokenizer!.encodeAsync(text, { maxTokens: context, signal });
    } catch (error) {
      throw error instanceof TooManyTokensError ? contextLengthExceeded(context, "more") : error;
    }
  }
}

/** Returns the field of a chat response that holds the ids of its prompt. Completions have this field in each choice. */
export function chatPromptIds({ kind, params }: ParsedRequest, prompts: readonly (readonly number[])[]) {
  return kind === CHAT && params.returnTokenIds ? { prompt_token_ids: prompts[0] } : {};
}

export function usageOf(prompts: readonly (readonly number[])[], completion: number) {
  const prompt = prompts.reduce((sum, ids) => sum + ids.length, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
