// Oversized requests are refused before they are parsed, rendered or encoded.

import { describe, expect, test, vi } from "vitest";
import type { MiniMaxM1 } from "../../src/index.js";
import { type ServeOptions, Server } from "../../src/serve/index.js";
import { Tokenizer } from "../../src/text/tokenizer.js";
import { alone, endless, endlessly, messages, model, until } from "./harness.js";

async function ask(path: string, body: object, options: ServeOptions = {}, of: MiniMaxM1 = model) {
  const server = new Server(of, { maxBodyBytes: 2 ** 24, ...options });
  const headers = { "content-type": "application/json" };
  const response = await server.fetch(new Request(`http://x${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
  const { error } = (await response.json()) as { error?: { message: string; code: string } };
  return { status: response.status, message: error?.message, code: error?.code };
}

const many = <T>(length: number, value: T): T[] => Array.from({ length }, () => value);
const user = { role: "user", content: "a" };
const nested = (depth: number): unknown => (depth === 0 ? "a" : [nested(depth - 1)]);

describe("a request with too many or too large values", () => {
  const refused: [string, object, RegExp][] = [
    ["completions", { prompt: [1], n: 60_000_000 }, /^n: .*at most 32 answers .*got 60000000/],
    ["completions", { prompt: [1], n: Number.MAX_SAFE_INTEGER }, /^n: .*at most 32 answers/],
    ["completions", { prompt: many(4, "a"), n: 9 }, /^n: .*at most 32 answers .*got 36/],
    ["completions", { prompt: many(100_000, "a") }, /^n: .*at most 32 answers .*got 100000/],
    ["completions", { prompt: many(100_000, [1]) }, /^n: .*at most 32 answers .*got 100000/],
    ["chat/completions", { messages, n: 60_000_000 }, /^n: .*at most 32 answers/],
    ["completions", { prompt: [1], stop: many(65, "a") }, /^stop: .*at most 64 strings, got 65/],
    ["completions", { prompt: [1], stop: ["b", "a".repeat(1025)] }, /^stop: .*at most 1024 characters.*got 1025/],
    ["completions", { prompt: [1], stop: "a".repeat(1025) }, /^stop: .*at most 1024 characters.*got 1025/],
    ["completions", { prompt: [1], stop_token_ids: many(449, 1) }, /^stop_token_ids: .*at most 448 ids, got 449/],
    ["chat/completions", { messages: many(2049, user) }, /^messages: .*at most 2048 messages, got 2049/],
    ["chat/completions", { messages: [{ role: "user", content: many(40_000, { type: "text", text: "a" }) }] }, /^messages: .*32768 JSON/],
    ["chat/completions", { messages, tools: [{ parameters: many(40_000, 1) }] }, /^tools: .*32768 JSON/],
    ["chat/completions", { messages: [{ role: "user", content: nested(200) }] }, /^messages: .*at most 128 deep/],
    ["chat/completions", { messages, tools: [{ parameters: nested(200) }] }, /^tools: .*at most 128 deep/],
  ];
  test.each(refused)("%s %#", async (path, body, message) => {
    const generate = vi.spyOn(model, "generateBatch");
    const encode = vi.spyOn(Tokenizer.prototype, "encodeAsync");
    expect(await ask(`/v1/${path}`, body)).toMatchObject({ status: 400, message: expect.stringMatching(message) });
    expect([generate.mock.calls, encode.mock.calls]).toEqual([[], []]);
    vi.restoreAllMocks();
  });

  test("is answered if its values are just within the limits", async () => {
    const stop = many(63, "b").concat("a".repeat(1024));
    const body = { prompt: [1], max_tokens: 1, stop, stop_token_ids: many(448, 1), n: 32 };
    expect(await ask("/v1/completions", body)).toMatchObject({ status: 200 });
  });
});

describe("a prompt that leaves no room in the context has OpenAI's error code", () => {
  // The longest token: a text of more than 4096 times its length cannot fit, however it is encoded.
  const longest = "<beginning_of_sentence>";
  const prompts: [string, string, object][] = [
    ["more ids than the context", "completions", { prompt: many(4097, 1) }],
    ["exactly as many ids", "completions", { prompt: many(4096, 1) }],
    ["one of several prompts", "completions", { prompt: [[1], many(1_000_000, 1)] }],
    ["a text, known by its length alone", "completions", { prompt: "a".repeat(longest.length * 4096 + 1) }],
    ["a text, known after encoding", "completions", { prompt: "!?".repeat(6000) }],
    ["a text with exactly as many tokens", "completions", { prompt: longest.repeat(4096) }],
    ["a conversation", "chat/completions", { messages: [{ role: "user", content: "!?".repeat(6000) }] }],
  ];
  test.each(prompts)("%s", async (_, path, body) => {
    expect(await ask(`/v1/${path}`, { ...body, max_tokens: 1 })).toEqual({
      status: 400,
      message: expect.stringMatching(/maximum context length is 4096 tokens.*Shorten the prompt/),
      code: "context_length_exceeded",
    });
  });

  test("a prompt with room for one token is answered", async () => {
    for (const prompt of [many(4095, 1), longest.repeat(4000)]) {
      expect(await ask("/v1/completions", { prompt, max_tokens: 1 })).toMatchObject({ status: 200 });
    }
  });
});

describe("a text is encoded only after checking that", () => {
  const long = "!?".repeat(1_000);
  const cases: [string, object, ServeOptions, number, RegExp][] = [
    ["the model's name is right", { model: "other", prompt: long }, {}, 404, /^model: .*"other".*"lightning-m1"/],
    ["the fields are valid", { prompt: long, temperature: -1 }, {}, 400, /temperature/],
    ["max_tokens is within the limit", { prompt: long, max_tokens: 9 }, { maxTokens: 8 }, 400, /^max_tokens: .*at most 8/],
    ["n is within the limit", { prompt: long, n: 33 }, {}, 400, /^n: .*at most 32/],
    ["the state can fit", { prompt: long, max_tokens: 4000 }, { maxCacheBytes: 1000 }, 400, /^max_tokens: .*bytes.* 1000 /],
  ];
  test.each(cases)("%s", async (_, body, options, status, message) => {
    const encode = vi.spyOn(Tokenizer.prototype, "encodeAsync");
    expect(await ask("/v1/completions", body, options)).toMatchObject({ status, message: expect.stringMatching(message) });
    expect(encode).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  test("the queue has room", async () => {
    const texts = Object.assign(Object.create(endless) as MiniMaxM1, {});
    Object.defineProperty(texts, "tokenizer", { value: model.tokenizer });
    const server = new Server(texts, { maxBatch: 1, maxQueue: 0 });
    const post = (body: object) =>
      server.fetch(
        new Request("http://x/v1/completions", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      );
    const running = post({ ...endlessly });
    await until(() => server.active === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const encode = vi.spyOn(Tokenizer.prototype, "encodeAsync");
    expect((await post({ prompt: long })).status).toBe(429);
    expect(encode).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    await server.drain(0);
    await running;
  });
});

test("while long texts are encoded, other requests are answered, each as if alone", async () => {
  const server = new Server(model, { maxBodyBytes: 2 ** 24 });
  const post = async (body: object) =>
    server.fetch(
      new Request("http://x/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  const long = Array.from({ length: 4 }, () => post({ prompt: "中".repeat(60_000), max_tokens: 1 }).then(({ status }) => status));
  const health = server.fetch(new Request("http://x/health"));
  const short = await post({ prompt: "Compute 3", seed: 1, max_tokens: 8 });
  expect((await health).status).toBe(200);
  const { choices } = (await short.json()) as { choices: { text: string }[] };
  expect(choices[0]!.text).toBe((await alone("Compute 3", { temperature: 1, seed: 1, maxTokens: 8 })).text);
  expect(await Promise.all(long)).toEqual([400, 400, 400, 400]);
});
