// MiniMax-M1's own chat format, as its published chat template writes it.

import { type ChatMessage, type ContentPart, readArguments, type ToolCall } from "./messages.js";

/** A message as templates see it: text parts, with calls written into the text. */
export interface TemplateMessage {
  readonly role: ChatMessage["role"];
  readonly content: readonly ContentPart[];
}

/** A call in a conversation. */
export type HistoryCall = { readonly name: string; readonly arguments: ToolCall["arguments"] | string };

/**
 * Formats a conversation as MiniMax-M1's published chat template does. The template's `''name''` is two adjacent strings, so no quotes
 * appear in the text.
 */
export function formatMiniMaxM1(turns: readonly TemplateMessage[], tools: readonly object[], addGenerationPrompt: boolean): string {
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

function toolInstructions(tools: readonly object[]): string {
  return `You are provided with these tools:
<tools>
${tools.map((tool) => `${toPythonJson(tool)}\n`).join("")}</tools>

If you need to call tools, please respond with <tool_calls></tool_calls> XML tags, and provide tool-name and json-object of arguments, following the format below:
<tool_calls>
{name: <tool-name-1>, arguments: <args-json-object-1>}
...
</tool_calls>`;
}

/** Joins the texts of all parts. */
export const joinText = (content: readonly ContentPart[]): string => content.map(({ text }) => text).join("");

/** Formats a value as JSON with the separators of Python: `{"a": [1, 2]}`. */
function toPythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toPythonJson).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${toPythonJson(item)}`)
    .join(", ")}}`;
}

/** Formats a `<tool_calls>` block with one call per line. Arguments that are not a JSON object are written unchanged, on one line. */
export function formatToolCalls(calls: readonly HistoryCall[]): string {
  const lines = calls.map(({ name, arguments: given }) => {
    const read = readArguments(given, "arguments");
    return typeof read === "string"
      ? `{"name": ${JSON.stringify(name)}, "arguments": ${read.replace(/\s+/g, " ")}}\n`
      : `${toPythonJson({ name, arguments: read })}\n`;
  });
  return `<tool_calls>\n${lines.join("")}</tool_calls>`;
}
