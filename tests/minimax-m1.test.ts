import { describe, expect, test } from "vitest";
import { InputError, MemoryError, MiniMaxM1, parseConfig, SessionError } from "../src/index.js";
import { checkpointBytes, randomWeights } from "./support/weights.js";

const json = {
  model_type: "minimax_m1",
  torch_dtype: "float32",
  vocab_size: 40,
  hidden_size: 16,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
  num_local_experts: 2,
  attn_type_list: [0, 1],
  max_position_embeddings: 64,
};

async function load(overrides: Record<string, unknown> = {}, options = {}): Promise<MiniMaxM1> {
  const config = parseConfig({ ...json, ...overrides });
  const files = {
    "config.json": new TextEncoder().encode(JSON.stringify(config.source)),
    "model.safetensors": checkpointBytes(config, randomWeights(config, 5)),
  };
  return MiniMaxM1.load(files, options);
}

describe("forward refuses", async () => {
  const model = await load();
  const other = await load();

  test.each([
    ["no batch", [], {}, /at least one sequence/],
    ["no tokens", [[]], {}, /batch\[0\]:.*token/],
    ["unequal lengths", [[1], [1, 2]], {}, /batch\[1\]: expected 1 tokens/],
    ["an id beyond the vocabulary", [[1, 40]], {}, /token 1:.*integer.*\[0,.*40\).*40/],
    ["a negative id", [[-1]], {}, /token 0/],
    ["a fraction", [[0.5]], {}, /token 0/],
    ["text", ["abc"], {}, /array.*token ids.*string/],
    ["more than the context", [new Array(65).fill(1)], {}, /at most 64 tokens of context, got 65/],
    ["an unknown option", [[1]], { hidenStates: true }, /hidenStates: unknown option/],
    ["a wrong choice", [[1]], { logits: "first" }, /logits: expected "all" or "last", got "first"/],
    ["options in an array", [[1]], [], /options: .*object.*Array/],
    ["something that is no cache", [[1]], { cache: [{}] }, /cache.*expected a state from newCache/],
    ["fewer caches than sequences", [[1], [2]], { cache: [model.newCache()] }, /one per sequence \(2\), got 1/],
  ])("%s", (_, batch, options, message) => {
    expect(() => model.forward(batch as never, options as never)).toThrow(InputError);
    expect(() => model.forward(batch as never, options as never)).toThrow(message);
  });

  test("one cache for two sequences", () => {
    const cache = model.newCache();
    expect(() => model.forward([[1], [2]], { cache: [cache, cache] })).toThrow(InputError);
    expect(cache.length).toBe(0);
  });

  test("another model's cache, and both stay as they were", () => {
    const before = model.forward([[1, 2, 3]]).logits;
    const foreign = other.newCache();
    expect(() => model.forward([[1, 2]], { cache: [foreign] })).toThrow(SessionError);
    expect(model.forward([[1, 2, 3]]).logits).toEqual(before);
    expect(other.forward([[1]], { cache: [foreign] }).logits).toEqual(other.forward([[1]]).logits);
  });

  test("a disposed cache; disposing twice is harmless", () => {
    const cache = model.newCache();
    cache.dispose();
    const fresh = model.newCache();
    cache.dispose();
    expect(() => model.forward([[1]], { cache: [cache] })).toThrow(/used after dispose/);
    expect(model.forward([[1]], { cache: [fresh] }).logits).toEqual(model.forward([[1]]).logits);
  });

  test("a cache that is disposed while a pass changes it", async () => {
    const ids = [Array.from({ length: 60 }, (_, i) => i % 40)];
    const expected = model.forward(ids).logits;
    const before = model.memory.usedBytes;
    const disposals: ((cache: ReturnType<typeof model.newCache>) => Promise<Float32Array>)[] = [
      async (cache) => model.forward(ids, { cache: [cache], onLayer: () => cache.dispose() }).logits,
      async (cache) => {
        const pass = model.forwardAsync(ids, { cache: [cache] });
        cache.dispose();
        return (await pass).logits;
      },
    ];
    for (const disposed of disposals) {
      const cache = model.newCache();
      expect(await disposed(cache)).toEqual(expected);
      expect(() => model.forward([[1]], { cache: [cache] })).toThrow(/used after dispose/);
      cache.dispose();
      expect(model.memory.usedBytes).toBe(before);
      expect(model.forward(ids).logits).toEqual(expected);
    }
  });

  test("a cache beyond the context, piece by piece", () => {
    const cache = [model.newCache()];
    model.forward([new Array(60).fill(1)], { cache });
    expect(() => model.forward([[1, 1, 1, 1, 1]], { cache })).toThrow(/at most 64 tokens of context, got 65/);
    model.forward([[1, 1, 1, 1]], { cache });
  });

  test("a state whose results never reached the caller", async () => {
    // Logits of all tokens do not fit, so the pass fails after the states have taken the tokens in.
    const wide = await load({ vocab_size: 60_000, max_position_embeddings: 30_000 });
    const cache = [wide.newCache()];
    const ids = new Array<number>(20_000).fill(1);
    expect(() => wide.forward([ids], { cache })).toThrow(MemoryError);
    expect(() => wide.forward([[1]], { cache })).toThrow(/invalid.*failed/);
    expect(wide.forward([[1]]).logits).toHaveLength(60_000);
    wide.dispose();
  });

  test("everything after dispose", async () => {
    const gone = await load();
    gone.dispose();
    gone.dispose();
    expect(() => gone.forward([[1]])).toThrow(/used after dispose/);
    expect(gone.memory.usedBytes).toBe(0);
  });
});

