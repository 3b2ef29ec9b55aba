// Inputs and options → what OpenAI's interface, with vLLM's additions, calls them.

import { type GenerateOptions, parseGenerateOptions, type Settings } from "../generate/options.js";
import type { ChatMessage, ContentPart, Tool } from "../io/chat.js";
import { isConversation, type Prompt } from "../language-model.js";
import { isTokenIds } from "../model/token-ids.js";
import { InputError } from "../runtime/errors.js";
import { isRecord } from "./refusal.js";

/** Where a prompt goes, and what is said there. */
export interface RemoteRequest {
  readonly path: "completions" | "chat/completions";
  readonly body: Readonly<Record<string, unknown>>;
}

/** What the server's model is not asked for here. */
const UNKNOWN_VOCABULARY = { vocabSize: Infinity, eosTokenIds: [] };

/** @throws {InputError} an unknown option, a value out of its range, or one that the server does not know */
export function readOptions(options: GenerateOptions, extensions: boolean, where: string): Settings {
  const settings = parseGenerateOptions(options, UNKNOWN_VOCABULARY, {}, where);
  if (extensions) return settings;
  const { topK, minP, repetitionPenalty } = settings.sampling;
  const beyond = {
    topK: topK < Infinity,
    minP: minP > 0,
    repetitionPenalty: repetitionPenalty !== 1,
    stopIds: settings.stopIds.size > 0,
    repetition: Boolean(options.repetition),
  };
  const [name] = Object.entries(beyond).find(([, given]) => given) ?? [];
  if (name) throw new InputError(`${where}: ${name}: expected none, got one (the server was connected with extensions: false)`);
  return settings;
}

/** The request for one prompt. `repetition` is what was asked for, if anything: only this library's own server knows it. */
export function requestFor(
  prompt: Prompt,
  model: string,
  settings: Settings,
  seed: number,
  extensions: boolean,
  { tools, template, repetition }: { tools?: readonly Tool[]; template?: string; repetition?: GenerateOptions["repetition"] },
): RemoteRequest {
  const chat = isConversation(prompt);
  const { sampling, maxTokens, stops, stopIds, topLogprobs } = settings;
  // Everything is said: a server's own defaults are another model's.
  const common = {
    model,
    stream: true,
    stream_options: { include_usage: true },
    temperature: sampling.temperature,
    top_p: sampling.topP,
    seed,
    ...(stops.length > 0 && { stop: stops }),
    ...(extensions && {
      ...(sampling.temperature > 0 && { top_k: Number.isFinite(sampling.topK) ? sampling.topK : -1, min_p: sampling.minP }),
      repetition_penalty: sampling.repetitionPenalty,
      ...(stopIds.size > 0 && { stop_token_ids: [...stopIds] }),
      ...(repetition !== undefined && { repetition: settings.repetition ?? false }),
      // As the tokenizer here reads and writes: special tokens are text like any other.
      skip_special_tokens: false,
      spaces_between_special_tokens: false,
      return_token_ids: true,
      return_tokens_as_token_ids: true,
    }),
  };
  if (chat) {
    return {
      path: "chat/completions",
      body: {
        ...common,
        messages: messagesFor(prompt),
        ...(maxTokens < Infinity && { max_tokens: maxTokens }),
        logprobs: true,
        ...(topLogprobs > 0 && { top_logprobs: topLogprobs }),
        ...(tools && tools.length > 0 && { tools: tools.map(toolFor) }),
        ...(template !== undefined && { chat_template: template }),
      },
    };
  }
  return {
    path: "completions",
    // Without max_tokens servers end after 16; null goes on to the end of the context.
    body: {
      ...common,
      prompt: isTokenIds(prompt) ? [...prompt] : prompt,
      ...(extensions && { add_special_tokens: false }),
      max_tokens: maxTokens < Infinity ? maxTokens : null,
      logprobs: topLogprobs,
    },
  };
}

/** A tool as OpenAI's interface has it; one in that form already stays as it is. */
function toolFor(tool: Tool): object {
  return isRecord(tool) && tool.type === "function" && "function" in tool ? tool : { type: "function", function: tool };
}

/** Messages as OpenAI's interface has them: calls are numbered, and each result of a tool is a message that names its call. */
function messagesFor(messages: readonly ChatMessage[]): object[] {
  let calls = 0;
  const open: { id: string; name: string }[] = [];
  return messages.flatMap(({ role, content, name, tool_calls = [] }): object[] => {
    if (role === "tool") {
      const parts: readonly Pick<ContentPart, "text" | "name">[] = typeof content === "string" ? [{ text: content }] : (content ?? []);
      return parts.map((part) => {
        const tool = part.name ?? name;
        const at = Math.max(
          0,
          open.findIndex((call) => call.name === tool),
        );
        const id = open.splice(at, 1)[0]?.id ?? `call_${calls++}`;
        return { role, tool_call_id: id, name: tool, content: part.text };
      });
    }
    if (tool_calls.length === 0) return [{ role, content }];
    const written = tool_calls.map((call) => {
      const plain = "function" in call ? call.function : call;
      const id = `call_${calls++}`;
      open.push({ id, name: plain.name });
      const given = typeof plain.arguments === "string" ? plain.arguments : JSON.stringify(plain.arguments);
      return { id, type: "function", function: { name: plain.name, arguments: given } };
    });
    return [{ role, content: content ?? "", tool_calls: written }];
  });
}

/** @throws {InputError} ids that are none, or no input at all */
export function checkPrompt(prompt: unknown, where: string): void {
  if (typeof prompt === "string") {
    if (prompt === "") throw new InputError(`${where}: expected at least one token, got an empty text`);
    return;
  }
  if (!isTokenIds(prompt))
    throw new InputError(`${where}: expected text, messages or an array of token ids, got ${prompt === null ? "null" : typeof prompt}`);
  if (prompt.length === 0) throw new InputError(`${where}: expected at least one token, got none`);
  const wrong = prompt.findIndex((id) => !Number.isInteger(id) || id < 0);
  if (wrong >= 0) throw new InputError(`${where}: token ${wrong}: expected an integer id of at least 0, got ${prompt[wrong]}`);
}
