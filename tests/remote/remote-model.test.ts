import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ChatMessage,
  formatChat,
  InputError,
  MiniMaxM1,
  type PromptOptions,
  parseAssistant,
  RemoteError,
  type Token,
} from "../../src/index.js";
import { type ConnectOptions, RemoteModel } from "../../src/remote/index.js";
import { evaluateTasks, tasks } from "../../src/rl/index.js";
import { collect, rejection } from "../generate/model.js";
import { answers } from "../support/box.js";
import { json, models, OpenAiServer, type Received, type Reply, serving, sse, stream } from "../support/openai-server.js";

const QUICK: ConnectOptions = { retryDelayMs: 1, retries: 2 };
const SECRET = "sk-very-secret";

let server: OpenAiServer | undefined;
async function withServer(answer: Parameters<typeof OpenAiServer.start>[0], options: ConnectOptions = {}): Promise<RemoteModel> {
  await server?.stop();
  server = await OpenAiServer.start(answer);
  return RemoteModel.connect(server.url, { ...QUICK, ...options });
}
afterAll(() => server?.stop());

/** A model whose server replies to every generation like this. */
const replying = (reply: (request: Received, attempt: number) => Reply | undefined, options?: ConnectOptions) =>
  withServer((request, attempt) => (request.path === "/v1/models" ? undefined : reply(request, attempt)), options);

const textOf = (tokens: readonly Token[]) => tokens.map(({ text }) => text).join("");
const failure = (model: RemoteModel, options?: PromptOptions) => rejection(collect(model.generate("x", options))) as Promise<Error>;

describe("a server that computes with a local model", () => {
  let local: MiniMaxM1;
  let remote: RemoteModel;
  let own: OpenAiServer;
  beforeAll(async () => {
    local = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
    own = await OpenAiServer.start(serving(local));
    remote = await RemoteModel.connect(own.url);
  });
  afterAll(async () => {
    await own.stop();
    local.dispose();
  });

  const conversation = [{ role: "user", content: answers[0]!.question }] as const;
  const sampled = { temperature: 1, topP: 0.95, seed: 7, maxTokens: 24 };

  test.each<[string, PromptOptions]>([
    ["greedy", { maxTokens: 24 }],
    ["sampled", sampled],
    ["sampled by top-k and min-p", { topK: 5, minP: 0.1, seed: 4294967295, maxTokens: 24 }],
    ["penalised", { repetitionPenalty: 20, maxTokens: 24 }],
    ["ended by a stop string", { stop: [" ]", "\n["], maxTokens: 40 }],
    ["with alternatives", { ...sampled, topLogprobs: 3, maxTokens: 5 }],
    ["only repeating itself", { repetition: { tokens: 3, probability: 0.5 }, maxTokens: 40 }],
    ["by another template", { ...sampled, template: "{{ messages[0].content }}" }],
    ["to its end", { maxTokens: Infinity }],
  ])("a conversation gives the same tokens: %s", async (_, options) => {
    expect(await collect(remote.generate(conversation, options))).toEqual(await collect(local.generate(conversation, options)));
  });

  test("text and ids give the same tokens, and so does a stop id", async () => {
    const text = await local.formatChat(conversation);
    const expected = await collect(local.generate(text, sampled));
    expect(await collect(remote.generate(text, sampled))).toEqual(expected);
    const ids = local.tokenizer!.encode(text);
    expect(await collect(remote.generate(Int32Array.from(ids), sampled))).toEqual(expected);
    const stopIds = [expected[3]!.id];
    expect(await collect(remote.generate(ids, { ...sampled, stopIds }))).toEqual(
      await collect(local.generate(ids, { ...sampled, stopIds })),
    );
  });

  test("each sequence of a batch equals one alone with its own seed", async () => {
    const prompts = [...answers.slice(0, 3).map(({ question }) => [{ role: "user", content: question }] as const), "Close"];
    const options = { ...sampled, seed: 4294967294 };
    const bySequence = (tokens: readonly Token[]) => prompts.map((_, i) => tokens.filter(({ index }) => index === i));
    const generation = remote.generateBatch(prompts, options);
    expect(bySequence(await collect(generation))).toEqual(bySequence(await collect(local.generateBatch(prompts, options))));
    expect(generation.seed).toBe(options.seed);
    const promptTokens = await Promise.all(
      prompts.map(async (prompt) => local.tokenizer!.encode(typeof prompt === "string" ? prompt : await local.formatChat(prompt)).length),
    );
    expect(generation.usage.promptTokens).toBe(promptTokens.reduce((a, b) => a + b));
  });

  test("evaluateTasks works with either model", async () => {
    const options = { tasks: tasks.filter(({ name }) => name === "dyck-completion"), perLevel: 2, seed: 5 };
    const scores = await collect(evaluateTasks(remote, options));
    expect(scores.length).toBeGreaterThan(1);
    expect(scores).toEqual(await collect(evaluateTasks(local, options)));
  });

  test("sessions: the same ids as a local one if every turn sets a seed", async () => {
    const [here, there] = [local.session({ seed: 3 }), remote.session({ seed: 3 })];
    const opening = await local.formatChat(conversation);
    // Log-probabilities differ in the last bits: the session's state was computed token by token.
    const texts = async (generation: AsyncIterable<Token>) => (await collect(generation)).map(({ id, text, stop }) => ({ id, text, stop }));
    for (const input of [opening, "\n", [5, 6]]) {
      const options = { ...sampled, maxTokens: 6 };
      expect(await texts(there.generate(input, options))).toEqual(await texts(here.generate(input, options)));
    }
    expect(there.ids).toEqual(here.ids);
    expect(there.length).toBe(here.length);
    const copy = there.fork();
    const restored = remote.restore(there.save());
    const unseeded = { temperature: 1, maxTokens: 6 };
    const expected = await collect(there.generate([], unseeded));
    expect(await collect(copy.generate([], unseeded))).toEqual(expected);
    expect(await collect(restored.generate([], unseeded))).toEqual(expected);
    expect(restored.seed).toBe(3);
    copy.rewind(here.length);
    expect(copy.ids).toEqual(here.ids);
    await copy.append("Close");
    expect(copy.ids.slice(here.length)).toEqual(local.tokenizer!.encode("Close"));
  });
});

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

