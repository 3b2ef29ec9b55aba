import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { availableBuilds, type Config, MiniMaxM1, parseConfig } from "../../src/index.js";
import * as fourBits from "../reference/four-bits.js";
import { referenceForward } from "../reference/model.js";
import * as quantized from "../reference/quantized.js";
import { roundTo } from "../support/number-formats.js";
import { randomIds } from "../support/random.js";
import { GOLDEN, GOLDEN_Q4, GOLDEN_Q8, goldenState, maxAbs, maxAbsDiff } from "../support/tolerance.js";
import { checkpointBytes, type RandomCase, ROUTING_MARGIN, randomCase, routingMargin } from "../support/weights.js";

const published = {
  model_type: "minimax_m1",
  torch_dtype: "float32",
  vocab_size: 61,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  attn_type_list: [0, 0, 1],
  postnorm: true,
  rope_theta: 10_000,
  layernorm_linear_attention_alpha: 1.7,
  layernorm_full_attention_alpha: 1.3,
  layernorm_mlp_alpha: 2.1,
};

const transformers = {
  model_type: "minimax",
  dtype: "float32",
  vocab_size: 61,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 3,
  num_attention_heads: 6,
  num_key_value_heads: 3,
  head_dim: 8,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  layer_types: ["linear_attention", "full_attention", "linear_attention"],
  linear_attn_alpha_factor: 1.7,
  mlp_beta_factor: 0.6,
};

const hypenet = {
  model_type: "hypenet",
  torch_dtype: "float32",
  vocab_size: 61,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  rope_theta: 10_000,
  mixer_types: ["lightning-attn", "attn", "lightning-attn"],
  attn_use_rope: false,
  attn_use_output_gate: true,
  attn_logits_scaling: "hype 20",
  lightning_nh: 4,
  lightning_nkv: 4,
  lightning_head_dim: 8,
  lightning_scale: "1/sqrt(d)",
  lightning_use_qk_norm: true,
  lightning_use_rope: true,
  lightning_use_output_norm: true,
  lightning_use_output_gate: true,
  tie_word_embeddings: true,
};

/** What an implementation can get wrong and the golden cases do not reach. */
const configs: Record<string, Record<string, unknown>> = {
  "as published": published,
  "all lightning": { ...published, attn_type_list: [0, 0, 0] },
  "all softmax": { ...published, attn_type_list: [1, 1, 1] },
  "softmax first": { ...published, attn_type_list: [1, 0, 1] },
  "one layer": { ...published, num_hidden_layers: 1, attn_type_list: [0] },
  "pre-norm by default": { ...published, postnorm: undefined },
  "every residual scale": {
    ...published,
    layernorm_linear_attention_beta: 0.5,
    layernorm_full_attention_beta: 0.7,
    layernorm_mlp_beta: 1.2,
    postnorm: false,
  },
  "no residual scales": {
    ...published,
    layernorm_linear_attention_alpha: undefined,
    layernorm_full_attention_alpha: undefined,
    layernorm_mlp_alpha: undefined,
  },
  "a shared expert after post-norm": { ...published, shared_intermediate_size: 20 },
  "one head of keys and values": { ...published, num_key_value_heads: 1 },
  "as many keys as queries": { ...published, num_key_value_heads: 4 },
  "seven heads": { ...published, num_attention_heads: 7, num_key_value_heads: 7 },
  "odd sizes": { ...published, hidden_size: 23, intermediate_size: 19, head_dim: 6, vocab_size: 37 },
  "a head dim that is no multiple of four": { ...published, head_dim: 10, rotary_dim: 6 },
  "a partial rotary embedding": { ...published, rotary_dim: 4 },
  "one expert": { ...published, num_local_experts: 1, num_experts_per_tok: 1 },
  "every expert": { ...published, num_experts_per_tok: 4 },
  "top-1 of five": { ...published, num_local_experts: 5, num_experts_per_tok: 1 },
  "tied embeddings": { ...published, tie_word_embeddings: true },
  "bf16 weights": { ...published, torch_dtype: "bfloat16" },
  "float16 weights": { ...published, torch_dtype: "float16" },
  "another epsilon": { ...published, rms_norm_eps: 0.1 },
  "MiniMax-Text-01": { ...published, model_type: "minimax_text_01", architectures: ["MiniMaxText01ForCausalLM"] },
  transformers,
  "transformers, layers by default": { ...transformers, layer_types: undefined },
  "transformers, tied bf16": { ...transformers, dtype: "bfloat16", tie_word_embeddings: true },
  "transformers, rope_parameters": { ...transformers, rope_parameters: { rope_theta: 5_000, rope_type: "default" } },
  HypeNet: hypenet,
  "HypeNet, all lightning": { ...hypenet, mixer_types: Array(3).fill("lightning_attn") },
  "HypeNet, all softmax with rotary embedding": { ...hypenet, mixer_types: Array(3).fill("attn"), attn_use_rope: true },
  "HypeNet, grouped lightning heads of another width": { ...hypenet, lightning_nh: 6, lightning_nkv: 2, lightning_head_dim: 10 },
  "HypeNet, one head of keys and values": { ...hypenet, lightning_nkv: 1, num_key_value_heads: 1, lightning_scale: "1/d" },
  "HypeNet, lightning without norms, gate and rotary embedding": {
    ...hypenet,
    lightning_use_qk_norm: false,
    lightning_use_output_norm: false,
    lightning_use_output_gate: false,
    lightning_use_rope: false,
  },
  "HypeNet, a constant scale and no gate": { ...hypenet, attn_logits_scaling: 1.5, attn_use_output_gate: false, lightning_scale: "1" },
  "HypeNet, odd sizes, untied": { ...hypenet, hidden_size: 23, intermediate_size: 19, head_dim: 7, tie_word_embeddings: false },
  "HypeNet, bf16 weights and another epsilon": { ...hypenet, torch_dtype: "bfloat16", rms_norm_eps: 0.1 },
};

