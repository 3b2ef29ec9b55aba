// With OpenAI's own client.

import OpenAI from "openai";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import type { MiniMaxM1, Token } from "../../src/index.js";
import { Server } from "../../src/serve/index.js";
import { alone, endless, endlessly, messages, model, start, until } from "./harness.js";

// A first run makes the kernels' workspaces; from then on no request leaves anything behind.
await alone([1], { maxTokens: 2 });
const used = model.memory.usedBytes;
await alone([1], { maxTokens: 2 }, endless);
const usedByEndless = endless.memory.usedBytes;
afterEach(() => until(() => model.memory.usedBytes === used && endless.memory.usedBytes === usedByEndless));

const NAME = "lightning-m1";
const sampled = { temperature: 1, seed: 7, maxTokens: 80 };
const asked = { model: NAME, seed: 7, max_tokens: 80 };

/** An answer's text as the model wrote it, from what the server made of it. */
function rawOf(reasoning: string | undefined, content: string | null): string {
  return (reasoning === undefined ? "" : `<think>${reasoning}`) + (content === null ? "" : `</think>${content}`);
}

describe("completions", () => {
  test("the text, the tokens and their number are the model's for the seed", async () => {
    const { client } = await start();
    for (const prompt of ["Compute 3 + 4", model.tokenizer!.encode("Compute 3 + 4")]) {
      const expected = await alone(prompt, sampled);
      const body = await client.completions.create({
        ...asked,
        prompt,
        return_token_ids: true,
      } as OpenAI.CompletionCreateParamsNonStreaming);
      const [choice] = body.choices as (OpenAI.CompletionChoice & { token_ids: number[]; prompt_token_ids: number[] })[];
      expect([choice!.text, choice!.token_ids]).toEqual([expected.text, expected.ids]);
      expect(choice!.prompt_token_ids).toEqual(model.tokenizer!.encode("Compute 3 + 4"));
      expect(choice!.finish_reason).toBe(expected.stop === "eos" ? "stop" : "length");
      expect(body.usage).toEqual({
        prompt_tokens: choice!.prompt_token_ids.length,
        completion_tokens: expected.ids.length,
        total_tokens: choice!.prompt_token_ids.length + expected.ids.length,
      });
    }
  });

  test("a stream gives the same, and its usage at the end", async () => {
    const { client } = await start();
    const expected = await alone("Compute 3 + 4", sampled);
    const stream = await client.completions.create({
      ...asked,
      prompt: "Compute 3 + 4",
      stream: true,
      stream_options: { include_usage: true },
      return_token_ids: true,
    } as OpenAI.CompletionCreateParamsStreaming);
    let text = "";
    const ids: number[] = [];
    let last: OpenAI.Completion | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? "";
      ids.push(...((chunk.choices[0] as { token_ids?: number[] } | undefined)?.token_ids ?? []));
      last = chunk;
    }
    expect([text, ids]).toEqual([expected.text, expected.ids]);
    expect(last!.usage!.completion_tokens).toBe(expected.ids.length);
  });

  test("several prompts with n answers each are numbered through, answer i with seed + i", async () => {
    const { client } = await start();
    const body = await client.completions.create({ ...asked, prompt: ["Compute 3", "Sort AB"], n: 2 });
    const expected = [];
    for (const [i, prompt] of ["Compute 3", "Compute 3", "Sort AB", "Sort AB"].entries()) {
      expected.push((await alone(prompt, { ...sampled, seed: 7 + i })).text);
    }
    expect(body.choices.map(({ index, text }) => [index, text])).toEqual(expected.map((text, i) => [i, text]));
  });

  test.each([
    [2 ** 32 + 7, 7],
    [7 - 2 ** 32, 7],
    [-2, 2 ** 32 - 2],
    [Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
    [-(2 ** 63), 0],
  ])("a 64-bit seed is taken modulo 2^32: %d gives what %d gives", async (seed, folded) => {
    const { client } = await start();
    const { choices } = await client.completions.create({ ...asked, prompt: "Compute 3", seed, n: 2 });
    const expected = [folded, (folded + 1) % 2 ** 32].map((one) => alone("Compute 3", { ...sampled, seed: one }));
    expect(choices.map(({ text }) => text)).toEqual((await Promise.all(expected)).map(({ text }) => text));
  });

  test("of several stop strings, stop_reason is the one that ended the text", async () => {
    const { client } = await start();
    const body = { ...asked, prompt: "Compute 3 +", temperature: 0, max_tokens: 30 };
    const { text } = (await client.completions.create(body)).choices[0]!;
    const stop = text.slice(2, 5);
    const choice = (await client.completions.create({ ...body, stop: ["never there", stop] })).choices[0]!;
    expect(choice).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: "stop", stop_reason: stop });
  });

  test("a seed of -1 is no seed: each request draws its own", async () => {
    const { client } = await start();
    const draw = async () =>
      (await client.completions.create({ ...asked, prompt: "Compute 3", temperature: 5, seed: -1 })).choices[0]!.text;
    expect(new Set([await draw(), await draw(), await draw()]).size).toBeGreaterThan(1);
  });

  test("every sampling option counts, vLLM's included; the default is temperature 1 and 16 tokens", async () => {
    const { client } = await start();
    const run = async (extra: object) =>
      (await client.completions.create({ model: NAME, prompt: "Compute 3 +", seed: 3, max_tokens: 30, ...extra })).choices[0]!.text;
    const options = { seed: 3, maxTokens: 30 };
    const cases: [object, object][] = [
      [{}, { temperature: 1 }],
      [{ temperature: 0 }, { temperature: 0 }],
      [{ temperature: 3 }, { temperature: 3 }],
      [
        { temperature: 3, top_p: 0.5 },
        { temperature: 3, topP: 0.5 },
      ],
      [
        { temperature: 3, top_k: 3 },
        { temperature: 3, topK: 3 },
      ],
      [{ temperature: 3, top_k: -1 }, { temperature: 3 }],
      [
        { temperature: 3, min_p: 0.3 },
        { temperature: 3, minP: 0.3 },
      ],
      [
        { temperature: 0, repetition_penalty: 1.5 },
        { temperature: 0, repetitionPenalty: 1.5 },
      ],
      [
        { temperature: 0, stop_token_ids: [198] },
        { temperature: 0, stopIds: [198] },
      ],
      [
        { temperature: 0, stop: ["\n"] },
        { temperature: 0, stop: "\n" },
      ],
      [
        { temperature: 0, repetition: { tokens: 2, probability: 0.5 } },
        { temperature: 0, repetition: { tokens: 2, probability: 0.5 } },
      ],
    ];
    const texts = [];
    for (const [extra, own] of cases) {
      texts.push(await run(extra));
      expect(texts.at(-1), JSON.stringify(extra)).toBe((await alone("Compute 3 +", { ...options, ...own })).text);
    }
    expect(new Set(texts).size).toBeGreaterThan(5);
    const { usage } = await client.completions.create({ model: NAME, prompt: "Compute 3 +", temperature: 0, stop_token_ids: [] } as never);
    expect((usage as OpenAI.CompletionUsage).completion_tokens).toBeLessThanOrEqual(16);
  });

  test("log-probabilities, by token or by id", async () => {
    const { client } = await start();
    const ask = async (extra: object) =>
      (await client.completions.create({ ...asked, max_tokens: 6, prompt: "Compute 3 + 4", logprobs: 3, ...extra })).choices[0]!;
    const [plain, byId] = [await ask({}), await ask({ return_tokens_as_token_ids: true })];
    const expected: Token[] = [];
    for await (const token of model.generate("Compute 3 + 4", { ...sampled, maxTokens: 6, topLogprobs: 3 })) expected.push(token);
    expect(plain.logprobs!.tokens!.join("")).toBe(plain.text);
    expect(byId.logprobs!.tokens).toEqual(expected.map(({ id }) => `token_id:${id}`));
    expect(byId.logprobs!.token_logprobs).toEqual(expected.map(({ logprob }) => logprob));
    for (const [i, { id, logprob, topLogprobs }] of expected.entries()) {
      const pairs = [...topLogprobs!, { id, logprob }].map((one) => [`token_id:${one.id}`, one.logprob]);
      expect(byId.logprobs!.top_logprobs![i]).toEqual(Object.fromEntries(pairs));
    }
  });
});