describe("connecting", () => {
  test("connects to the only model, or to the one named", async () => {
    expect((await withServer(() => models("one"))).name).toBe("one");
    expect((await withServer(() => models("one", "two"), { model: "two" })).name).toBe("two");
    const model = await withServer(() => json({ data: [{ id: "one", max_model_len: 4096 }] }));
    expect(model.contextLength).toBe(4096);
  });

  test.each<[string, Reply]>([
    ...[403, 404, 405, 500, 501].map((status): [string, Reply] => [`answers ${status}`, json({ error: "no" }, status)]),
    ["answers HTML", { headers: { "content-type": "text/html" }, pieces: ["<html>"] }],
    ["answers HTML with 404", { status: 404, headers: { "content-type": "text/html" }, pieces: ["<html>"] }],
    ["answers nothing", { pieces: [] }],
    ["lists none", models()],
    ["lists null", json({ data: null })],
    ["lists something else", json({ models: ["one"] })],
  ])("accepts the name of a model if the server %s", async (_, reply) => {
    const model = await withServer(({ path }) => (path === "/v1/models" ? reply : stream([{ text: "a", finish_reason: "stop" }])), {
      model: "unlisted",
    });
    expect(model.name).toBe("unlisted");
    expect(model.contextLength).toBeUndefined();
    expect(textOf(await collect(model.generate("x")))).toBe("a");
    expect(server!.received[0]!.body.model).toBe("unlisted");
    expect(await rejection(withServer(() => reply))).toBeInstanceOf(RemoteError);
  });

  test("but not if the key is wrong, the server is unreachable, or it lists other models", async () => {
    expect(await rejection(withServer(() => json({}, 401), { model: "one" }))).toMatchObject({ status: 401 });
    expect(await rejection(withServer(() => models("two"), { model: "one" }))).toMatchObject({
      message: expect.stringMatching(/no model "one".*two/),
    });
    const { url } = server!;
    await server!.stop();
    expect(await rejection(RemoteModel.connect(url, { ...QUICK, model: "one" }))).toMatchObject({ retryable: true });
  });

  test("an invalid context length is left out", async () => {
    expect((await withServer(() => json({ data: [{ id: "one", max_model_len: "4096" }] }))).contextLength).toBeUndefined();
  });

  test.each<[string, Reply, ConnectOptions, RegExp]>([
    ["several and no name", models("one", "two"), {}, /several models \(one, two\)/],
    ["another name", models("one"), { model: "two" }, /no model "two" \(it lists one\)/],
    ["none", models(), {}, /lists no models/],
    ["no list", json({ hello: 1 }), {}, /not a list of models/],
    ["no JSON", { pieces: ["<html>"] }, {}, /not JSON: "<html>"/],
    [
      "a wrong key",
      json({ error: { message: `no such key: ${SECRET}` } }, 401),
      { apiKey: SECRET },
      /answered 401: no such key: \*\*\* \(.*apiKey/,
    ],
    [
      "a wrong address",
      json({ detail: "Not Found" }, 404),
      {},
      /GET http:\/\/127\.0\.0\.1:\d+\/v1\/models: the server answered 404: Not Found \(.*address/,
    ],
  ])("the error says what is wrong: %s", async (_, reply, options, message) => {
    const error = (await rejection(withServer(() => reply, options))) as Error;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.message).toMatch(message);
    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain(SECRET);
  });

  test.each<[string, ConnectOptions]>([
    ["not an address", {}],
    ["ftp://host/v1", {}],
    ["http://user:pass@host/v1", {}],
    ["http://host/v1", { apiKey: `${SECRET}\n` }],
    ["http://host/v1", { apiKey: "" }],
    ["http://host/v1", { timeoutMs: 0 }],
    ["http://host/v1", { headers: { "x-key": `${SECRET}\n\n.` } }],
    ["http://user:pass@", {}],
    ["http://host/v1", { retries: -1 }],
    ["http://host/v1", { key: SECRET } as ConnectOptions],
  ])("refuses %s with %j", async (url, options) => {
    const error = (await rejection(RemoteModel.connect(url, options))) as Error;
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).not.toContain(SECRET);
    expect(error.message).not.toContain("pass@");
  });

  test("fails if nothing listens at the address", async () => {
    await server?.stop();
    server = await OpenAiServer.start(() => undefined);
    const { url } = server;
    await server.stop();
    const error = (await rejection(RemoteModel.connect(url, QUICK))) as Error;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.message).toMatch(/an answer: fetch failed.*is the server running/);
  });
});

