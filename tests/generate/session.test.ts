import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { InputError, MemoryError, SessionError } from "../../src/base/errors.js";
import { type GenerateOptions, generate, Session } from "../../src/generate/index.js";
import { cacheBytes } from "../../src/model/cache.js";
import type { Transformer } from "../../src/model/transformer.js";
import { facts } from "../support/facts.js";
import { bytesCodec, collect, randomConfig, randomModel, rejection } from "./model.js";

const model = await randomModel();
/** Softmax layers only: its state can be cut back. */
const plain = await randomModel(randomConfig({ attn_type_list: [1, 1, 1] }));
const prompt = [...new TextEncoder().encode("First the prompt. Then, token by token, the rest.")];
const sampled: GenerateOptions = { temperature: 1, topP: 0.95 };

async function start(transformer: Transformer = model, ids: readonly number[] = prompt, seed = 7): Promise<Session> {
  const session = Session.start(transformer, { seed });
  if (ids.length > 0) await session.append(ids);
  return session;
}

async function go(session: Session, options: GenerateOptions, input: number[] = []): Promise<number[]> {
  return (await collect(session.generate(input, options))).map(({ id }) => id);
}

/** The numbers of a saved session: what follows its header of 12 words and its ids. */
function stateOf(session: Session): Float32Array {
  return new Float32Array(session.save().buffer).subarray(12 + session.length);
}

/** Bytes of a session's state. */
function sequenceBytes(session: Session): number {
  return 4 * stateOf(session).length;
}

/** A saved session of these words, its checksum (FNV-1a over what follows it) made right. */
function sealed(words: Uint32Array): Uint8Array {
  words[3] = words.subarray(4).reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5);
  return new Uint8Array(words.buffer);
}

async function fresh(seed: number, maxTokens: number, on = model): Promise<number[]> {
  return (await collect(generate(on, [prompt], { ...sampled, seed, maxTokens }))).map(({ id }) => id);
}

// Sessions that a failed assertion leaves behind would show here; the workspaces stay with the model.
(await start()).dispose();
using warm = await start();
await go(warm, { maxTokens: 1 });
warm.dispose();
const used = model.rt.memory.usedBytes;
afterAll(() => {
  expect(model.rt.memory.usedBytes).toBe(used);
});

describe("continuing", () => {
  test("in any split is one generation: the same tokens, the same state", async () => {
    const total = 16;
    const whole = await fresh(7, total);
    using once = await start(model, []);
    await go(once, { ...sampled, maxTokens: total }, prompt);
    const state = stateOf(once);
    // Keys, values and states differ by rounding only, where a chunk was cut elsewhere: a few float32 roundings in each of three layers.
    const tolerance = 64 * 2 ** -23 * Math.max(...state.map(Math.abs));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: total - 1 }), { maxLength: 5 }), fc.nat(prompt.length - 1), async (cuts, cut) => {
        using session = await start(model, prompt.slice(0, cut));
        const ends = [...new Set(cuts), total].sort((a, b) => a - b);
        const ids = await go(session, { ...sampled, maxTokens: ends[0] }, prompt.slice(cut));
        for (let i = 1; i < ends.length; i++) ids.push(...(await go(session, { ...sampled, maxTokens: ends[i]! - ends[i - 1]! })));
        expect(ids).toEqual(whole);
        expect(session.ids).toEqual([...prompt, ...whole]);
        const differences = stateOf(session).map((x, i) => Math.abs(x - state[i]!));
        expect(Math.max(...differences)).toBeLessThan(tolerance);
      }),
      { numRuns: 15, seed: 3 },
    );
  });

  test("takes in only what is new", async () => {
    let tokens = 0;
    const counted: Transformer = Object.assign(Object.create(model), {
      forward: (...args: Parameters<Transformer["forward"]>) => {
        tokens += args[0].reduce((sum, { ids }) => sum + ids.length, 0);
        return model.forward(...args);
      },
    });
    using session = Session.start(counted);
    await session.append(prompt, { prefillChunk: 10 });
    expect(tokens).toBe(prompt.length - 1);
    await go(session, { maxTokens: 4 });
    expect(tokens).toBe(prompt.length + 3);
    await go(session, { maxTokens: 1 }, [1, 2]);
    expect(tokens).toBe(prompt.length + 6);
    expect(session.length).toBe(prompt.length + 7);
  });

  test("text goes in and comes out through the tokenizer", async () => {
    using session = Session.start(model, {}, bytesCodec);
    await session.append("one, ");
    await collect(session.generate("two", { maxTokens: 2 }));
    expect(session.ids.slice(0, 8)).toEqual(bytesCodec.encode("one, two"));
    using mute = await start();
    expect(() => mute.generate("three")).toThrow(InputError);
  });

  test("a seed given to generate replaces the randomness, none goes on", async () => {
    using session = await start();
    const generation = session.generate([], { ...sampled, maxTokens: 8, seed: 99 });
    expect(generation.seed).toBe(99);
    expect((await collect(generation)).map(({ id }) => id)).toEqual(await fresh(99, 8));
    expect(session.seed).toBe(99);
    expect(session.generate().seed).toBe(99);
  });
});