const LENGTH = 40;

async function load({ config, weights }: RandomCase, options = {}): Promise<MiniMaxM1> {
  const files = new Map([
    ["config.json", new TextEncoder().encode(JSON.stringify(config.source))],
    ["model.safetensors", checkpointBytes(config, weights)],
  ]);
  return MiniMaxM1.load(files, options);
}

const builds = (await availableBuilds()).filter((build) => build !== "debug");

describe.each(builds)("build %s equals the float64 reference", (build) => {
  test.each(Object.entries(configs))("%s", async (_, json) => {
    const one = randomCase(parseConfig(json), 1, [LENGTH, LENGTH]);
    const { config, ids, expected } = one;
    const model = await load(one, { build });
    const out = model.forward(ids, { hiddenStates: true, routerLogits: true, states: true, attention: true });
    expect(maxAbsDiff(out.logits, expected.logits)).toBeLessThanOrEqual(GOLDEN.logits);
    for (const [i, hidden] of expected.hiddenStates.entries()) {
      expect(maxAbsDiff(out.hiddenStates[i]!, hidden), `hidden state ${i}`).toBeLessThanOrEqual(GOLDEN.hiddenStates);
    }
    for (const [i, logits] of expected.routerLogits.entries()) {
      expect(maxAbsDiff(out.routerLogits[i]!, logits), `router ${i}`).toBeLessThanOrEqual(GOLDEN.routerLogits);
    }
    for (const [i, state] of expected.lightningStates.entries()) {
      if (state) expect(maxAbsDiff(out.lightningStates[i]!, state), `state ${i}`).toBeLessThanOrEqual(goldenState(state));
      else expect(out.lightningStates[i]).toBeUndefined();
    }
    for (const [i, probabilities] of expected.attention.entries()) {
      if (probabilities) expect(maxAbsDiff(out.attention[i]!, probabilities), `attention ${i}`).toBeLessThanOrEqual(GOLDEN.hiddenStates);
      else expect(out.attention[i]).toBeUndefined();
    }
    // And the same token by token.
    const cache = ids.map(() => model.newCache());
    for (let t = 0; t < LENGTH; t++) {
      const { logits } = model.forward(
        ids.map((row) => [row[t]!]),
        { cache },
      );
      for (const [row] of ids.entries()) {
        const at = (row * LENGTH + t) * config.vocabSize;
        const got = logits.subarray(row * config.vocabSize, (row + 1) * config.vocabSize);
        expect(maxAbsDiff(got, expected.logits.subarray(at, at + config.vocabSize))).toBeLessThanOrEqual(GOLDEN.logits);
      }
    }
    model.dispose();
  });
});