describe("inputs and options that work", async () => {
  const model = await load();

  test("typed arrays of ids", async () => {
    expect(model.forward([Int32Array.of(1, 2)]).logits).toEqual(model.forward([[1, 2]]).logits);
    const ids: number[] = [];
    for await (const { id } of model.generate(Uint32Array.of(1, 2), { maxTokens: 3 })) ids.push(id);
    for await (const { id } of model.generate([1, 2], { maxTokens: 3 })) expect(id).toBe(ids.shift());
  });

  test("what was not asked for is undefined", () => {
    const out = model.forward([[1]]);
    expect([out.hiddenStates, out.routerLogits, out.lightningStates]).toEqual([undefined, undefined, undefined]);
  });

  test("text without a tokenizer is refused with the reason", () => {
    expect(() => model.generate("abc")).toThrow(/tokenizer\.json/);
    expect(() => model.session().generate("abc")).toThrow(/without a tokenizer/);
  });

  test("what is no number of threads, no build and no option is refused", async () => {
    await expect(load({}, { threads: 0 })).rejects.toThrow(InputError);
    await expect(load({}, { build: "toString" })).rejects.toThrow(InputError);
    await expect(load({}, { onProgres: () => {} })).rejects.toThrow(/onProgres: unknown option/);
  });

  test("options of a conversation are checked at once", () => {
    expect(() => model.generate([{ role: "user", content: "a" }], { topP: 3 })).toThrow(InputError);
  });

  test("a session takes typed arrays, and no unknown options", async () => {
    using session = model.session();
    await session.append(Int32Array.of(1, 2));
    expect(session.ids).toEqual([1, 2]);
    expect(() => model.session({ sead: 1 } as never)).toThrow(/sead: unknown option/);
  });

  test("bytes are not token ids", () => {
    expect(() => model.generate(Uint8Array.of(1, 2) as never)).toThrow(InputError);
    expect(() => model.forward([Uint8Array.of(1, 2) as never])).toThrow(InputError);
  });

  test("tools belong to conversations", () => {
    expect(() => model.generate([1], { tools: [] })).toThrow(/messages/);
  });
});

