import { afterEach, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { type GenerateOptions, generate, type Token } from "../../src/generate/index.js";
import type { Transformer } from "../../src/model/transformer.js";
import type { TextCodec } from "../../src/text/text-codec.js";
import { facts } from "../support/facts.js";
import { bytesCodec, collect, randomConfig, randomModel, rejection } from "./model.js";

const model = await randomModel();
const { rt } = model;
const prompt = [...new TextEncoder().encode("In the beginning was the weight, and it was bf16.")];

function idsOf(tokens: readonly Token[], index = 0): number[] {
  return tokens.filter((token) => token.index === index).map(({ id }) => id);
}

async function ids(options: GenerateOptions, input = prompt, on = model): Promise<number[]> {
  return idsOf(await collect(generate(on, [input], options)));
}

/** Logits after each of the tokens, by one forward call over all of them. */
function logitsOf(transformer: Transformer, tokens: readonly number[]): Float32Array[] {
  using cache = transformer.newCache();
  const all = transformer.rt.scope(() => transformer.rt.read(transformer.logits(transformer.forward([{ ids: tokens, cache }]).hidden)));
  const { vocabSize } = transformer.config;
  return tokens.map((_, t) => all.subarray(t * vocabSize, (t + 1) * vocabSize));
}

function logSoftmax64(logits: Float32Array): number[] {
  const top = Math.max(...logits);
  const log = top + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - top), 0));
  return [...logits].map((l) => l - log);
}

function argmax(x: Float32Array): number {
  return x.indexOf(Math.max(...x));
}

// A first run makes the kernels' workspaces; from then on every call must leave memory as it found it.
await ids({ maxTokens: 2 });
const used = rt.memory.usedBytes;
afterEach(() => {
  expect(rt.memory.usedBytes).toBe(used);
});

describe("greedy", () => {
  test("takes the most probable token at every place", async () => {
    const generated = await ids({ maxTokens: 24 });
    expect(generated).toHaveLength(24);
    const logits = logitsOf(model, [...prompt, ...generated]);
    expect(generated).toEqual(generated.map((_, i) => argmax(logits[prompt.length - 1 + i]!)));
  });

  test("a prompt in chunks of any size gives the same tokens", async () => {
    const whole = await ids({ maxTokens: 12 });
    for (const prefillChunk of [1, 2, 3, 7, 16, prompt.length - 1, prompt.length, prompt.length + 1]) {
      expect(await ids({ maxTokens: 12, prefillChunk })).toEqual(whole);
    }
  });

  test("with an immense repetition penalty no token comes twice", async () => {
    const generated = await ids({ maxTokens: 60, repetitionPenalty: 1e6 });
    expect(new Set([...prompt, ...generated]).size).toBe(new Set(prompt).size + 60);
  });

  test("log-probabilities are the model's own, whatever restricts the choice", async () => {
    const tokens = await collect(
      generate(model, [prompt], { maxTokens: 10, temperature: 1.7, topK: 40, repetitionPenalty: 1.3, seed: 5, topLogprobs: 4 }),
    );
    const logits = logitsOf(model, [...prompt, ...idsOf(tokens)]);
    for (const [i, { id, logprob, topLogprobs }] of tokens.entries()) {
      const expected = logSoftmax64(logits[prompt.length - 1 + i]!);
      // Chunked and stepwise lightning attention agree to 1e-5 of logits of size 10; float32 adds a few 2^−24 of that.
      expect(Math.abs(logprob - expected[id]!)).toBeLessThan(1e-4);
      expect(topLogprobs).toHaveLength(4);
      const order = [...expected.keys()].sort((a, b) => expected[b]! - expected[a]!);
      expect(topLogprobs!.map((top) => top.id)).toEqual(order.slice(0, 4));
      for (const top of topLogprobs!) expect(Math.abs(top.logprob - expected[top.id]!)).toBeLessThan(1e-4);
    }
  });
});

