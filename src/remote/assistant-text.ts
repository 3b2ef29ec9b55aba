// What servers take apart, put together again: reasoning, content and calls as the one text that the model wrote.

import { formatToolCalls } from "../text/format-chat.js";
import { ToolCallAssembler, type ToolCallDelta } from "./tool-call-assembler.js";

/** A piece of an assistant's answer as servers send it. */
export interface AssistantDelta {
  readonly content?: string | null;
  /** Why a model will not answer: text like the content. */
  readonly refusal?: string | null;
  /** The names that servers have for the text between `<think>` and `</think>`. */
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly ToolCallDelta[] | null;
  /** The one call of OpenAI's older interface. */
  readonly function_call?: ToolCallDelta["function"];
}

/**
 * The text of an answer, piece by piece, in the model's own form: reasoning between `<think>` and `</think>` (which stays open
 * if nothing follows), then content, then the calls of tools as a `<tool_calls>` block. `parseAssistant` of all of it gives back what the server had told apart.
 * White space that the server dropped around the tags is lost.
 */
export class AssistantText {
  private thinking = false;
  /** Content has begun, be it empty: the reasoning is over. */
  private answering = false;
  private empty = true;
  /** A call is written when all are complete. */
  private readonly calls: ToolCallAssembler;

  /** @param tools names of the tools that were offered */
  constructor(tools: ReadonlySet<string>) {
    this.calls = new ToolCallAssembler(tools);
  }

  push({ content, refusal, reasoning_content, reasoning, tool_calls, function_call }: AssistantDelta): string {
    this.calls.push(tool_calls ?? (function_call ? [{ index: 0, function: function_call }] : []));
    let text = "";
    const thought = reasoning_content || reasoning;
    if (thought) {
      if (!this.thinking) text += "<think>";
      this.thinking = true;
      text += thought;
    }
    this.answering = !thought && (this.answering || typeof content === "string");
    const said = (content ?? "") + (refusal ?? "");
    if (said) text += this.close() + said;
    if (text) this.empty = false;
    return text;
  }

  /** The end of reasoning that nothing followed, or the calls of tools: nothing comes after. */
  end(): string {
    const calls = this.calls.toolCalls();
    if (calls.length === 0) return this.answering ? this.close() : "";
    return this.close() + (this.empty ? "" : "\n") + formatToolCalls(calls);
  }

  private close(): string {
    const open = this.thinking;
    this.thinking = false;
    return open ? "</think>" : "";
  }
}
