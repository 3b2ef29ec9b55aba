import fc from "fast-check";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { describe, expect, test } from "vitest";
import { type ChatMessage, formatChat, parseAssistant } from "../../src/index.js";
import { ChatChoice } from "../../src/serve/chat-choice.js";
import { parseChatParams } from "../../src/serve/request-params.js";

const params = parseChatParams({ messages: [{ role: "user", content: "x" }] });

interface Message {
  content?: string | null;
  reasoning_content?: string;
  tool_calls?: { function: { name: string; arguments: string } }[];
}

/** Writes a text that is split into tokens. Returns the deltas of a stream, joined, and the message of a body. */
function written(
  pieces: readonly string[],
  tools: boolean,
  insideThink = false,
): { streamed: Message; whole: Message; finish: string; chunks: object[] } {
  const choice = new ChatChoice({ index: 0, prompt: [1], params, tokenizer: undefined }, insideThink, tools);
  const streamed: Message = {};
  const chunks: object[] = [];
  for (const [i, text] of pieces.entries()) {
    const stop = i === pieces.length - 1 ? { stop: "eos" as const } : {};
    const told = choice.push({ index: 0, id: 1, text, logprob: 0, ...stop }) as { delta?: Message } | undefined;
    if (told) chunks.push({ id: "x", object: "chat.completion.chunk", created: 1, model: "m", choices: [told] });
    const delta = told?.delta ?? {};
    if (typeof delta.content === "string") streamed.content = (streamed.content ?? "") + delta.content;
    if (delta.reasoning_content) streamed.reasoning_content = (streamed.reasoning_content ?? "") + delta.reasoning_content;
    if (delta.tool_calls) streamed.tool_calls = [...(streamed.tool_calls ?? []), ...delta.tool_calls];
  }
  const { message, finish_reason } = choice.result() as { message: Message; finish_reason: string };
  return { streamed, whole: message, finish: finish_reason, chunks };
}

