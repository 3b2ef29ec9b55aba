// What a model answered: its reasoning, its answer and its calls of tools, told apart by the tags it writes.
// Text passes verbatim: nothing is trimmed, corrected or dropped.

import { expectArgument, isObjectLike } from "../base/options.js";
import type { ToolCall } from "./messages.js";

const THINK_OPEN = "<think>";
const THINK_CLOSE = "</think>";
const CALLS_CLOSE = "</tool_calls>";
/** A tag that is merely mentioned in a sentence opens nothing. The line end before it belongs to it. */
const CALLS_OPEN = /\n?<tool_calls>(?=[ \t]*(?:\r?\n|\{|$))/;

/** An assistant's text, taken apart. */
export interface AssistantAnswer {
  /** Between `<think>` and `</think>`; absent if the model did not think. */
  readonly reasoning?: string;
  /** The rest, without the calls. */
  readonly content: string;
  readonly toolCalls: readonly ToolCall[];
  /** Lines among the calls that are none, verbatim, and why. */
  readonly malformed: readonly { readonly line: string; readonly error: string }[];
}

/** Where the text begins. */
export interface ReasoningOptions {
  /** The prompt ended with `<think>`, so that the text begins as reasoning. */
  readonly insideThink?: boolean;
}

/** What a piece of text added to the reasoning and to the answer. */
export interface AssistantDelta {
  readonly reasoning: string;
  readonly content: string;
}

/**
 * Tells reasoning from answer while the text arrives, in pieces cut anywhere. Give it generated text only, never the prompt.
 *
 * Reasoning is what stands between an opening `<think>`, preceded by nothing but white space, and the first `</think>`;
 * without the closing tag, everything. Tags further on are text.
 */
export class ReasoningSplitter {
  private section: "start" | "reasoning" | "content";
  private held = "";
  private hasThought: boolean;

  constructor(options: ReasoningOptions = {}) {
    expectArgument("ReasoningSplitter: options", isObjectLike(options), "an object", options);
    const { insideThink = false } = options;
    this.section = insideThink ? "reasoning" : "start";
    this.hasThought = insideThink;
  }

  /** Whether the text began as reasoning, be it empty. */
  get thought(): boolean {
    return this.hasThought;
  }

  /** What is certain with this piece; the beginning of a tag is held back. */
  push(text: string): AssistantDelta {
    expectArgument("ReasoningSplitter: push", typeof text === "string", "a string", text);
    this.held += text;
    let reasoning = "";
    if (this.section === "start") {
      const start = this.held.trimStart();
      if (start.length < THINK_OPEN.length && THINK_OPEN.startsWith(start)) return { reasoning, content: "" };
      this.hasThought = start.startsWith(THINK_OPEN);
      this.section = this.hasThought ? "reasoning" : "content";
      if (this.hasThought) this.held = start.slice(THINK_OPEN.length);
    }
    if (this.section === "reasoning") {
      const end = this.held.indexOf(THINK_CLOSE);
      if (end < 0) return { reasoning: this.take(this.held.length - partialTagLength(this.held, THINK_CLOSE)), content: "" };
      reasoning = this.take(end);
      this.take(THINK_CLOSE.length);
      this.section = "content";
    }
    return { reasoning, content: this.take(this.held.length) };
  }

  /** What was held back. */
  end(): AssistantDelta {
    const rest = this.take(this.held.length);
    return this.section === "reasoning" ? { reasoning: rest, content: "" } : { reasoning: "", content: rest };
  }

  private take(length: number): string {
    const taken = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return taken;
  }
}

/** Takes an assistant's complete text apart. Never throws: what cannot be read as a call is reported as malformed. */
export function parseAssistant(text: string, options: ReasoningOptions = {}): AssistantAnswer {
  expectArgument("parseAssistant: text", typeof text === "string", "a string", text);
  expectArgument("parseAssistant: options", isObjectLike(options), "an object", options);
  const splitter = new ReasoningSplitter(options);
  const first = splitter.push(text);
  const last = splitter.end();
  const answer = parseToolCalls(first.content + last.content);
  return splitter.thought ? { reasoning: first.reasoning + last.reasoning, ...answer } : answer;
}

/** Takes `<tool_calls>` blocks, one JSON object a line, out of an answer's content. A block without an end goes to the end of the text. */
export function parseToolCalls(content: string): Omit<AssistantAnswer, "reasoning"> {
  const toolCalls: ToolCall[] = [];
  const malformed: { line: string; error: string }[] = [];
  let kept = "";
  let rest = content;
  for (let open = CALLS_OPEN.exec(rest); open; open = CALLS_OPEN.exec(rest)) {
    kept += rest.slice(0, open.index);
    const block = splitBlock(rest.slice(open.index + open[0].length));
    for (const line of block.lines) {
      if (line.trim() === "") continue;
      const call = readCall(line);
      if (typeof call === "string") malformed.push({ line, error: call });
      else toolCalls.push(call);
    }
    rest = block.rest;
  }
  return { content: kept + rest, toolCalls, malformed };
}

/** The lines up to the closing tag, and the text after it. The tag may end a line of its own or a call's, and may occur inside a call. */
function splitBlock(text: string): { lines: string[]; rest: string } {
  const lines: string[] = [];
  for (let at = 0; at < text.length; ) {
    const lineEnd = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    const line = text.slice(at, lineEnd);
    const end = findClosingTag(line);
    if (end >= 0) return { lines: [...lines, line.slice(0, end)], rest: text.slice(at + end + CALLS_CLOSE.length) };
    lines.push(line);
    at = lineEnd + 1;
  }
  return { lines, rest: "" };
}

/** Where a line closes the block: at the first closing tag that leaves a whole call before it, else at the first; −1 if it does not. */
function findClosingTag(line: string): number {
  const first = line.indexOf(CALLS_CLOSE);
  if (first < 0 || typeof readCall(line) !== "string") return -1;
  for (let end = first; end >= 0; end = line.indexOf(CALLS_CLOSE, end + 1)) {
    if (typeof readCall(line.slice(0, end)) !== "string") return end;
  }
  return first;
}

/** A call, or why the line is none. */
function readCall(line: string): ToolCall | string {
  try {
    const call: Partial<ToolCall> | null = JSON.parse(line);
    if (typeof call !== "object" || call === null) return `expected a JSON object, got ${line.trim()}`;
    if (typeof call.name !== "string" || call.name === "") return `name: expected the name of a tool, got ${JSON.stringify(call.name)}`;
    if (typeof call.arguments !== "object" || call.arguments === null || Array.isArray(call.arguments)) {
      return `arguments: expected a JSON object, got ${JSON.stringify(call.arguments)}`;
    }
    return { name: call.name, arguments: call.arguments };
  } catch (cause) {
    return `expected JSON: ${cause instanceof Error ? cause.message : cause}`;
  }
}

/** How many of the text's last characters may be the beginning of the tag. */
function partialTagLength(text: string, tag: string): number {
  let length = Math.min(text.length, tag.length - 1);
  while (!tag.startsWith(text.slice(text.length - length))) length--;
  return length;
}
