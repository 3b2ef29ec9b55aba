import { describe, expect, test } from "vitest";
import { type ChatMessage, formatChat, InputError, type PromptOptions } from "../../src/index.js";
import { collect, rejection } from "../generate/model.js";
import { stream } from "../support/openai-server.js";
import { replying, SECRET, server } from "./harness.js";

describe("requests", () => {
  const end = () => stream([{ text: "", finish_reason: "stop", stop_reason: null }]);

  test("hold every option, greedy by default, and the key as a bearer token", async () => {
    const model = await replying(end, { apiKey: SECRET, headers: { "x-team": "blue" } });
    await collect(model.generate("x"));
    const { path, body, headers } = server!.received[0]!;
    expect(path).toBe("/v1/completions");
    expect(headers).toMatchObject({ authorization: `Bearer ${SECRET}`, "x-team": "blue" });
    expect(body).toMatchObject({ model: "m1", prompt: "x", temperature: 0, top_p: 1, repetition_penalty: 1, max_tokens: 512, logprobs: 0 });
    expect(body).toMatchObject({ add_special_tokens: false, skip_special_tokens: false });
    expect(body).toMatchObject({ stream: true, return_token_ids: true, return_tokens_as_token_ids: true });
    expect(body).not.toHaveProperty("repetition");
    await collect(
      model.generate([1, 2], { topP: 0.5, maxTokens: Infinity, seed: 9, stop: "a", stopIds: [4], topLogprobs: 2, repetition: false }),
    );
    expect(server!.received[1]!.body).toMatchObject({
      ...{ prompt: [1, 2], temperature: 1, top_p: 0.5, top_k: -1, min_p: 0, max_tokens: null },
      ...{ seed: 9, stop: ["a"], stop_token_ids: [4], logprobs: 2, repetition: false },
    });
  });

  test("without extensions hold OpenAI's fields only; other options are refused", async () => {
    const model = await replying(end, { extensions: false });
    await collect(model.generate([{ role: "user", content: "x" }], { temperature: 1, topP: 0.9, seed: 1, topLogprobs: 2 }));
    expect(Object.keys(server!.received[0]!.body).sort()).toEqual(
      ["logprobs", "max_tokens", "messages", "model", "seed", "stream", "stream_options", "temperature", "top_logprobs", "top_p"].sort(),
    );
    for (const options of [{ topK: 3 }, { minP: 0.1 }, { repetitionPenalty: 2 }, { stopIds: [1] }, { repetition: {} }]) {
      expect(() => model.generate("x", options)).toThrow(/extensions: false/);
    }
    expect(() => model.generate([{ role: "user", content: "x" }], { template: "t" })).toThrow(/extensions: false/);
  });

  test("hold tools, calls and results in OpenAI's format", async () => {
    const model = await replying(end);
    const tool = { name: "add", description: "adds", parameters: { type: "object" } };
    await collect(
      model.generate(
        [
          { role: "user", content: "1 + 2, 3 + 4" },
          {
            role: "assistant",
            tool_calls: [{ name: "add", arguments: { a: 1, b: 2 } }, { function: { name: "sub", arguments: '{"a": 3}' } }],
          },
          {
            role: "tool",
            content: [
              { type: "text", name: "sub", text: "-1" },
              { type: "text", name: "add", text: "3" },
            ],
          },
        ],
        { tools: [tool, { type: "function", function: tool }] },
      ),
    );
    const { body } = server!.received[0]!;
    expect(body.tools).toEqual(Array(2).fill({ type: "function", function: tool }));
    expect(body.messages.slice(1)).toEqual([
      {
        role: "assistant",
        content: "",
        tool_calls: [
          { id: "call_0", type: "function", function: { name: "add", arguments: '{"a":1,"b":2}' } },
          { id: "call_1", type: "function", function: { name: "sub", arguments: '{"a": 3}' } },
        ],
      },
      { role: "tool", tool_call_id: "call_1", name: "sub", content: "-1" },
      { role: "tool", tool_call_id: "call_0", name: "add", content: "3" },
    ]);
  });

  test("hold histories as formatChat reads them, always as valid JSON, without tool names unless extensions are on", async () => {
    const history = [
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
        name: null,
      },
      { role: "assistant", content: null, reasoning_content: "why", tool_calls: null, refusal: null },
      { role: "user", content: "x" },
      {
        role: "assistant",
        content: null,
        tool_calls: ["", null, "null", '{"zone": ', "{}", { a: 1 }].map((given, i) => ({
          id: `id${i}`,
          function: { name: `f${i}`, arguments: given },
        })),
      },
      { role: "tool", tool_call_id: "id3", content: null },
      { role: "tool", name: "f5", content: "5" },
      { role: "tool", name: "f9", content: "9" },
    ] as ChatMessage[];
    const sent = [];
    for (const extensions of [true, false]) {
      const model = await replying(end, { extensions });
      await collect(model.generate(history));
      sent.push(server!.received[0]!.body.messages);
    }
    const [extended, plain] = sent;
    expect(plain.slice(0, 2)).toEqual([
      { role: "user", content: "ab" },
      { role: "assistant", content: "<think>why" },
    ]);
    const calls: { id: string; function: { arguments: string } }[] = plain[3].tool_calls;
    expect(calls.map((call) => call.function.arguments)).toEqual(["{}", "{}", "{}", JSON.stringify('{"zone": '), "{}", '{"a":1}']);
    expect(plain.slice(4)).toEqual([
      { role: "tool", tool_call_id: "call_3", content: "" },
      { role: "tool", tool_call_id: "call_5", content: "5" },
      { role: "tool", tool_call_id: "call_0", content: "9" },
    ]);
    expect(extended.slice(4).map(({ name }: { name: string }) => name)).toEqual(["f3", "f5", "f9"]);
    // The result formats to the same prompt.
    expect(await formatChat(extended)).toBe(await formatChat(history));
  });

  test.each<[string, unknown, PromptOptions | undefined]>([
    ["no text", "", undefined],
    ["no ids", [], undefined],
    ["ids that are none", [1, -1], undefined],
    ["a number", 5, undefined],
    ["an unknown option", "x", { topp: 1 } as PromptOptions],
    ["a value out of range", "x", { topP: 2 }],
    ["tools without messages", "x", { tools: [] }],
  ])("are not sent for invalid input: %s", async (_, input, options) => {
    const model = await replying(end);
    expect(() => model.generate(input as string, options)).toThrow(InputError);
    expect(server!.received).toEqual([]);
  });

  test("are not sent for invalid messages", async () => {
    const model = await replying(end);
    expect(await rejection(collect(model.generate([{ role: "tool", content: "x" }])))).toBeInstanceOf(InputError);
    expect(server!.received).toEqual([]);
  });
});