describe("forking", () => {
  test("gives an independent copy", async () => {
    using session = await start();
    await go(session, { ...sampled, maxTokens: 4 });
    using fork = session.fork();
    expect(fork.ids).toEqual(session.ids);
    const state = session.save();
    const ids = await go(fork, { ...sampled, maxTokens: 6 });
    expect(session.save()).toEqual(state);
    expect(await go(session, { ...sampled, maxTokens: 6 })).toEqual(ids);
    expect(session.save()).toEqual(fork.save());
    fork.dispose();
    expect(await go(session, { ...sampled, maxTokens: 1 })).toHaveLength(1);
  });
});

describe("saving", () => {
  test("and restoring goes on to the bit, in another instance of the model as well", async () => {
    const twin = await randomModel();
    for (const tokens of [0, 1, 5]) {
      using session = await start();
      if (tokens > 0) await go(session, { ...sampled, maxTokens: tokens });
      const bytes = session.save();
      const ids = await go(session, { ...sampled, maxTokens: 10 });
      using restored = Session.restore(twin, bytes);
      expect(restored.save()).toEqual(bytes);
      expect(restored.seed).toBe(7);
      expect(await go(restored, { ...sampled, maxTokens: 10 })).toEqual(ids);
      expect(restored.save()).toEqual(session.save());
      // Bytes may lie anywhere in their buffer.
      const shifted = new Uint8Array(bytes.length + 3).subarray(3);
      shifted.set(bytes);
      using again = Session.restore(model, shifted);
      expect(again.save()).toEqual(bytes);
    }
    twin.rt.dispose();
  });

  test("works on an empty session", async () => {
    using session = await start(model, []);
    using restored = Session.restore(model, session.save());
    expect(await go(restored, { ...sampled, maxTokens: 5 }, prompt)).toEqual(await fresh(7, 5));
  });

  test("a damaged file is refused, wherever a byte is changed, lost or added", async () => {
    using session = await start();
    await go(session, { maxTokens: 2 });
    const bytes = session.save();
    const before = model.rt.memory.usedBytes;
    const refused = (file: Uint8Array) => expect(() => Session.restore(model, file)).toThrow(SessionError);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = bytes.slice();
        damaged[at]! ^= change;
        refused(damaged);
        refused(bytes.subarray(0, at));
      }),
      { numRuns: 300, seed: 1 },
    );
    for (let at = 0; at < 48; at++) refused(bytes.slice().fill(bytes[at]! ^ 0xff, at, at + 1));
    refused(new Uint8Array([...bytes, 0, 0, 0, 0]));
    for (const count of [1, 2, 3]) refused(new Uint8Array([...bytes, ...new Uint8Array(count)]));
    const longer = new Uint32Array(bytes.length / 4 + 1);
    longer.set(new Uint32Array(bytes.buffer));
    expect(() => Session.restore(model, sealed(longer))).toThrow(/bytes of state, got/);
    refused(new Uint8Array(0));
    refused(new TextEncoder().encode('{"not": "a session"}'));
    refused(undefined as unknown as Uint8Array);
    expect(model.rt.memory.usedBytes).toBe(before);
  });

  test("what no session can be is refused though its checksum is right", async () => {
    using session = await start();
    const bytes = session.save();
    const before = model.rt.memory.usedBytes;
    const changed = (change: (words: Uint32Array) => void) => {
      const words = new Uint32Array(bytes.slice().buffer);
      change(words);
      return () => Session.restore(model, sealed(words));
    };
    expect(session.length).toBe(prompt.length);
    changed(() => {})().dispose();
    // The last id is pending: no state depends on it.
    const beyond = changed((words) => words.fill(model.config.vocabSize, 12 + prompt.length - 1, 12 + prompt.length));
    const noRandomness = changed((words) => words.fill(0, 8, 12));
    const moreState = changed((words) => words.fill(prompt.length + 1, 5, 6));
    for (const restore of [beyond, noRandomness, moreState]) expect(restore).toThrow(SessionError);
    expect(beyond).toThrow(/^restore:.*vocabulary/);
    expect(noRandomness).toThrow(/^restore:.*generator/);
    expect(model.rt.memory.usedBytes).toBe(before);
  });

  test("a model that differs in a single matrix is another one", async () => {
    using session = await start();
    const bytes = session.save();
    for (const name of ["model.embed_tokens.weight", "model.layers.1.block_sparse_moe.experts.3.w2.weight", "lm_head.weight"]) {
      const other = await randomModel(randomConfig(), { [name]: 1.5 });
      const norm = (transformer: Transformer) => [...transformer.rt.f32(transformer.weights.at("model.norm.weight"))];
      expect(norm(other)).toEqual(norm(model));
      expect(() => Session.restore(other, bytes)).toThrow(/^restore:.*session/);
      other.rt.dispose();
    }
  });

  test("another model's file is refused: other config, other weights", async () => {
    using session = await start();
    const bytes = session.save();
    expect(() => Session.restore(plain, bytes)).toThrow(/^restore:.*session/);
    const other = await randomModel(randomConfig(), {}, 2);
    expect(() => Session.restore(other, bytes)).toThrow(/^restore:.*session/);
    other.rt.dispose();
  });
});

