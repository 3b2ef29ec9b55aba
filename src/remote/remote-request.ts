// Converts prompts and options to request bodies of OpenAI's interface, with vLLM's additions.

import { InputError } from "../base/errors.js";
import { isObject } from "../base/json.js";
import { printed } from "../base/printed.js";
import { type GenerateOptions, type GenerateSettings, parseGenerateOptions } from "../generate/options.js";
import { isConversation, type Prompt } from "../language-model.js";
import { isTokenIds } from "../model/token-ids.js";
import type { ChatMessage, Tool } from "../text/format-chat.js";
import { readMessages } from "../text/messages.js";

/** Path and body of a request. */
export interface RemoteRequest {
  readonly path: "completions" | "chat/completions";
  readonly body: Readonly<Record<string, unknown>>;
  /** Names of the tools that a conversation offers. Undefined for prompts of text or ids. */
  readonly tools?: ReadonlySet<string>;
}

/** Accepts all ids, because the server's vocabulary is not known here. */
const UNCHECKED_VOCABULARY = { vocabSize: Infinity, eosTokenIds: [] };

/**
 * Checks generation options for a server. @throws {InputError} an unknown option, a value out of range, or an option that the server does
 * not support
 */
export function parseRemoteOptions(options: GenerateOptions, extensions: boolean, where: string): GenerateSettings {
  const settings = parseGenerateOptions(options, UNCHECKED_VOCABULARY, {}, where);
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
  if (name) throw new InputError(`${where}: ${name}: not available, because the server was connected with extensions: false`);
  return settings;
}

/** Builds the request for one prompt. `repetition` is sent only if the caller set it, because only this library's server supports it. */
export function buildRequest(
  prompt: Prompt,
  model: string,
  settings: GenerateSettings,
  seed: number,
  extensions: boolean,
  { tools, template, repetition }: { tools?: readonly Tool[]; template?: string; repetition?: GenerateOptions["repetition"] },
): RemoteRequest {
  const chat = isConversation(prompt);
  const { sampling, maxTokens, stops, stopIds, topLogprobs } = settings;
  // All options are sent, because the server's defaults may differ.
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
      // Special tokens in the output are written as text, as the local tokenizer does.
      skip_special_tokens: false,
      spaces_between_special_tokens: false,
      return_token_ids: true,
      return_tokens_as_token_ids: true,
    }),
  };
  if (chat) {
    const offered = (tools ?? []).map(openAiTool);
    return {
      path: "chat/completions",
      tools: new Set(offered.map((tool) => String(tool.function.name))),
      body: {
        ...common,
        messages: openAiMessages(prompt, extensions),
        ...(maxTokens < Infinity && { max_tokens: maxTokens }),
        logprobs: true,
        ...(topLogprobs > 0 && { top_logprobs: topLogprobs }),
        ...(offered.length > 0 && { tools: offered }),
        ...(template !== undefined && { chat_template: template }),
      },
    };
  }
  return {
    path: "completions",
    // Without max_tokens, servers stop after 16 tokens. null means up to the end of the context.
    body: {
      ...common,
      prompt: isTokenIds(prompt) ? [...prompt] : prompt,
      ...(extensions && { add_special_tokens: false }),
      max_tokens: maxTokens < Infinity ? maxTokens : null,
      logprobs: topLogprobs,
    },
  };
}

/** Converts a tool to OpenAI's format. */
function openAiTool(tool: Tool): { readonly function: Readonly<Record<string, unknown>> } {
  if (isObject(tool) && tool.type === "function" && isObject(tool.function)) return { ...tool, function: tool.function };
  return { type: "function", function: tool as Record<string, unknown> } as { function: Record<string, unknown> };
}

/** Converts messages to OpenAI's format. Tool calls have numbered ids, and each result is a message with the id of its call. */
function openAiMessages(messages: readonly ChatMessage[], extensions: boolean): object[] {
  const history = readMessages(messages);
  let next = history.reduce((sum, message) => sum + (message.role === "assistant" ? message.calls.length : 0), 0);
  return history.flatMap((message): object[] => {
    const { role } = message;
    if (role === "tool") {
      return message.results.map(({ name, text, call }) => ({
        ...{ role, tool_call_id: `call_${call ?? next++}` },
        // OpenAI's tool messages have no name, and some servers refuse it.
        ...(extensions && { name }),
        content: text,
      }));
    }
    const { text: content } = message;
    if (role !== "assistant" || message.calls.length === 0) return [{ role, content }];
    const calls = message.calls.map(({ number, name, json }) => ({
      ...{ id: `call_${number}`, type: "function" },
      // The arguments are always valid JSON, because servers refuse anything else. Malformed arguments become a JSON string.
      function: { name, arguments: json },
    }));
    return [{ role, content, tool_calls: calls }];
  });
}

/** Checks a prompt. @throws {InputError} an empty prompt, invalid ids, or a value of another type */
export function checkPrompt(prompt: unknown, where: string): void {
  if (typeof prompt === "string") {
    if (prompt === "") throw new InputError(`${where}: expected at least one token, got an empty text`);
    return;
  }
  if (!isTokenIds(prompt))
    throw new InputError(`${where}: expected text, messages or an array of token ids, got ${prompt === null ? "null" : typeof prompt}`);
  if (prompt.length === 0) throw new InputError(`${where}: expected at least one token, got none`);
  const wrong = prompt.findIndex((id) => !Number.isInteger(id) || id < 0);
  if (wrong >= 0) throw new InputError(`${where}: token ${wrong}: expected an integer id of at least 0, got ${printed(prompt[wrong])}`);
}