describe("seeds", () => {
  const sampled: GenerateOptions = { maxTokens: 24, temperature: 1.5 };

  test("repeat a run, and differ from each other", async () => {
    const one = await ids({ ...sampled, seed: 1 });
    expect(await ids({ ...sampled, seed: 1 })).toEqual(one);
    expect(await ids({ ...sampled, seed: 2 })).not.toEqual(one);
  });

  test("one is drawn and told when none is given", async () => {
    const generation = generate(model, [prompt], sampled);
    const drawn = idsOf(await collect(generation));
    expect(await ids({ ...sampled, seed: generation.seed })).toEqual(drawn);
    expect(generate(model, [prompt], sampled).seed).not.toBe(generation.seed);
  });

  test("a restriction without a temperature samples at 1", async () => {
    expect(await ids({ maxTokens: 24, topP: 0.95, seed: 3 })).toEqual(await ids({ maxTokens: 24, topP: 0.95, temperature: 1, seed: 3 }));
    expect(await ids({ maxTokens: 24, topP: 0.95, seed: 3 })).not.toEqual(await ids({ maxTokens: 24 }));
    expect(await ids({ maxTokens: 24, topK: 1 })).toEqual(await ids({ maxTokens: 24 }));
  });
});

describe("batches", () => {
  const prompts = [prompt, [7], prompt.slice(0, 20), prompt.slice(3, 36), [1, 2, 3]];

  test.each([{ prefillChunk: 512 }, { prefillChunk: 16 }, { prefillChunk: 1 }])(
    "every sequence is to the bit what it is alone, seed + index included ($prefillChunk)",
    async ({ prefillChunk }) => {
      const options = { maxTokens: 9, temperature: 1, seed: 2 ** 32 - 2, prefillChunk };
      const together = await collect(generate(model, prompts, options));
      for (const [index, input] of prompts.entries()) {
        const alone = await collect(generate(model, [input], { ...options, seed: (options.seed + index) % 2 ** 32 }));
        expect(together.filter((token) => token.index === index)).toEqual(alone.map((token) => ({ ...token, index })));
      }
    },
  );

  test.each([1, 512])(
    "one pass per step takes in all sequences that go on, and none that ended (prefillChunk %d)",
    async (prefillChunk) => {
      const sizes: number[] = [];
      const counted: Transformer = Object.assign(Object.create(model), {
        forward: (...args: Parameters<Transformer["forward"]>) => {
          sizes.push(args[0].length);
          return model.forward(...args);
        },
      });
      const prompts = [[7], [1, 2, 3], [9, 9]];
      const third = (await ids({ maxTokens: 3 }, [1, 2, 3]))[2]!;
      const tokens = await collect(generate(counted, prompts, { maxTokens: 6, stopIds: [third], prefillChunk }));
      const generated = prompts.map((_, index) => idsOf(tokens, index).length);
      expect(generated[1]).toBeLessThanOrEqual(3);
      const steps = prompts.map((ids, i) => Math.ceil(ids.length / prefillChunk) - 1 + generated[i]!);
      expect(sizes).toEqual(Array.from({ length: Math.max(...steps) }, (_, step) => steps.filter((count) => count > step).length));
    },
  );
});

