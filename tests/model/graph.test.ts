import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.js";
import { parseConfig } from "../../src/model/config.js";
import { type Graph, graph } from "../../src/model/graph.js";
import { minimaxM1, tinyM1 } from "../../src/model/presets.js";
import { goldenCases, readGolden } from "../support/golden.js";

/** SHA-256 over the sorted tensor names of the published model.safetensors.index.json, joined by line feeds. */
const PUBLISHED_NAMES = "bf57bd0e64fa6e9bb2412c73dad77effdfd91aa645578e2b5928f0499c579a8c";

const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);
const names = ({ tensors }: Graph) => tensors.map(({ name }) => name);

describe("the 456B graph", () => {
  const full = graph(minimaxM1);

  test("parameters, activated parameters and bytes are the published ones", () => {
    expect(full.parameterCount).toBe(456_089_655_296);
    expect(full.activatedParameterCount).toBe(45_944_920_064);
    expect(full.activatedParameterCount + 2 * 200_064 * 6144).toBe(48_403_306_496);
    expect(full.checkpointBytes).toBe(912_210_767_872);
  });

  test("the 8,243 names are those of the published index", () => {
    expect(full.tensors).toHaveLength(8243);
    expect(new Set(names(full)).size).toBe(8243);
    expect(createHash("sha256").update(names(full).sort().join("\n")).digest("hex")).toBe(PUBLISHED_NAMES);
  });

  test("bf16 everywhere except the 80 routers, which are float32", () => {
    const float32 = full.tensors.filter(({ dtype }) => dtype === "f32");
    expect(float32.map(({ name }) => name)).toEqual([...Array(80).keys()].map((i) => `model.layers.${i}.block_sparse_moe.gate.weight`));
    expect(full.tensors.filter(({ dtype }) => dtype === "bf16")).toHaveLength(8243 - 80);
  });

  test("the published config.json gives the same graph", () => {
    const json = JSON.parse(readFileSync(new URL("../golden/published/config.json", import.meta.url), "utf8"));
    expect(graph(json).tensors).toEqual(full.tensors);
  });

  test("shapes of one layer of each kind", () => {
    const shape = Object.fromEntries(full.tensors.map((tensor) => [tensor.name, tensor.shape]));
    expect(shape).toMatchObject({
      "model.embed_tokens.weight": [200_064, 6144],
      "model.layers.0.input_layernorm.weight": [6144],
      "model.layers.0.self_attn.qkv_proj.weight": [24_576, 6144],
      "model.layers.0.self_attn.output_gate.weight": [8192, 6144],
      "model.layers.0.self_attn.norm.weight": [8192],
      "model.layers.0.self_attn.out_proj.weight": [6144, 8192],
      "model.layers.7.self_attn.q_proj.weight": [8192, 6144],
      "model.layers.7.self_attn.k_proj.weight": [1024, 6144],
      "model.layers.7.self_attn.v_proj.weight": [1024, 6144],
      "model.layers.7.self_attn.o_proj.weight": [6144, 8192],
      "model.layers.79.post_attention_layernorm.weight": [6144],
      "model.layers.79.block_sparse_moe.gate.weight": [32, 6144],
      "model.layers.79.block_sparse_moe.experts.31.w1.weight": [9216, 6144],
      "model.layers.79.block_sparse_moe.experts.31.w2.weight": [6144, 9216],
      "model.layers.79.block_sparse_moe.experts.31.w3.weight": [9216, 6144],
      "model.norm.weight": [6144],
      "lm_head.weight": [200_064, 6144],
    });
  });

  test("blocks, layers and experts are those that the names say", () => {
    const blockOf: [RegExp, string][] = [
      [/^model\.embed_tokens/, "embedding"],
      [/^lm_head/, "head"],
      [/layernorm\.weight$|^model\.norm/, "norm"],
      [/experts\.\d+\.w[123]\.weight$/, "expert"],
      [/block_sparse_moe\.gate\.weight$/, "router"],
      [/self_attn\.(qkv_proj|output_gate|norm|out_proj)\.weight$/, "lightning"],
      [/self_attn\.[qkvo]_proj\.weight$/, "softmax"],
    ];
    const number = (match: RegExpMatchArray | null) => (match ? Number(match[1]) : undefined);
    for (const { name, block, layer, expert, shape, bytes, dtype } of full.tensors) {
      expect([name, block]).toEqual([name, blockOf.find(([pattern]) => pattern.test(name))?.[1]]);
      expect(layer).toBe(number(name.match(/layers\.(\d+)\./)));
      expect(expert).toBe(number(name.match(/experts\.(\d+)\./)));
      expect(bytes).toBe(size(shape) * (dtype === "f32" ? 4 : 2));
    }
  });
});