const block = fc.constantFrom(
  '\n<tool_calls>\n{"name": "f", "arguments": {"a": 1}}\n</tool_calls>',
  '<tool_calls>\n{"name": "f", "arguments": {}}\n{"name": "g", "arguments": {"b": "</tool_calls>"}}\n</tool_calls>',
  "\n<tool_calls>\nno call\n</tool_calls>",
  "<tool_calls> is a tag",
  '\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>',
  "<tool_call> is a tag",
  "<tool_cal",
);
const piece = fc.oneof(block, fc.constantFrom("<think>", "</think>", "\n", "a", "<", "é🙂"), fc.string({ maxLength: 4 }));
const text = fc.array(piece, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
const cut = fc.array(fc.nat(200), { maxLength: 12 });

function pieces(whole: string, cuts: readonly number[]): string[] {
  const at = [...new Set([0, ...cuts.map((x) => x % (whole.length + 1)), whole.length])].sort((a, b) => a - b);
  return at.length === 1 ? [whole] : at.slice(1).map((end, i) => whole.slice(at[i], end));
}

test("for any split into tokens, stream and body agree with each other and with parseAssistant", () => {
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

describe("an answer sent back as history is the text that the model wrote", () => {
  const HEAD = "ai name=assistant\n";
  const asHistory = async (message: object) => {
    const body = { messages: [{ role: "user", content: "x" }, message, { role: "user", content: "y" }] };
    const text = await formatChat(parseChatParams(JSON.parse(JSON.stringify(body))).messages, { addGenerationPrompt: false });
    return text.slice(text.indexOf(HEAD) + HEAD.length, text.lastIndexOf("<end_of_sentence>\n<beginning_of_sentence>user"));
  };

  test("in every form of the server's messages", async () => {
    await fc.assert(
      fc.asyncProperty(text, cut, fc.boolean(), fc.boolean(), async (raw, cuts, tools, insideThink) => {
        const { whole } = written(pieces(raw, cuts), tools, insideThink);
        // Content that thinks in its turn cannot be told from reasoning that a client has kept twice.
        fc.pre(!whole.content?.trimStart().startsWith("<think>"));
        const back = await asHistory(whole);
        const full = insideThink ? `<think>${raw}` : raw;
        const answer = parseAssistant(full);
        if (whole.tool_calls) {
          // Calls move to the end, and their spacing is the model's usual one.
          const read = parseAssistant(back);
          expect(read.toolCalls).toEqual(answer.toolCalls);
          expect(read.content).toBe(whole.content ?? "");
          expect(read.reasoning ?? "").toBe(answer.reasoning ?? "");
        } else if (answer.reasoning) expect(back).toBe(full.trimStart());
        // Nothing between the tags is nothing to say.
        else expect(back).toBe(whole.content ?? "");
      }),
      { numRuns: 500 },
    );
  });

  test("as OpenAI's client assembles it from a stream", async () => {
    await fc.assert(
      fc.asyncProperty(text, cut, fc.boolean(), async (raw, cuts, tools) => {
        const { whole, chunks } = written(pieces(raw, cuts), tools);
        const lines = new TextEncoder().encode(chunks.map((chunk) => `${JSON.stringify(chunk)}\n`).join(""));
        const stream = ChatCompletionStream.fromReadableStream(new Blob([lines]).stream());
        const message = await stream.finalMessage();
        // Of fields that it does not know, the client keeps the last piece only.
        const back = await asHistory({ ...message, ...(whole.reasoning_content && { reasoning_content: whole.reasoning_content }) });
        const same = await asHistory(whole);
        // It makes null of an empty content, so that reasoning which nothing followed stays open.
        expect(back).toBe(whole.content === "" ? same.replace(/<\/think>$/, "") : same);
        await asHistory(message);
      }),
      { numRuns: 200 },
    );
  });
});

describe("null means absent; neutral and empty values are accepted", () => {
  const messages = [{ role: "user", content: "x" }];
  // Every field that may be null in OpenAI's interface.
  const nullable = [
    ...["audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities", "n"],
    ...["prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "safety_identifier", "seed"],
    ...["service_tier", "stop", "store", "stream", "stream_options", "temperature", "top_logprobs", "top_p", "verbosity", "moderation"],
    ...["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format", "user", "web_search_options"],
  ];
  const plain = parseChatParams({ messages });

  test.each(nullable)("%s: null", (name) => {
    expect(parseChatParams({ messages, [name]: null })).toEqual(plain);
  });

  test.each<[object]>([
    [{ stream_options: {} }],
    [{ stream_options: { include_usage: null } }],
    [{ stream_options: { include_usage: false, include_obfuscation: null } }],
    [{ logit_bias: {} }],
    [{ functions: [] }],
    [{ functions: [], function_call: "none" }],
    [{ chat_template_kwargs: {} }],
    [{ modalities: ["text"] }],
    [{ stop: [] }],
    [{ tools: [] }],
    [{ response_format: { type: "text", json_schema: null } }],
    [{ logprobs: false, top_logprobs: 0 }],
    [{ prompt_cache_retention: "24h" }],
  ])("%j", (more) => {
    expect(parseChatParams({ messages, ...more })).toEqual(plain);
  });

  test.each<[object]>([
    [{ logit_bias: { 1: 5 } }],
    [{ functions: [{ name: "f" }] }],
    [{ chat_template_kwargs: { enable_thinking: false } }],
    [{ modalities: ["text", "audio"] }],
    [{ reasoning_effort: "low" }],
    [{ top_logprobs: 2 }],
  ])("values that would change the answer are refused: %j", (more) => {
    expect(() => parseChatParams({ messages, ...more })).toThrow(/expected|unknown option|needs logprobs/);
  });

  test("a field that must be empty is checked without visiting its contents", () => {
    const deep = JSON.parse("[".repeat(50_000) + "]".repeat(50_000)) as unknown;
    for (const name of ["logit_bias", "functions", "chat_template_kwargs", "modalities"]) {
      expect(() => parseChatParams({ messages, [name]: deep })).toThrow(`chat.completions: ${name}: expected`);
      expect(() => parseChatParams({ messages, [name]: { a: deep } })).toThrow(`chat.completions: ${name}: expected`);
    }
    expect(() => parseChatParams({ messages, logit_bias: [] })).toThrow("logit_bias: expected {}");
  });

  test("null fields of a tool's description are removed, those of its schema are not", () => {
    const parameters = { type: "object", properties: { a: { enum: ["x", null], default: null } } };
    const tool = { type: "function", function: { name: "f", description: null, parameters, strict: null } };
    expect(parseChatParams({ messages, tools: [tool] }).tools).toEqual([{ name: "f", parameters }]);
  });

  test("null fields of messages are ignored; other names of roles are accepted", async () => {
    const call = { id: "c", type: "function", function: { name: "f", arguments: "" } };
    const sent = [
      { role: "developer", content: "be", name: null },
      { role: "user", content: [{ type: "text", text: "x", cache_control: null }], name: null },
      { role: "assistant", content: null, audio: null, refusal: null, function_call: null, annotations: [], tool_calls: [call] },
      { role: "tool", tool_call_id: "c", content: "1", name: null },
      { role: "assistant", content: null, tool_calls: null, function_call: { name: "g", arguments: "" } },
      { role: "function", name: "g", content: null },
    ];
    const same: ChatMessage[] = [
      { role: "system", content: "be" },
      { role: "user", content: "x" },
      { role: "assistant", tool_calls: [{ name: "f", arguments: {} }] },
      { role: "tool", name: "f", content: "1" },
      { role: "assistant", tool_calls: [{ name: "g", arguments: {} }] },
      { role: "tool", name: "g", content: "" },
    ];
    expect(await formatChat(parseChatParams({ messages: sent }).messages)).toBe(await formatChat(same));
    for (const role of ["wizard", "constructor", "System"]) {
      await expect(formatChat(parseChatParams({ messages: [{ role, content: "x" }] }).messages)).rejects.toThrow(
        "messages[0].role: expected system",
      );
    }
  });
});