describe("text", () => {
  // Printable letters only, so that every token has text.
  const letters = randomModel(randomConfig({ vocab_size: 128 }));

  test("joined, it is the text of the ids", async () => {
    const tokens = await collect(generate(await letters, [prompt], { maxTokens: 40 }, bytesCodec));
    expect(tokens.map(({ text }) => text).join("")).toBe(new TextDecoder().decode(Uint8Array.from(idsOf(tokens))));
  });

  test("ends before a stop string that spans tokens", async () => {
    const full = (await collect(generate(await letters, [prompt], { maxTokens: 40 }, bytesCodec))).map(({ text }) => text).join("");
    for (const at of [1, 10, 25]) {
      const stop = full.slice(at, at + 4);
      const tokens = await collect(generate(await letters, [prompt], { maxTokens: 40, stop: ["never there", stop] }, bytesCodec));
      expect(tokens.map(({ text }) => text).join("")).toBe(full.slice(0, full.indexOf(stop)));
      expect(tokens.at(-1)).toMatchObject({ stop: "stop", stopString: stop });
      expect(tokens.slice(0, -1).some((token) => "stopString" in token)).toBe(false);
      expect(tokens).toHaveLength(full.indexOf(stop) + 4);
    }
  });

  test("of a token that contains a stop string, only what is before it", async () => {
    const numbers: TextCodec = { encode: () => [], stream: () => ({ push: (id) => `(${id})`, end: () => "" }) };
    const greedy = await ids({ maxTokens: 5 });
    const tokens = await collect(generate(model, [prompt], { maxTokens: 5, stop: String(greedy[2]) }, numbers));
    const before = greedy.map((id) => `(${id})`).join("");
    expect(tokens.map(({ text }) => text).join("")).toBe(before.slice(0, before.indexOf(String(greedy[2]))));
  });

  test("ends before a stop string that only the decoder's last characters complete", async () => {
    const late: TextCodec = { encode: () => [], stream: () => ({ push: () => "a", end: () => "b" }) };
    const run = async (stop: string) => {
      const tokens = await collect(generate(model, [prompt], { maxTokens: 3, stop }, late));
      return [tokens.map(({ text }) => text).join(""), tokens.at(-1)!.stop, tokens.at(-1)!.stopString];
    };
    expect(await run("ab")).toEqual(["aa", "stop", "ab"]);
    expect(await run("b")).toEqual(["aaa", "stop", "b"]);
    expect(await run("ac")).toEqual(["aaab", "length", undefined]);
  });

  test("without a tokenizer it is empty, and stop strings are refused", async () => {
    const tokens = await collect(generate(model, [prompt], { maxTokens: 3 }));
    expect(tokens.map(({ text }) => text)).toEqual(["", "", ""]);
    expect(() => generate(model, [prompt], { stop: "x" })).toThrow(/^generate: stop:.*tokenizer/);
  });
});

