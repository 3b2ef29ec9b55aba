// The one reader of conversations: messages in any form that clients send → messages with one meaning.
// formatChat, RemoteModel, the server and the AI SDK's provider all read through it.

import { InputError } from "../base/errors.js";
import { parseAssistant } from "./parse-assistant.js";

/** A piece of a message. Results of tools carry the tool's name. */
export interface ContentPart {
  readonly type: "text";
  readonly text: string;
  readonly name?: string | null | undefined;
}

/** A call of a tool: what the model writes as one line of a `<tool_calls>` block. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/**
 * What a history may hold as a call's arguments: an object, or its JSON. Missing, null and blank ones are `{}`. A string that holds no
 * JSON object, as a call that was cut off leaves one, reaches the prompt as it is, on one line.
 */
export type CallArguments = string | ToolCall["arguments"] | null | undefined;

interface CallFields {
  readonly name: string;
  readonly arguments?: CallArguments;
}

/** One message of a conversation, plain or as OpenAI's interface writes it. Null fields count as missing. */
export interface ChatMessage {
  /** `developer` counts as `system`, `function` as `tool`. */
  readonly role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  /** May be missing or empty in an assistant's message and in a tool's result. */
  readonly content?: string | readonly ContentPart[] | null | undefined;
  /** Of the tool whose result this is, if the parts do not name it. */
  readonly name?: string | null | undefined;
  /** The id of the call that a tool's result answers. It names the tool if `name` is missing. */
  readonly tool_call_id?: string | null | undefined;
  /** Calls that an assistant made, plain or as OpenAI's interface writes them. They follow the content as the model writes them. */
  readonly tool_calls?:
    | readonly (CallFields | { readonly id?: string | null | undefined; readonly function: CallFields })[]
    | null
    | undefined;
  /** What an assistant thought. It precedes the content between `<think>` and `</think>`, and stays open if nothing follows it. */
  readonly reasoning_content?: string | null | undefined;
  /** Another name of `reasoning_content`, read if that one is missing or empty. */
  readonly reasoning?: string | null | undefined;
}

/** A call of a history. Its number counts the conversation's calls. */
export interface ParsedCall {
  readonly number: number;
  readonly name: string;
  /** A string if it is no JSON object. */
  readonly arguments: ToolCall["arguments"] | string;
  /** The arguments as JSON: as they were given if that is an object's JSON. */
  readonly json: string;
}

/** A tool's result, and the number of the call that it answers if that is known. */
export interface ToolResult {
  readonly name: string;
  readonly text: string;
  readonly call: number | undefined;
}

/** A message with one meaning. */
export type ParsedMessage =
  | { readonly role: "system" | "user"; readonly text: string }
  /** The text holds the reasoning, between its tags, and the content. */
  | { readonly role: "assistant"; readonly text: string; readonly calls: readonly ParsedCall[] }
  | { readonly role: "tool"; readonly results: readonly ToolResult[] };

type Fields = Readonly<Record<string, unknown>>;

const ROLES: ReadonlyMap<unknown, ParsedMessage["role"]> = new Map([
  ["system", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["tool", "tool"],
  // Other names that OpenAI's interface has for two of them.
  ["developer", "system"],
  ["function", "tool"],
]);

/** @throws {InputError} no messages, or one that cannot be read: its index is named */
export function readMessages(messages: readonly unknown[]): ParsedMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) throw new InputError("chat: messages: expected at least one message, got none");
  const calls = new ConversationCalls();
  return messages.map((message, i) => readMessage(message, `messages[${i}]`, calls));
}

/**
 * A call's arguments as an object; as a string if they are no object: the one that was given, or another value's JSON. A string of JSON
 * inside JSON is read once more.
 *
 * @throws {InputError} a value that JSON cannot hold
 */
export function readArguments(given: unknown, where: string): ToolCall["arguments"] | string {
  if (isMissing(given)) return {};
  if (typeof given !== "string") return isRecord(given) ? plainJson(given, where) : toJson(given, where);
  if (given.trim() === "") return {};
  const value = parseJsonOrUndefined(given);
  if (value === null) return {};
  if (typeof value === "string") return readArguments(value, where);
  return isRecord(value) ? value : given;
}

/** Whether a text is the JSON of an object. */
export function isObjectJson(text: string): boolean {
  return isRecord(parseJsonOrUndefined(text));
}

/** The value of a JSON text; undefined if it is none. */
function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What JSON keeps of an object. @throws {InputError} no object, or one that JSON cannot hold */
export function plainJson(value: unknown, where: string): Record<string, unknown> {
  if (!isRecord(value)) fail(where, "a JSON object", value);
  return JSON.parse(toJson(value, where));
}