describe("chat", () => {
  test("the text can be put together again, streamed or not", async () => {
    const { client } = await start();
    for (const seed of [1, 2, 3]) {
      const expected = await alone(messages, { ...sampled, seed, maxTokens: 200 });
      const params = { model: NAME, messages: [...messages], seed, max_completion_tokens: 200 };
      const body = await client.chat.completions.create(params);
      const { message, finish_reason } = body.choices[0]! as OpenAI.ChatCompletion.Choice & { message: { reasoning_content?: string } };
      expect(rawOf(message.reasoning_content, message.content)).toBe(expected.text);
      expect(finish_reason).toBe("stop");
      let [reasoning, content] = ["", ""];
      for await (const { choices } of await client.chat.completions.create({ ...params, stream: true })) {
        const delta = choices[0]!.delta as { content?: string; reasoning_content?: string };
        reasoning += delta.reasoning_content ?? "";
        content += delta.content ?? "";
      }
      expect(rawOf(reasoning, content)).toBe(expected.text);
    }
  });

  test("log-probabilities and ids", async () => {
    const { client } = await start();
    const body = (await client.chat.completions.create({
      ...asked,
      messages: [...messages],
      logprobs: true,
      top_logprobs: 2,
      return_token_ids: true,
    } as OpenAI.ChatCompletionCreateParamsNonStreaming)) as OpenAI.ChatCompletion & { prompt_token_ids: number[] };
    const choice = body.choices[0]! as OpenAI.ChatCompletion.Choice & { token_ids: number[] };
    const expected = await alone(messages, sampled);
    expect(choice.token_ids).toEqual(expected.ids);
    expect(model.tokenizer!.decode(body.prompt_token_ids)).toBe(await model.formatChat(messages));
    const { content } = choice.logprobs!;
    expect(content!).toHaveLength(expected.ids.length);
    expect(content!.map(({ token }) => token)).toEqual(expected.ids.map((id) => model.tokenizer!.decode([id])));
    for (const { top_logprobs } of content!) expect(top_logprobs).toHaveLength(2);
  });

  test("calls of tools, streamed or not, and back into the conversation", async () => {
    const text = '<think>\nLook.\n</think>I ask.\n<tool_calls>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_calls>';
    const prompts: number[][] = [];
    const { client } = await start({}, {}, speaking(text, prompts));
    const tools = [{ type: "function" as const, function: { name: "weather", description: "w", parameters: { type: "object" } } }];
    const params = { model: NAME, messages: [...messages], tools };
    const { choices } = await client.chat.completions.create(params);
    expect(choices[0]!.finish_reason).toBe("tool_calls");
    const { message } = choices[0]!;
    expect(message).toMatchObject({ content: "I ask.", reasoning_content: "\nLook.\n" });
    expect(message.tool_calls).toMatchObject([{ type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }]);
    const runner = client.chat.completions.stream(params);
    const final = await runner.finalMessage();
    expect(final.tool_calls).toMatchObject([{ type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }]);
    expect(final.content).toBe("I ask.");
    const answered = [...messages, message, { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "rain" }];
    await client.chat.completions.create({ ...params, messages: answered });
    const shown = model.tokenizer!.decode(prompts.at(-1)!);
    expect(shown).toContain('{"name": "weather", "description": "w"');
    expect(shown).toContain("tool name: weather\ntool result: rain");
    // Without tools the block is text.
    const plain = await client.chat.completions.create({ model: NAME, messages: [...messages] });
    expect(plain.choices[0]!.message.content).toContain("<tool_calls>");
  });
});

