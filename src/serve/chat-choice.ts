import type { Token } from "../generate/generate.js";
import { parseToolCalls, ReasoningSplitter } from "../text/parse-assistant.js";
import { type Choice, type ChoiceContext, finishFields } from "./choice.js";
import { chatLogprobs } from "./logprobs.js";

/** A tool call in OpenAI's format. */
interface ToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

interface ChatDelta {
  readonly role?: "assistant";
  readonly reasoning_content?: string;
  readonly content?: string;
  readonly tool_calls?: readonly (ToolCall & { readonly index: number })[];
}

/**
 * A choice of /v1/chat/completions. It splits the generated text into three fields:
 *
 * - `reasoning_content`: the text between `<think>` and `</think>`;
 * - `tool_calls`: the lines of `<tool_calls>` or `<tool_call>` blocks, if the request offers tools. If a line is malformed, all blocks stay
 *   content;
 * - `content`: everything else. It is null if the reasoning never ended, and empty if nothing followed the reasoning.
 */
export class ChatChoice implements Choice {
  private readonly splitter: ReasoningSplitter;
  private readonly ids: number[] = [];
  private readonly logprobs: ReturnType<typeof chatLogprobs>[] = [];
  private reasoning = "";
  private content = "";
  private calls: readonly ToolCall[] = [];
  /** Content that may belong to a block of tool calls, and is therefore sent only at the end. */
  private held = "";
  private raw = "";
  private end: ReturnType<typeof finishFields> | undefined;

  /** @param insideThink whether the prompt ended with `<think>` */
  constructor(
    private readonly context: ChoiceContext,
    insideThink: boolean,
    private readonly offersTools: boolean,
  ) {
    this.splitter = new ReasoningSplitter({ insideThink });
  }

  push(token: Token): object | undefined {
    const { context, ids } = this;
    const { index, params } = context;
    const isFirst = ids.length === 0;
    ids.push(token.id);
    this.raw += token.text;
    const logprobs = params.logprobs ? { content: [chatLogprobs(token, context)] } : null;
    if (logprobs) this.logprobs.push(...logprobs.content);
    const delta = { ...(isFirst && ({ role: "assistant" } as const)), ...this.nextDelta(token) };
    const end = finishFields(token);
    this.end = this.calls.length > 0 && end.finish_reason === "stop" ? { ...end, finish_reason: "tool_calls" } : end;
    if (Object.keys(delta).length === 0 && !token.stop && !logprobs && !params.returnTokenIds) return undefined;
    return { index, delta, logprobs, ...this.end, ...(params.returnTokenIds && { token_ids: [token.id] }) };
  }

  result(): object {
    const { index, params } = this.context;
    const { reasoning, content, calls } = this;
    const message = {
      role: "assistant",
      content: content === "" && (calls.length > 0 || this.reasoningOnly) ? null : content,
      ...(this.splitter.thought && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
      refusal: null,
    };
    const logprobs = params.logprobs ? { content: this.logprobs } : null;
    return { index, message, logprobs, ...this.end, ...(params.returnTokenIds && { token_ids: this.ids }) };
  }

  /** Whether the whole text is reasoning. */
  private get reasoningOnly(): boolean {
    return this.splitter.thought && !this.raw.includes("</think>");
  }

  /** Returns the part of the text that is final after this token. */
  private nextDelta({ text, stop }: Token): ChatDelta {
    const now = this.splitter.push(text);
    const rest = stop ? this.splitter.end() : { reasoning: "", content: "" };
    const reasoning = now.reasoning + rest.reasoning;
    this.held += now.content + rest.content;
    const calls = stop && this.offersTools ? this.takeToolCalls() : [];
    const content = this.releaseContent(stop !== undefined);
    this.reasoning += reasoning;
    this.content += content;
    const closed = stop && this.splitter.thought && !this.reasoningOnly && this.content === "" && calls.length === 0;
    return {
      ...(reasoning && { reasoning_content: reasoning }),
      ...((content || closed) && { content }),
      ...(calls.length > 0 && { tool_calls: calls.map((call, index) => ({ index, ...call })) }),
    };
  }

  private takeToolCalls(): readonly ToolCall[] {
    const { content, toolCalls, malformed } = parseToolCalls(this.held);
    if (toolCalls.length === 0 || malformed.length > 0) return [];
    this.held = content;
    this.calls = toolCalls.map(({ name, arguments: given }) => ({
      id: `call_${crypto.randomUUID().replaceAll("-", "")}`,
      type: "function",
      function: { name, arguments: JSON.stringify(given) },
    }));
    return this.calls;
  }

  /** Removes and returns the held content, up to the position where a block of tool calls begins, or may begin with the next token. */
  private releaseContent(all: boolean): string {
    const { held } = this;
    const end = all || !this.offersTools ? held.length : startOfToolCalls(held);
    this.held = held.slice(end);
    return held.slice(0, end);
  }
}

/** The longer of the two tags. Every beginning of the other one is a beginning of this one. */
const TOOL_CALLS_TAG = "<tool_calls>";

/**
 * Returns the index of the first `<tool_calls>` or `<tool_call>` tag. Without a tag, returns the index of an incomplete tag at the end of the
 * text, and otherwise the length of the text. A line break before the tag belongs to the tag.
 */
function startOfToolCalls(text: string): number {
  let at = text.search(/<tool_calls?>/);
  if (at < 0) {
    let length = Math.min(text.length, TOOL_CALLS_TAG.length - 1);
    while (!TOOL_CALLS_TAG.startsWith(text.slice(text.length - length))) length--;
    at = text.length - length;
  }
  return text[at - 1] === "\n" ? at - 1 : at;
}
