import { InputError } from "../base/errors.js";
import { pauseInTurn } from "../base/pause.js";
import type { MiniMaxM1 } from "../minimax-m1.js";
import { ChatChoice } from "./chat-choice.js";
import type { Choice, ChoiceContext } from "./choice.js";
import { CompletionChoice } from "./completion-choice.js";
import { parseChatParams, parseCompletionParams, type RequestParams } from "./request-params.js";

/** A text or token ids. */
export type PromptInput = string | readonly number[];

/** What a request comes to: inputs, and how their answers are written. */
export interface ParsedRequest {
  readonly kind: ResponseKind;
  readonly params: RequestParams;
  /** How many inputs there are. */
  readonly promptCount: number;
  /** The inputs. Those of a chat are its messages, put into the model's format, which takes time for each of them. */
  promptInputs(): readonly PromptInput[] | Promise<readonly PromptInput[]>;
  createChoice(writing: ChoiceContext): Choice;
}

interface ResponseKind {
  readonly idPrefix: string;
  readonly bodyObject: string;
  readonly chunkObject: string;
}

const COMPLETION: ResponseKind = { idPrefix: "cmpl-", bodyObject: "text_completion", chunkObject: "text_completion" };
const CHAT: ResponseKind = { idPrefix: "chatcmpl-", bodyObject: "chat.completion", chunkObject: "chat.completion.chunk" };

/** @throws {InputError} a body that cannot be worked with */
export function parseCompletionRequest(body: unknown): ParsedRequest {
  const request = parseCompletionParams(body);
  const { prompts } = request;
  return {
    ...{ kind: COMPLETION, params: request, promptCount: prompts.length },
    promptInputs: () => prompts,
    createChoice: (writing) => new CompletionChoice(writing),
  };
}

/** @throws {InputError} a body that cannot be worked with, or a template where they are not trusted */
export function parseChatRequest(model: MiniMaxM1, body: unknown, trustTemplates: boolean): ParsedRequest {
  const request = parseChatParams(body);
  const { messages, tools, template } = request;
  if (template !== undefined && !trustTemplates) {
    throw new InputError("chat_template: expected none, got one (a template is a program: only a server with trustTemplates runs it)");
  }
  let insideThink = false;
  return {
    ...{ kind: CHAT, params: request, promptCount: 1 },
    async promptInputs() {
      // Of many conversations that come at once, one is formatted per turn of the event loop.
      await pauseInTurn();
      const prompt = await model.formatChat(messages, { tools, template });
      insideThink = prompt.trimEnd().endsWith("<think>");
      return [prompt];
    },
    createChoice: (writing) => new ChatChoice(writing, insideThink, tools.length > 0),
  };
}

/** The fewest tokens that an input can have: known before its text is encoded. @throws {InputError} text for a model without a tokenizer */
export function minimumTokens({ tokenizer }: MiniMaxM1, input: PromptInput): number {
  if (typeof input !== "string") return input.length;
  if (!tokenizer) throw new InputError("prompt: expected token ids, got text (this model has no tokenizer)");
  return tokenizer.fewestTokens(input);
}

/** The ids of inputs, one after the other. @throws {InputError} text that has no ids, or more than the context; the signal's reason */
export async function encodePrompts({ tokenizer, config }: MiniMaxM1, inputs: readonly PromptInput[], signal: AbortSignal) {
  const prompts: (readonly number[])[] = [];
  for (const input of inputs) {
    const limits = { maxTokens: config.maxPositionEmbeddings, signal };
    prompts.push(typeof input === "string" ? await tokenizer!.encodeAsync(input, limits) : input);
  }
  return prompts;
}

/** Where chats tell the ids of their prompt. */
export function chatPromptIds({ kind, params }: ParsedRequest, prompts: readonly (readonly number[])[]) {
  return kind === CHAT && params.returnTokenIds ? { prompt_token_ids: prompts[0] } : {};
}

export function usageOf(prompts: readonly (readonly number[])[], completion: number) {
  const prompt = prompts.reduce((sum, ids) => sum + ids.length, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
