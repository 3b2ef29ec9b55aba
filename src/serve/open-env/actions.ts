// Actions of clients: a message of the model, as raw text or split into its parts.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import { parseOptions } from "../../base/options.js";
import type { AssistantMessage, EpisodeCall, MalformedCall } from "../../environments/environment.js";
import { ACTION_TITLE } from "../../environments/open-env/protocol.js";
import { parseAnswer } from "../../environments/parse-answer.js";
import { readArguments } from "../../text/messages.js";
import { argumentsProblem } from "../../text/parse-assistant.js";

/** What a client asks of an episode: a message of the model, or the end of the episode. */
export type Action = { readonly kind: "message"; message(nextId: () => string): AssistantMessage } | { readonly kind: "end" };

const anyText = v.custom<string>((x) => typeof x === "string", "a string");
const object = v.custom<Record<string, unknown>>(isObject, "an object");
const callFields = {
  name: anyText,
  arguments: v.nullish(v.custom<string | Record<string, unknown>>((x) => typeof x === "string" || isObject(x), "an object or its JSON")),
};
const ids = { id: v.nullish(anyText), type: v.nullish(v.literal("function", '"function"')), index: v.nullish(v.number()) };
const call = v.strictObject({ ...ids, function: v.strictObject(callFields) });
const plainCall = v.strictObject({ ...ids, ...callFields });

const schema = v.strictObject({
  text: v.nullish(anyText),
  role: v.nullish(v.literal("assistant", '"assistant"')),
  content: v.nullish(anyText),
  reasoning_content: v.nullish(anyText),
  tool_calls: v.nullish(
    v.array(
      v.lazy((x) => (isObject(x) && "function" in x ? call : plainCall)),
      "an array of calls",
    ),
  ),
  end: v.nullish(v.custom<boolean>((x) => typeof x === "boolean", "true or false")),
  // Every action of OpenEnv has this field. Clients send it even if it is empty.
  metadata: v.nullish(object),
});

/**
 * Parses an action.
 *
 * @throws {InputError} an unknown field, an invalid value, or fields that exclude each other
 */
export function parseAction(value: unknown): Action {
  if (!isObject(value)) throw new InputError(`action: expected an object, got ${Array.isArray(value) ? "array" : typeof value}`);
  const { text, content, reasoning_content: reasoning, tool_calls: calls, end } = parseOptions(schema, value, "action", "field");
  const given = Object.entries({ text, content, tool_calls: calls, end: end || null }).filter(([, field]) => field != null);
  const names = given.map(([name]) => name).join(", ");
  if (given.length === 0) throw new InputError("action: expected text, or content, or tool_calls, or end, got none of them");
  if (given.length > 1 && (text != null || end)) {
    throw new InputError(`action: expected text, or end, or content and tool_calls, got ${names}`);
  }
  if (end) return { kind: "end" };
  if (text != null) return { kind: "message", message: (nextId) => parseAnswer(text, nextId) };
  return {
    kind: "message",
    message(nextId) {
      const malformed: MalformedCall[] = [];
      const toolCalls = (calls ?? []).flatMap((one): EpisodeCall[] => {
        const { name, arguments: args } = "function" in one ? one.function : one;
        const read = readArguments(args, "action: tool_calls");
        const error = typeof read === "string" ? "the arguments are not a JSON object" : argumentsProblem(read);
        const id = one.id ?? nextId();
        if (typeof read !== "string" && error === undefined) return [{ id, name, arguments: read }];
        malformed.push({ line: typeof args === "string" ? args : name, error: error!, id, name });
        return [];
      });
      return { text: content ?? "", content: content ?? "", ...(reasoning != null && { reasoning }), toolCalls, malformed };
    },
  };
}

/** JSON Schema of an action. */
export const ACTION_SCHEMA = {
  title: ACTION_TITLE,
  type: "object",
  description: "A message of the model: either text, or content and tool_calls. Or the end of the episode.",
  properties: {
    text: { type: "string", description: "The whole text of the model. The server finds reasoning and tool calls in it." },
    role: { const: "assistant" },
    content: { type: "string", description: "The text without reasoning and tool calls." },
    reasoning_content: { type: "string" },
    tool_calls: {
      type: "array",
      items: {
        type: "object",
        properties: {
          id: { type: "string" },
          type: { const: "function" },
          function: {
            type: "object",
            properties: { name: { type: "string" }, arguments: { type: "string", description: "A JSON object as text." } },
            required: ["name"],
          },
        },
        required: ["function"],
      },
    },
    end: { type: "boolean", description: "True ends the episode, as if a limit had been reached. The server judges it." },
    metadata: { type: "object", description: "Ignored." },
  },
  additionalProperties: false,
} as const;

const message = {
  type: "object",
  properties: { role: { type: "string" }, content: { type: "string" }, name: { type: "string" }, tool_call_id: { type: "string" } },
  required: ["role"],
} as const;

/** JSON Schema of an observation. */
export const OBSERVATION_SCHEMA = {
  title: "lightning-m1 observation",
  type: "object",
  properties: {
    episode_id: { type: "string" },
    messages: { type: "array", items: message, description: "What the model sees next: new messages only." },
    tools: { type: "array", items: { type: "object" }, description: "After a reset: the tools, in the form of OpenAI's API." },
    rewards: {
      type: ["object", "null"],
      description: "When the episode is over: { score, weight } by name, or null for a reward that could not be judged.",
    },
    metrics: { type: "object", additionalProperties: { type: "number" } },
    stop_condition: { enum: ["terminated", "max_turns", "ended", null] },
    terminated: { type: "boolean", description: "The task is over." },
    truncated: { type: "boolean", description: "A limit, or the client, ended the episode." },
  },
  required: ["episode_id", "messages", "terminated", "truncated"],
} as const;

/** JSON Schema of a state. */
export const STATE_SCHEMA = {
  title: "lightning-m1 state",
  type: "object",
  properties: {
    episode_id: { type: ["string", "null"] },
    step_count: { type: "integer", minimum: 0 },
    environment: { type: ["string", "null"] },
    index: { type: ["integer", "null"], description: "Number of the row." },
    done: { type: "boolean" },
    stop_condition: { enum: ["terminated", "max_turns", "ended", null] },
  },
  required: ["episode_id", "step_count"],
} as const;
