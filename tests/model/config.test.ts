import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Config, parseConfig } from "../../src/model/config.js";
import { minimaxM1, presets } from "../../src/model/presets.js";
import { ConfigError } from "../../src/runtime/errors.js";
import { goldenCases, readGolden } from "../support/golden.js";

type Json = Record<string, unknown>;

const published: Json = JSON.parse(readFileSync(new URL("../golden/published/config.json", import.meta.url), "utf8"));
const transformers: Json = readGolden(goldenCases().find(({ name }) => name === "hf-minimax")!).config;

/** The least that MiniMax's dialect needs, and transformers'. */
const leastPublished: Json = {
  model_type: "minimax_m1",
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 16,
  attn_type_list: [0, 1, 0],
};
const { attn_type_list: _, ...rest } = leastPublished;
const leastTransformers: Json = { ...rest, model_type: "minimax" };

function read(json: unknown): { config: Config; warnings: string[] } {
  const warnings: string[] = [];
  return { config: parseConfig(json, (message) => warnings.push(message)), warnings };
}

function refusal(json: unknown): string {
  try {
    parseConfig(json);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return "accepted";
}

describe("the published config.json of MiniMax-M1", () => {
  test("is read without a warning", () => {
    const { config, warnings } = read(published);
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      dialect: "minimax_m1",
      vocabSize: 200_064,
      hiddenSize: 6144,
      intermediateSize: 9216,
      numHiddenLayers: 80,
      numAttentionHeads: 64,
      numKeyValueHeads: 8,
      headDim: 128,
      rotaryDim: 64,
      ropeTheta: 10_000_000,
      rmsNormEps: 1e-5,
      attnTypeList: Array.from({ length: 80 }, (_, i) => (i % 8 === 7 ? 1 : 0)),
      numLocalExperts: 32,
      numExpertsPerTok: 2,
      sharedIntermediateSize: 0,
      postnorm: true,
      residual: {
        lightning: { alpha: 3.5565588200778455, beta: 1 },
        softmax: { alpha: 3.5565588200778455, beta: 1 },
        mlp: { alpha: 3.5565588200778455, beta: 1 },
      },
      maxPositionEmbeddings: 10_240_000,
      tieWordEmbeddings: false,
      dtype: "bf16",
      bosTokenId: undefined,
      eosTokenIds: [],
      initializerRange: 0.02,
      routerAuxLossCoef: 0.001,
      source: published,
    });
  });

  test("≡ the preset, which also knows the end of a sentence", () => {
    const { source: _, ...config } = read(published).config;
    expect(minimaxM1).toMatchObject({ ...config, eosTokenIds: [200_020] });
  });

  test("alpha is (2 · 80)^(1/4)", () => {
    expect(Math.abs(minimaxM1.residual.mlp.alpha - 160 ** 0.25)).toBeLessThan(1e-15 * 4);
  });
});

test("presets survive being written and read", () => {
  for (const preset of Object.values(presets)) {
    const { config, warnings } = read(JSON.parse(JSON.stringify(preset.source)));
    expect(config).toEqual(preset);
    expect(warnings).toEqual([]);
  }
});

