import { formatToolCalls } from "../text/minimax-m1-format.js";
import { ToolCallAssembler, type ToolCallDelta } from "./tool-call-assembler.js";

/** One delta of an assistant's message in a stream. */
export interface AssistantDelta {
  readonly content?: string | null;
  /** Text that replaces the content if the model refuses to answer. */
  readonly refusal?: string | null;
  /** `reasoning_content` and `reasoning` are two names that servers use for the text between `<think>` and `</think>`. */
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?: readonly ToolCallDelta[] | null;
  /** The single call of OpenAI's older interface. */
  readonly function_call?: ToolCallDelta["function"];
}

/**
 * Reassembles the text that the model wrote from the fields of a server's message. The text consists of the reasoning between `<think>` and
 * `</think>`, the content, and the tool calls as a `<tool_calls>` block. If nothing follows the reasoning, its tag stays open.
 *
 * `parseAssistant` splits the text into the same fields again. White space that the server dropped around the tags is lost.
 */
export class AssistantText {
  private thinking = false;
  /** Whether content, possibly empty, has followed the reasoning. */
  private answering = false;
  private empty = true;
  /** Tool calls. They are written at the end, when all of them are complete. */
  private readonly calls: ToolCallAssembler;

  /** @param tools names of the tools that were offered */
  constructor(tools: ReadonlySet<string>) {
    this.calls = new ToolCallAssembler(tools);
  }

  /** Adds a delta. Returns the text that has become final. */
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
    if (said) text += this.closeReasoning() + said;
    if (text) this.empty = false;
    return text;
  }

  /** Returns the rest of the text, which is either the end of reasoning without content after it, or the tool calls. */
  end(): string {
    const calls = this.calls.toolCalls();
    if (calls.length === 0) return this.answering ? this.closeReasoning() : "";
    return this.closeReasoning() + (this.empty ? "" : "\n") + formatToolCalls(calls);
  }

  private closeReasoning(): string {
    const open = this.thinking;
    this.thinking = false;
    return open ? "</think>" : "";
  }
}
