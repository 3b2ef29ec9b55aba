import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { MemoryError, SessionError } from "../../src/base/errors.js";
import { type GenerateOptions, generate, type Token } from "../../src/generate/index.js";
import type { Transformer } from "../../src/model/transformer.js";
import { collect, randomModel, rejection } from "./model.js";

const model = await randomModel();
const { rt } = model;
await collect(generate(model, [[1]], { maxTokens: 2 }));
const used = rt.memory.usedBytes;
afterEach(() => expect(rt.memory.usedBytes).toBe(used));

const prompt = (length: number) => Array.from({ length }, (_, i) => (i * 7) % 250);

/** The model, told of what each of its passes takes in: tokens by sequence. */
function watched(): { model: Transformer; passes: number[][] } {
  const passes: number[][] = [];
  const forward: Transformer["forward"] = (batch) => {
    passes.push(batch.map(({ ids }) => ids.length));
    return model.forward(batch);
  };
  return { model: Object.assign(Object.create(model) as Transformer, { forward }), passes };
}

const ask = fc.record({
  length: fc.integer({ min: 1, max: 40 }),
  begins: fc.integer({ min: 0, max: 12 }),
  leaves: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
  maxTokens: fc.integer({ min: 1, max: 10 }),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  prefillChunk: fc.constantFrom(4, 16, 512),
  temperature: fc.constantFrom(0, 1),
});

test("generations that come and go at any time get what they get alone, to the bit", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(ask, { minLength: 1, maxLength: 6 }), async (asks) => {
      const run = async ({ length, begins, leaves, ...options }: (typeof asks)[number]) => {
        for (let i = 0; i < begins; i++) await new Promise((resolve) => setImmediate(resolve));
        const tokens: Token[] = [];
        for await (const token of generate(model, [prompt(length)], options)) {
          if (tokens.push(token) === leaves) break;
        }
        return tokens;
      };
      const together = await Promise.all(asks.map(run));
      for (const [i, one] of asks.entries()) expect(together[i]).toEqual(await run({ ...one, begins: 0 }));
    }),
    { numRuns: 25 },
  );
});

test("beside sequences under way a pass takes in prompts of 256 tokens, or one longer prompt", async () => {
  const { model, passes } = watched();
  const running = generate(model, [prompt(3)], { maxTokens: 12 });
  await running.next();
  const lengths = [300, 100, 100, 100, 120, 120];
  await Promise.all([collect(running), ...lengths.map((length) => collect(generate(model, [prompt(length)], { maxTokens: 2 })))]);
  const prompts = passes
    .slice(1)
    .map((pass) => pass.filter((count) => count > 1))
    .filter((pass) => pass.length > 0);
  expect(prompts).toEqual([[300], [100, 100], [100, 120], [120]]);
});

test("many prompts go ahead of sequences under way, but never twice", async () => {
  const { model, passes } = watched();
  const running = generate(model, [prompt(3), prompt(2)], { maxTokens: 6 });
  await running.next();
  const lengths = Array(6).fill(90);
  await Promise.all([collect(running), ...lengths.map((length) => collect(generate(model, [prompt(length)], { maxTokens: 1 })))]);
  const sorted = passes.map((pass) => pass.toSorted((a, b) => a - b));
  expect(sorted).toEqual([[2, 3], [90, 90], [1, 1, 90, 90], [90, 90], ...Array(4).fill([1, 1])]);
});

