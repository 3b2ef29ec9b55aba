// Observations of other programs as messages, and messages of the model as their actions.

import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { ChatMessage } from "../../text/format-chat.js";
import type { AssistantMessage, ToolDefinition } from "../environment.js";
import { ToolError } from "../tools.js";

type Fields = Readonly<Record<string, unknown>>;

/** Fields of an observation that say nothing about the task. */
const NOT_SHOWN: ReadonlySet<string> = new Set(["reward", "done", "metadata"]);

/** Turns an observation into a message of the user: its only text, or its JSON. */
export function observationMessage(observation: Fields): ChatMessage {
  const shown = Object.entries(observation).filter(([name, value]) => !NOT_SHOWN.has(name) && value !== null);
  const [only] = shown;
  const content = shown.length === 1 && typeof only![1] === "string" ? only![1] : JSON.stringify(Object.fromEntries(shown));
  return { role: "user", content };
}

/** Returns the messages of an observation of this library's server. @throws {InputError} others */
export function messagesOf({ messages }: Fields): readonly ChatMessage[] {
  const fits = Array.isArray(messages) && messages.every((message) => isObject(message) && typeof message.role === "string");
  if (!fits) throw new InputError("expected messages with roles");
  return messages as ChatMessage[];
}

/** Returns the tools of an observation: in the form of OpenAI's API, or plain. */
export function toolsOf({ tools }: Fields): readonly ToolDefinition[] {
  if (!Array.isArray(tools)) return [];
  return tools.flatMap((tool): ToolDefinition[] => {
    const { name, description, parameters } = isObject(tool) ? (isObject(tool.function) ? tool.function : tool) : ({} as Fields);
    if (typeof name !== "string") return [];
    return [{ name, description: typeof description === "string" ? description : "", parameters: isObject(parameters) ? parameters : {} }];
  });
}

/**
 * Creates the conversion of messages to actions of a schema. If exactly one text is required, it is the content of the message. The same
 * holds if the action has one text and requires nothing. Otherwise the content must be the JSON of an action.
 */
export function actionOf(schema: unknown): (message: AssistantMessage) => Fields {
  const { properties, required } = isObject(schema) ? schema : ({} as Fields);
  const named = isObject(properties) ? Object.entries(properties) : [];
  const isRequired = (name: string) => Array.isArray(required) && required.includes(name);
  const texts = named.filter(([name, property]) => name !== "metadata" && isObject(property) && property.type === "string");
  const needed = named.filter(([name]) => isRequired(name));
  const candidates = needed.length > 0 ? texts.filter(([name]) => isRequired(name)) : texts;
  if (candidates.length === 1 && needed.length <= 1) {
    const name = candidates[0]![0];
    return ({ content }) => ({ [name]: content });
  }
  const names = named.map(([name]) => name).filter((name) => name !== "metadata");
  return ({ content }) => {
    // Models like to put JSON into a code block.
    const text = /```(?:json)?\s*(.*?)```/s.exec(content)?.[1] ?? content;
    try {
      const action: unknown = JSON.parse(text);
      if (isObject(action)) return action;
    } catch {
      // The model sees the error below.
    }
    throw new ToolError(`expected a JSON object${names.length > 0 ? ` with the fields ${names.join(", ")}` : ""}, got other text`);
  };
}
