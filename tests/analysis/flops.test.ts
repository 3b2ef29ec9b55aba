import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CountedFlops, type CountingRule, countedFlops, type Flops, generationFlops, passFlops } from "../../src/analysis/index.js";
import { type KernelCall, MiniMaxM1, minimaxM1, parseConfig, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";

const divisor = fc.constantFrom(1, 2, 3);

/** Small models of every kind: any order of layers, grouped heads, odd sizes, any number of experts, with a shared one or without. */
const configs = fc
  .record({
    types: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 5 }),
    hidden: fc.integer({ min: 1, max: 40 }),
    width: fc.integer({ min: 1, max: 40 }),
    kvHeads: divisor,
    group: divisor,
    halfHead: fc.integer({ min: 1, max: 12 }),
    experts: fc.integer({ min: 1, max: 6 }),
    topK: fc.integer({ min: 1, max: 6 }),
    shared: fc.boolean(),
    tied: fc.boolean(),
    vocab: fc.integer({ min: 2, max: 50 }),
  })
  .map(({ types, hidden, width, kvHeads, group, halfHead, experts, topK, shared, tied, vocab }) =>
    parseConfig({
      model_type: "minimax_m1",
      torch_dtype: "float32",
      vocab_size: vocab,
      hidden_size: hidden,
      intermediate_size: width,
      num_hidden_layers: types.length,
      attn_type_list: types,
      num_attention_heads: kvHeads * group,
      num_key_value_heads: kvHeads,
      head_dim: 2 * halfHead,
      rotary_dim: 2,
      num_local_experts: experts,
      num_experts_per_tok: Math.min(topK, experts),
      shared_intermediate_size: shared ? width : 0,
      tie_word_embeddings: tied,
      max_position_embeddings: 4096,
    }),
  );

/** HypeNets of every kind: grouped lightning heads, other head widths, with and without gates. */
const hypeNets = fc
  .record({
    mixers: fc.array(fc.constantFrom("attn", "lightning-attn"), { minLength: 1, maxLength: 4 }),
    hidden: fc.integer({ min: 1, max: 40 }),
    width: fc.integer({ min: 1, max: 40 }),
    kvHeads: divisor,
    group: divisor,
    halfHead: fc.integer({ min: 1, max: 12 }),
    lightningKv: divisor,
    lightningGroup: divisor,
    lightningHalfHead: fc.integer({ min: 1, max: 12 }),
    gate: fc.boolean(),
    vocab: fc.integer({ min: 2, max: 50 }),
  })
  .map(({ mixers, hidden, width, kvHeads, group, halfHead, lightningKv, lightningGroup, lightningHalfHead, gate, vocab }) =>
    parseConfig({
      model_type: "hypenet",
      torch_dtype: "float32",
      vocab_size: vocab,
      hidden_size: hidden,
      intermediate_size: width,
      num_hidden_layers: mixers.length,
      mixer_types: mixers,
      num_attention_heads: kvHeads * group,
      num_key_value_heads: kvHeads,
      head_dim: 2 * halfHead,
      lightning_nh: lightningKv * lightningGroup,
      lightning_nkv: lightningKv,
      lightning_head_dim: 2 * lightningHalfHead,
      lightning_use_output_gate: gate,
      attn_use_output_gate: gate,
      tie_word_embeddings: gate,
    }),
  );

/** A prompt in pieces, and then so many single tokens. */
const passes = fc.record({
  pieces: fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 3 }),
  steps: fc.integer({ min: 0, max: 4 }),
  logits: fc.constantFrom("all" as const, "last" as const),
});

function kinds({ lightningAttention, softmaxAttention, total }: Flops): CountedFlops {
  return { products: total - lightningAttention - softmaxAttention, lightningAttention, softmaxAttention, total };
}

function sum<T extends object>(all: readonly T[]): Record<keyof T, number> {
  const keys = Object.keys(all[0]!) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, all.reduce((total, one) => total + (one[key] as number), 0)])) as Record<
    keyof T,
    number
  >;
}

test("the formulas agree exactly with the work that kernels report", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(configs, hypeNets), passes, async (config, { pieces, steps, logits }) => {
      const calls: KernelCall[] = [];
      using model = await MiniMaxM1.create(config, { build: "simd", threads: 1, seed: 1, onKernel: (call) => calls.push(call) });
      const cache = model.newCache();
      const expected: Flops[] = [];
      let past = 0;
      for (const tokens of [...pieces, ...Array.from({ length: steps }, () => 1)]) {
        const ids = Array.from({ length: tokens }, (_, i) => (past + i) % config.vocabSize);
        model.forward([ids], { cache: [cache], logits });
        expected.push(passFlops(config, { tokens, past, logits }));
        past += tokens;
      }
      expect(countedFlops(calls)).toEqual(kinds(sum(expected) as unknown as Flops));
    }),
    { numRuns: 40 },
  );
});

