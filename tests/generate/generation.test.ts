import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Token } from "../../src/generate/index.js";
import { createGeneration, type Generation } from "../../src/generate/index.js";
import { InputError, MiniMaxM1 } from "../../src/index.js";
import { RemoteModel } from "../../src/remote/index.js";
import { OpenAiServer, serving } from "../support/openai-server.js";
import { collect, rejection } from "./model.js";

async function* tokensOf(pieces: readonly (readonly [number, string])[], error?: Error): AsyncGenerator<Token, void, undefined> {
  for (const [index, text] of pieces) yield { index, id: 1, text, logprob: 0 };
  if (error) throw error;
}
const single = (error?: Error) =>
  createGeneration(
    tokensOf(
      ["a", "", "b", "c"].map((text) => [0, text]),
      error,
    ),
    7,
    1,
    {},
  );

describe("the whole text", () => {
  test("without a loop, after one, and again", async () => {
    expect(await single().text()).toBe("abc");
    const generation = single();
    expect((await collect(generation)).map(({ text }) => text)).toEqual(["a", "", "b", "c"]);
    expect(await generation.text()).toBe("abc");
    expect(await generation.text()).toBe("abc");
    expect(await generation.texts()).toEqual(["abc"]);
    expect(generation.seed).toBe(7);
  });

  test("in the middle of a loop: the rest is waited for; after break: up to there", async () => {
    const generation = single();
    await generation.next();
    expect(await generation.text()).toBe("abc");
    expect(await generation.next()).toEqual({ done: true, value: undefined });
    const left = single();
    for await (const { text } of left) if (text === "b") break;
    expect(await left.text()).toBe("ab");
  });

  test("of several sequences", async () => {
    const several = createGeneration(tokensOf([[1, "x"], [0, "a"], [1, "y"]]), 0, 3, {}); // biome-ignore format: pairs
    expect(await rejection(several.text())).toBeInstanceOf(InputError);
    expect(await several.texts()).toEqual(["a", "xy", ""]);
  });

  test("an error comes again, never a part of the text", async () => {
    const error = new Error("broken");
    const generation = single(error);
    expect(await rejection(collect(generation))).toBe(error);
    expect(await rejection(generation.text())).toBe(error);
    expect(await rejection(single(error).texts())).toBe(error);
  });
});

describe("text and usage of models", () => {
  let local: MiniMaxM1;
  let server: OpenAiServer;
  let remote: RemoteModel;
  beforeAll(async () => {
    local = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
    server = await OpenAiServer.start(serving(local));
    remote = await RemoteModel.connect(server.url);
  });
  afterAll(async () => {
    await server.stop();
    local.dispose();
  });

  const options = { maxTokens: 8, temperature: 1, seed: 3 };
  const conversation = [{ role: "user", content: "Compute 3 + 4" }] as const;
  const joined = (tokens: readonly Token[]) => tokens.map(({ text }) => text).join("");
  const lengthOf = (text: string) => local.tokenizer!.encode(text).length;

  test.each(["here", "on a server"])("%s: of text, ids, conversations and batches", async (where) => {
    const model = where === "here" ? local : remote;
    const prompt = await local.formatChat(conversation);
    const expected = await collect(local.generate(conversation, options));
    for (const input of [conversation, prompt, local.tokenizer!.encode(prompt)]) {
      const generation: Generation = model.generate(input, options);
      expect(await generation.text()).toBe(joined(expected));
      expect(generation.usage).toEqual({ promptTokens: lengthOf(prompt), completionTokens: expected.length });
    }
    const batch = model.generateBatch([conversation, "Compute"], options);
    const [first, second] = await batch.texts();
    expect(first).toBe(joined(expected));
    expect(second).toBe(await local.generate("Compute", { ...options, seed: 4 }).text());
    expect(batch.usage).toEqual({ promptTokens: lengthOf(prompt) + lengthOf("Compute"), completionTokens: 16 });
  });

  test("a local generation counts as it goes", async () => {
    const generation = local.generate("Compute", options);
    expect(generation.usage).toEqual({ promptTokens: lengthOf("Compute") });
    await generation.next();
    await generation.next();
    expect(generation.usage.completionTokens).toBe(2);
    await generation.return();
    expect(generation.usage.completionTokens).toBe(2);
    const chat = local.generate(conversation, options);
    expect(chat.usage).toEqual({});
    await chat.return();
  });

  test.each(["here", "on a server"])("%s: of sessions, with what precedes the answer", async (where) => {
    const session = (where === "here" ? local : remote).session({ seed: 5 });
    for (const input of ["Compute 3", " + 4"]) {
      const before = session.length + lengthOf(input);
      const generation = session.generate(input, { maxTokens: 4 });
      expect(await generation.text()).toBe(local.tokenizer!.decode(session.ids.slice(before)));
      expect(generation.usage).toEqual({ promptTokens: before, completionTokens: session.length - before });
    }
    session.dispose();
  });

  test("signals and disposal end the text in an error", async () => {
    const reason = new Error("enough");
    expect(await rejection(local.generate("Compute", { signal: AbortSignal.abort(reason) }).text())).toBe(reason);
    expect(await rejection(remote.generate("Compute", { signal: AbortSignal.abort(reason) }).text())).toBe(reason);
  });
});
