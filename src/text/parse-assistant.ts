// Splits a model's output into reasoning, answer and tool calls, by the tags that the model writes. Text is passed on verbatim: nothing is
// trimmed, corrected or dropped.

import { isObject } from "../base/json.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { ToolCall } from "./messages.js";

const THINK_OPEN = "<think>";
const THINK_CLOSE = "</think>";
/**
 * Matches the opening tag of a block of calls with the line break before it, so that a tag within a sentence does not match. MiniMax-M1
 * writes all calls into one `<tool_calls>` block, Qwen each call into a `<tool_call>` block.
 */
const CALLS_OPEN = /\n?<(tool_calls?)>(?=[ \t]*(?:\r?\n|\{|$))/;

/** The parts of an assistant's text. */
export interface AssistantAnswer {
  /** The text between `<think>` and `</think>`. Absent if there is no reasoning. */
  readonly reasoning?: string;
  /** The remaining text, without tool calls. */
  readonly content: string;
  readonly toolCalls: readonly ToolCall[];
  /** Lines of blocks of calls that are not valid calls, verbatim, with the reason. */
  readonly malformed: readonly { readonly line: string; readonly error: string }[];
}

/** Options of parsing. */
export interface ReasoningOptions {
  /** Whether the prompt ended with `<think>`, so that the text begins with reasoning. */
  readonly insideThink?: boolean;
}

/** The text that a chunk added to the reasoning and to the answer. */
export interface AssistantDelta {
  readonly reasoning: string;
  readonly content: string;
}

/**
 * Separates reasoning from the answer while text arrives in chunks of any length. Pass only generated text, without the prompt.
 *
 * Reasoning begins with `<think>` at the start of the text; only white space may precede it. It ends at the first `</think>`, or at the end
 * of the text if that tag is missing. Later tags are text.
 */
export class ReasoningSplitter {
  private section: "start" | "reasoning" | "content";
  private pending = "";
  private hasThought: boolean;

  constructor(options: ReasoningOptions = {}) {
    expectArgument("ReasoningSplitter: options", isObjectLike(options), "an object", options);
    const { insideThink = false } = options;
    this.section = insideThink ? "reasoning" : "start";
    this.hasThought = insideThink;
  }

  /** Whether the text began with reasoning, even if the reasoning was empty. */
  get thought(): boolean {
    return this.hasThought;
  }

  /** Returns the text that this chunk completes. A possible beginning of a tag is held back. */
  push(text: string): AssistantDelta {
    expectArgument("ReasoningSplitter: push", typeof text === "string", "a string", text);
    this.pending += text;
    let reasoning = "";
    if (this.section === "start") {
      const start = this.pending.trimStart();
      if (start.length < THINK_OPEN.length && THINK_OPEN.startsWith(start)) return { reasoning, content: "" };
      this.hasThought = start.startsWith(THINK_OPEN);
      this.section = this.hasThought ? "reasoning" : "content";
      if (this.hasThought) this.pending = start.slice(THINK_OPEN.length);
    }
    if (this.section === "reasoning") {
      const end = this.pending.indexOf(THINK_CLOSE);
      if (end < 0) return { reasoning: this.take(this.pending.length - partialTagLength(this.pending, THINK_CLOSE)), content: "" };
      reasoning = this.take(end);
      this.take(THINK_CLOSE.length);
      this.section = "content";
    }
    return { reasoning, content: this.take(this.pending.length) };
  }

  /** Returns the text that was held back. */
  end(): AssistantDelta {
    const rest = this.take(this.pending.length);
    return this.section === "reasoning" ? { reasoning: rest, content: "" } : { reasoning: "", content: rest };
  }

  private take(length: number): string {
    const taken = this.pending.slice(0, length);
    this.pending = this.pending.slice(length);
    return taken;
  }
}

/** Parses an assistant's complete text. Invalid tool calls are not thrown as errors, but returned in `malformed`. */
export function parseAssistant(text: string, options: ReasoningOptions = {}): AssistantAnswer {
  expectArgument("parseAssistant: text", typeof text === "string", "a string", text);
  expectArgument("parseAssistant: options", isObjectLike(options), "an object", options);
  const splitter = new ReasoningSplitter(options);
  const first = splitter.push(text);
  const last = splitter.end();
  const answer = parseToolCalls(first.content + last.content);
  return splitter.thought ? { reasoning: first.reasoning + last.reasoning, ...answer } : answer;
}

/**
 * Extracts `<tool_calls>` and `<tool_call>` blocks from an answer. A block contains one JSON object per line. A block without a closing tag
 * ends with the text.
 */
export function parseToolCalls(content: string): Omit<AssistantAnswer, "reasoning"> {
  const toolCalls: ToolCall[] = [];
  const malformed: { line: string; error: string }[] = [];
  let text = "";
  let rest = content;
  for (let open = CALLS_OPEN.exec(rest); open; open = CALLS_OPEN.exec(rest)) {
    text += rest.slice(0, open.index);
    const block = splitBlock(rest.slice(open.index + open[0].length), `</${open[1]}>`);
    for (const line of block.lines) {
      if (line.trim() === "") continue;
      const call = readCall(line);
      if (typeof call === "string") malformed.push({ line, error: call });
      else toolCalls.push(call);
    }
    rest = block.rest;
  }
  return { content: text + rest, toolCalls, malformed };
}

/**
 * Returns the lines before the closing tag, and the text after it. The tag may be on a line of its own, after a call, or inside the strings
 * of a call.
 */
function splitBlock(text: string, close: string): { lines: string[]; rest: string } {
  const lines: string[] = [];
  for (let at = 0; at < text.length; ) {
    const lineEnd = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    const line = text.slice(at, lineEnd);
    const end = findClosingTag(line, close);
    if (end >= 0) return { lines: [...lines, line.slice(0, end)], rest: text.slice(at + end + close.length) };
    lines.push(line);
    at = lineEnd + 1;
  }
  return { lines, rest: "" };
}

/**
 * Returns the position at which a line closes the block. This is the first closing tag after a complete call or, without such a tag, the
 * first closing tag. Returns −1 if the line does not close the block.
 */
function findClosingTag(line: string, close: string): number {
  const first = line.indexOf(close);
  if (first < 0 || typeof readCall(line) !== "string") return -1;
  const end = line.indexOf(close, objectEnd(line));
  return end >= 0 && typeof readCall(line.slice(0, end)) !== "string" ? end : first;
}

/** Returns the position after the first complete object of a line, or the length of a line without one. */
function objectEnd(line: string): number {
  let depth = 0;
  let isString = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    if (isString) {
      if (character === "\\") at++;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return at + 1;
  }
  return line.length;
}

/** Most levels of objects and arrays in the arguments of a call. Functions that write JSON recurse, so depth must be limited. */
const MAX_LEVELS = 100;

/** Whether a parsed JSON value has objects and arrays inside each other on more than `levels` levels. */
function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(item, levels - 1));
}

