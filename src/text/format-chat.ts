// Converts a conversation to the text that a model continues. Special tokens are written as text, which the tokenizer recognises.

import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import { plainJson } from "../base/plain-json.js";
import { type ChatMessage, type ParsedMessage, readMessages } from "./messages.js";
import { formatMiniMaxM1, formatToolCalls, type HistoryCall, joinText, type TemplateMessage } from "./minimax-m1-format.js";
import { renderTemplate } from "./render-jinja.js";

export type { ChatMessage, ContentPart, ToolCall } from "./messages.js";

/** The description of a tool: any JSON object. The model sees it unchanged. */
export type Tool = object;

/** Options of `formatChat`. */
export interface ChatOptions {
  readonly tools?: readonly Tool[];
  /** Whether to end with the opening of the assistant's turn, so that the model answers (true). */
  readonly addGenerationPrompt?: boolean;
  /**
   * A Jinja template, as in a tokenizer_config.json. It receives message contents as lists of parts or as strings, depending on which of
   * them it reads. By default, MiniMax-M1's format is used.
   */
  readonly template?: string;
  /** Further variables of the template, such as `bos_token`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/**
 * Formats a conversation as a prompt, in MiniMax-M1's published format or with `template`.
 *
 * - Contents become lists of parts. A string becomes one part, and several parts of one message are joined into one. Results of tools stay
 *   separate, because the published template would drop all except the first.
 * - Tool calls become text or, if the template reads this field, the field `tool_calls` of the message, and each result of a tool becomes a
 *   message. Missing arguments of a call become `{}`. Arguments that are not a JSON object are written unchanged, on one line.
 * - Tools are written as JSON in the format of transformers, with the separators `", "` and `": "` and unescaped non-ASCII characters.
 * - Null fields of messages count as missing.
 *
 * @throws {InputError} no messages, an invalid message (the error names its index), or a template that fails
 */
export async function formatChat(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<string> {
  expectArgument("chat: options", isObjectLike(options), "an object", options);
  const { tools = [], addGenerationPrompt = true, template, variables = {} } = options;
  const parsed = readMessages(messages);
  if (!Array.isArray(tools))
    throw new InputError(`chat: tools: expected an array of objects, got ${tools === null ? "null" : typeof tools}`);
  const plainTools = tools.map((tool, i) => plainJson(tool, `chat: tools[${i}]`));
  if (template === undefined) return formatMiniMaxM1(parsed.map(toTemplateMessage), plainTools, addGenerationPrompt);
  try {
    const names = {
      ...variables,
      messages: templateMessages(parsed, template),
      tools: plainTools.length > 0 ? plainTools : null,
      add_generation_prompt: addGenerationPrompt,
    };
    return await renderTemplate(template, names);
  } catch (cause) {
    throw new InputError(`chat: template: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/**
 * Returns whether a template reads contents as lists of parts, like the published template, and not as strings. Such a template indexes,
 * filters or iterates contents.
 */
function readsContentParts(template: string): boolean {
  const content = String.raw`(?:\[\s*['"]content['"]\s*\]|\.content\b)`;
  return new RegExp(String.raw`${content}\s*(?:\[|\|\s*(?:selectattr|rejectattr|map)\b)|\bin\s+\w+${content}`).test(template);
}

/** Returns the messages in the form that a template reads. */
function templateMessages(messages: readonly ParsedMessage[], template: string): readonly object[] {
  if (readsToolCalls(template)) return messages.flatMap(toMessagesWithCalls);
  const turns = messages.map(toTemplateMessage);
  return readsContentParts(template) ? turns : turns.map(({ role, content }) => ({ role, content: joinText(content) }));
}

/** Returns whether a template writes tool calls itself, from the field `tool_calls` of a message, as Qwen's does. */
function readsToolCalls(template: string): boolean {
  return /\.tool_calls\b|\[\s*['"]tool_calls['"]\s*\]/.test(template);
}

/** Converts a message to the form of OpenAI's API with a string as content. Each result of a tool becomes a message. */
function toMessagesWithCalls(message: ParsedMessage): object[] {
  const { role } = message;
  if (role === "tool") return message.results.map(({ name, text }) => ({ role, name, content: text }));
  if (role !== "assistant" || message.calls.length === 0) return [{ role, content: message.text }];
  const calls = message.calls.map(({ name, arguments: given }) => ({ type: "function", function: { name, arguments: given } }));
  return [{ role, content: message.text, tool_calls: calls }];
}

/** Converts a message to text parts. Tool calls become part of the text. */
function toTemplateMessage(message: ParsedMessage): TemplateMessage {
  const { role } = message;
  if (role === "tool") return { role, content: message.results.map(({ name, text }) => ({ type: "text", text, name })) };
  const text = role === "assistant" ? withToolCalls(message.text, message.calls) : message.text;
  return { role, content: [{ type: "text", text }] };
}

/** Returns an assistant's text followed by its tool calls, as the model writes them. */
function withToolCalls(text: string, calls: readonly HistoryCall[]): string {
  return calls.length === 0 ? text : `${text}${text && "\n"}${formatToolCalls(calls)}`;
}