describe("sessions", () => {
  test("need a server that sends token ids", async () => {
    const model = await replying(({ body }) =>
      body.stream ? stream([{ text: "a" }, { text: "", finish_reason: "stop" }]) : json({ choices: [{ text: "" }] }),
    );
    expect(await rejection(model.session().append("x"))).toBeInstanceOf(RemoteError);
    const session = model.session();
    expect(((await rejection(collect(session.generate([1])))) as Error).message).toMatch(/sends no token ids/);
    // Tokens from before the error stay.
    expect(session.ids).toEqual([1]);
  });

  test("use the next seed with every turn", async () => {
    const model = await replying(() =>
      stream([
        { text: "a", token_ids: [1] },
        { text: "", finish_reason: "stop" },
      ]),
    );
    const session = model.session({ seed: 4294967294 });
    const seeds = [];
    for (const seed of [undefined, undefined, undefined, 7, undefined]) {
      const generation = session.generate([2], { seed });
      seeds.push(generation.seed);
      await collect(generation);
    }
    expect(seeds).toEqual([4294967294, 4294967295, 0, 7, 8]);
    expect(server!.received.map(({ body }) => body.seed)).toEqual(seeds);
    expect(server!.received[1]!.body.prompt).toEqual([2, 1, 2]);
  });

  test("keep the tokens up to the last one received, and allow one call at a time", async () => {
    const model = await replying(() => ({ ...stream([1, 2, 3].map((id) => ({ text: "a", token_ids: [id] }))), ending: "stall" }));
    const session = model.session({ seed: 5 });
    const generation = session.generate([7]);
    await generation.next();
    expect(() => session.rewind(0)).toThrow(/another call on this session is running/);
    expect(await rejection(session.append([1]))).toBeInstanceOf(Error);
    await generation.return();
    expect(session.ids).toEqual([7, 1]);
    expect(() => session.rewind(9)).toThrow(InputError);
    session.rewind(1);
    expect(session.ids).toEqual([7]);
    session.dispose();
    expect(((await rejection(session.append([1]))) as Error).message).toMatch(/disposed/);
  });

  test("dispose ends a running generation", async () => {
    const model = await replying(() => ({ pieces: sse({ choices: [{ text: "a", token_ids: [1] }] }), ending: "stall" }));
    const session = model.session();
    const rest = rejection(collect(session.generate([7])));
    setTimeout(() => session.dispose(), 50);
    expect(((await rest) as Error).message).toMatch(/disposed/);
  });

  test("are restored only from bytes of a remote session of the same model", async () => {
    const model = await replying(() => stream([]));
    expect(() => model.restore(new Uint8Array(8))).toThrow(/not a saved remote session/);
    const bytes = new TextDecoder().decode(model.session().save()).replace('"m1"', '"m2"');
    expect(() => model.restore(new TextEncoder().encode(bytes))).toThrow(/expected m1, got m2/);
    expect(() => model.session({ seed: -1 })).toThrow(InputError);
  });
});