/** The model, but for what it says. */
function speaking(text: string, prompts: number[][]): MiniMaxM1 {
  return Object.assign(Object.create(model) as MiniMaxM1, {
    generateBatch: (inputs: number[][]) => {
      prompts.push(...inputs);
      async function* tokens() {
        for (const [at, char] of [...text].entries()) {
          yield { index: 0, id: 1, text: char, logprob: -1, ...(at === [...text].length - 1 && { stop: "eos" as const }) };
        }
      }
      return Object.assign(tokens(), { seed: 0 });
    },
  });
}

describe("limits", () => {
  test("whoever does not fit waits in line; beyond the line it is 429, with a time to come again", async () => {
    const { client, server, post } = await start({ maxBatch: 1, maxQueue: 1 }, {}, endless);
    const running = await client.completions.create({ ...endlessly, prompt: [1], stream: true });
    const expected = await alone([2], { ...sampled, maxTokens: 4 }, endless);
    const waiting = client.completions.create({ ...asked, prompt: [2], max_tokens: 4, return_token_ids: true } as never);
    await until(() => server.active === 2);
    const refused = await post("/v1/completions", { prompt: [3] });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ error: { type: "rate_limit_error", code: "queue_full" } });
    running.controller.abort();
    expect(((await waiting) as unknown as { choices: { token_ids: number[] }[] }).choices[0]!.token_ids).toEqual(expected.ids);
  });

  test("states that do not fit wait as well, and who would never fit is told so", async () => {
    const { client, server } = await start({ maxCacheBytes: 400_000 }, {}, endless);
    const params = { ...endlessly, prompt: [1], max_tokens: 2000 };
    await expect(client.completions.create({ ...params, max_tokens: 5000 })).rejects.toThrow(
      /max_tokens: expected states of at most 400000 bytes, got/,
    );
    const running = await client.completions.create({ ...params, stream: true });
    const small = client.completions.create({ ...params, max_tokens: 4 });
    const large = client.completions.create({ ...params, max_tokens: 1800 });
    await small;
    expect(server.active).toBe(2);
    running.controller.abort();
    expect((await large).usage!.completion_tokens).toBe(1800);
  });

  test("a client that goes away takes its work with it, running or waiting", async () => {
    const { client, server, url } = await start({ maxBatch: 1 }, {}, endless);
    for await (const _ of await client.completions.create({ ...endlessly, prompt: [1], logprobs: 0, stream: true })) break;
    const controller = new AbortController();
    const ask = () => client.completions.create({ ...endlessly, prompt: [1] }, { signal: controller.signal });
    const requests = [ask(), ask()].map((request) => expect(request).rejects.toThrow(OpenAI.APIUserAbortError));
    await until(() => server.active === 2);
    controller.abort();
    await Promise.all(requests);
    await until(() => server.active === 0);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("cancelled_requests_total 3");
  });

  test("time", async () => {
    const { client, server } = await start({ timeoutMs: 60 }, {}, endless);
    await expect(client.completions.create({ ...endlessly, prompt: [1] })).rejects.toMatchObject({ status: 504, code: "timeout" });
    const read = async () => {
      for await (const _ of await client.completions.create({ ...endlessly, prompt: [1], stream: true }));
    };
    await expect(read()).rejects.toThrow(/expected an answer within 60 ms/);
    expect(server.active).toBe(0);
  });

  test("keys, in constant time and in one form only", async () => {
    const { client, url } = await start({ apiKey: ["one", "two"] });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual([NAME]);
    const status = async (authorization?: string) =>
      (await fetch(`${url}/v1/models`, authorization === undefined ? {} : { headers: { authorization } })).status;
    expect(await Promise.all(["Bearer one", "bearer two", "Bearer  one"].map(status))).toEqual([200, 200, 200]);
    expect(
      await Promise.all([undefined, "", "one", "Bearer", "Bearer onex", "Bearer on", "Basic one", "Bearer one two"].map(status)),
    ).toEqual(Array(8).fill(401));
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
  });

  test("other origins only where they are named", async () => {
    const allowed = async (cors?: string) => {
      const { url } = await start({ cors });
      return (await fetch(`${url}/health`, { headers: { origin: "https://a.example" } })).headers.get("access-control-allow-origin");
    };
    expect([await allowed(), await allowed("https://a.example"), await allowed("https://b.example"), await allowed("*")]).toEqual([
      null,
      "https://a.example",
      null,
      "*",
    ]);
  });

  test("stopping lets what runs end, and refuses the rest", async () => {
    const { client, server, post, url } = await start();
    const expected = await alone("Compute 3", sampled);
    const running = client.completions.create({ ...asked, prompt: "Compute 3" });
    await until(() => server.active === 1);
    const stopped = server.drain(10_000);
    expect((await post("/v1/completions", { prompt: "x" })).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect((await running).choices[0]!.text).toBe(expected.text);
    await stopped;
  });

  test("stopping ends what does not end in time", async () => {
    const { client, server } = await start({}, {}, endless);
    const refused = expect(client.completions.create({ ...endlessly, prompt: [1] })).rejects.toMatchObject({
      status: 503,
      code: "stopping",
    });
    await until(() => server.active === 1);
    await server.drain(20);
    await refused;
  });
});