describe.each(goldenCases())("the graph ≡ the tensors in the file: $name", (directory) => {
  test("names, shapes and dtypes", () => {
    const { config, weights } = readGolden(directory);
    const buffers = /\.self_attn\.(slope_rate|query_decay|key_decay|diagonal_decay)$/;
    const stored = [...weights].filter(([name]) => !buffers.test(name)).map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
    const expected = graph(config).tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype: dtype.toUpperCase() }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(expected.sort(byName)).toEqual(stored.sort(byName));
  });
});

describe("any configuration", () => {
  const configs = fc
    .record({
      types: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 6 }),
      hidden: fc.integer({ min: 1, max: 40 }),
      width: fc.integer({ min: 1, max: 40 }),
      kvHeads: fc.integer({ min: 1, max: 4 }),
      group: fc.integer({ min: 1, max: 4 }),
      halfHead: fc.integer({ min: 1, max: 8 }),
      experts: fc.integer({ min: 1, max: 7 }),
      topK: fc.integer({ min: 1, max: 7 }),
      shared: fc.boolean(),
      tied: fc.boolean(),
      vocab: fc.integer({ min: 1, max: 300 }),
      torch_dtype: fc.constantFrom("bfloat16", "float16", "float32"),
    })
    .map((c) => ({ ...c, topK: Math.min(c.topK, c.experts), heads: c.kvHeads * c.group, headDim: 2 * c.halfHead }));

  test("counts are the closed forms", () => {
    fc.assert(
      fc.property(configs, (c) => {
        const g = graph({
          ...tinyM1.source,
          attn_type_list: c.types,
          num_hidden_layers: c.types.length,
          hidden_size: c.hidden,
          intermediate_size: c.width,
          num_attention_heads: c.heads,
          num_key_value_heads: c.kvHeads,
          head_dim: c.headDim,
          rotary_dim: c.headDim,
          num_local_experts: c.experts,
          num_experts_per_tok: c.topK,
          shared_intermediate_size: c.shared ? 1 : 0,
          tie_word_embeddings: c.tied,
          vocab_size: c.vocab,
          torch_dtype: c.torch_dtype,
        });
        const lightning = c.types.filter((type) => type === 0).length;
        const softmax = c.types.length - lightning;
        const attention = c.heads * c.headDim;
        const expert = 3 * c.hidden * c.width;
        const router = c.experts * c.hidden;
        const rest =
          lightning * (5 * attention * c.hidden + attention) +
          softmax * (2 * attention + 2 * c.kvHeads * c.headDim) * c.hidden +
          c.types.length * (2 * c.hidden + router + (c.shared ? expert + c.hidden : 0)) +
          c.hidden;
        const embeddings = (c.tied ? 1 : 2) * c.vocab * c.hidden;
        expect(g.parameterCount).toBe(rest + c.types.length * c.experts * expert + embeddings);
        expect(g.activatedParameterCount).toBe(rest + c.types.length * c.topK * expert);

        const width = c.torch_dtype === "float32" ? 4 : 2;
        expect(g.checkpointBytes).toBe(width * g.parameterCount + (4 - width) * c.types.length * router);
        expect(new Set(names(g)).size).toBe(g.tensors.length);
      }),
    );
  });

  test("transformers' dialect: the same names, routers in the dtype of the rest", () => {
    const common = {
      vocab_size: 9,
      hidden_size: 16,
      intermediate_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 8,
      dtype: "bfloat16",
    };
    const own = graph({ ...common, model_type: "minimax_m1", attn_type_list: [1, 0] });
    const other = graph({ ...common, model_type: "minimax", layer_types: ["full_attention", "linear_attention"] });
    expect(names(other)).toEqual(names(own));
    expect(other.checkpointBytes).toBe(2 * other.parameterCount);
    expect(own.checkpointBytes - other.checkpointBytes).toBe(2 * 2 * 8 * 16);
  });

  test("a typed configuration and its JSON give the same graph", () => {
    expect(graph(tinyM1.source)).toEqual(graph(parseConfig(tinyM1.source)));
  });
});

test("a typed configuration that contradicts itself is refused", () => {
  expect(() => graph({ ...tinyM1, numHiddenLayers: 4 })).toThrow(ConfigError);
  expect(() => graph({ ...tinyM1, hiddenSize: -1 })).toThrow(/hiddenSize:.*integer.*1.*-1/);
  expect(() => graph({ ...tinyM1, vocabSize: Number.NaN })).toThrow(ConfigError);
  expect(() => graph(null as never)).toThrow(ConfigError);
  expect(graph({ ...tinyM1, hiddenSize: 32 }).parameterCount).toBeLessThan(graph(tinyM1).parameterCount);
});
