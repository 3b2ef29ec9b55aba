// Converts the AI SDK's prompt, tools and settings to messages, tools and options of this library.

import type { LanguageModelV3CallOptions, LanguageModelV3Message, LanguageModelV3ToolResultPart, SharedV3Warning } from "@ai-sdk/provider";
import { InputError } from "../base/errors.js";
import type { PromptOptions } from "../language-model.js";
import type { ChatMessage, ContentPart, Tool } from "../text/format-chat.js";
import type { CallArguments } from "../text/messages.js";

/** The name of the provider in the AI SDK, and the key of its options in `providerOptions`. */
export const PROVIDER_NAME = "lightning-m1";

export interface ConvertedCall {
  readonly messages: readonly ChatMessage[];
  readonly options: PromptOptions;
  readonly tools: readonly Tool[];
  readonly warnings: SharedV3Warning[];
}

/**
 * Converts a call of the AI SDK to messages, tools and options of this library. @throws {InputError} parts of messages that are not text
 */
export function convertCall(call: LanguageModelV3CallOptions): ConvertedCall {
  const { prompt, maxOutputTokens, temperature, topP, topK, seed, stopSequences, toolChoice, providerOptions } = call;
  const tools = toolChoice?.type === "none" ? [] : convertTools(call);
  return {
    // Tool messages without results are left out.
    messages: prompt
      .map((message, i) => convertMessage(message, `prompt[${i}]`))
      .filter(({ role, content }) => role !== "tool" || content?.length),
    tools,
    options: {
      // Calls of the AI SDK have no limit by default.
      maxTokens: maxOutputTokens ?? Infinity,
      ...definedOnly({ temperature, topP, topK, seed }),
      ...(stopSequences && { stop: stopSequences }),
      ...(tools.length > 0 && { tools }),
      ...providerOptions?.[PROVIDER_NAME],
    },
    warnings: warningsOf(call),
  };
}

function definedOnly<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function convertTools({ tools = [] }: LanguageModelV3CallOptions): Tool[] {
  return tools.flatMap((tool) =>
    tool.type === "function" ? [{ name: tool.name, ...definedOnly({ description: tool.description }), parameters: tool.inputSchema }] : [],
  );
}

/** Returns warnings for the settings of a call that have no effect. */
function warningsOf(call: LanguageModelV3CallOptions): SharedV3Warning[] {
  const { presencePenalty, frequencyPenalty, responseFormat, toolChoice, tools = [] } = call;
  // `reasoning` is a setting of version 4 of the model interface. `ai` 7 also passes it to models of version 3.
  const { reasoning } = call as { readonly reasoning?: string };
  const unsupported = (feature: string, details: string): SharedV3Warning => ({ type: "unsupported", feature, details });
  const penalty = `use providerOptions: { "${PROVIDER_NAME}": { repetitionPenalty } } instead`;
  return [
    presencePenalty ? unsupported("presencePenalty", penalty) : [],
    frequencyPenalty ? unsupported("frequencyPenalty", penalty) : [],
    responseFormat?.type === "json" ? unsupported("responseFormat", "the model is not constrained to JSON; ask for it in the prompt") : [],
    reasoning && reasoning !== "provider-default" ? unsupported("reasoning", "the model decides how long it reasons") : [],
    toolChoice?.type === "required" || toolChoice?.type === "tool"
      ? unsupported("toolChoice", "the model decides whether it calls a tool, and which")
      : [],
    tools.flatMap((tool) => {
      if (tool.type !== "function") return unsupported(`tool ${tool.id}`, "only tools that the caller runs are supported");
      return tool.strict ? unsupported(`strict of tool ${tool.name}`, "the model is not constrained to the schema") : [];
    }),
  ].flat();
}

function convertMessage(message: LanguageModelV3Message, where: string): ChatMessage {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.content };
    case "user":
      return {
        role: "user",
        content: message.content.map((part, j) => (part.type === "text" ? part.text : unsupportedPart(where, j, part))).join(""),
      };
    case "assistant":
      return convertAssistant(message, where);
    case "tool":
      return {
        role: "tool",
        content: message.content.map((part, j) =>
          part.type === "tool-result" ? convertResult(part, `${where}.content[${j}]`) : unsupportedPart(where, j, part),
        ),
      };
  }
}

/** Converts an assistant's message. The parts are put into the order in which the model writes them: reasoning, text, tool calls. */
function convertAssistant({ content }: Extract<LanguageModelV3Message, { role: "assistant" }>, where: string): ChatMessage {
  let [reasoning, text] = ["", ""];
  const calls: { name: string; arguments: CallArguments }[] = [];
  for (const [j, part] of content.entries()) {
    if (part.type === "reasoning") reasoning += part.text;
    else if (part.type === "text") text += part.text;
    // The input of a malformed tool call is a string.
    else if (part.type === "tool-call" && !part.providerExecuted)
      calls.push({ name: part.toolName, arguments: part.input as CallArguments });
    else unsupportedPart(where, j, part);
  }
  return { role: "assistant", content: text, reasoning_content: reasoning, tool_calls: calls };
}

function convertResult({ toolName, output }: LanguageModelV3ToolResultPart, where: string): ContentPart {
  return { type: "text", name: toolName, text: resultText(output, where) };
}

function resultText(output: LanguageModelV3ToolResultPart["output"], where: string): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return `execution denied${output.reason ? `: ${output.reason}` : ""}`;
    case "content":
      return output.value.map((part, k) => (part.type === "text" ? part.text : unsupportedPart(`${where}.output`, k, part))).join("");
  }
}

function unsupportedPart(where: string, j: number, part: { readonly type: string; readonly mediaType?: string }): never {
  const got = part.mediaType ? `${part.type} (${part.mediaType})` : part.type;
  throw new InputError(
    `ai-sdk: ${where}.content[${j}]: the model reads text only (got ${got}; expected text, reasoning, or calls and results of tools)`,
  );
}