test("whoever comes while others run has a first token with the next pass", async () => {
  const passes: number[] = [];
  const { forward } = endless.transformer;
  endless.transformer.forward = (batch) => {
    passes.push(batch.length);
    return forward.call(endless.transformer, batch);
  };
  const server = new Server(endless, { maxBatch: 24 });
  onTestFinished(() => void Object.assign(endless.transformer, { forward }));
  const body = JSON.stringify({ ...endlessly, prompt: [1, 2, 3], max_tokens: 10_000, stream: true, return_token_ids: true });
  const open = async () => {
    const before = passes.length;
    const request = new Request("http://x/v1/completions", { method: "POST", headers: { "content-type": "application/json" }, body });
    const reader = (await server.fetch(request)).body!.getReader();
    await reader.read();
    void drained(reader);
    return passes.length - before;
  };
  for (let i = 0; i < 24; i++) expect(await open()).toBeLessThanOrEqual(2);
  expect(passes.reduce((most, count) => Math.max(most, count))).toBeGreaterThan(20);
  await server.drain(1);
});

async function drained(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}

test("one request's error is its own", async () => {
  const { client, server } = await start({ maxBatch: 4 });
  const expected = await alone("Compute 3", sampled);
  const errors: unknown[] = [];
  const broken = Object.assign(Object.create(model) as MiniMaxM1, {
    generateBatch: () => {
      throw new TypeError("secret");
    },
  });
  const other = new Server(broken, { onError: (error) => errors.push(error) });
  const request = new Request("http://x/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"prompt":"x"}',
  });
  const [good, bad] = await Promise.all([client.completions.create({ ...asked, prompt: "Compute 3" }), other.fetch(request)]);
  expect(good.choices[0]!.text).toBe(expected.text);
  expect(bad.status).toBe(500);
  expect(await bad.text()).not.toMatch(/secret|at .*:\d+/);
  expect(errors).toHaveLength(1);
  expect(server.active).toBe(0);
});

