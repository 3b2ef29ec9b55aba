import { InputError } from "../base/errors.js";
import { pauseInTurn } from "../base/pause.js";
import type { MiniMaxM1 } from "../minimax-m1.js";
import { ChatChoice } from "./chat.js";
import type { Choice, Writing } from "./choice.js";
import { CompletionChoice } from "./completion.js";
import { type Asked, readChat, readCompletion } from "./request.js";

/** A text or token ids. */
export type Input = string | readonly number[];

/** What a request comes to: inputs, and how their answers are written. */
export interface Job {
  readonly kind: Kind;
  readonly asked: Asked;
  /** How many inputs there are. */
  readonly count: number;
  /** The inputs. Those of a chat are its messages, put into the model's format, which takes time for each of them. */
  inputs(): readonly Input[] | Promise<readonly Input[]>;
  choice(writing: Writing): Choice;
}

interface Kind {
  readonly id: string;
  readonly body: string;
  readonly chunk: string;
}

const COMPLETION: Kind = { id: "cmpl-", body: "text_completion", chunk: "text_completion" };
const CHAT: Kind = { id: "chatcmpl-", body: "chat.completion", chunk: "chat.completion.chunk" };

/** @throws {InputError} a body that cannot be worked with */
export function completionJob(body: unknown): Job {
  const request = readCompletion(body);
  const { prompts } = request;
  return {
    ...{ kind: COMPLETION, asked: request, count: prompts.length },
    inputs: () => prompts,
    choice: (writing) => new CompletionChoice(writing),
  };
}

/** @throws {InputError} a body that cannot be worked with, or a template where they are not trusted */
export function chatJob(model: MiniMaxM1, body: unknown, trustTemplates: boolean): Job {
  const request = readChat(body);
  const { messages, tools, template } = request;
  if (template !== undefined && !trustTemplates) {
    throw new InputError("chat_template: expected none, got one (a template is a program: only a server with trustTemplates runs it)");
  }
  let insideThink = false;
  return {
    ...{ kind: CHAT, asked: request, count: 1 },
    async inputs() {
      // Of many conversations that come at once, one is formatted per turn of the event loop.
      await pauseInTurn();
      const prompt = await model.formatChat(messages, { tools, template });
      insideThink = prompt.trimEnd().endsWith("<think>");
      return [prompt];
    },
    choice: (writing) => new ChatChoice(writing, insideThink, tools.length > 0),
  };
}

/** The fewest tokens that an input can have: known before its text is encoded. @throws {InputError} text for a model without a tokenizer */
export function fewestTokens({ tokenizer }: MiniMaxM1, input: Input): number {
  if (typeof input !== "string") return input.length;
  if (!tokenizer) throw new InputError("prompt: expected token ids, got text (this model has no tokenizer)");
  return tokenizer.fewestTokens(input);
}

/** The ids of inputs, one after the other. @throws {InputError} text that has no ids, or more than the context; the signal's reason */
export async function encodeInputs({ tokenizer, config }: MiniMaxM1, inputs: readonly Input[], signal: AbortSignal) {
  const prompts: (readonly number[])[] = [];
  for (const input of inputs) {
    const limits = { maxTokens: config.maxPositionEmbeddings, signal };
    prompts.push(typeof input === "string" ? await tokenizer!.encodeAsync(input, limits) : input);
  }
  return prompts;
}

/** Where chats tell the ids of their prompt. */
export function promptIds({ kind, asked }: Job, prompts: readonly (readonly number[])[]) {
  return kind === CHAT && asked.tokenIds ? { prompt_token_ids: prompts[0] } : {};
}

export function usageOf(prompts: readonly (readonly number[])[], completion: number) {
  const prompt = prompts.reduce((sum, ids) => sum + ids.length, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