describe.each(["f32", "bf16", "q8"] as const)("keys and values in %s", (kv) => {
  const long = Array.from({ length: 150 }, (_, i) => (7 * i) % 250);

  test("take the memory that was foretold, page by page, and nothing but them grows", async () => {
    const transformer = await randomModel(randomConfig(), {}, 1, kv);
    const { rt, config } = transformer;
    const { usedBytes } = rt.memory;
    using session = Session.start(transformer);
    const first = rt.memory.usedBytes;
    for (const [i, id] of long.entries()) {
      await session.append([id]);
      // The last token is pending; the pass's workspace came with the first.
      if (i > 0 && i % 64 < 2) expect(sequenceBytes(session)).toBe(cacheBytes(config, i, kv));
    }
    await go(session, { maxTokens: 1 });
    const grown = rt.memory.usedBytes - first;
    const pages = cacheBytes(config, long.length, kv) - cacheBytes(config, 0, kv);
    session.dispose();
    const workspace = rt.memory.usedBytes - usedBytes;
    expect(grown).toBe(pages + workspace);
    rt.dispose();
  });

  test("survive saving to the bit, cuts and copies", async () => {
    const transformer = await randomModel(randomConfig({ attn_type_list: [1, 1, 1] }), {}, 1, kv);
    using session = await start(transformer, long);
    using restored = Session.restore(transformer, session.save());
    using fork = session.fork();
    const ids = await go(session, { maxTokens: 20 });
    expect(await go(restored, { maxTokens: 20 })).toEqual(ids);
    expect(await go(fork, { maxTokens: 20 })).toEqual(ids);
    expect(restored.save()).toEqual(session.save());
    // What was forgotten leaves no trace: the same bytes as from a session that never knew more.
    for (const length of [149, 129, 128, 127, 65, 64, 63, 1]) {
      session.rewind(length);
      using never = await start(transformer, long.slice(0, length));
      expect(stateOf(session)).toEqual(stateOf(never));
    }
    await session.append(long.slice(1));
    expect(await go(session, { maxTokens: 20 })).toEqual(ids);
    transformer.rt.dispose();
  });

  test("are not taken for others", async () => {
    const transformer = await randomModel(randomConfig(), {}, 1, kv);
    const other = await randomModel(randomConfig(), {}, 1, kv === "f32" ? "bf16" : "f32");
    using session = await start(transformer);
    expect(() => Session.restore(other, session.save())).toThrow(facts(`restore: …keys…values…${other.kv}…${kv}…kv`));
    for (const { rt } of [transformer, other]) rt.dispose();
  });
});