describe("text from files beside the weights", () => {
  const bytes = [...Array(256).keys()].map((byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return printable ? byte : -byte - 1;
  });
  const shifted = bytes.filter((byte) => byte < 0);
  const vocab = Object.fromEntries(bytes.map((byte, id) => [String.fromCharCode(byte >= 0 ? byte : 0x100 + shifted.indexOf(byte)), id]));
  const special = ["<beginning_of_sentence>", "<end_of_sentence>"];
  const tokenizer = {
    version: "1.0",
    added_tokens: special.map((content, i) => ({
      id: 256 + i,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: { ...vocab, [special[0]!]: 256, [special[1]!]: 257 }, merges: [] },
  };
  const template = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}{{ eos_token }}";
  const settings = { bos_token: special[0], eos_token: { content: special[1] }, chat_template: template };

  async function loadText(): Promise<MiniMaxM1> {
    const config = parseConfig({ ...json, vocab_size: 300 });
    const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    return MiniMaxM1.load({
      "config.json": encode(config.source),
      "model.safetensors": checkpointBytes(config, randomWeights(config, 5)),
      "tokenizer.json": encode(tokenizer),
      "tokenizer_config.json": encode(settings),
      "generation_config.json": encode({ eos_token_id: [257, 299] }),
    });
  }

  test("the checkpoint's template has its special tokens", async () => {
    const model = await loadText();
    expect(await model.formatChat([{ role: "user", content: "hi" }])).toBe("<beginning_of_sentence>[user] hi<end_of_sentence>");
    expect(await model.formatChat([{ role: "user", content: "hi" }], { template: "{{ messages[0].content }}" })).toBe("hi");
    model.dispose();
  });

  test("text and conversations in, the same text out as its ids say", async () => {
    const model = await loadText();
    expect(model.config.eosTokenIds).toEqual([257, 299]);
    for (const input of ["hé", [{ role: "user", content: "hé" }]] as const) {
      const ids: number[] = [];
      let text = "";
      for await (const token of model.generate(input, { maxTokens: 20, temperature: 2, seed: 3 })) {
        if (token.stop !== "eos" && token.id < 258) ids.push(token.id);
        text += token.text;
      }
      expect(text).toBe(model.tokenizer!.decode(ids));
    }
    model.dispose();
  });
});

describe("attention probabilities", async () => {
  const model = await load();
  const heads = 2;

  test("of sequences that continue caches of different lengths", () => {
    const sequences = [
      [1, 2, 3, 4, 5, 6],
      [7, 8, 9],
    ];
    const cache = sequences.map(() => model.newCache());
    for (const [i, ids] of sequences.entries()) model.forward([ids.slice(0, -2)], { cache: [cache[i]!] });
    const last = sequences.map((ids) => ids.slice(-2));
    const { attention } = model.forward(last, { cache, attention: true });
    expect(attention[0]).toBeUndefined();
    const got = [...attention[1]!];
    const expected = sequences.flatMap((ids) => {
      const whole = model.forward([ids], { attention: true }).attention[1]!;
      const { length } = ids;
      const row = (head: number, t: number) => {
        const from = (head * length + t) * length;
        return [...whole.subarray(from, from + length), ...new Array<number>(6 - length).fill(0)];
      };
      return Array.from({ length: heads }, (_, head) => [...row(head, length - 2), ...row(head, length - 1)]).flat();
    });
    expect(got).toHaveLength(2 * heads * 2 * 6);
    for (const [i, p] of got.entries()) expect(p).toBeCloseTo(expected[i]!, 6);
    // A query sees all tokens up to its own.
    const [before, own] = [got.slice(0, 6), got.slice(6, 12)];
    expect(before[5]).toBe(0);
    expect(own[5]).toBeGreaterThan(0);
    expect(own.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    for (const one of cache) one.dispose();
  });

  test("are only returned in float32, and only as many as fit into an array", async () => {
    using narrow = await load({}, { kv: "bf16" });
    expect(() => narrow.forward([[1]], { attention: true })).toThrow(/attention: expected keys and values in float32, got bf16/);
    using long = await load({ max_position_embeddings: 10_000 });
    const cache = long.newCache();
    expect(() => long.forward([new Array(9000).fill(1)], { cache: [cache], attention: true })).toThrow(InputError);
    expect(cache.length).toBe(0);
  });

  test("are computed when the memory must grow for them", async () => {
    // Growing detaches the views of a memory that threads do not share.
    using long = await load({ max_position_embeddings: 10_000 }, { threads: 1 });
    const cache = long.newCache();
    for (let i = 0; i < 100; i++) {
      long.forward([new Array(63).fill(1)], { cache: [cache] });
      const { attention } = long.forward([[1]], { cache: [cache], attention: true });
      const probabilities = attention[1]!.subarray(0, cache.length);
      expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    }
  });

  test("are undefined if they are not requested", () => {
    expect(model.forward([[1]], {}).attention).toBeUndefined();
  });
});

describe("a pass layer by layer", async () => {
  const model = await load();
  const ids = [[1, 2, 3, 4]];

  test("gives what forward gives, and shows every layer", async () => {
    const options = { hiddenStates: true, routerLogits: true, states: true, attention: true } as const;
    const expected = model.forward(ids, options);
    const before = model.memory.usedBytes;
    const seen: { layer: number; input: Float32Array; output: Float32Array; routerLogits: Float32Array }[] = [];
    const out = await model.forwardAsync(ids, {
      ...options,
      onLayer: (view) =>
        void seen.push({ layer: view.layer, input: view.input(), output: view.output(), routerLogits: view.routerLogits() }),
    });
    expect(out).toEqual(expected);
    expect(seen.map(({ layer }) => layer)).toEqual([0, 1]);
    for (const { layer, input, routerLogits } of seen) {
      expect(input).toEqual(expected.hiddenStates[layer]);
      expect(routerLogits).toEqual(expected.routerLogits[layer]);
    }
    expect(seen[0]!.output).toEqual(seen[1]!.input);
    expect(model.memory.usedBytes).toBe(before);
  });

  test("lets others run in between, a generation of the same model among them", async () => {
    const expected = model.forward(ids).logits;
    let others = 0;
    const turn = () => {
      others++;
      if (others < 100) setImmediate(turn);
    };
    setImmediate(turn);
    const alone: number[] = [];
    for await (const { id } of model.generate([7, 8], { maxTokens: 5 })) alone.push(id);
    const generated: number[] = [];
    const generation = (async () => {
      for await (const { id } of model.generate([7, 8], { maxTokens: 5 })) generated.push(id);
    })();
    expect((await model.forwardAsync(ids)).logits).toEqual(expected);
    await generation;
    expect(generated).toEqual(alone);
    expect(others).toBeGreaterThan(0);
  });

  test("can be given up by its signal, by what onLayer throws, and leaves nothing behind but a state that says so", async () => {
    const before = model.memory.usedBytes;
    const controller = new AbortController();
    const onLayer = () => controller.abort();
    await expect(model.forwardAsync(ids, { onLayer, signal: controller.signal })).rejects.toThrow("aborted");
    const cache = model.newCache();
    const fault = new Error("enough");
    const enough = () => {
      throw fault;
    };
    await expect(model.forwardAsync(ids, { onLayer: enough, cache: [cache] })).rejects.toBe(fault);
    expect(() => model.forward(ids, { cache: [cache] })).toThrow(SessionError);
    expect(() => model.forward(ids, { onLayer: enough })).toThrow(fault);
    cache.dispose();
    expect(model.memory.usedBytes).toBe(before);
    await expect(model.forwardAsync([[99]])).rejects.toThrow(InputError);
  });
});

describe("synthetic weights", () => {
  test("a model of any size, saved as an ordinary checkpoint that computes the same", async () => {
    using model = await MiniMaxM1.formula({ ...json, torch_dtype: "bfloat16" }, { threads: 1 });
    expect(model.parameters).toBeGreaterThan(0);
    const files = await model.save(undefined, { maxShardBytes: 4000 });
    expect([...files.keys()].filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(2);
    using loaded = await MiniMaxM1.load(files, { threads: 1 });
    const ids = [[1, 2, 3, 39]];
    expect(loaded.forward(ids).logits).toEqual(model.forward(ids).logits);
    await expect(MiniMaxM1.formula({ ...json, torch_dtype: "float16" })).rejects.toThrow(/float16/);
    await expect(MiniMaxM1.formula(json, { thread: 1 } as never)).rejects.toThrow("formula: thread: unknown option");
  });
});
