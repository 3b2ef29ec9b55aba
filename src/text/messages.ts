// Parses conversations. The forms of messages that clients send are converted to one form. formatChat, RemoteModel, the server and the AI
// SDK provider use this parser, so all of them accept the same messages.

import { InputError } from "../base/errors.js";
import { isObject } from "../base/json.js";
import { jsonText, plainJson } from "../base/plain-json.js";
import { parseAssistant } from "./parse-assistant.js";

/** A part of a message. In a tool's result, it may contain the name of the tool. */
export interface ContentPart {
  readonly type: "text";
  readonly text: string;
  readonly name?: string | null | undefined;
}

/** A tool call, which the model writes as one line of a `<tool_calls>` block. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/**
 * The arguments of a call in a conversation, as an object or as its JSON. Missing, null and blank arguments count as `{}`. A string that is
 * not a JSON object, such as the arguments of a call that was cut off, is written into the prompt unchanged, on one line.
 */
export type CallArguments = string | ToolCall["arguments"] | null | undefined;

interface CallFields {
  readonly name: string;
  readonly arguments?: CallArguments;
}

/** A message of a conversation, in a plain form or in the form of OpenAI's API. Null fields count as missing. */
export interface ChatMessage {
  /** Role of the author. `developer` counts as `system`, and `function` as `tool`. */
  readonly role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  /** Content of the message. It may be missing or empty in messages of assistants and tools. */
  readonly content?: string | readonly ContentPart[] | null | undefined;
  /** Name of the tool that gave a result, unless the parts contain it. */
  readonly name?: string | null | undefined;
  /** Id of the call that a tool's result answers. It identifies the tool if `name` is missing. */
  readonly tool_call_id?: string | null | undefined;
  /** An assistant's tool calls, in a plain form or in the form of OpenAI's API. In the prompt they follow the content. */
  readonly tool_calls?:
    | readonly (CallFields | { readonly id?: string | null | undefined; readonly function: CallFields })[]
    | null
    | undefined;
  /**
   * An assistant's reasoning. In the prompt it precedes the content, between `<think>` and `</think>`. The tag stays open if nothing
   * follows.
   */
  readonly reasoning_content?: string | null | undefined;
  /** Another name of `reasoning_content`, used if that field is missing or empty. */
  readonly reasoning?: string | null | undefined;
}

/** A call in a conversation. `number` is its index among all calls of the conversation, from 0. */
export interface ParsedCall {
  readonly number: number;
  readonly name: string;
  /** The arguments. They are a string if they are not a JSON object. */
  readonly arguments: ToolCall["arguments"] | string;
  /** The arguments as JSON. This is the given text if it is the JSON of an object. */
  readonly json: string;
}

/** The result of a tool. `call` is the number of the answered call, if it is known. */
export interface ToolResult {
  readonly name: string;
  readonly text: string;
  readonly call: number | undefined;
}

/** A parsed message. All other code uses this form. */
export type ParsedMessage =
  | { readonly role: "system" | "user"; readonly text: string }
  /** `text` contains the reasoning between its tags, followed by the content. */
  | { readonly role: "assistant"; readonly text: string; readonly calls: readonly ParsedCall[] }
  | { readonly role: "tool"; readonly results: readonly ToolResult[] };

type Fields = Readonly<Record<string, unknown>>;

const ROLES: ReadonlyMap<unknown, ParsedMessage["role"]> = new Map([
  ["system", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["tool", "tool"],
  // Other names in OpenAI's API.
  ["developer", "system"],
  ["function", "tool"],
]);

/** Parses the messages of a conversation. @throws {InputError} no messages, or an invalid message; the error gives its index */
export function readMessages(messages: readonly unknown[]): ParsedMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) throw new InputError("chat: messages: expected at least one message, got none");
  const calls = new ConversationCalls();
  return messages.map((message, i) => readMessage(message, `messages[${i}]`, calls));
}

/**
 * Returns the arguments of a call as an object if possible. Otherwise returns a string, which is the given string or the JSON of another
 * value. A JSON string that contains JSON is parsed again.
 *
 * @throws {InputError} a value that JSON cannot represent
 */
export function readArguments(given: unknown, where: string): ToolCall["arguments"] | string {
  if (isMissing(given)) return {};
  if (typeof given !== "string") {
    return isObject(given) ? plainJson(given, `chat: ${where}`) : jsonText(given, `chat: ${where}`);
  }
  if (given.trim() === "") return {};
  const value = parseJsonOrUndefined(given);
  if (value === null) return {};
  if (typeof value === "string") return readArguments(value, where);
  return isObject(value) ? value : given;
}

/** Returns whether a text is a JSON object. */
export function isObjectJson(text: string): boolean {
  return isObject(parseJsonOrUndefined(text));
}

/** Returns the value of a JSON text. Returns undefined if the text is not JSON. */
function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readMessage(message: unknown, where: string, calls: ConversationCalls): ParsedMessage {
  if (!isObject(message)) fail(where, "a message", message);
  const role = ROLES.get(message.role);
  if (!role) fail(`${where}.role`, "system, user, assistant or tool", message.role);
  if (role === "assistant") return readAssistant(message, where, calls);
  if (!isMissing(message.tool_calls) && !isEmptyList(message.tool_calls)) {
    fail(`${where}.tool_calls`, "tool calls in assistant messages only", message.tool_calls);
  }
  if (role === "tool") return { role, results: readResults(message, where, calls) };
  if (isMissing(message.content) || isEmptyList(message.content)) {
    fail(`${where}.content`, "text or a list of text parts", message.content);
  }
  return { role, text: joinText(readParts(message.content, `${where}.content`)) };
}