/** Generations of which each begins so many turns of the event loop after the one before it. */
async function oneByOne(model: Transformer, lengths: readonly number[], turns: number): Promise<void> {
  const begun: Promise<unknown>[] = [];
  for (const length of lengths) {
    begun.push(collect(generate(model, [prompt(length)], { maxTokens: 1 })));
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(begun);
}

test("a pass waits for prompts that come a turn or two of the event loop after each other", async () => {
  for (const turns of [1, 2]) {
    const { model, passes } = watched();
    await oneByOne(model, [5, 3, 8, 4, 6], turns);
    expect(passes).toEqual([[5, 3, 8, 4, 6]]);
  }
});

test("prompts that never stop coming do not hold up a pass for ever", async () => {
  const { model, passes } = watched();
  await oneByOne(model, Array(300).fill(2), 1);
  expect(Math.max(...passes.map((pass) => pass.length))).toBeLessThan(140);
});

test("calls that overlap share passes", async () => {
  const { model, passes } = watched();
  const lengths = [3, 1, 8, 5];
  await Promise.all(lengths.map((length) => collect(generate(model, [prompt(length)], { maxTokens: 6 }))));
  expect(passes).toEqual([lengths, ...Array(5).fill([1, 1, 1, 1])]);
});

test("a long prompt goes along piece by piece, and the others get a token with each", async () => {
  const { model, passes } = watched();
  const options: GenerateOptions = { prefillChunk: 32 };
  const running = collect(generate(model, [[1]], { ...options, maxTokens: 12 }));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const before = passes.length;
  const long = collect(generate(model, [prompt(160)], { ...options, maxTokens: 1 }));
  const longToo = collect(generate(model, [prompt(96)], { ...options, maxTokens: 1 }));
  await Promise.all([running, long, longToo]);
  // The two take turns: neither waits for all of the other.
  expect(passes.slice(before, before + 9).map((pass) => pass.toSorted((a, b) => a - b))).toEqual([...Array(8).fill([1, 32]), [1]]);
  expect(passes.every((pass) => pass.reduce((sum, count) => sum + count) <= 33)).toBe(true);
});

test("short prompts do not wait for the end of a long one", async () => {
  const order: string[] = [];
  const run = async (name: string, length: number) => {
    await collect(generate(model, [prompt(length)], { maxTokens: 1, prefillChunk: 16 }));
    order.push(name);
  };
  await Promise.all([run("long", 500), run("short", 10), run("middle", 60)]);
  expect(order).toEqual(["short", "middle", "long"]);
});

test("tokens that nobody asks for are not computed, and hold nobody up", async () => {
  const { model, passes } = watched();
  const idle = generate(model, [[1]], { maxTokens: 100 });
  await idle.next();
  const before = passes.length;
  expect(await collect(generate(model, [[2]], { maxTokens: 20 }))).toHaveLength(20);
  expect(passes.slice(before)).toEqual(Array(20).fill([1]));
  await idle.return();
});

test("one that is cancelled leaves at the next pass, with its state", async () => {
  const controller = new AbortController();
  const cancelled = rejection(collect(generate(model, [prompt(40)], { maxTokens: 400, signal: controller.signal })));
  const other = generate(model, [[1]], { maxTokens: 400 });
  for (let i = 0; i < 5; i++) await other.next();
  const both = rt.memory.usedBytes;
  controller.abort();
  await other.next();
  expect(await cancelled).toMatchObject({ name: "AbortError" });
  expect(rt.memory.usedBytes).toBeLessThan(both);
  await other.return();
});

test("one that fails, before a pass or in it, fails alone", async () => {
  const whole = await collect(generate(model, [[1]], { maxTokens: 12 }));
  const other = collect(generate(model, [[1]], { maxTokens: 12 }));
  const newCache = vi.spyOn(model, "newCache").mockImplementationOnce(() => {
    const cache = model.newCache();
    const { reserve } = cache;
    return Object.assign(cache, {
      reserve(tokens: number) {
        if (cache.length + tokens > 4) throw new MemoryError("no room");
        reserve.call(cache, tokens);
      },
    });
  });
  const full = rejection(collect(generate(model, [[1, 2]], { maxTokens: 9 })));
  newCache.mockRestore();
  const codec = { encode: () => [], stream: () => ({ push: () => fail(), end: () => "" }) };
  const broken = rejection(collect(generate(model, [[1, 2]], { maxTokens: 9 }, codec)));
  expect(await full).toBeInstanceOf(MemoryError);
  expect(await broken).toBeInstanceOf(SessionError);
  expect(await other).toEqual(whole);
});

function fail(): never {
  throw new SessionError("in the pass");
}