test("metrics tell what was done", async () => {
  const { client, url, post } = await start();
  const { usage } = await client.completions.create({ ...asked, prompt: "Compute 3" });
  await post("/v1/completions", { prompt: "" });
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string) => Number(new RegExp(`^lightning_m1_${name} (\\S+)$`, "m").exec(text)?.[1]);
  expect(value("generated_tokens_total")).toBe(usage!.completion_tokens);
  expect(value("prompt_tokens_total")).toBe(usage!.prompt_tokens);
  expect([value('requests_total{status="200"}'), value('requests_total{status="400"}')]).toEqual([1, 1]);
  expect([value("first_token_seconds_count"), value("running_sequences"), value("waiting_requests"), value("cache_bytes")]).toEqual([
    1, 0, 0, 0,
  ]);
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) lightning_m1_\w+ .+|lightning_m1_\w+(\{\w+="[^"]+"\})? [\d.e+-]+)$/);
});

describe("refuses, saying where, what was expected and what came", () => {
  const { fetch: answer } = new Server(model, { maxTokens: 100, maxBatch: 4, maxCacheBytes: 10_000_000, maxBodyBytes: 5000 });
  const post = (path: string, body: unknown, headers: object = { "content-type": "application/json" }) =>
    answer(
      new Request(`http://x${path}`, {
        method: "POST",
        headers: { ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    );
  const completions: [object | string, string][] = [
    ["{", "request: body: expected JSON"],
    ["[]", "completions: body: expected a JSON object, got an array"],
    [{}, "completions: prompt: expected text, token ids, or a list of either"],
    [{ prompt: [] }, "completions: prompt: expected"],
    [{ prompt: [1, "a"] }, "completions: prompt: expected"],
    [{ prompt: "" }, "expected at least one token, got none"],
    [{ prompt: [448] }, "expected an integer id within [0, 448), got 448"],
    [{ prompt: "x", temperature: -1 }, "completions: temperature: expected a number of at least 0, got -1"],
    [{ prompt: "x", top_p: 2 }, "completions: top_p: expected a number within (0, 1], got 2"],
    [{ prompt: "x", seed: 0.5 }, "completions: seed: expected an integer within [-2^63, 2^63), got 0.5"],
    [{ prompt: "x", seed: 1e20 }, "completions: seed: expected an integer within [-2^63, 2^63), got 100000000000000000000"],
    [{ prompt: "x", max_tokens: 101 }, "max_tokens: expected at most 100, got 101"],
    [{ prompt: "x", n: 5 }, "n: expected at most 4 answers (prompts times n), got 5"],
    [{ prompt: "x", logprobs: 21 }, "completions: logprobs: expected an integer within [0, 20], got 21"],
    [{ prompt: "x", stop: "" }, "completions: stop: expected a string"],
    [{ prompt: "x", stop_token_ids: [448] }, "stopIds: expected ids within [0, 448), got 448"],
    [{ prompt: "x", presence_penalty: 1 }, "completions: presence_penalty: expected 0 (nothing else is supported), got 1"],
    [{ prompt: "x", echo: true }, "completions: echo: expected false"],
    [{ prompt: "x", tempreature: 1 }, "completions: tempreature: unknown option"],
    [{ prompt: Array(4096).fill(1) }, "request: body: expected at most 5000 bytes, got more"],
  ];
  test.each(completions)("/v1/completions %j", async (body, message) => {
    const response = await post("/v1/completions", body);
    expect(response.status).toBe(message.startsWith("request: body: expected at most") ? 413 : 400);
    const { error } = (await response.json()) as { error: { message: string; type: string } };
    expect(error).toMatchObject({ type: "invalid_request_error", param: null });
    expect(error.message).toContain(message);
  });

  const user = { role: "user", content: "x" };
  const chats: [object, string][] = [
    [{}, "chat.completions: messages: expected"],
    [{ messages: [] }, "chat: messages: expected at least one message, got none"],
    [{ messages: [{ role: "wizard", content: "x" }] }, "chat: messages[0].role: expected system, user, assistant or tool"],
    [
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      'chat: messages[0].content[0]: expected a part { type: "text", text }',
    ],
    [{ messages: [{ role: "tool", tool_call_id: "a", content: "x" }] }, "the name of the tool whose result this is"],
    [{ messages: [user], top_logprobs: 2 }, "top_logprobs: expected with logprobs: true only"],
    [{ messages: [user], tool_choice: "required" }, 'tool_choice: expected "auto" or "none"'],
    [{ messages: [user], response_format: { type: "json_object" } }, 'response_format.type: expected "text"'],
    [{ messages: [user], chat_template: "{{ 1 }}" }, "chat_template: expected none, got one"],
  ];
  test.each(chats)("/v1/chat/completions %j", async (body, message) => {
    const response = await post("/v1/chat/completions", body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { message: string } }).error.message).toContain(message);
  });

  test("other models, paths, types and texts that are none", async () => {
    expect((await post("/v1/completions", { prompt: "x", model: "gpt" })).status).toBe(404);
    expect((await post("/v1/engines", {})).status).toBe(404);
    for (const path of ["//v1/completions", "/v1//completions", "/v1/completions/"]) {
      expect((await post(path, { prompt: "x", max_tokens: 1 })).status, path).toBe(200);
    }
    expect((await post("/", {})).status).toBe(404);
    for (const [path, wrong, right] of [
      ["/v1/models", "DELETE", "GET"],
      ["/v1/chat/completions", "GET", "POST"],
    ] as const) {
      const response = await new Server(model).fetch(new Request(`http://x${path}`, { method: wrong }));
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe(right);
      expect(((await response.json()) as { error: { message: string } }).error.message).toBe(`${wrong} ${path}: expected ${right}`);
    }
    expect((await post("/v1/completions", { prompt: "x" }, { "content-type": "text/plain" })).status).toBe(415);
    const bytes = new Request("http://x/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Uint8Array.of(0x22, 0xff, 0x22),
    });
    expect((await answer(bytes)).status).toBe(400);
    expect(() => new Server(model, { maxBatch: 0 })).toThrow("serve: maxBatch: expected an integer of at least 1, got 0");
    expect(() => new Server(model, { ports: 1 } as never)).toThrow("serve: ports: unknown option");
  });

  test("a template, where they are trusted", async () => {
    const trusting = new Server(model, { trustTemplates: true });
    onTestFinished(() => trusting.drain(1));
    const response = await trusting.fetch(
      new Request("http://x/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [user], chat_template: "Compute 3", max_tokens: 3, return_token_ids: true }),
      }),
    );
    expect(((await response.json()) as { prompt_token_ids: number[] }).prompt_token_ids).toEqual(model.tokenizer!.encode("Compute 3"));
  });
});
