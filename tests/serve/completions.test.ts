// /v1/completions, requested with OpenAI's own client.

import type OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { Token } from "../../src/index.js";
import { alone, expectMemoryFreed, model, start } from "./harness.js";

await expectMemoryFreed();

const NAME = "lightning-m1";
const sampled = { temperature: 1, seed: 7, maxTokens: 80 };
const params = { model: NAME, seed: 7, max_tokens: 80 };

describe("completions", () => {
  test("text, ids and usage are those of the model with the same seed", async () => {
    const { client } = await start();
    for (const prompt of ["Compute 3 + 4", model.tokenizer!.encode("Compute 3 + 4")]) {
      const expected = await alone(prompt, sampled);
      const body = await client.completions.create({
        ...params,
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

  test("a stream has the same text and ids, and the usage at its end", async () => {
    const { client } = await start();
    const expected = await alone("Compute 3 + 4", sampled);
    const stream = await client.completions.create({
      ...params,
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

  test("choices of several prompts are numbered consecutively, and choice i uses seed + i", async () => {
    const { client } = await start();
    const body = await client.completions.create({ ...params, prompt: ["Compute 3", "Sort AB"], n: 2 });
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
  ])("a 64-bit seed is reduced modulo 2^32: %d equals %d", async (seed, folded) => {
    const { client } = await start();
    const { choices } = await client.completions.create({ ...params, prompt: "Compute 3", seed, n: 2 });
    const expected = [folded, (folded + 1) % 2 ** 32].map((one) => alone("Compute 3", { ...sampled, seed: one }));
    expect(choices.map(({ text }) => text)).toEqual((await Promise.all(expected)).map(({ text }) => text));
  });

  test("stop_reason is the stop string that ended the text", async () => {
    const { client } = await start();
    const body = { ...params, prompt: "Compute 3 +", temperature: 0, max_tokens: 30 };
    const { text } = (await client.completions.create(body)).choices[0]!;
    const stop = text.slice(2, 5);
    const choice = (await client.completions.create({ ...body, stop: ["never there", stop] })).choices[0]!;
    expect(choice).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: "stop", stop_reason: stop });
  });

  test("seed -1 means no seed: each request draws its own", async () => {
    const { client } = await start();
    const draw = async () =>
      (await client.completions.create({ ...params, prompt: "Compute 3", temperature: 5, seed: -1 })).choices[0]!.text;
    expect(new Set([await draw(), await draw(), await draw()]).size).toBeGreaterThan(1);
  });

  test("every sampling option has its effect, vLLM's included; the defaults are temperature 1 and 16 tokens", async () => {
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
      (await client.completions.create({ ...params, max_tokens: 6, prompt: "Compute 3 + 4", logprobs: 3, ...extra })).choices[0]!;
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