const lawConfigs = {
  "MiniMax-M1": { ...published, shared_intermediate_size: 20, head_dim: 10, rotary_dim: 6 },
  HypeNet: { ...hypenet, lightning_nh: 6, lightning_nkv: 2, lightning_head_dim: 10 },
};

describe.each(Object.entries(lawConfigs))("laws of the whole model: %s", async (_, json) => {
  const one = randomCase(parseConfig(json) as Config, 3, [90]);
  const model = await load(one);
  const { vocabSize } = one.config;

  test("a prompt cut anywhere gives the same logits and states", () => {
    const [ids] = one.ids as [number[]];
    const whole = model.forward([ids], { states: true });
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: ids.length - 1 }), { maxLength: 6 }), (inner) => {
        const cache = [model.newCache()];
        let begin = 0;
        for (const end of [...inner.sort((a, b) => a - b), ids.length]) {
          const piece = model.forward([ids.slice(begin, end)], { cache, states: true });
          expect(maxAbsDiff(piece.logits, whole.logits.subarray(begin * vocabSize, end * vocabSize))).toBeLessThanOrEqual(GOLDEN.logits);
          if (end === ids.length) {
            for (const [i, state] of whole.lightningStates.entries()) {
              if (state) expect(maxAbsDiff(piece.lightningStates[i]!, state)).toBeLessThanOrEqual(goldenState(state));
            }
          }
          begin = end;
        }
        cache[0]!.dispose();
      }),
      { numRuns: 25 },
    );
  });

  test("a token never changes what came before it, to the bit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 80 }), fc.nat(), fc.integer({ min: 1, max: vocabSize - 1 }), (length, where, shift) => {
        const ids = one.ids[0]!.slice(0, length);
        const at = where % length;
        const changed = ids.map((id, t) => (t === at ? (id + shift) % vocabSize : id));
        const [before, after] = [ids, changed].map((row) => model.forward([row]).logits) as [Float32Array, Float32Array];
        expect(after.subarray(0, at * vocabSize)).toEqual(before.subarray(0, at * vocabSize));
        expect(maxAbs(after.subarray(at * vocabSize).map((x, i) => x - before[at * vocabSize + i]!))).toBeGreaterThan(0);
      }),
      { numRuns: 25 },
    );
  });

  test("a sequence gives the same bits alone and in any batch", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2, max: 5 }), fc.integer(), (length, rows, seed) => {
        const batch = Array.from({ length: rows }, (_, row) => randomIds(seed + row, length, vocabSize));
        const together = model.forward(batch).logits;
        for (const [row, ids] of batch.entries()) {
          expect(together.subarray(row * length * vocabSize, (row + 1) * length * vocabSize)).toEqual(model.forward([ids]).logits);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("forward leaves no memory behind", async () => {
    // A model of its own: what others computed in one leaves its free memory cut in as many ways, and passes settle in it one by one.
    const model = await load(one);
    const ids = [randomIds(1, 300, vocabSize), randomIds(2, 300, vocabSize)];
    const pass = () => model.forward(ids, { hiddenStates: true, states: true, logits: "last" });
    // The first passes may split free memory in their own way.
    for (let i = 0; i < 3; i++) pass();
    const { usedBytes, reservedBytes } = model.memory;
    for (let i = 0; i < 20; i++) pass();
    expect(model.memory).toMatchObject({ usedBytes, reservedBytes });
  });
});

