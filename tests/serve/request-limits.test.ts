// Requests whose size is the attack: refused before anything is made of them.

import { describe, expect, test, vi } from "vitest";
import type { MiniMaxM1 } from "../../src/index.js";
import { type ServeOptions, Server } from "../../src/serve/index.js";
import { Tokenizer } from "../../src/text/tokenizer.js";
import { alone, endless, endlessly, messages, model, until } from "./harness.js";

async function ask(path: string, body: object, options: ServeOptions = {}, of: MiniMaxM1 = model) {
  const server = new Server(of, { maxBodyBytes: 2 ** 24, ...options });
  const headers = { "content-type": "application/json" };
  const response = await server.fetch(new Request(`http://x${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
  const { error } = (await response.json()) as { error?: { message: string } };
  return [response.status, error?.message];
}

const many = <T>(length: number, value: T): T[] => Array.from({ length }, () => value);
const user = { role: "user", content: "a" };
const nested = (depth: number): unknown => (depth === 0 ? "a" : [nested(depth - 1)]);

describe("more than a server takes", () => {
  const refused: [string, object, string][] = [
    ["completions", { prompt: [1], n: 60_000_000 }, "n: expected at most 32 answers (prompts times n), got 60000000"],
    ["completions", { prompt: [1], n: Number.MAX_SAFE_INTEGER }, "n: expected at most 32 answers"],
    ["completions", { prompt: many(4, "a"), n: 9 }, "n: expected at most 32 answers (prompts times n), got 36"],
    ["completions", { prompt: many(100_000, "a") }, "n: expected at most 32 answers (prompts times n), got 100000"],
    ["completions", { prompt: many(100_000, [1]) }, "n: expected at most 32 answers (prompts times n), got 100000"],
    ["chat/completions", { messages, n: 60_000_000 }, "n: expected at most 32 answers"],
    ["completions", { prompt: many(4097, 1) }, "prompt: expected at most 4096 tokens of context, got 4097"],
    ["completions", { prompt: [[1], many(1_000_000, 1)] }, "prompt: expected at most 4096 tokens of context, got 1000000"],
    ["completions", { prompt: [1], stop: many(65, "a") }, "stop: expected at most 64 strings, got 65"],
    ["completions", { prompt: [1], stop: ["b", "a".repeat(1025)] }, "stop: expected a string of at most 1024 characters, got 1025"],
    ["completions", { prompt: [1], stop: "a".repeat(1025) }, "stop: expected a string of at most 1024 characters, got 1025"],
    ["completions", { prompt: [1], stop_token_ids: many(449, 1) }, "stop_token_ids: expected at most 448 ids, got 449"],
    ["chat/completions", { messages: many(2049, user) }, "messages: expected at most 2048 messages, got 2049"],
    [
      "chat/completions",
      { messages: [{ role: "user", content: many(40_000, { type: "text", text: "a" }) }] },
      "messages: expected at most 32768 values of JSON, got more",
    ],
    ["chat/completions", { messages, tools: [{ parameters: many(40_000, 1) }] }, "tools: expected at most 32768 values of JSON, got more"],
    ["chat/completions", { messages: [{ role: "user", content: nested(200) }] }, "messages: expected lists and objects at most 128 deep"],
    ["chat/completions", { messages, tools: [{ parameters: nested(200) }] }, "tools: expected lists and objects at most 128 deep"],
  ];
  test.each(refused)("%s %#", async (path, body, message) => {
    const generate = vi.spyOn(model, "generateBatch");
    const encode = vi.spyOn(Tokenizer.prototype, "encodeAsync");
    expect(await ask(`/v1/${path}`, body)).toEqual([400, expect.stringContaining(message)]);
    expect([generate.mock.calls, encode.mock.calls]).toEqual([[], []]);
    vi.restoreAllMocks();
  });

  test("what is just within the limits is answered", async () => {
    const stop = many(63, "b").concat("a".repeat(1024));
    expect(await ask("/v1/completions", { prompt: [1], max_tokens: 1, stop, stop_token_ids: many(448, 1), n: 32 })).toEqual([
      200,
      undefined,
    ]);
    expect(await ask("/v1/completions", { prompt: many(4095, 1), max_tokens: 1 })).toEqual([200, undefined]);
  });
});

describe("a text is encoded only if", () => {
  const long = "!?".repeat(1_000);
  const cases: [string, object, ServeOptions, number, string][] = [
    ["the model is this one", { model: "other", prompt: long }, {}, 404, 'model: expected "lightning-m1", got "other"'],
    ["the fields are right", { prompt: long, temperature: -1 }, {}, 400, "temperature"],
    ["the tokens that are asked for are given", { prompt: long, max_tokens: 9 }, { maxTokens: 8 }, 400, "max_tokens: expected at most 8"],
    ["the answers are not too many", { prompt: long, n: 33 }, {}, 400, "n: expected at most 32"],
    ["its state can fit", { prompt: long, max_tokens: 4000 }, { maxCacheBytes: 1000 }, 400, "states of at most 1000 bytes"],
  ];
  test.each(cases)("%s", async (_, body, options, status, message) => {
    const encode = vi.spyOn(Tokenizer.prototype, "encodeAsync");
    expect(await ask("/v1/completions", body, options)).toEqual([status, expect.stringContaining(message)]);
    expect(encode).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  test("there is room in the line", async () => {
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

test("a text that cannot fit is refused by its length; one that fits, however long its tokens are, is not", async () => {
  const longest = "<beginning_of_sentence>";
  expect(await ask("/v1/completions", { prompt: "a".repeat(longest.length * 4096 + 1), max_tokens: 1 })).toEqual([
    400,
    expect.stringContaining("expected at most 4096 tokens"),
  ]);
  expect(await ask("/v1/completions", { prompt: longest.repeat(4000), max_tokens: 1 })).toEqual([200, undefined]);
});

test("while long texts are encoded, others are answered, and every answer is what it is alone", async () => {
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
