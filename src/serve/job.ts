import type { MiniMaxM1 } from "../minimax-m1.js";
import { InputError } from "../runtime/errors.js";
import { ChatChoice } from "./chat.js";
import type { Choice, Writing } from "./choice.js";
import { CompletionChoice } from "./completion.js";
import { type Asked, readChat, readCompletion } from "./request.js";

/** What a request comes to: prompts, and how their answers are written. */
export interface Job {
  readonly kind: Kind;
  readonly asked: Asked;
  readonly prompts: readonly (readonly number[])[];
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
export function completionJob(model: MiniMaxM1, body: unknown): Job {
  const request = readCompletion(body);
  const prompts = request.prompts.map((prompt) => (typeof prompt === "string" ? encode(model, prompt) : prompt));
  return { kind: COMPLETION, asked: request, prompts, choice: (writing) => new CompletionChoice(writing) };
}

/** @throws {InputError} a body that cannot be worked with, or a template where they are not trusted */
export async function chatJob(model: MiniMaxM1, body: unknown, trustTemplates: boolean): Promise<Job> {
  const request = readChat(body);
  const { messages, tools, template } = request;
  if (template !== undefined && !trustTemplates) {
    throw new InputError("chat_template: expected none, got one (a template is a program: only a server with trustTemplates runs it)");
  }
  const prompt = await model.formatChat(messages, { tools, template });
  const insideThink = /<think>\s*$/.test(prompt);
  return {
    kind: CHAT,
    asked: request,
    prompts: [encode(model, prompt)],
    choice: (writing) => new ChatChoice(writing, insideThink, tools.length > 0),
  };
}

function encode({ tokenizer }: MiniMaxM1, text: string): number[] {
  if (!tokenizer) throw new InputError("prompt: expected token ids, got text (this model has no tokenizer)");
  return tokenizer.encode(text);
}

/** Where chats tell the ids of their prompt. */
export function promptIds({ kind, asked, prompts }: Job) {
  return kind === CHAT && asked.tokenIds ? { prompt_token_ids: prompts[0] } : {};
}

export function usageOf({ prompts }: Job, completion: number) {
  const prompt = prompts.reduce((sum, ids) => sum + ids.length, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
