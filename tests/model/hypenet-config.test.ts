import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.js";
import { type Config, parseConfig } from "../../src/model/config.js";
import { decaySlopes } from "../../src/model/decay-slopes.js";
import { graph } from "../../src/model/graph.js";
import { hypeNet2B, presets, tinyM1 } from "../../src/model/presets.js";
import { goldenCases, readGolden } from "../support/golden.js";

type Json = Record<string, unknown>;

/** The least that the dialect needs. */
const least: Json = {
  model_type: "hypenet",
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  mixer_types: ["lightning-attn", "attn", "lightning_attn"],
};

function read(json: unknown): { config: Config; warnings: string[] } {
  const warnings: string[] = [];
  return { config: parseConfig(json, (message) => warnings.push(message)), warnings };
}

function refusal(change: Json): string {
  try {
    parseConfig({ ...least, ...change });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return "accepted";
}

describe("HypeNet-2B", () => {
  test("has the published settings", () => {
    expect(presets["hypenet-2b"]).toBe(hypeNet2B);
    expect(hypeNet2B).toMatchObject({
      dialect: "hypenet",
      hiddenSize: 2048,
      numAttentionHeads: 16,
      numKeyValueHeads: 8,
      headDim: 128,
      rotaryDim: 0,
      rmsNormEps: 1e-6,
      lightning: {
        heads: 16,
        keyValueHeads: 16,
        headDim: 128,
        projection: "separate",
        qkNorm: true,
        rotaryDim: 128,
        scale: 128 ** -0.5,
        layerDecay: false,
        outputNorm: true,
        outputGate: true,
        normEps: 1e-6,
      },
      softmax: { qkNorm: true, queryScale: { logBase: 500 }, outputGate: true },
      numLocalExperts: 0,
      tieWordEmbeddings: true,
      maxPositionEmbeddings: 1_048_576,
      bosTokenId: 151_643,
      eosTokenIds: [151_645],
    });
    expect(hypeNet2B.attnTypeList.flatMap((type, layer) => (type === 1 ? [layer] : []))).toEqual([2, 3, 6, 8, 9, 21, 25]);
  });

  test("parameters: 1.93 billion, counted by hand", () => {
    const { parameterCount, activatedParameterCount, checkpointBytes, tensors } = graph(hypeNet2B);
    const mlp = 3 * 2048 * 6144 + 2 * 2048;
    const lightning = 5 * 2048 * 2048 + 2 * 128 + 2048;
    const softmax = 3 * 2048 * 2048 + 2 * 1024 * 2048 + 2 * 128;
    const layers = 28 * mlp + 21 * lightning + 7 * softmax + 2048;
    expect(activatedParameterCount).toBe(layers);
    expect(parameterCount).toBe(layers + 151_936 * 2048);
    expect(parameterCount / 1e9).toBeCloseTo(1.93, 2);
    expect(checkpointBytes).toBe(2 * parameterCount);
    expect(tensors).toHaveLength(2 + 28 * 5 + 21 * 8 + 7 * 7);
  });
});

describe("a config.json", () => {
  test.each(["hypenet-tiny", "hypenet-options"])(
    "of the golden case %s is read without a warning, and its tensors are the stored ones",
    (name) => {
      const golden = readGolden(goldenCases().find((one) => one.name === name)!);
      const { config, warnings } = read(golden.config);
      expect(warnings).toEqual([]);
      const shapes = (entries: Iterable<readonly [string, { shape: readonly number[] }]>) =>
        Object.fromEntries([...entries].map(([key, { shape }]) => [key, [...shape]]));
      expect(shapes(graph(config).tensors.map((tensor) => [tensor.name, tensor] as const))).toEqual(shapes(golden.weights));
    },
  );

  test.each([
    { model_type: "hybrid" },
    { model_type: "hybrid", architectures: ["HybridForCausalLM"], auto_map: { AutoConfig: "configuration_hybrid.HybridConfig" } },
    { model_type: "hypenet", architectures: ["HypeNetForCausalLM"] },
    { model_type: undefined, architectures: ["HypeNetForCausalLM"] },
    { model_type: "hypenet", architectures: ["HybridForCausalLM"] },
  ])("under every known name: %j", (names) => {
    const { config, warnings } = read({ ...least, ...names });
    expect({ ...config, source: undefined }).toEqual({ ...parseConfig(least), source: undefined });
    expect(warnings).toEqual([]);
  });

  test("missing keys have the published defaults", () => {
    expect(parseConfig(least)).toMatchObject({
      numKeyValueHeads: 4,
      headDim: 128,
      rotaryDim: 128,
      ropeTheta: 10_000,
      rmsNormEps: 1e-6,
      attnTypeList: [0, 1, 0],
      lightning: {
        heads: 4,
        keyValueHeads: 4,
        headDim: 128,
        rotaryDim: 128,
        scale: 128 ** -0.5,
        qkNorm: false,
        outputNorm: false,
        outputGate: false,
      },
      softmax: { qkNorm: true, queryScale: 1, outputGate: false },
      tieWordEmbeddings: false,
      dtype: "bf16",
    });
  });

  test.each<[unknown, Config["softmax"]["queryScale"]]>([
    [null, 1],
    [1.5, 1.5],
    ["hype", { logBase: 362 }],
    ["hype 500", { logBase: 500 }],
    ["hype 2.5", { logBase: 2.5 }],
  ])("attn_logits_scaling %j", (attn_logits_scaling, queryScale) => {
    expect(parseConfig({ ...least, attn_logits_scaling }).softmax.queryScale).toEqual(queryScale);
  });

  test("lightning_scale: every other text is 1, as in the published code, with a warning", () => {
    const scaleOf = (lightning_scale: string) => read({ ...least, lightning_head_dim: 16, lightning_scale });
    expect(scaleOf("1/sqrt(d)").config.lightning.scale).toBe(0.25);
    expect(scaleOf("1/d").config.lightning.scale).toBe(1 / 16);
    expect(scaleOf("1")).toMatchObject({ config: { lightning: { scale: 1 } }, warnings: [] });
    expect(scaleOf("d")).toMatchObject({ config: { lightning: { scale: 1 } }, warnings: [expect.stringMatching(/lightning_scale: "d"/)] });
  });

  test("an unknown key that changes nothing is a warning", () => {
    expect(read({ ...least, teacher_model: "x" }).warnings).toEqual([expect.stringMatching(/teacher_model: unknown key/)]);
  });

  test("variants that are not built are refused by name", () => {
    for (const [key, change] of [
      ["mixer_types.1", { mixer_types: ["attn", "kda", "attn"] }],
      ["mixer_types.0", { mixer_types: ["gdn", "attn", "attn"] }],
      ["mixer_types.2", { mixer_types: ["attn", "attn", "mamba2"] }],
      ["mixer_types", { mixer_types: undefined }],
      ["mixer_types", { mixer_types: ["attn"] }],
      ["lightning_use_short_conv", { lightning_use_short_conv: true }],
      ["lightning_rope_scaling", { lightning_rope_scaling: true }],
      ["rope_scaling.rope_type", { rope_scaling: { rope_type: "yarn", factor: 4 } }],
      ["rope_scaling.type", { rope_scaling: { type: "linear", factor: 2 } }],
      ["rope_scaling.partial_rotary_factor|partial_rotary_factor", { rope_scaling: { partial_rotary_factor: 0.5 } }],
      ["partial_rotary_factor", { partial_rotary_factor: 0.5 }],
      ["attention_bias", { attention_bias: true }],
      ["mlp_bias", { mlp_bias: true }],
      ["sliding_window", { sliding_window: 4096 }],
      ["use_sliding_window", { use_sliding_window: true }],
      ["attn_logits_scaling", { attn_logits_scaling: "hype 1" }],
      ["attn_logits_scaling", { attn_logits_scaling: "hype x" }],
      ["attn_logits_scaling", { attn_logits_scaling: -1 }],
      ["lightning_nkv", { lightning_nkv: 3 }],
      ["num_key_value_heads", { num_key_value_heads: 3 }],
      ["lightning_head_dim", { lightning_head_dim: 7 }],
      ["head_dim", { head_dim: 7 }],
      ["hidden_act", { hidden_act: "gelu" }],
      ["logit_softcap", { logit_softcap: 30 }],
      ["quantization_config", { quantization_config: {} }],
    ] as const) {
      expect(refusal(change), JSON.stringify(change)).toMatch(new RegExp(`^config: (${key}): expected .+, got `));
    }
    expect(refusal({ lightning_use_short_conv: true })).toMatch(/short convolutions are not supported/);
    expect(refusal({ mixer_types: ["attn", "kda", "attn"] })).toMatch(/kda, gdn and mamba2, are not supported/);
  });

  test("neutral values of the same keys are accepted", () => {
    const neutral = { rope_scaling: { rope_type: "default" }, attention_bias: false, sliding_window: null, use_sliding_window: false };
    expect(read({ ...least, ...neutral, lightning_use_short_conv: false, lightning_rope_scaling: null }).warnings).toEqual([]);
  });

  test("whatever stands at any key: a config or a ConfigError", () => {
    const keys = Object.keys(hypeNet2B.source);
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
        expect(typeof refusal({ [key]: value })).toBe("string");
      }),
      { numRuns: 500 },
    );
  });
});

test("the decay slopes are those of ALiBi in every layer, without a factor for the layer", () => {
  const own = [...decaySlopes(hypeNet2B, 0)];
  expect(own).toEqual(Array.from({ length: 16 }, (_, h) => Math.fround(2 ** (-(h + 1) / 2))));
  expect([...decaySlopes(hypeNet2B, 27)]).toEqual(own);
  expect([...decaySlopes(tinyM1, 6)]).not.toEqual([...decaySlopes(tinyM1, 0)]);
});

test("a typed configuration with experts is refused, because no such checkpoint exists", () => {
  expect(() => graph({ ...hypeNet2B, numLocalExperts: 2 })).toThrow(/numLocalExperts: expected 0.*HypeNet.*got 2/);
  expect(() => graph({ ...tinyM1, numLocalExperts: 0, numExpertsPerTok: 0 })).toThrow(/numLocalExperts: expected an integer of at least 1/);
});
