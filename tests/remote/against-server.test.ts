import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChatMessage, MiniMaxM1, type PromptOptions, parseAssistant, type Token } from "../../src/index.js";
import { type Listening, listen } from "../../src/node-entry/listen.js";
import { RemoteModel } from "../../src/remote/index.js";
import { Server } from "../../src/serve/index.js";
import { collect, rejection } from "../generate/model.js";
import { answers } from "../support/bundled-model.js";

const KEY = "sk-of-the-test";

let local: MiniMaxM1;
let listening: Listening;
let remote: RemoteModel;
beforeAll(async () => {
  local = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
  listening = await listen(new Server(local, { apiKey: KEY, trustTemplates: true }), { port: 0, host: "127.0.0.1" });
  remote = await RemoteModel.connect(`http://127.0.0.1:${listening.port}/v1`, { apiKey: KEY });
});
afterAll(async () => {
  await listening.close(0);
  local.dispose();
});

const textOf = (tokens: readonly Token[]) => tokens.map(({ text }) => text).join("");
const conversation: readonly ChatMessage[] = [{ role: "user", content: answers[0]!.question }];
const sampled = { temperature: 1, topP: 0.95, seed: 7 };

describe("RemoteModel over the server equals the local model", () => {
  test.each<[string, PromptOptions]>([
    ["greedy", {}],
    ["sampled", sampled],
    ["top-k, min-p", { topK: 5, minP: 0.1, seed: 3, temperature: 2, maxTokens: 40 }],
    ["penalised", { repetitionPenalty: 20, maxTokens: 24 }],
    ["a stop string", { stop: [" ]"], maxTokens: 40 }],
    ["several stop strings", { stop: [" ]", "\n["], maxTokens: 40 }],
    ["alternatives", { ...sampled, topLogprobs: 3, maxTokens: 5 }],
    ["repetition", { repetition: { tokens: 3, probability: 0.5 }, maxTokens: 40 }],
    ["no repetition", { repetition: false, maxTokens: 10 }],
    ["a template", { ...sampled, template: "{{ messages[0].content }}", maxTokens: 10 }],
    ["Infinity", { maxTokens: Infinity }],
  ])("chat: %s", async (_, options) => {
    const [there, here] = [await collect(remote.generate(conversation, options)), await collect(local.generate(conversation, options))];
    expect(there.map(({ id }) => id)).toEqual(here.map(({ id }) => id));
    expect(there.map(({ logprob }) => logprob)).toEqual(here.map(({ logprob }) => logprob));
    expect(there.map(({ topLogprobs }) => topLogprobs)).toEqual(here.map(({ topLogprobs }) => topLogprobs));
    expect(there.at(-1)!.stop).toBe(here.at(-1)!.stop);
    expect(textOf(there)).toBe(textOf(here));
  });

  test.each<[string, PromptOptions]>([
    ["greedy", { maxTokens: 24 }],
    ["sampled", { ...sampled, topLogprobs: 2, maxTokens: 24 }],
    ["Infinity", { maxTokens: Infinity }],
  ])("text and ids: %s", async (_, options) => {
    const text = await local.formatChat(conversation);
    for (const prompt of [text, local.tokenizer!.encode(text)]) {
      expect(await collect(remote.generate(prompt, options))).toEqual(await collect(local.generate(prompt, options)));
    }
    const stopIds = [(await collect(local.generate(text, options)))[3]!.id];
    expect(await collect(remote.generate(text, { ...options, stopIds }))).toEqual(
      await collect(local.generate(text, { ...options, stopIds })),
    );
  });

  test("batches", async () => {
    const prompts = answers.map(({ question }) => [{ role: "user", content: question }] as const);
    const options = { ...sampled, seed: 4294967294, maxTokens: 32 };
    const texts = (tokens: readonly Token[]) => prompts.map((_, i) => textOf(tokens.filter(({ index }) => index === i)));
    const generation = remote.generateBatch(prompts, options);
    expect(texts(await collect(generation))).toEqual(texts(await collect(local.generateBatch(prompts, options))));
    expect(generation.usage.completionTokens).toBeGreaterThan(prompts.length);
  });

  test("sessions", async () => {
    const [here, there] = [local.session({ seed: 3 }), remote.session({ seed: 3 })];
    const opening = await local.formatChat(conversation);
    for (const input of [opening, "\n", [5, 6]]) {
      const options = { ...sampled, maxTokens: 6 };
      const ids = async (generation: AsyncIterable<Token>) => (await collect(generation)).map(({ id }) => id);
      expect(await ids(there.generate(input, options))).toEqual(await ids(here.generate(input, options)));
    }
    expect(there.ids).toEqual(here.ids);
  });

  test("tools and their results: the same prompt", async () => {
    const tools = [{ name: "add", description: "adds", parameters: { type: "object" } }];
    const messages: ChatMessage[] = [
      { role: "system", content: "be" },
      { role: "user", content: "1 + 2" },
      { role: "assistant", content: "<think>a</think>b", tool_calls: [{ name: "add", arguments: { a: 1 } }] },
      { role: "tool", name: "add", content: "3" },
    ];
    const options = { tools, maxTokens: 12, temperature: 1, seed: 5 };
    const generation = remote.generate(messages, options);
    const here = await collect(local.generate(messages, options));
    expect(parseAssistant(textOf(await collect(generation)))).toEqual(parseAssistant(textOf(here)));
    expect(generation.usage.promptTokens).toBe(local.tokenizer!.encode(await local.formatChat(messages, { tools })).length);
  });
});

test("a wrong key and an unsupported value are reported", async () => {
  const error = (await rejection(RemoteModel.connect(`http://127.0.0.1:${listening.port}/v1`, { apiKey: "sk-another" }))) as Error;
  expect(error.message).toMatch(/answered 401/);
  expect(error.message).not.toContain("sk-another");
  expect(((await rejection(collect(remote.generate("x", { topLogprobs: 50 })))) as Error).message).toMatch(/answered 400: .*logprobs/);
});