/** @throws {InputError} a value that JSON cannot hold */
function toJson(value: unknown, where: string): string {
  try {
    return JSON.stringify(value) ?? fail(where, "JSON", typeof value);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`chat: ${where}: expected JSON, got a value it cannot hold (${cause instanceof Error ? cause.message : cause})`, {
      cause,
    });
  }
}

function readMessage(message: unknown, where: string, calls: ConversationCalls): ParsedMessage {
  if (!isRecord(message)) fail(where, "a message", message);
  const role = ROLES.get(message.role);
  if (!role) fail(`${where}.role`, "system, user, assistant or tool", message.role);
  if (role === "assistant") return readAssistant(message, where, calls);
  if (!isMissing(message.tool_calls) && !isEmptyList(message.tool_calls)) {
    fail(`${where}.tool_calls`, "none but in assistant messages", message.tool_calls);
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
  const reasoning = text(message.reasoning_content, `${where}.reasoning_content`) || text(message.reasoning, `${where}.reasoning`);
  const content = joinText(readParts(message.content, `${where}.content`)) + text(message.refusal, `${where}.refusal`);
  // Servers say null instead of an empty text if the reasoning never ended.
  const isUnfinished = calls.length === 0 && content === "" && typeof message.content !== "string";
  // Some clients keep the reasoning in the content as well.
  const isRepeated = parseAssistant(content).reasoning?.trim() === reasoning.trim();
  const thought = reasoning === "" || isRepeated ? "" : `<think>${reasoning}${isUnfinished ? "" : "</think>"}`;
  return { role: "assistant", text: thought + content, calls };
}

/** The calls of a message, in today's form or, if it has none of those, in that of `function_call`. */
function callsOf({ tool_calls: calls, function_call: call }: Fields, where: string): [unknown, string][] {
  if (!isMissing(calls) && !Array.isArray(calls)) fail(`${where}.tool_calls`, "a list", calls);
  if (isMissing(calls) || isEmptyList(calls)) return isMissing(call) ? [] : [[call, `${where}.function_call`]];
  return (calls as unknown[]).map((one, i) => [one, `${where}.tool_calls[${i}]`]);
}

function readCall(call: unknown, where: string, list: ConversationCalls): ParsedCall {
  const plain = isRecord(call) && !isMissing(call.function) ? call.function : call;
  if (!isRecord(plain)) fail(where, "a call { name, arguments }", call);
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
      fail(`${where}.name`, "the name of the tool whose result this is", given);
    }
    const call = calls.takeAnswered(idOf(message.tool_call_id), given);
    const name = given ?? call?.name;
    if (name === undefined) {
      const id = isMissing(message.tool_call_id) ? "" : `, or the tool_call_id of a call before it, not ${excerpt(message.tool_call_id)}`;
      fail(`${where}.name`, `the name of the tool whose result this is${id}`, undefined);
    }
    return { name, text: part.text, call: call?.number };
  });
}

type TrackedCall = ParsedCall & { readonly id: string | undefined };

/** The calls of a conversation so far, and which of them wait for their results. */
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
   * The call that a result answers: the one with its id, else the first open one of its name, else the first open one. A result with an
   * id that no call has answers a call without an id.
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

/** Text parts of a content; none if it is missing. */
function readParts(content: unknown, where: string): { text: string; name: unknown }[] {
  if (isMissing(content)) return [];
  if (typeof content === "string") return [{ text: content, name: undefined }];
  if (!Array.isArray(content)) fail(where, "text or a list of text parts", content);
  return content.map((part: unknown, i) => {
    const { type, text, name, refusal } = isRecord(part) ? part : {};
    const said = (type === "text" ? text : type === "refusal" ? refusal : false) ?? "";
    if (typeof said !== "string") fail(`${where}[${i}]`, 'a part { type: "text", text }', part);
    return { text: said, name };
  });
}

function text(value: unknown, where: string): string {
  if (isMissing(value)) return "";
  return typeof value === "string" ? value : fail(where, "text", value);
}

const joinText = (parts: readonly { readonly text: string }[]): string => parts.map(({ text }) => text).join("");
const isMissing = (value: unknown): value is null | undefined => value === undefined || value === null;
/** An id of a call; some clients have numbers for ids. */
const idOf = (id: unknown): string | undefined => (typeof id === "number" || (typeof id === "string" && id !== "") ? `${id}` : undefined);
const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

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