test.each([
  ["lightning layers", [0, 0, 0]],
  ["softmax layers", [0, 1, 0]],
])("a long prompt takes the memory of a short one, and its pages: %s", async (_, types) => {
  const config = randomConfig({ attn_type_list: types, max_position_embeddings: 20_000 });
  const transformer = await randomModel(config);
  using session = Session.start(transformer);
  const ids = Int32Array.from({ length: 10_001 }, (_, i) => i % 250);
  await session.append(ids.subarray(0, 1024));
  const { peakBytes } = transformer.rt.memory;
  await session.append(ids.subarray(1024));
  const pages = cacheBytes(config, 10_000) - cacheBytes(config, 1023);
  // A chunk is split over experts and pages a little differently each time.
  const slack = peakBytes / 50;
  expect(transformer.rt.memory.peakBytes - peakBytes).toBeLessThanOrEqual(pages + slack);
  transformer.rt.dispose();
});

test("a pass for which there is no memory leaves the session as it was", async () => {
  using session = await start(plain, prompt);
  const bytes = session.save();
  const { keep } = plain.rt;
  plain.rt.keep = () => {
    throw new MemoryError("full");
  };
  const failed = rejection(session.append(Array.from({ length: 100 }, (_, i) => i)));
  await expect(failed).resolves.toMatchObject({ name: "MemoryError" });
  plain.rt.keep = keep;
  session.rewind(prompt.length);
  expect(session.save()).toEqual(bytes);
  await go(session, { maxTokens: 3 });
});

describe("rewinding", () => {
  test("is exact without lightning layers", async () => {
    using session = await start(plain);
    const ids = await go(session, { maxTokens: 12 });
    for (const length of [prompt.length + 5, prompt.length, 3, 1]) {
      session.rewind(length);
      expect(session.ids).toEqual([...prompt, ...ids].slice(0, length));
    }
    await go(session, { maxTokens: 1 });
    session.rewind(0);
    expect(await go(session, { maxTokens: 12 }, prompt)).toEqual(ids);
    session.rewind(prompt.length + 4);
    expect(await go(session, { maxTokens: 8 })).toEqual(ids.slice(4));
  });

  test("of lightning layers is refused with the remedy, except for tokens not yet taken in", async () => {
    using session = await start();
    const ids = await go(session, { maxTokens: 4 });
    const { length } = session;
    const state = session.save();
    expect(() => session.rewind(length - 2)).toThrow(SessionError);
    expect(() => session.rewind(length - 2)).toThrow(/lightning.*fork/i);
    expect(session.save()).toEqual(state);
    session.rewind(length - 1);
    expect(session.ids).toEqual([...prompt, ...ids.slice(0, -1)]);
    expect(await rejection(go(session, {}))).toMatchObject({ name: "InputError" });
    const other = (ids.at(-1)! + 1) % 260;
    using anew = await start(model, [...prompt, ...ids.slice(0, -1), other]);
    expect(await go(session, { maxTokens: 5 }, [other])).toEqual(await go(anew, { maxTokens: 5 }));
  });

  test.each([-1, 0.5, Number.NaN, 1000])("to %d is refused", async (length) => {
    using session = await start(plain);
    expect(() => session.rewind(length)).toThrow(InputError);
  });
});

