import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAssistant } from "../../src/index.js";
import { ChatChoice } from "../../src/serve/chat.js";
import { readChat } from "../../src/serve/request.js";

const asked = readChat({ messages: [{ role: "user", content: "x" }] });

interface Message {
  content?: string | null;
  reasoning_content?: string;
  tool_calls?: { function: { name: string; arguments: string } }[];
}

/** A text, cut into tokens: what a stream says of it, joined, and what a body says. */
function written(pieces: readonly string[], tools: boolean): { streamed: Message; whole: Message; finish: string } {
  const choice = new ChatChoice({ index: 0, prompt: [1], asked, tokenizer: undefined }, false, tools);
  const streamed: Message = {};
  for (const [i, text] of pieces.entries()) {
    const stop = i === pieces.length - 1 ? { stop: "eos" as const } : {};
    const delta = (choice.push({ index: 0, id: 1, text, logprob: 0, ...stop }) as { delta?: Message } | undefined)?.delta ?? {};
    if (typeof delta.content === "string") streamed.content = (streamed.content ?? "") + delta.content;
    if (delta.reasoning_content) streamed.reasoning_content = (streamed.reasoning_content ?? "") + delta.reasoning_content;
    if (delta.tool_calls) streamed.tool_calls = [...(streamed.tool_calls ?? []), ...delta.tool_calls];
  }
  const { message, finish_reason } = choice.whole() as { message: Message; finish_reason: string };
  return { streamed, whole: message, finish: finish_reason };
}

const block = fc.constantFrom(
  '\n<tool_calls>\n{"name": "f", "arguments": {"a": 1}}\n</tool_calls>',
  '<tool_calls>\n{"name": "f", "arguments": {}}\n{"name": "g", "arguments": {"b": "</tool_calls>"}}\n</tool_calls>',
  "\n<tool_calls>\nno call\n</tool_calls>",
  "<tool_calls> is a tag",
  "<tool_cal",
);
const piece = fc.oneof(block, fc.constantFrom("<think>", "</think>", "\n", "a", "<", "é🙂"), fc.string({ maxLength: 4 }));
const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
const cut = fc.array(fc.nat(200), { maxLength: 12 });

function pieces(whole: string, cuts: readonly number[]): string[] {
  const at = [...new Set([0, ...cuts.map((x) => x % (whole.length + 1)), whole.length])].sort((a, b) => a - b);
  return at.length === 1 ? [whole] : at.slice(1).map((end, i) => whole.slice(at[i], end));
}

test("wherever the text is cut, stream and body say the same, and what parseAssistant reads in it", () => {
  fc.assert(
    fc.property(text, cut, fc.boolean(), (whole, cuts, tools) => {
      const { streamed, whole: message, finish } = written(pieces(whole, cuts), tools);
      const answer = parseAssistant(whole);
      const called = tools && answer.malformed.length === 0 && answer.toolCalls.length > 0;
      expect(message.reasoning_content).toBe(answer.reasoning);
      expect(streamed.reasoning_content ?? "").toBe(answer.reasoning ?? "");
      expect(streamed.content ?? "").toBe(message.content ?? "");
      expect(message.tool_calls?.length ?? 0).toBe(called ? answer.toolCalls.length : 0);
      expect(streamed.tool_calls?.map((call) => call.function)).toEqual(message.tool_calls?.map((call) => call.function));
      expect(finish).toBe(called ? "tool_calls" : "stop");
      if (called) {
        expect(message.content ?? "").toBe(answer.content);
        expect(message.tool_calls!.map((call) => [call.function.name, JSON.parse(call.function.arguments)])).toEqual(
          answer.toolCalls.map((call) => [call.name, call.arguments]),
        );
      } else {
        // Nothing is lost but white space before the thinking.
        const reasoning = answer.reasoning === undefined ? "" : `<think>${message.reasoning_content}`;
        const closed = answer.reasoning !== undefined && message.content !== null ? "</think>" : "";
        const begin = answer.reasoning === undefined ? whole : whole.trimStart();
        expect(reasoning + closed + (message.content ?? "")).toBe(begin);
      }
    }),
    { numRuns: 1000 },
  );
});