describe("dialects", () => {
  test.each([
    { model_type: "minimax_m1" },
    { model_type: "minimax_m1", architectures: ["MiniMaxM1ForCausalLM"] },
    { model_type: "minimax_text_01", architectures: ["MiniMaxText01ForCausalLM"] },
    { model_type: null, architectures: ["MiniMaxM1ForCausalLM"] },
  ])("MiniMax's own: $model_type $architectures", (names) => {
    expect(read({ ...leastPublished, ...names }).config.dialect).toBe("minimax_m1");
  });

  test.each([{ model_type: "minimax" }, { model_type: "minimax", architectures: ["MiniMaxForCausalLM"] }])(
    "transformers': $model_type $architectures",
    (names) => {
      expect(read({ ...leastTransformers, ...names }).config.dialect).toBe("minimax");
    },
  );

  test.each([
    ["minimax_m2", ["MiniMaxM2ForCausalLM"]],
    ["minimax_m1", ["MiniMaxM2ForCausalLM"]],
    ["minimax", ["MiniMaxM1ForCausalLM"]],
    ["mixtral", ["MixtralForCausalLM"]],
    ["constructor", []],
    ["__proto__", []],
    ["", []],
  ])("refused by name: %s %j", (model_type, architectures) => {
    const message = refusal({ ...leastPublished, model_type, architectures });
    for (const name of [model_type, ...architectures]) expect(message).toContain(`"${name}"`);
    expect(message).toMatch(/^config: architecture: expected minimax_m1 .*MiniMax-M2/);
  });

  test("architectures alone suffice", () => {
    const { model_type: _, ...json } = leastPublished;
    expect(read({ ...json, architectures: ["MiniMaxText01ForCausalLM"] }).config.dialect).toBe("minimax_m1");
  });

  test("no name at all is refused", () => {
    expect(refusal({ ...leastPublished, model_type: undefined })).toContain("neither model_type nor architectures");
  });

  test("MiniMax's defaults", () => {
    const { config, warnings } = read(leastPublished);
    expect(warnings).toEqual([]);
    const one = { alpha: 1, beta: 1 };
    expect(config).toMatchObject({
      numKeyValueHeads: 8,
      headDim: 4,
      rotaryDim: 4,
      ropeTheta: 1e6,
      rmsNormEps: 1e-5,
      numLocalExperts: 8,
      numExpertsPerTok: 2,
      sharedIntermediateSize: 0,
      postnorm: false,
      residual: { lightning: one, softmax: one, mlp: one },
      maxPositionEmbeddings: 131_072,
      tieWordEmbeddings: false,
      dtype: "bf16",
      bosTokenId: undefined,
      eosTokenIds: [],
    });
  });

  test("transformers' defaults: full attention first, then in turns; post-norm; rotary over the whole head", () => {
    const { config, warnings } = read(leastTransformers);
    expect(warnings).toEqual([]);
    const one = { alpha: 1, beta: 1 };
    expect(config).toMatchObject({
      attnTypeList: [1, 0, 1],
      numKeyValueHeads: 8,
      headDim: 4,
      rotaryDim: 4,
      ropeTheta: 1e6,
      rmsNormEps: 1e-5,
      sharedIntermediateSize: 0,
      postnorm: true,
      residual: { lightning: one, softmax: one, mlp: one },
    });
  });

  test("the keys of both name the same scales", () => {
    const own = read({
      ...leastPublished,
      layernorm_linear_attention_alpha: 2,
      layernorm_linear_attention_beta: 3,
      layernorm_full_attention_alpha: 4,
      layernorm_full_attention_beta: 5,
      layernorm_mlp_alpha: 6,
      layernorm_mlp_beta: 7,
    });
    const other = read({
      ...leastTransformers,
      linear_attn_alpha_factor: 2,
      linear_attn_beta_factor: 3,
      full_attn_alpha_factor: 4,
      full_attn_beta_factor: 5,
      mlp_alpha_factor: 6,
      mlp_beta_factor: 7,
    });
    const residual = { lightning: { alpha: 2, beta: 3 }, softmax: { alpha: 4, beta: 5 }, mlp: { alpha: 6, beta: 7 } };
    expect(own.config.residual).toEqual(residual);
    expect(other.config.residual).toEqual(residual);
    expect([...own.warnings, ...other.warnings]).toEqual([]);
  });

  test("a file saved by transformers is read without a warning", () => {
    const { config, warnings } = read(transformers);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      attnTypeList: [0, 0, 0, 0, 0, 0, 0, 1],
      rotaryDim: 16,
      ropeTheta: 1e6,
      dtype: "f32",
      bosTokenId: 1,
      eosTokenIds: [2],
      residual: { lightning: { alpha: 3.5565588200778455, beta: 1 } },
    });
  });

  test("rope_theta of transformers: in rope_parameters, or beside it in older files", () => {
    expect(read({ ...leastTransformers, rope_parameters: { rope_theta: 5, rope_type: "default" } }).config.ropeTheta).toBe(5);
    expect(read({ ...leastTransformers, rope_theta: 7 }).config.ropeTheta).toBe(7);
  });

  test("explicit nulls: as many KV heads as heads, head_dim from hidden_size, the whole head turns", () => {
    const nulls = { num_key_value_heads: null, head_dim: null, rotary_dim: null, sliding_window: null, shared_intermediate_size: null };
    expect(read({ ...leastPublished, ...nulls }).config).toMatchObject({ numKeyValueHeads: 16, headDim: 4, rotaryDim: 4 });
  });

  test("several end tokens, and dtypes under either key", () => {
    expect(read({ ...leastPublished, eos_token_id: [3, 4] }).config.eosTokenIds).toEqual([3, 4]);
    expect(read({ ...leastPublished, torch_dtype: "float16" }).config.dtype).toBe("f16");
    expect(read({ ...leastPublished, dtype: "float32" }).config.dtype).toBe("f32");
  });
});

describe("unknown keys warn, once each, and change nothing", () => {
  test("a misspelt key", () => {
    const { config, warnings } = read({ ...published, layernorm_mlp_alfa: 9 });
    expect(config).toEqual({ ...read(published).config, source: { ...published, layernorm_mlp_alfa: 9 } });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("layernorm_mlp_alfa");
  });

  test("the other dialect's keys", () => {
    expect(read({ ...leastPublished, mlp_alpha_factor: 2 }).warnings.join()).toContain("mlp_alpha_factor");
    expect(read({ ...leastTransformers, layernorm_mlp_alpha: 2 }).warnings.join()).toContain("layernorm_mlp_alpha");
  });

  test("a nested key that would narrow the rotary embedding", () => {
    const rope_parameters = { rope_type: "default", rope_theta: 5, partial_rotary_factor: 0.5 };
    expect(read({ ...leastTransformers, rope_parameters }).warnings.join()).toContain("partial_rotary_factor");
  });
});