function readAssistant(message: Fields, where: string, list: ConversationCalls): ParsedMessage {
  if (!isMissing(message.audio)) fail(`${where}.audio`, "text only", message.audio);
  const calls = callsOf(message, where).map(([call, place]) => readCall(call, place, list));
  const reasoning =
    optionalText(message.reasoning_content, `${where}.reasoning_content`) || optionalText(message.reasoning, `${where}.reasoning`);
  const content = joinText(readParts(message.content, `${where}.content`)) + optionalText(message.refusal, `${where}.refusal`);
  // If the reasoning did not end, servers send null instead of an empty text.
  const isUnfinished = calls.length === 0 && content === "" && typeof message.content !== "string";
  // Some clients also keep the reasoning in the content.
  const isRepeated = parseAssistant(content).reasoning?.trim() === reasoning.trim();
  const thought = reasoning === "" || isRepeated ? "" : `<think>${reasoning}${isUnfinished ? "" : "</think>"}`;
  return { role: "assistant", text: thought + content, calls };
}

/**
 * Returns the calls of a message with their places. These are the calls in `tool_calls` or, if there are none, the call in the deprecated
 * field `function_call`.
 */
function callsOf({ tool_calls: calls, function_call: call }: Fields, where: string): [unknown, string][] {
  if (!isMissing(calls) && !Array.isArray(calls)) fail(`${where}.tool_calls`, "a list", calls);
  if (isMissing(calls) || isEmptyList(calls)) return isMissing(call) ? [] : [[call, `${where}.function_call`]];
  return (calls as unknown[]).map((one, i) => [one, `${where}.tool_calls[${i}]`]);
}

function readCall(call: unknown, where: string, list: ConversationCalls): ParsedCall {
  const plain = isObject(call) && !isMissing(call.function) ? call.function : call;
  if (!isObject(plain)) fail(where, "a call { name, arguments }", call);
  if (typeof plain.name !== "string" || plain.name === "") fail(`${where}.name`, "the name of a tool", plain.name);
  const { name, arguments: given } = plain;
  const read = readArguments(given, `${where}.arguments`);
  const json = typeof given === "string" && isObjectJson(given) ? given : JSON.stringify(read);
  return list.add({ id: idOf((call as Fields).id), name, arguments: read, json });
}

function readResults(message: Fields, where: string, calls: ConversationCalls): ToolResult[] {
  const parts = readParts(message.content, `${where}.content`);
  return (parts.length > 0 ? parts : [{ text: "", name: undefined }]).map((part) => {
    const given = [part.name, message.name].find((name) => !isMissing(name) && name !== "");
    if (given !== undefined && typeof given !== "string") {
      fail(`${where}.name`, "the name of the tool that gave this result", given);
    }
    const call = calls.takeAnswered(idOf(message.tool_call_id), given);
    const name = given ?? call?.name;
    if (name === undefined) {
      const id = isMissing(message.tool_call_id)
        ? ""
        : `, or the tool_call_id of an earlier call instead of ${excerpt(message.tool_call_id)}`;
      fail(`${where}.name`, `the name of the tool that gave this result${id}`, undefined);
    }
    return { name, text: part.text, call: call?.number };
  });
}

type TrackedCall = ParsedCall & { readonly id: string | undefined };

/** Tracks the calls of a conversation and which of them have no result yet. */
class ConversationCalls {
  private readonly calls: TrackedCall[] = [];
  private readonly open = new Set<TrackedCall>();

  add(call: Omit<TrackedCall, "number">): ParsedCall {
    const listed = { ...call, number: this.calls.length };
    this.calls.push(listed);
    this.open.add(listed);
    return listed;
  }

  /**
   * Finds the call that a result answers, and marks it as answered. A call is open until it is answered.
   *
   * With an id, this is the call with that id, else the first open call of that name, else the first open call without an id. Without an
   * id, it is the first open call of that name, else the first open call.
   */
  takeAnswered(id: string | undefined, name: string | undefined): ParsedCall | undefined {
    const open = [...this.open];
    const named = open.find((one) => one.name === name);
    const identified = (one: TrackedCall) => one.id === id;
    const call =
      id === undefined
        ? (named ?? open[0])
        : (open.find(identified) ?? this.calls.findLast(identified) ?? named ?? open.find((one) => one.id === undefined));
    if (call) this.open.delete(call);
    return call;
  }
}

/** Returns the text parts of a content. Returns an empty list if the content is missing. */
function readParts(content: unknown, where: string): { text: string; name: unknown }[] {
  if (isMissing(content)) return [];
  if (typeof content === "string") return [{ text: content, name: undefined }];
  if (!Array.isArray(content)) fail(where, "text or a list of text parts", content);
  return content.map((part: unknown, i) => {
    const { type, text, name, refusal } = isObject(part) ? part : {};
    const said = (type === "text" ? text : type === "refusal" ? refusal : false) ?? "";
    if (typeof said !== "string") fail(`${where}[${i}]`, 'a part { type: "text", text }', part);
    return { text: said, name };
  });
}

function optionalText(value: unknown, where: string): string {
  if (isMissing(value)) return "";
  return typeof value === "string" ? value : fail(where, "text", value);
}

const joinText = (parts: readonly { readonly text: string }[]): string => parts.map(({ text }) => text).join("");
const isMissing = (value: unknown): value is null | undefined => value === undefined || value === null;
/** Returns the id of a call as a string. Some clients send numbers. */
const idOf = (id: unknown): string | undefined => (typeof id === "number" || (typeof id === "string" && id !== "") ? `${id}` : undefined);
const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function fail(where: string, expected: string, got: unknown): never {
  throw new InputError(`chat: ${where}: expected ${expected}, got ${got === undefined ? "nothing" : excerpt(got)}`);
}

function excerpt(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 80);
  } catch {
    return typeof value;
  }
}
