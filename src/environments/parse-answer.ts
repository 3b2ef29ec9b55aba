import { parseAssistant } from "../text/parse-assistant.js";
import type { AssistantMessage } from "./environment.js";

/**
 * Splits the text of an answer.
 *
 * @param nextId returns the id of the next call
 */
export function parseAnswer(text: string, nextId: () => string): AssistantMessage {
  const { toolCalls, ...parts } = parseAssistant(text);
  return { text, ...parts, toolCalls: toolCalls.map((call) => ({ ...call, id: nextId() })) };
}