describe("refusals name the key", () => {
  test.each([null, [], "text", 7, undefined])("not an object: %j", (json) => {
    expect(refusal(json)).toMatch(/^config: expected a JSON object/);
  });

  test.each<[string, Json]>([
    ["sliding_window", { sliding_window: 4096 }],
    ["quantization_config", { quantization_config: { quant_method: "fp8" } }],
    ["quantization_config", { quantization_config: {} }],
    ["rope_scaling", { rope_scaling: { type: "yarn", factor: 4 } }],
    ["hidden_act", { hidden_act: "gelu" }],
    ["shared_moe_mode", { shared_moe_mode: "softmax", shared_intermediate_size: 64 }],
    ["bias", { bias: true }],
    ["attn_type_list", { attn_type_list: [0, 1] }],
    ["attn_type_list", { attn_type_list: [0, 1, 0, 0] }],
    ["attn_type_list", { attn_type_list: [0, 1, 2] }],
    ["attn_type_list", { attn_type_list: [0, true, 0] }],
    ["attn_type_list", { attn_type_list: undefined }],
    ["num_key_value_heads", { num_key_value_heads: 3 }],
    ["num_key_value_heads", { num_key_value_heads: 32 }],
    ["rotary_dim", { rotary_dim: 3 }],
    ["rotary_dim", { rotary_dim: 6 }],
    ["num_experts_per_tok", { num_experts_per_tok: 9 }],
    ["head_dim", { hidden_size: 65 }],
    ["torch_dtype", { torch_dtype: "int8" }],
    ["torch_dtype", { torch_dtype: "constructor" }],
    ["tie_word_embeddings", { tie_word_embeddings: "false" }],
    ["eos_token_id", { eos_token_id: "end" }],
    ["eos_token_id", { eos_token_id: -1 }],
    ["layernorm_mlp_alpha", { layernorm_mlp_alpha: "1" }],
    ["rms_norm_eps", { rms_norm_eps: -1e-5 }],
    ["rope_theta", { rope_theta: 0 }],
  ])("MiniMax's %s: %j", (key, change) => {
    expect(refusal({ ...leastPublished, ...change })).toMatch(new RegExp(`^config: ${key}(\\.\\d+)?: expected .+, got `));
  });

  test.each<[string, Json]>([
    ["sliding_window", { sliding_window: 4096 }],
    ["quantization_config", { quantization_config: {} }],
    ["layer_types", { layer_types: ["linear_attention"] }],
    ["layer_types", { layer_types: ["linear_attention", "sliding_attention", "full_attention"] }],
    ["rope_parameters.rope_type", { rope_parameters: { rope_type: "yarn" } }],
    ["head_dim", { head_dim: 5 }],
    ["mlp_alpha_factor", { mlp_alpha_factor: Number.NaN }],
    ["num_hidden_layers", { num_hidden_layers: 2_000_000 }],
  ])("transformers' %s: %j", (key, change) => {
    expect(refusal({ ...leastTransformers, ...change })).toMatch(new RegExp(`^config: ${key}(\\.\\d+)?: expected .+, got `));
  });

  const counts = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"];
  const badCounts = [0, -1, 1.5, "64", Number.NaN, Infinity, 2 ** 31, null, undefined, true, [64], {}];
  test.each(counts)("%s is a count of 1 to 2³¹ − 1", (key) => {
    for (const value of badCounts) {
      const message = refusal({ ...leastPublished, [key]: value });
      expect(message, String(value)).toMatch(new RegExp(`^config: ${key}: expected .+, got `));
    }
  });

  test("messages are words, not code", () => {
    for (const value of badCounts) expect(refusal({ ...leastPublished, hidden_size: value })).not.toContain("native code");
  });

  test("whatever stands at any key: a config or a ConfigError", () => {
    const keys = [...new Set([...Object.keys(published), ...Object.keys(transformers)])];
    fc.assert(
      fc.property(fc.constantFrom(leastPublished, leastTransformers), fc.constantFrom(...keys), fc.jsonValue(), (least, key, value) => {
        // Without layer_types the list is as long as num_hidden_layers says.
        fc.pre(key !== "num_hidden_layers" || typeof value !== "number");
        expect(typeof refusal({ ...least, [key]: value })).toBe("string");
      }),
      { numRuns: 500 },
    );
  });
});