describe("broken off", () => {
  test("by the signal or by break, it goes on where it was", async () => {
    const whole = await fresh(7, 12);
    using session = await start();
    const ids: number[] = [];
    for await (const { id } of session.generate([], sampled)) {
      ids.push(id);
      if (ids.length === 4) break;
    }
    const controller = new AbortController();
    const error = await rejection(
      (async () => {
        for await (const { id } of session.generate([], { ...sampled, signal: controller.signal })) {
          ids.push(id);
          if (ids.length === 9) controller.abort();
        }
      })(),
    );
    expect(error).toMatchObject({ name: "AbortError" });
    expect(session.ids).toEqual([...prompt, ...ids]);
    ids.push(...(await go(session, { ...sampled, maxTokens: 3 })));
    expect(ids).toEqual(whole);
  });

  test("in prefill, the rest of the prompt stays pending", async () => {
    const controller = new AbortController();
    using session = await start(model, []);
    setImmediate(() => controller.abort());
    expect(await rejection(session.append(prompt, { prefillChunk: 5, signal: controller.signal }))).toMatchObject({ name: "AbortError" });
    expect(session.ids).toEqual(prompt);
    expect(await go(session, { ...sampled, maxTokens: 8 })).toEqual(await fresh(7, 8));
  });
});

describe("refuses", () => {
  test("two calls at once, and works on when the first has ended", async () => {
    using session = await start();
    const first = session.generate([], { maxTokens: 3 });
    await first.next();
    expect(await rejection(session.generate().next())).toMatchObject({ name: "SessionError" });
    expect(await rejection(session.append([1]))).toMatchObject({ name: "SessionError" });
    expect(() => session.rewind(session.length)).toThrow(SessionError);
    using fork = session.fork();
    const rest = (await collect(first)).map(({ id }) => id);
    expect(await go(fork, { maxTokens: 2 })).toEqual(rest);
    await session.append([1]);
  });

  test("a disposed session, also in the middle of a generation", async () => {
    const session = await start();
    const generation = session.generate();
    await generation.next();
    session.dispose();
    session.dispose();
    expect(await rejection(generation.next())).toMatchObject({ name: "SessionError" });
    expect(await rejection(session.append([1, 2]))).toMatchObject({ name: "SessionError" });
    expect(() => session.save()).toThrow(SessionError);
    expect(() => session.fork()).toThrow(SessionError);
  });

  test("a state that a failed pass left half-way", async () => {
    const failing: Transformer = Object.assign(Object.create(model), {
      weights: {
        at: () => {
          throw new RangeError("out of memory");
        },
      },
    });
    using session = Session.start(failing);
    expect(await rejection(session.append([1, 2]))).toMatchObject({ name: "RangeError" });
    expect(() => session.save()).toThrow(/restore/);
    expect(() => session.fork()).toThrow(SessionError);
    expect(await rejection(go(session, {}))).toMatchObject({ name: "SessionError" });
  });

  test("what does not fit into the context, and nothing to go on from", async () => {
    const { maxPositionEmbeddings: limit } = model.config;
    using session = await start(model, []);
    expect(await rejection(go(session, {}))).toMatchObject({ name: "InputError" });
    expect(await rejection(session.append([]))).toMatchObject({ name: "InputError" });
    await session.append(Array.from({ length: limit - 2 }, (_, i) => i % 250));
    expect(await rejection(go(session, {}, [1, 2]))).toMatchObject({ name: "InputError" });
    expect(session.length).toBe(limit - 2);
    const tokens = await collect(session.generate([1], { maxTokens: 5 }));
    expect(tokens.map(({ stop }) => stop)).toEqual(["context"]);
    expect(await rejection(go(session, {}))).toMatchObject({ name: "InputError" });
    expect(() => session.generate(3 as unknown as string)).toThrow(InputError);
    expect(() => Session.start(model, { seed: -1 })).toThrow(InputError);
  });
});
