import type { LanguageModelV3StreamPart } from "@ai-sdk/provider";
import type { Token } from "../generate/generate.js";
import { parseToolCalls, ReasoningSplitter } from "../text/parse-assistant.js";

type Kind = "reasoning" | "text";

/** The text that starts a block of tool calls. */
const TOOL_CALLS_BEGIN = /\n?<tool_calls?>[ \t]*(?:\r?\n|\{)/;
/** The longer of the two tags. Every beginning of the other one is a beginning of this one. */
const TOOL_CALLS_TAG = "\n<tool_calls>";

/**
 * Converts tokens to parts of the AI SDK's stream: reasoning, text and, if tools are offered, tool calls.
 *
 * Once a `<tool_calls>` or `<tool_call>` block starts, all further text is held back until the end. Malformed lines of the block become
 * text, in a text block of their own.
 */
export class StreamParts {
  /** The number of tool calls so far. */
  calls = 0;
  /**
   * Number of tokens so far, and how many of them belong to the reasoning, including its tags. Undefined if the server does not send tokens
   * one by one.
   */
  tokens: { total: number; reasoning: number } | undefined = { total: 0, reasoning: 0 };
  private readonly splitter: ReasoningSplitter;
  private answering = false;
  private open: { kind: Kind; id: string } | undefined;
  private blocks = 0;
  private held = "";

  /** @param insideThink whether the prompt ended with `<think>` */
  constructor(
    private readonly withTools: boolean,
    insideThink = false,
  ) {
    this.splitter = new ReasoningSplitter({ insideThink });
  }

  *push({ id, text }: Token): Generator<LanguageModelV3StreamPart, void, undefined> {
    const { reasoning, content } = this.splitter.push(text);
    this.answering ||= content !== "";
    // A token with neither id nor text only carries the stop reason.
    if (id < 0 && text !== "") this.tokens = undefined;
    else if (id >= 0 && this.tokens) {
      this.tokens.total++;
      if (this.splitter.thought && (reasoning !== "" || !this.answering)) this.tokens.reasoning++;
    }
    yield* this.emit("reasoning", reasoning);
    yield* this.emit("text", this.withTools ? this.beforeCalls(content) : content);
  }

  *end(): Generator<LanguageModelV3StreamPart, void, undefined> {
    const { reasoning, content } = this.splitter.end();
    yield* this.emit("reasoning", reasoning);
    const rest = this.held + content;
    const { content: text, toolCalls, malformed } = this.withTools ? parseToolCalls(rest) : { content: rest, toolCalls: [], malformed: [] };
    const malformedText = malformed.length > 0 ? `<tool_calls>\n${malformed.map(({ line }) => `${line}\n`).join("")}</tool_calls>` : "";
    yield* this.emit("text", text + malformedText);
    yield* this.close();
    for (const { name, arguments: input } of toolCalls) {
      this.calls++;
      yield { type: "tool-call", toolCallId: uniqueId("call"), toolName: name, input: JSON.stringify(input) };
    }
  }

  private *emit(kind: Kind, delta: string): Generator<LanguageModelV3StreamPart, void, undefined> {
    if (delta === "") return;
    if (this.open?.kind !== kind) {
      yield* this.close();
      this.open = { kind, id: `${kind}-${this.blocks++}` };
      yield { type: `${kind}-start`, id: this.open.id };
    }
    yield { type: `${kind}-delta`, id: this.open.id, delta };
  }

  private *close(): Generator<LanguageModelV3StreamPart, void, undefined> {
    if (this.open) yield { type: `${this.open.kind}-end`, id: this.open.id };
    this.open = undefined;
  }

  /** Returns the part of the content that cannot belong to a block of tool calls. */
  private beforeCalls(content: string): string {
    this.held += content;
    const begin = this.held.search(TOOL_CALLS_BEGIN);
    const text = this.held.slice(0, begin >= 0 ? begin : this.held.length - undecidedLength(this.held));
    this.held = this.held.slice(text.length);
    return text;
  }
}

/** Returns the number of characters at the end of the text that may be the start of a block of tool calls. */
function undecidedLength(text: string): number {
  const begun = text.search(/\n?<tool_calls?>[ \t]*\r?$/);
  if (begun >= 0) return text.length - begun;
  for (let length = Math.min(text.length, TOOL_CALLS_TAG.length - 1); length > 0; length--) {
    const ending = text.slice(text.length - length);
    if (TOOL_CALLS_TAG.startsWith(ending) || TOOL_CALLS_TAG.startsWith(`\n${ending}`)) return length;
  }
  return 0;
}

/** Returns a unique id of 96 random bits. */
export function uniqueId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `${prefix}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
