import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.js";
import { type Config, parseConfig } from "../../src/model/config.js";
import { minimaxM1, presets } from "../../src/model/presets.js";
import { facts } from "../support/facts.js";
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
      lightning: {
        heads: 64,
        keyValueHeads: 64,
        headDim: 128,
        projection: "joint",
        qkNorm: false,
        rotaryDim: 0,
        scale: 1,
        layerDecay: true,
        outputNorm: true,
        outputGate: true,
        normEps: 1e-6,
      },
      softmax: { qkNorm: false, queryScale: 1, outputGate: false },
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
    expect(message).toMatch(/^config: architecture:.*minimax_m1.*MiniMax-M2/);
  });

  test("architectures alone suffice", () => {
    const { model_type: _, ...json } = leastPublished;
    expect(read({ ...json, architectures: ["MiniMaxText01ForCausalLM"] }).config.dialect).toBe("minimax_m1");
  });

  test("no name at all is refused", () => {
    expect(refusal({ ...leastPublished, model_type: undefined })).toMatch(facts("model_type…architectures"));
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

describe("rotary settings", () => {
  const half = { rope_theta: 5e5, rope_type: "default", partial_rotary_factor: 0.5 };
  const both: [string, Json][] = [
    ["minimax_m1", leastPublished],
    ["minimax", leastTransformers],
  ];

  describe.each(both)("in a file of type %s", (_, least) => {
    test.each<[string, Json]>([
      ["rope_parameters", { rope_parameters: half }],
      ["rope_scaling of type default", { rope_scaling: half }],
      ["rope_scaling with the older key of the type", { rope_scaling: { ...half, rope_type: undefined, type: "default" } }],
      ["the top", { rope_theta: 5e5, partial_rotary_factor: 0.5 }],
      ["the top, as a number of dims", { rope_theta: 5e5, rotary_dim: 2 }],
      ["a level for the type of layer", { rope_parameters: { full_attention: half } }],
      ["a level for both types of layer", { rope_parameters: { full_attention: half, linear_attention: half } }],
      [
        "both types, in another order",
        {
          rope_parameters: {
            full_attention: half,
            linear_attention: { partial_rotary_factor: 0.5, rope_type: "default", rope_theta: 5e5 },
          },
        },
      ],
      [
        "one type of layer, the other empty",
        { rope_parameters: { full_attention: half, linear_attention: null, sliding_attention: null } },
      ],
      [
        "several places that agree",
        { rope_theta: 5e5, rotary_dim: 2, partial_rotary_factor: 0.5, rope_parameters: half, rope_scaling: half },
      ],
      ["objects that share them", { rope_parameters: { rope_theta: 5e5 }, rope_scaling: { partial_rotary_factor: 0.5 } }],
      ["one place, the others null", { rope_theta: null, rotary_dim: null, rope_scaling: null, rope_parameters: half }],
      [
        "neutral values of other types",
        { rope_parameters: { ...half, factor: 1, attention_factor: 1, mscale: null, rope_interleave: false } },
      ],
      ["the unscaled length", { rope_parameters: { ...half, original_max_position_embeddings: 131_072 } }],
    ])("%s", (_place, change) => {
      expect(read({ ...least, ...change }).config).toMatchObject({ ropeTheta: 5e5, rotaryDim: 2 });
    });

    test.each<[string, Json]>([
      ["rope_parameters.rope_theta", { rope_theta: 1e6, rope_parameters: half }],
      ["rope_scaling.rope_theta", { rope_parameters: { rope_theta: 1e6 }, rope_scaling: half }],
      ["rope_parameters.full_attention.rope_theta", { rope_parameters: { rope_theta: 1e6, full_attention: half } }],
      ["rope_parameters.partial_rotary_factor", { partial_rotary_factor: 1, rope_parameters: half }],
      ["rope_parameters.partial_rotary_factor", { rotary_dim: 4, rope_parameters: half }],
      ["partial_rotary_factor", { rotary_dim: 2, partial_rotary_factor: 1 }],
      ["partial_rotary_factor", { partial_rotary_factor: 0.8 }],
      ["partial_rotary_factor", { partial_rotary_factor: 0 }],
      ["partial_rotary_factor", { partial_rotary_factor: 1.5 }],
      ["rotary_dim", { rotary_dim: 3 }],
      ["rotary_dim", { rotary_dim: 6 }],
      ["rope_parameters", { rope_parameters: "default" }],
      ["rope_parameters.rope_theta", { rope_parameters: { rope_theta: "1e6" } }],
      ["rope_parameters.factor", { rope_parameters: { ...half, factor: 4 } }],
      ["rope_parameters.attention_factor", { rope_parameters: { ...half, attention_factor: 1.2 } }],
      ["rope_parameters.mscale", { rope_parameters: { ...half, mscale: 0.7 } }],
      ["rope_parameters.mrope_section", { rope_parameters: { ...half, mrope_section: [1, 1] } }],
      ["rope_parameters.original_max_position_embeddings", { rope_parameters: { ...half, original_max_position_embeddings: 4096 } }],
      ["rope_parameters.linear_attention.rope_theta", { rope_parameters: { full_attention: half, linear_attention: { rope_theta: 7 } } }],
      ["rope_parameters.linear_attention", { rope_parameters: { linear_attention: half } }],
      ["rope_parameters.sliding_attention", { rope_parameters: { full_attention: half, sliding_attention: half } }],
      ["rope_parameters.full_attention.factor", { rope_parameters: { full_attention: { ...half, factor: 2 } } }],
      ["rope_parameters.full_attention", { rope_parameters: { full_attention: "default" } }],
    ])("refused: %s %j", (key, change) => {
      expect(refusal({ ...least, ...change })).toMatch(new RegExp(`^config: ${key.replaceAll(".", "\\.")}: expected .+, got `));
    });

    test.each(["yarn", "linear", "dynamic", "llama3", "longrope", "proportional", "mrope"])("refused: the type %s", (type) => {
      for (const key of ["rope_parameters", "rope_scaling"]) {
        for (const name of ["rope_type", "type"]) {
          const message = refusal({ ...least, [key]: { ...half, [name]: type, rope_type: name === "type" ? undefined : type } });
          expect(message).toMatch(new RegExp(`^config: ${key}\\.${name}: expected "default", got "${type}"`));
        }
        expect(refusal({ ...least, [key]: { full_attention: { rope_type: type } } })).toContain(`${key}.full_attention.rope_type`);
      }
    });
  });

  test("a contradiction names both places", () => {
    expect(refusal({ ...leastPublished, rope_theta: 1e7, rope_parameters: { rope_theta: 1e6 } })).toMatch(
      facts("config: rope_parameters.rope_theta: …10000000…rope_theta…1000000…Remove"),
    );
    expect(refusal({ ...published, partial_rotary_factor: 1 })).toMatch(facts("0.5…rotary_dim 64…head_dim 128…1"));
  });

  test("the published file with its base and share moved into rope_parameters is the same model", () => {
    const { rope_theta, rotary_dim: _dim, ...others } = published;
    const moved = { ...others, rope_parameters: { rope_theta, rope_type: "default", partial_rotary_factor: 0.5 } };
    const { config, warnings } = read(moved);
    expect(warnings).toEqual([]);
    expect(config).toEqual({ ...read(published).config, source: moved });
  });

  test("a share is rounded down to whole dims, beyond what floating point loses", () => {
    const wide = { ...leastPublished, head_dim: 100 };
    expect(read({ ...wide, partial_rotary_factor: 0.28 }).config.rotaryDim).toBe(28); // 28.000000000000004
    expect(read({ ...wide, partial_rotary_factor: 0.58 }).config.rotaryDim).toBe(58); // 57.99999999999999
    expect(read({ ...wide, partial_rotary_factor: 0.645 }).config.rotaryDim).toBe(64);
  });

  test("a warning where transformers' own code would rotate the whole head", () => {
    expect(read({ ...leastTransformers, rotary_dim: 2 }).warnings.join()).toMatch(/rotates 2 of 4 dims/);
    expect(read({ ...leastPublished, rotary_dim: 2 }).warnings).toEqual([]);
  });
});

describe("a setting may stand at its key of either dialect", () => {
  test("kinds of layers", () => {
    const layer_types = ["linear_attention", "full_attention", "linear_attention"];
    const { attn_type_list: _, ...bare } = leastPublished;
    const { layer_types: _types, ...bareTransformers } = leastTransformers;
    for (const [json, kinds] of [
      [{ ...bare, layer_types }, [0, 1, 0]],
      [{ ...leastPublished, layer_types }, [0, 1, 0]],
      [{ ...bareTransformers, attn_type_list: [0, 0, 1] }, [0, 0, 1]],
    ] as const) {
      const { config, warnings } = read(json);
      expect(warnings).toEqual([]);
      expect(config.attnTypeList).toEqual(kinds);
    }
    expect(refusal({ ...leastPublished, attn_type_list: [0, 0, 1], layer_types })).toMatch(
      /^config: layer_types: expected \[0,0,1\], the value of attn_type_list, got \[0,1,0\]/,
    );
    expect(refusal({ ...bare, layer_types: ["full_attention"] })).toMatch(/^config: layer_types: expected 3 entries/);
  });

  test("scales of residuals, and the number of experts", () => {
    expect(read({ ...leastPublished, mlp_alpha_factor: 2 }).config.residual.mlp).toEqual({ alpha: 2, beta: 1 });
    expect(read({ ...leastTransformers, layernorm_full_attention_beta: 2 }).config.residual.softmax).toEqual({ alpha: 1, beta: 2 });
    expect(read({ ...leastTransformers, num_experts: 5 }).config.numLocalExperts).toBe(5);
    expect(refusal({ ...leastPublished, mlp_alpha_factor: 2, layernorm_mlp_alpha: 3 })).toMatch(
      /mlp_alpha_factor: expected 3, the value of layernorm_mlp_alpha, got 2/,
    );
    expect(refusal({ ...leastPublished, num_experts: 4, num_local_experts: 8 })).toMatch(
      /num_experts: expected 8, the value of num_local_experts, got 4/,
    );
  });

  test("what transformers' model does not have is refused there", () => {
    expect(refusal({ ...leastTransformers, postnorm: false })).toMatch(/^config: postnorm: expected true/);
    expect(refusal({ ...leastTransformers, shared_intermediate_size: 64 })).toMatch(/^config: shared_intermediate_size: expected 0/);
    const { config, warnings } = read({ ...leastTransformers, postnorm: true, shared_intermediate_size: 0, shared_moe_mode: "sigmoid" });
    expect(config).toMatchObject({ postnorm: true, sharedIntermediateSize: 0 });
    expect(warnings).toEqual([]);
  });

  test("two dtypes are a warning: the weights' own count", () => {
    const { config, warnings } = read({ ...leastPublished, dtype: "float32", torch_dtype: "bfloat16" });
    expect(config.dtype).toBe("f32");
    expect(warnings.join()).toMatch(/torch_dtype.*bfloat16/);
    expect(read({ ...leastPublished, dtype: "float32", torch_dtype: "torch.float32" }).warnings).toEqual([]);
  });
});

describe("unknown keys", () => {
  test("of no kind that changes results: one warning each", () => {
    const { config, warnings } = read({ ...published, tokenizer_class: "GPT2Tokenizer" });
    expect(config).toEqual({ ...read(published).config, source: { ...published, tokenizer_class: "GPT2Tokenizer" } });
    expect(warnings).toEqual([expect.stringMatching(facts('config: tokenizer_class: …unknown…"GPT2Tokenizer"'))]);
  });

  test.each<Json>([
    { layernorm_mlp_alfa: 9 },
    { rope_parametres: { rope_theta: 5 } },
    { ropeTheta: 5 },
    { rotary_pct: 0.25 },
    { rope_ratio: 2 },
    { use_rope: false },
    { attn_use_rope: false },
    { attn_logit_softcapping: 50 },
    { final_logit_softcapping: 30 },
    { logits_scaling: 8 },
    { logit_scale: 0.0625 },
    { embedding_multiplier: 12 },
    { residual_multiplier: 0.22 },
    { query_pre_attn_scalar: 256 },
    { scale_attn_weights: false },
    { attention_bias: true },
    { add_qkv_bias: true },
    { use_routing_bias: true },
    { attention_window: 512 },
    { use_sliding_window: true },
    { qk_layernorm: true },
    { use_qk_norm: true },
    { norm_type: "layernorm" },
    { layer_norm_eps: 1e-6 },
    { hidden_activation: "gelu_pytorch_tanh" },
    { mlp_act: "relu" },
    { swiglu_limit: 7 },
    { alibi: true },
    { no_rope_layers: [1, 0] },
    { clip_qkv: 8 },
    { is_causal: false },
    { routed_scaling_factor: 2.5 },
    { output_softcap: 30 },
    { output_logit_scale: 2 },
    { norm_topk_prob: false },
    { scoring_func: "sigmoid" },
    { score_function: "sigmoid" },
    { moe_router_use_sigmoid: true },
    { n_group: 8 },
    { topk_group: 4 },
    { use_parallel_residual: true },
    { zero_centered_gamma: true },
  ])("that change what the model computes are refused: %j", (change) => {
    for (const least of [leastPublished, leastTransformers]) {
      expect(refusal({ ...least, ...change })).toMatch(new RegExp(`^config: ${Object.keys(change)[0]}: expected .+, got `));
    }
  });

  test.each<Json>([
    { attn_logit_softcapping: null },
    { final_logit_softcapping: 0 },
    { attention_bias: false },
    { mlp_bias: false },
    { use_sliding_window: false },
    { attention_window: 0 },
    { qk_layernorm: false },
    { use_qk_norm: false },
    { logit_scale: 1 },
    { embedding_multiplier: 1.0 },
    { rope_interleave: false },
    { use_rope: true },
    { rope_type: "default" },
    { hidden_activation: "silu" },
    { norm_topk_prob: true },
    { scoring_func: "softmax" },
    { is_causal: true },
    { routed_scaling_factor: 1 },
    { score_func: "softmax" },
    { n_group: 1 },
    { use_parallel_residual: false },
  ])("that change nothing with this value pass: %j", (change) => {
    for (const least of [leastPublished, leastTransformers]) {
      const { config, warnings } = read({ ...least, ...change });
      expect(config).toEqual({ ...read(least).config, source: { ...least, ...change } });
      expect(warnings).toEqual([]);
    }
  });

  test("that transformers writes into every file, or trainers into theirs, are no errors", () => {
    const common = {
      _attn_implementation: "sdpa",
      label_smoothing_factor: 0.1,
      layer_norm_backend: "triton",
      max_window_layers: 28,
      norm_kernel: "apex",
      _attn_implementation_autoset: true,
      _experts_implementation: "grouped_mm",
      activation_checkpointing: true,
      add_cross_attention: false,
      attn_implementation: "flash_attention_2",
      bad_words_ids: null,
      begin_suppress_tokens: null,
      chunk_size_feed_forward: 0,
      cross_attention_hidden_size: null,
      diversity_penalty: 0,
      do_sample: false,
      early_stopping: false,
      encoder_no_repeat_ngram_size: 0,
      exponential_decay_length_penalty: null,
      finetuning_task: null,
      id2label: { 0: "LABEL_0", 1: "LABEL_1" },
      initializer_factor: 0.5,
      is_decoder: false,
      is_encoder_decoder: false,
      label2id: { LABEL_0: 0, LABEL_1: 1 },
      length_penalty: 1,
      loss_scale: 128,
      max_grad_norm: 1,
      max_length: 20,
      num_logits_to_keep: 1,
      output_logits: true,
      output_scores: true,
      prefix: null,
      problem_type: null,
      pruned_heads: {},
      remove_invalid_values: true,
      renormalize_logits: true,
      repetition_penalty: 1.2,
      return_dict_in_generate: true,
      temperature: 0.7,
      tf_legacy_loss: false,
      tie_encoder_decoder: false,
      tokenizer_class: "LlamaTokenizer",
      top_p: 0.95,
      torchscript: false,
      typical_p: 1,
      use_bfloat16: false,
    };
    for (const least of [leastPublished, leastTransformers]) {
      expect(read({ ...least, ...common }).config).toEqual({ ...read(least).config, source: { ...least, ...common } });
    }
  });
});

describe("refusals name the key", () => {
  test.each([null, [], "text", 7, undefined])("not an object: %j", (json) => {
    expect(refusal(json)).toMatch(/^config:.*JSON object/);
  });

  test.each<[string, Json]>([
    ["sliding_window", { sliding_window: 4096 }],
    ["quantization_config", { quantization_config: { quant_method: "fp8" } }],
    ["quantization_config", { quantization_config: {} }],
    ["rope_scaling.type", { rope_scaling: { type: "yarn", factor: 4 } }],
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
