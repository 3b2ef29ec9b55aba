import { describe, expect, test } from "vitest";
import { type PromptOptions, parseAssistant } from "../../src/index.js";
import { collect } from "../generate/model.js";
import { json, sse, stream } from "../support/openai-server.js";
import { failure, replying, textOf } from "./harness.js";

describe("responses", () => {
  test("several tokens in one chunk, with and without ids and probabilities", async () => {
    const model = await replying(() =>
      stream([
        {
          text: "ab",
          token_ids: [1, 2],
          logprobs: {
            tokens: ["token_id:1", "token_id:2"],
            token_logprobs: [-1, -2],
            top_logprobs: [{ "token_id:9": -3, "token_id:1": -1 }, null],
          },
        },
        { text: "cd", logprobs: { tokens: ["c", "d"], token_logprobs: [-0.5, null] } },
        { text: "e", token_ids: [5] },
        { text: "fg" },
        { text: "", finish_reason: "length" },
      ]),
    );
    expect(await collect(model.generate("x", { topLogprobs: 1 }))).toEqual([
      { index: 0, id: 1, text: "", logprob: -1, topLogprobs: [{ id: 1, logprob: -1 }] },
      { index: 0, id: 2, text: "ab", logprob: -2, topLogprobs: [] },
      { index: 0, id: -1, text: "", logprob: -0.5, topLogprobs: [] },
      { index: 0, id: -1, text: "cd", logprob: NaN, topLogprobs: [] },
      { index: 0, id: 5, text: "e", logprob: NaN, topLogprobs: [] },
      { index: 0, id: -1, text: "fg", logprob: NaN, topLogprobs: [] },
      { index: 0, id: -1, text: "", logprob: NaN, topLogprobs: [], stop: "length" },
    ]);
  });

  test.each<[object, PromptOptions, string]>([
    [{ finish_reason: "stop", stop_reason: null }, { stop: "z" }, "eos"],
    [{ finish_reason: "stop", stop_reason: "z" }, { stop: "z" }, "stop"],
    [{ finish_reason: "stop", stop_reason: 4 }, { stopIds: [4] }, "stop"],
    [{ finish_reason: "stop", token_ids: [4] }, { stopIds: [4] }, "stop"],
    [{ finish_reason: "stop" }, {}, "eos"],
    [{ finish_reason: "stop" }, { stop: "z" }, "stop"],
    [{ finish_reason: "length", token_ids: [4] }, { maxTokens: 1 }, "length"],
    [{ finish_reason: "length", token_ids: [4] }, { maxTokens: 9 }, "context"],
    [{ finish_reason: "length" }, { maxTokens: Infinity }, "context"],
    [{ finish_reason: "tool_calls" }, { stop: "z" }, "eos"],
    [{ finish_reason: "tool_calls", stop_reason: "z" }, { stop: "z" }, "stop"],
    [{ finish_reason: "repetition" }, {}, "repetition"],
  ])("%j with %j ended by %s", async (choice, options, stop) => {
    const model = await replying(() => stream([{ text: "", ...choice }]));
    const last = (await collect(model.generate("x", options))).at(-1);
    expect(last?.stop).toBe(stop);
    expect(last?.stopString).toBe((choice as { stop_reason?: unknown }).stop_reason === "z" ? "z" : undefined);
  });

  test("the last token count of a stream is used", async () => {
    const usage = (completion_tokens: number) => ({ prompt_tokens: 3, completion_tokens });
    const event = (text: string, n: number, finish_reason: string | null = null) => ({
      choices: [{ text, finish_reason }],
      usage: usage(n),
    });
    const model = await replying(() => ({ pieces: sse(event("a", 1), event("b", 2), event("", 2, "length"), "[DONE]") }));
    const generation = model.generateBatch(["x", "y"]);
    expect(textOf(await collect(generation)).length).toBe(4);
    expect(generation.usage).toEqual({ promptTokens: 6, completionTokens: 4 });
  });

  test("an unknown finish_reason is an error", async () => {
    const model = await replying(() => stream([{ text: "a" }, { text: "", finish_reason: "content_filter" }]));
    expect((await failure(model)).message).toMatch(/finish_reason "content_filter"/);
  });

  const call = { name: "add", arguments: { a: [1, 2], b: "x\ny" } };
  test.each<[string, object[], ReturnType<typeof parseAssistant>]>([
    [
      "reasoning",
      [{ reasoning_content: "w" }, { reasoning_content: "hy" }, { content: "so" }],
      { reasoning: "why", content: "so", toolCalls: [], malformed: [] },
    ],
    ["reasoning by its other name, cut off", [{ reasoning: "why" }], { reasoning: "why", content: "", toolCalls: [], malformed: [] }],
    ["one piece with both", [{ reasoning: "why", content: "so" }], { reasoning: "why", content: "so", toolCalls: [], malformed: [] }],
    [
      "text as it stands",
      [{ content: "<think>why</thi" }, { content: "nk>so" }],
      { reasoning: "why", content: "so", toolCalls: [], malformed: [] },
    ],
    [
      "calls in pieces",
      [
        { reasoning_content: "why" },
        { content: "so" },
        { tool_calls: [{ index: 0, id: "c", function: { name: "add", arguments: "" } }] },
        ...[...JSON.stringify(call.arguments)].map((piece) => ({ tool_calls: [{ index: 0, function: { arguments: piece } }] })),
        { tool_calls: [{ index: 1, function: { name: "now", arguments: "" } }] },
      ],
      { reasoning: "why", content: "so", toolCalls: [call, { name: "now", arguments: {} }], malformed: [] },
    ],
    [
      "calls whose first piece has no arguments, with indices as text",
      [
        {
          tool_calls: [
            { index: "0", id: "c", function: { name: "add" } },
            { index: "1", id: "d", function: { name: "now" } },
          ],
        },
        { tool_calls: [{ index: "0", function: { arguments: JSON.stringify(call.arguments) } }] },
      ],
      { content: "", toolCalls: [call, { name: "now", arguments: {} }], malformed: [] },
    ],
    ["a refusal", [{ refusal: "I will" }, { refusal: " not." }], { content: "I will not.", toolCalls: [], malformed: [] }],
    [
      "calls alone",
      [{ tool_calls: [{ index: 0, function: { name: "add", arguments: JSON.stringify(call.arguments, null, 2) } }] }],
      { content: "", toolCalls: [call], malformed: [] },
    ],
    [
      "calls after reasoning",
      [{ reasoning: "why" }, { tool_calls: [{ function: { name: "add", arguments: JSON.stringify(call.arguments) } }] }],
      { reasoning: "why", content: "", toolCalls: [call], malformed: [] },
    ],
    [
      "a name in every piece, after content",
      [
        { content: "so" },
        ...['{"a":[1,2],', '"b":"x\\ny"}'].map((given) => ({
          tool_calls: [{ index: 0, id: "c", function: { name: "add", arguments: given } }],
        })),
      ],
      { content: "so", toolCalls: [call], malformed: [] },
    ],
    [
      "calls at one index, arguments as an object",
      ["c", "d"].map((id) => ({ tool_calls: [{ index: 0, id, function: { name: "add", arguments: call.arguments } }] })),
      { content: "", toolCalls: [call, call], malformed: [] },
    ],
    [
      "null in every place",
      [
        { content: null, reasoning_content: null, tool_calls: null, function_call: null, refusal: null },
        { tool_calls: [{ index: null, id: null, function: null }] },
        { tool_calls: [{ index: null, id: null, function: { name: "add", arguments: null } }] },
        { tool_calls: [{ index: null, id: null, function: { name: null, arguments: JSON.stringify(call.arguments) } }] },
      ],
      { content: "", toolCalls: [call], malformed: [] },
    ],
    [
      "the older form",
      [{ function_call: { name: "add", arguments: "" } }, { function_call: { arguments: JSON.stringify(call.arguments) } }],
      { content: "", toolCalls: [call], malformed: [] },
    ],
    [
      "an empty reasoning_content beside reasoning",
      [{ reasoning_content: "", reasoning: "why" }, { content: "so" }],
      { reasoning: "why", content: "so", toolCalls: [], malformed: [] },
    ],
  ])("parseAssistant of the text gives the server's fields: %s", async (_, deltas, expected) => {
    const model = await replying(() =>
      stream([{ delta: { role: "assistant" } }, ...deltas.map((delta) => ({ delta })), { delta: {}, finish_reason: "stop" }]),
    );
    expect(parseAssistant(textOf(await collect(model.generate([{ role: "user", content: "x" }]))))).toEqual(expected);
  });

  test("a whole answer is reassembled in the same way", async () => {
    const message = { role: "assistant", content: null, reasoning: "why", tool_calls: [{ id: "c", type: "function", function: call }] };
    const model = await replying(() => json({ choices: [{ index: 0, message, finish_reason: "tool_calls" }] }));
    expect(parseAssistant(textOf(await collect(model.generate([{ role: "user", content: "x" }]))))).toEqual({
      ...{ reasoning: "why", content: "", toolCalls: [call], malformed: [] },
    });
  });

  test("the reassembled text is what formatChat writes for the same answer", async () => {
    const deltas = [
      { reasoning: "why" },
      { content: "so" },
      { tool_calls: [{ function: { name: "add", arguments: JSON.stringify(call.arguments) } }] },
    ];
    const model = await replying(() => stream([...deltas.map((delta) => ({ delta })), { delta: {}, finish_reason: "tool_calls" }]));
    const text = textOf(await collect(model.generate([{ role: "user", content: "x" }])));
    const written = await model.formatChat([{ role: "assistant", content: "<think>why</think>so", tool_calls: [call] }], {
      addGenerationPrompt: false,
    });
    expect(written).toContain(`assistant\n${text}<end_of_sentence>`);
  });

  test.each([
    [[{ content: "" }, { reasoning: "why" }], "<think>why"],
    [
      [
        { reasoning: "w", content: "" },
        { reasoning: "hy", content: null },
      ],
      "<think>why",
    ],
    [[{ reasoning: "why" }, { content: "" }], "<think>why</think>"],
    [[{ reasoning: "w" }, { content: "" }, { reasoning: "hy" }], "<think>why"],
  ])("reasoning ends where content starts, even an empty one: %j", async (deltas, text) => {
    const model = await replying(() => stream([...deltas.map((delta) => ({ delta })), { delta: {}, finish_reason: "stop" }]));
    expect(textOf(await collect(model.generate([{ role: "user", content: "x" }])))).toBe(text);
  });

  test("malformed arguments are kept and reported", async () => {
    const model = await replying(() =>
      stream([{ delta: { tool_calls: [{ function: { name: "add", arguments: '{"a":\n1' } }] }, finish_reason: "tool_calls" }]),
    );
    const { toolCalls, malformed } = parseAssistant(textOf(await collect(model.generate([{ role: "user", content: "x" }]))));
    expect(toolCalls).toEqual([]);
    expect(malformed[0]?.line).toBe('{"name": "add", "arguments": {"a": 1}');
  });
});
