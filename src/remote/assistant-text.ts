// What servers take apart, put together again: reasoning, content and calls as the one text that the model wrote.

import { writeToolCalls } from "../io/chat.js";

/** A piece of an assistant's answer as servers send it. */
export interface AssistantPiece {
  readonly content?: string | null;
  /** The names that servers have for the text between `<think>` and `</think>`. */
  readonly reasoning_content?: string | null;
  readonly reasoning?: string | null;
  readonly tool_calls?:
    | readonly {
        readonly index?: number | null;
        readonly function?: { readonly name?: string | null; readonly arguments?: string | null } | null;
      }[]
    | null;
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
  /** Their pieces arrive one after the other, and a call is written when it is complete. */
  private readonly calls = new Map<number, { name: string; arguments: string }>();

  push({ content, reasoning_content, reasoning, tool_calls }: AssistantPiece): string {
    for (const [i, call] of (tool_calls ?? []).entries()) {
      const index = call.index ?? i;
      const known = this.calls.get(index) ?? { name: "", arguments: "" };
      this.calls.set(index, {
        name: known.name + (call.function?.name ?? ""),
        arguments: known.arguments + (call.function?.arguments ?? ""),
      });
    }
    let text = "";
    const thought = reasoning_content ?? reasoning;
    if (thought) {
      if (!this.thinking) text += "<think>";
      this.thinking = true;
      text += thought;
    }
    this.answering = !thought && (this.answering || typeof content === "string");
    if (content) text += this.close() + content;
    if (text) this.empty = false;
    return text;
  }

  /** The end of reasoning that nothing followed, or the calls of tools: nothing comes after. */
  end(): string {
    if (this.calls.size === 0) return this.answering ? this.close() : "";
    const calls = [...this.calls].sort(([a], [b]) => a - b).map(([, call]) => call);
    return this.close() + (this.empty ? "" : "\n") + writeToolCalls(calls);
  }

  private close(): string {
    const open = this.thinking;
    this.thinking = false;
    return open ? "</think>" : "";
  }
}