/** Returns why a parsed JSON value cannot be the arguments of a call. Undefined if it can. */
export function argumentsProblem(value: unknown): string | undefined {
  if (isDeeperThan(value, MAX_LEVELS)) return `arguments: expected at most ${MAX_LEVELS} levels of objects and arrays, got more`;
  if (isObject(value)) return undefined;
  return `arguments: expected a JSON object, got ${JSON.stringify(value)}`;
}

/** Parses the call in a line. Returns a text with the reason if the call is invalid. */
function readCall(line: string): ToolCall | string {
  try {
    const call: Partial<ToolCall> | null = JSON.parse(line);
    if (typeof call !== "object" || call === null) return `expected a JSON object, got ${line.trim()}`;
    if (typeof call.name !== "string" || call.name === "") return `name: expected the name of a tool, got ${JSON.stringify(call.name)}`;
    return argumentsProblem(call.arguments) ?? { name: call.name, arguments: call.arguments! };
  } catch (cause) {
    return `expected JSON: ${cause instanceof Error ? cause.message : cause}`;
  }
}

/** Returns the number of characters at the end of a text that may be the beginning of a tag. */
function partialTagLength(text: string, tag: string): number {
  let length = Math.min(text.length, tag.length - 1);
  while (!tag.startsWith(text.slice(text.length - length))) length--;
  return length;
}