describe("ends", () => {
  test("at maxTokens, told with the last token only", async () => {
    const tokens = await collect(generate(model, [prompt], { maxTokens: 5 }));
    expect(tokens.map(({ stop }) => stop)).toEqual([undefined, undefined, undefined, undefined, "length"]);
  });

  test("at the config's, the tokenizer's and the caller's ids, which come without text", async () => {
    const greedy = await ids({ maxTokens: 12 });
    const last = greedy.findIndex((id, i) => i > 2 && greedy.indexOf(id) === i && id < 128);
    const id = greedy[last]!;
    const eos = await randomModel(randomConfig({ eos_token_id: [259, id] }));
    const runs: [Token[], string][] = [
      [await collect(generate(eos, [prompt], {}, bytesCodec)), "eos"],
      [await collect(generate(model, [prompt], {}, { ...bytesCodec, eosId: id })), "eos"],
      [await collect(generate(model, [prompt], { stopIds: [id] }, bytesCodec)), "stop"],
    ];
    for (const [tokens, stop] of runs) {
      expect(idsOf(tokens)).toEqual(greedy.slice(0, last + 1));
      expect(tokens.at(-1)!.stop).toBe(stop);
      const before = bytesCodec.stream();
      expect(tokens.map(({ text }) => text).join("")).toBe(
        greedy
          .slice(0, last)
          .map((id) => before.push(id))
          .join("") + before.end(),
      );
    }
    eos.rt.dispose();
  });

  test("where the context is full", async () => {
    const short = await randomModel(randomConfig({ max_position_embeddings: prompt.length + 4 }));
    const tokens = await collect(generate(short, [prompt], { maxTokens: Infinity }));
    expect(tokens).toHaveLength(4);
    expect(tokens.at(-1)!.stop).toBe("context");
    const full = [...prompt, 1, 2, 3, 4];
    expect(() => generate(short, [full])).toThrow(InputError);
    expect(await collect(generate(short, [full.slice(1)]))).toHaveLength(1);
    short.rt.dispose();
  });

  test("after so many tokens in a row that were all but certain", async () => {
    // A head of large weights is certain of everything.
    const certain = await randomModel(randomConfig({ max_position_embeddings: 4096 }), { "lm_head.weight": 1e8 });
    const run = (options: GenerateOptions) => collect(generate(certain, [prompt], options));
    const stopped = await run({ maxTokens: 50, repetition: { tokens: 20 } });
    expect(stopped).toHaveLength(20);
    expect(stopped.at(-1)!.stop).toBe("repetition");
    expect(await run({ maxTokens: 30, repetition: false })).toHaveLength(30);
    expect(await run({ maxTokens: 4000 })).toHaveLength(3000);
    expect(await collect(generate(model, [prompt], { maxTokens: 50, repetition: { tokens: 20 } }))).toHaveLength(50);
    certain.rt.dispose();
  });

  test("the run of certain tokens begins anew after one at or below the probability", async () => {
    const tokens = await collect(generate(model, [prompt], { maxTokens: 60 }));
    const certainty = tokens.map(({ logprob }) => Math.exp(logprob));
    const probability = certainty.toSorted((a, b) => a - b)[20]! + 1e-6;
    const runs = certainty.map((_, i) => certainty.slice(0, i + 1).reduce((run, p) => (p > probability ? run + 1 : 0), 0));
    const most = Math.max(...runs);
    expect(most).toBeGreaterThan(1);
    expect(certainty.filter((p) => p > probability).length).toBeGreaterThan(most);
    const repetition = { tokens: most, probability };
    const stopped = await collect(generate(model, [prompt], { maxTokens: 60, repetition }));
    expect(stopped).toHaveLength(runs.indexOf(most) + 1);
    expect(await collect(generate(model, [prompt], { maxTokens: 60, repetition: { tokens: most + 1, probability } }))).toHaveLength(60);
  });
});

describe("cancelling", () => {
  test("before, in prefill and in decode throws the signal's reason, and the model goes on", async () => {
    const whole = await ids({ maxTokens: 6 });
    const reason = new Error("enough");
    expect(await rejection(ids({ signal: AbortSignal.abort(reason) }))).toBe(reason);

    const prefill = new AbortController();
    setImmediate(() => prefill.abort(reason));
    const long = Array.from({ length: 400 }, (_, i) => i % 250);
    expect(await rejection(ids({ signal: prefill.signal, prefillChunk: 4 }, long))).toBe(reason);

    const decode = new AbortController();
    const tokens: Token[] = [];
    const error = await rejection(
      (async () => {
        for await (const token of generate(model, [prompt], { signal: decode.signal })) {
          tokens.push(token);
          if (tokens.length === 3) decode.abort(reason);
        }
      })(),
    );
    expect(error).toBe(reason);
    expect(idsOf(tokens)).toEqual(whole.slice(0, 3));
    expect(await ids({ maxTokens: 6 })).toEqual(whole);
  });

  test("a timer fires between passes", async () => {
    const error = await rejection(ids({ maxTokens: Infinity, signal: AbortSignal.timeout(20) }));
    expect(error).toMatchObject({ name: "TimeoutError" });
  });

  test("breaking the loop frees the state", async () => {
    for await (const _ of generate(model, [prompt, [1]], { maxTokens: 50 })) break;
    expect(rt.memory.usedBytes).toBe(used);
  });

  test("a generation that nobody reads holds nothing", () => {
    generate(model, [prompt]);
    expect(rt.memory.usedBytes).toBe(used);
  });
});