describe("bf16 and float32 in memory", () => {
  test("a bf16 checkpoint gives the same bits either way", async () => {
    const one = randomCase(parseConfig(configs["bf16 weights"]), 1, [20]);
    const [narrow, wide] = [await load(one), await load(one, { dtype: "f32" })];
    expect(narrow.forward(one.ids).logits).toEqual(wide.forward(one.ids).logits);
    expect(narrow.memory.usedBytes).toBeLessThan(wide.memory.usedBytes);
  });

  test("a float32 checkpoint in bf16 has its matrices rounded, and routers and norms as they were", async () => {
    const exact = randomCase(parseConfig(published), 1, [20]);
    const rounded = new Map(
      [...exact.weights].map(([name, { shape, data }]) => {
        const kept = shape.length === 1 || name.includes(".gate.");
        return [name, { shape, data: kept ? data : data.map((x) => roundTo("BF16", x)) }];
      }),
    );
    const model = await load(exact, { dtype: "bf16" });
    const expected = await load({ ...exact, weights: rounded });
    expect(model.forward(exact.ids).logits).toEqual(expected.forward(exact.ids).logits);
  });
});

describe.each([
  ["q8", GOLDEN_Q8.logits, 10],
  ["q4", GOLDEN_Q4.logits, 30],
] as const)("weights in %s", (dtype, bound, margins) => {
  /** What the library holds instead of these weights. */
  function held(name: string, shape: readonly number[], data: Float64Array): Float64Array {
    if (shape.length === 1 || name.includes(".gate.") || name.includes("coefficient")) return data;
    const narrow = dtype === "q4" && !name.includes("embed_tokens") && !name.includes("lm_head");
    return Float64Array.from((narrow ? fourBits : quantized).dequantized(data, shape[1]!));
  }

  /** The same case with matrices as the library holds them, and what they compute to in float64. */
  function rounded(one: RandomCase): RandomCase | undefined {
    const { config, ids } = one;
    const weights = new Map(
      [...one.weights].map(([name, { shape, data }]) => {
        return [name, { shape, data: held(name, shape, data) }] as const;
      }),
    );
    const expected = referenceForward(config, weights, ids);
    return routingMargin(expected.routerLogits, config) >= ROUTING_MARGIN * margins ? { config, weights, ids, expected } : undefined;
  }

  /** The first case from here on whose routing the rounding of activations cannot change. */
  function roundedCase(config: Config): { stored: RandomCase; held: RandomCase } {
    for (let seed = 1; seed < 400; seed++) {
      const stored = randomCase(config, seed, [LENGTH]);
      const held = rounded(stored);
      if (held) return { stored, held };
    }
    throw new Error("no seed routes clearly");
  }

  test.each([
    "as published",
    "odd sizes",
    "a shared expert after post-norm",
    "tied embeddings",
    "float16 weights",
    "bf16 weights",
    "transformers",
    "HypeNet",
  ])("%s: logits are those of the rounded weights in float64", async (name) => {
    const { stored, held } = roundedCase(parseConfig(configs[name]));
    const model = await load(stored, { dtype });
    const exact = await load(stored);
    expect(model.memory.usedBytes).toBeLessThan(exact.memory.usedBytes);
    const { logits } = model.forward(held.ids);
    const error = maxAbsDiff(logits, held.expected.logits);
    expect(error).toBeLessThanOrEqual(bound);
    // The rounding of the weights themselves is of another size: the bound above would notice if they were read differently.
    expect(maxAbsDiff(logits, stored.expected.logits)).toBeGreaterThan(5 * error);
    model.dispose();
    exact.dispose();
  });

  test("the same bits on any number of threads, and the same logits token by token", async () => {
    const { stored } = roundedCase(parseConfig({ ...published, attn_type_list: [1, 1, 1] }));
    const results = [];
    for (const threads of [1, 2]) {
      const model = await load(stored, { dtype, build: "simd", threads });
      const cache = [model.newCache()];
      const steps = stored.ids[0]!.map((id) => model.forward([[id]], { cache }).logits);
      results.push(model.forward(stored.ids).logits);
      expect(
        maxAbsDiff(
          results.at(-1)!,
          steps.flatMap((x) => [...x]),
        ),
      ).toBeLessThanOrEqual(bound);
      model.dispose();
    }
    expect(results[1]).toEqual(results[0]);
  });

  test("cannot be saved", async () => {
    const model = await load(randomCase(parseConfig(published), 1, [1]), { dtype });
    await expect(model.save()).rejects.toThrow(/save: model\.embed_tokens\.weight:.*rounded weights/);
    model.dispose();
  });
});
