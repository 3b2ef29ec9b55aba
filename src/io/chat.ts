// A conversation → the text that a model continues. No ids here: special tokens are written as text, and the tokenizer knows them.

import { InputError } from "../runtime/errors.js";
import { renderTemplate } from "./template.js";

/** A piece of a message. Results of tools carry the tool's name. */
export interface ContentPart {
  readonly type: "text";
  readonly text: string;
  readonly name?: string;
}

/** A call of a tool: what the model writes as one line of a `<tool_calls>` block. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** One message of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  /** May be missing in an assistant's message that calls tools. */
  readonly content?: string | readonly ContentPart[] | null;
  /** Of the tool whose result this is, where the parts do not say it. */
  readonly name?: string;
  /** Calls that an assistant made, plain or as OpenAI's interface writes them. They follow the content as the model writes them. */
  readonly tool_calls?: readonly (
    | ToolCall
    | { readonly function: { readonly name: string; readonly arguments: string | ToolCall["arguments"] } }
  )[];
}

/** The description of a tool; any JSON object, shown to the model as it is. */
export type Tool = object;

/** What `formatChat` adds to the messages. */
export interface ChatOptions {
  readonly tools?: readonly Tool[];
  /** Ends with the opening of the assistant's turn (default), so that the model answers. */
  readonly addGenerationPrompt?: boolean;
  /** A Jinja template, as a tokenizer_config.json has it; contents reach it as lists of parts or as strings, as it reads them. Default: MiniMax-M1's format. */
  readonly template?: string;
  /** Further names that the template reads, such as `bos_token`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

interface Turn {
  readonly role: ChatMessage["role"];
  readonly content: readonly ContentPart[];
}

/**
 * The prompt of a conversation, in MiniMax-M1's published format or another that `template` gives.
 *
 * Before either, contents become lists of parts: a string is one part; several parts of one message are joined, except a
 * tool's results (the published template would drop all but the first); calls of tools become text. Tools are written as
 * JSON with `", "` and `": "` between items and non-ASCII characters as they are, as transformers writes them.
 *
 * @throws {InputError} no messages, a message that cannot be read (its index is named), or a template that fails
 */
export async function formatChat(
  messages: readonly ChatMessage[],
  { tools = [], addGenerationPrompt = true, template, variables = {} }: ChatOptions = {},
): Promise<string> {
  if (!Array.isArray(messages) || messages.length === 0) throw new InputError("chat: messages: expected at least one message, got none");
  const turns = messages.map(readMessage);
  if (!Array.isArray(tools))
    throw new InputError(`chat: tools: expected an array of objects, got ${tools === null ? "null" : typeof tools}`);
  const plainTools = tools.map((tool, i) => plainJson(tool, `tools[${i}]`));
  if (template === undefined) return formatMiniMaxM1(turns, plainTools, addGenerationPrompt);
  try {
    const names = {
      ...variables,
      messages: takesParts(template) ? turns : turns.map(({ role, content }) => ({ role, content: joinText(content) })),
      tools: plainTools.length > 0 ? plainTools : null,
      add_generation_prompt: addGenerationPrompt,
    };
    return await renderTemplate(template, names);
  } catch (cause) {
    throw new InputError(`chat: template: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Whether a template reads contents as lists of parts, as the published one does, or as strings: whether it indexes, filters or walks them. */
function takesParts(template: string): boolean {
  const content = String.raw`(?:\[\s*['"]content['"]\s*\]|\.content\b)`;
  return new RegExp(String.raw`${content}\s*(?:\[|\|\s*(?:selectattr|rejectattr|map)\b)|\bin\s+\w+${content}`).test(template);
}

/** The format that the published chat template of MiniMax-M1 gives (its `''name''` is two adjacent strings: no quotes are rendered). */
function formatMiniMaxM1(turns: readonly Turn[], tools: readonly Tool[], addGenerationPrompt: boolean): string {
  const system = turns.map(({ role, content }) => (role === "system" ? joinText(content) : "")).join("");
  return [
    "<begin_of_document>",
    system && sentence("system ai_setting=assistant", system),
    tools.length > 0 ? sentence("system tool_setting=tools", toolInstructions(tools)) : "",
    ...turns.map(({ role, content }) => {
      if (role === "user") return sentence("user name=user", joinText(content));
      if (role === "assistant") return sentence("ai name=assistant", joinText(content));
      if (role === "tool")
        return sentence("tool name=tools", content.map(({ name, text }) => `tool name: ${name}\ntool result: ${text}\n\n`).join(""));
      return "";
    }),
    addGenerationPrompt ? "<beginning_of_sentence>ai name=assistant\n" : "",
  ].join("");
}

function sentence(head: string, body: string): string {
  return `<beginning_of_sentence>${head}\n${body}<end_of_sentence>\n`;
}

function toolInstructions(tools: readonly Tool[]): string {
  return `You are provided with these tools:
<tools>
${tools.map((tool) => `${toJson(tool)}\n`).join("")}</tools>

If you need to call tools, please respond with <tool_calls></tool_calls> XML tags, and provide tool-name and json-object of arguments, following the format below:
<tool_calls>
{name: <tool-name-1>, arguments: <args-json-object-1>}
...
</tool_calls>`;
}

const joinText = (content: readonly ContentPart[]): string => content.map(({ text }) => text).join("");

/** JSON as Python writes it: `{"a": [1, 2]}`. */
function toJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toJson).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${toJson(item)}`)
    .join(", ")}}`;
}

const ROLES: readonly unknown[] = ["system", "user", "assistant", "tool"];

function readMessage(message: ChatMessage, index: number): Turn {
  const where = `messages[${index}]`;
  if (typeof message !== "object" || message === null) refuse(where, "a message", message);
  const { role, content, name, tool_calls: calls = [] } = message;
  if (!ROLES.includes(role)) refuse(`${where}.role`, "system, user, assistant or tool", role);
  if (!Array.isArray(calls)) refuse(`${where}.tool_calls`, "a list", calls);
  if (calls.length > 0 && role !== "assistant") refuse(`${where}.tool_calls`, "none but in assistant messages", calls);
  const parts = readContent(calls.length > 0 ? (content ?? "") : content, `${where}.content`);
  if (role === "tool") return { role, content: parts.map((part) => ({ ...part, name: toolName(part.name ?? name, where) })) };
  return {
    role,
    content: [
      {
        type: "text",
        text: withToolCalls(
          joinText(parts),
          calls.map((call, i) => readCall(call, `${where}.tool_calls[${i}]`)),
        ),
      },
    ],
  };
}

function readContent(content: unknown, where: string): ContentPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (!Array.isArray(content) || content.length === 0) refuse(where, "text or a list of text parts", content);
  return content.map((part: Partial<ContentPart> | null, i) => {
    if (part?.type !== "text" || typeof part.text !== "string") refuse(`${where}[${i}]`, 'a part { type: "text", text }', part);
    return { type: "text", text: part.text, name: part.name };
  });
}

function toolName(name: unknown, where: string): string {
  return typeof name === "string" && name !== "" ? name : refuse(`${where}.name`, "the name of the tool whose result this is", name);
}

function readCall(call: NonNullable<ChatMessage["tool_calls"]>[number], where: string): ToolCall {
  const plain: unknown = typeof call === "object" && call !== null && "function" in call ? call.function : call;
  if (typeof plain !== "object" || plain === null) refuse(where, "a call { name, arguments }", call);
  const { name, arguments: given } = plain as Record<string, unknown>;
  if (typeof name !== "string" || name === "") refuse(`${where}.name`, "the name of a tool", name);
  try {
    return { name, arguments: plainJson(typeof given === "string" ? JSON.parse(given) : given, `${where}.arguments`) };
  } catch (cause) {
    throw cause instanceof SyntaxError ? new InputError(`chat: ${where}.arguments: expected JSON, got ${given}`, { cause }) : cause;
  }
}

/** An assistant's text with its calls, as the model writes them. */
function withToolCalls(text: string, calls: readonly ToolCall[]): string {
  if (calls.length === 0) return text;
  return `${text}${text && "\n"}${toolCallBlock(calls.map(toJson))}`;
}

/** Calls whose arguments are JSON text, as the model writes them. Arguments that are no JSON stay as they are, on one line. */
export function writeToolCalls(calls: readonly { readonly name: string; readonly arguments: string }[]): string {
  return toolCallBlock(
    calls.map(({ name, arguments: given }) => {
      try {
        return toJson({ name, arguments: given.trim() === "" ? {} : JSON.parse(given) });
      } catch {
        return `{"name": ${JSON.stringify(name)}, "arguments": ${given.replace(/\s+/g, " ")}}`;
      }
    }),
  );
}

function toolCallBlock(lines: readonly string[]): string {
  return `<tool_calls>\n${lines.map((line) => `${line}\n`).join("")}</tool_calls>`;
}

/** What JSON keeps of an object. */
function plainJson(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(where, "a JSON object", value);
  try {
    return JSON.parse(JSON.stringify(value));
  } catch (cause) {
    throw new InputError(`chat: ${where}: expected JSON, got a value it cannot hold (${cause instanceof Error ? cause.message : cause})`, {
      cause,
    });
  }
}

function refuse(where: string, expected: string, got: unknown): never {
  throw new InputError(`chat: ${where}: expected ${expected}, got ${got === undefined ? "nothing" : show(got)}`);
}

function show(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 80);
  } catch {
    return typeof value;
  }
}