describe("refuses", () => {
  test.each([
    [{ maxTokens: 0 }, "generate: maxTokens: …integer…1…Infinity…0"],
    [{ maxTokens: 1.5 }, "generate: maxTokens: …integer…1…Infinity…1.5"],
    [{ temperature: -1 }, "generate: temperature: …number…0…-1"],
    [{ temperature: Number.NaN }, "generate: temperature: …number…0…NaN"],
    [{ topK: 0 }, "generate: topK: …integer…1…Infinity…0"],
    [{ topP: 0 }, "generate: topP: …number…(0, 1]…0"],
    [{ topP: 1.01 }, "generate: topP: …number…(0, 1]…1.01"],
    [{ minP: 2 }, "generate: minP: …number…[0, 1]…2"],
    [{ repetitionPenalty: 0 }, "generate: repetitionPenalty: …number…[1e-6, 1e6]…0"],
    [{ seed: 2 ** 32 }, "generate: seed: …integer…[0, 2^32)…4294967296"],
    [{ stop: "" }, 'generate: stop: …""'],
    [{ stop: ["\ud800"] }, "generate: stop.0: …characters"],
    [{ stopIds: [260] }, "generate: stopIds: …[0, 260)…260"],
    [{ topLogprobs: -1 }, "generate: topLogprobs: …integer…0…-1"],
    [{ prefillChunk: 0 }, "generate: prefillChunk: …integer…1…0"],
    [{ repetition: { tokens: 0 } }, "generate: repetition.tokens: …integer…1…0"],
    [{ repetition: true }, "generate: repetition: …{ tokens, probability }"],
    [{ repetition: { probability: 1 } }, "generate: repetition.probability: …number…(0, 1)…1"],
    [{ repetition: { count: 1 } }, "generate: repetition.count: unknown option"],
    [{ signal: {} }, "generate: signal: expected an AbortSignal, got Object"],
    [{ max_tokens: 3 }, "generate: max_tokens: unknown option"],
    ["fast", "generate: options: …object"],
  ])("options %j", (options, message) => {
    const call = () => generate(model, [prompt], options as GenerateOptions, bytesCodec);
    expect(call).toThrow(InputError);
    expect(call).toThrow(facts(message));
  });

  test.each([
    [[], "generate: input: …sequence"],
    [[[]], "generate: input[0]: …token"],
    [[[1], [260]], "generate: input[1]: token 0: …integer…[0, 260)…260"],
    [[[1.5]], "generate: input[0]: token 0: expected an integer id"],
    [[undefined], "generate: input[0]: …array…undefined"],
    [[Array.from({ length: 512 }, () => 1)], "generate: input[0]: expected at most 512 tokens of context, got 513"],
  ])("input %#", (input, message) => {
    const call = () => generate(model, input as number[][]);
    expect(call).toThrow(InputError);
    expect(call).toThrow(facts(message));
  });

  test.each([
    [Number.NaN, 0],
    [Number.NaN, 41],
    [Number.NaN, 129],
    [Number.POSITIVE_INFINITY, 41],
  ])("logits with a single %d, at %i", async (value, id) => {
    const broken = await randomModel(randomConfig({ vocab_size: 130 }));
    const head = broken.weights.at("lm_head.weight");
    const width = head.shape[1]!;
    // Panels of 32 outputs, [in][32]; the input that is largest in size decides the sign of the overflow.
    const weights = broken.rt.f32({ ...head, layout: "rows", shape: [Math.ceil(130 / 32) * 32, width] });
    for (let i = 0; i < width; i++) weights[((id >> 5) * width + i) * 32 + (id & 31)] = i === 0 ? value : 0;
    const results = await Promise.all(
      [
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ].map((input) => rejection(ids({ maxTokens: 1 }, input, broken))),
    );
    const errors = results.filter((error) => error !== undefined);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) {
      expect(error).toMatchObject({
        name: "LightningError",
        message: expect.stringMatching(facts("generate: …token 1: …finite")),
      });
    }
    broken.rt.dispose();
  });

  test("a model that was disposed, at the next token", async () => {
    const gone = await randomModel();
    const generation = generate(gone, [prompt], { maxTokens: 5 });
    await generation.next();
    gone.rt.dispose();
    expect(await rejection(generation.next())).toMatchObject({ name: "LightningError" });
  });
});