test("generation agrees too, for each sequence of a batch", async () => {
  const calls: KernelCall[] = [];
  using model = await MiniMaxM1.create(tinyM1, { build: "simd", threads: 1, seed: 1, onKernel: (call) => calls.push(call) });
  const prompts = [[1, 2, 3, 4, 5], Array.from({ length: 33 }, (_, i) => i)];
  const [maxTokens, ids] = [6, [0, 0]];
  for await (const { index } of model.generateBatch(prompts, { maxTokens })) ids[index]!++;
  expect(ids).toEqual([6, 6]);
  const expected = prompts.flatMap(({ length }) => [
    passFlops(tinyM1, { tokens: length }),
    // The last token is chosen and not taken in.
    generationFlops(tinyM1, { tokens: maxTokens - 1, past: length }),
  ]);
  expect(countedFlops(calls)).toEqual(kinds(sum(expected) as unknown as Flops));
});

test.each([
  ["bf16", "bf16"],
  ["q8", "q8"],
  ["q4", "q8"],
] as const)("the count does not depend on the precision: %s, keys and values in %s", async (dtype, kv) => {
  using made = await MiniMaxM1.create(tinyM1, { seed: 1 });
  const calls: KernelCall[] = [];
  const files = await made.save();
  using model = await MiniMaxM1.load(files, { dtype, kv, build: "simd", threads: 1, onKernel: (call) => calls.push(call) });
  model.forward([[1, 2, 3, 4, 5, 6, 7]], { logits: "all" });
  expect(countedFlops(calls)).toEqual(kinds(passFlops(tinyM1, { tokens: 7, logits: "all" })));
});

describe("both rules agree with loops over tokens, heads and dimensions", () => {
  /** One layer of each kind, multiply-add by multiply-add, in a single pass. */
  function loops(n: number, past: number, rule: CountingRule, chunk: number) {
    const { numAttentionHeads: heads, headDim: d } = tinyM1;
    let [lightning, softmax] = [0, 0];
    for (let h = 0; h < heads; h++) {
      for (let t = 0; t < past + n; t++) {
        if (t < past && rule === "causal") continue;
        for (let s = 0; s < past + n; s++) {
          const counted = rule === "causal" ? s <= t : Math.max(s, t) >= past;
          // q·k, and the weight times v
          if (counted) softmax += d + d;
        }
      }
      for (let t = 0; t < n; t++) {
        // k vᵀ into the state, qᵀ S out of it
        lightning += d * d + d * d;
        for (let s = 0; s < n && n > 1; s++) {
          const together = Math.floor(s / chunk) === Math.floor(t / chunk);
          if (together && (rule === "square" || s <= t)) lightning += d + d;
        }
      }
    }
    return { lightning: 2 * lightning, softmax: 2 * softmax };
  }

  test.each(["causal", "square"] as const)("%s", (rule) => {
    const lightningLayers = tinyM1.attnTypeList.filter((type) => type === 0).length;
    for (const [tokens, past, chunk] of [
      [1, 0, 16],
      [1, 9, 16],
      [16, 0, 16],
      [37, 5, 16],
      [40, 3, 7],
      [5, 0, 256],
    ] as const) {
      const { lightning, softmax } = loops(tokens, past, rule, chunk);
      const { lightningAttention, softmaxAttention } = passFlops(tinyM1, { tokens, past, rule, chunk });
      expect({ lightningAttention, softmaxAttention }).toEqual({
        lightningAttention: lightningLayers * lightning,
        softmaxAttention: (tinyM1.numHiddenLayers - lightningLayers) * softmax,
      });
    }
  });
});

test("a prompt in chunks has the same softmax operations as in one pass, under both rules", () => {
  for (const rule of ["causal", "square"] as const) {
    const pieces = [passFlops(tinyM1, { tokens: 20, rule }), passFlops(tinyM1, { tokens: 13, past: 20, rule })];
    expect(sum(pieces).softmaxAttention).toBe(passFlops(tinyM1, { tokens: 33, rule }).softmaxAttention);
  }
});

test("the published model: two operations per activated matrix parameter, and little else", () => {
  const { total, head, lightningAttention, softmaxAttention } = generationFlops(minimaxM1, { tokens: 1 });
  const vectors = (2 * 80 + 1) * 6144 + 70 * 8192;
  expect(total - head - lightningAttention - softmaxAttention).toBe(2 * (45_944_920_064 - vectors));
  expect(head).toBe(2 * 200_064 * 6144);
  expect(lightningAttention).toBe(70 * 64 * 4 * 128 ** 2);
  expect(softmaxAttention).toBe(10 * 64 * 4 * 128);
});

test.each([
  [{ tokens: 0 }, "passFlops: tokens: …integer…1…0"],
  [{ tokens: 1, past: -1 }, "passFlops: past: …integer…0…-1"],
  [{ tokens: 1, rule: "half" }, 'passFlops: rule: expected "causal" or "square", got "half"'],
  [{ tokens: 1, cache: 1 }, "passFlops: cache: unknown option"],
])("%j is refused", (options, message) => {
  expect(() => passFlops(tinyM1, options as never)).toThrow(facts(message));
});
