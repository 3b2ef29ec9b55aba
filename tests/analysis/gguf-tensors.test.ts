import { describe, expect, test } from "vitest";
import { type GgmlType, type GgufFormat, ggmlTypes, ggufFormats, ggufTensors } from "../../src/analysis/index.js";
import { graph, hypeNet2B, minimaxM1, parseConfig, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";

const m1 = graph(minimaxM1);

/** Eight experts, and rows of 96, 256 and 80 numbers, of which 256 divides only one and 32 only two. */
const odd = parseConfig({
  ...tinyM1.source,
  hidden_size: 96,
  intermediate_size: 80,
  num_hidden_layers: 10,
  attn_type_list: [0, 1, 0, 1, 0, 0, 1, 0, 1, 0],
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 64,
  rotary_dim: 32,
  num_local_experts: 8,
  vocab_size: 320,
});
/** The same with rows that 256 divides. */
const wide = parseConfig({ ...odd.source, hidden_size: 512, intermediate_size: 768 });

/** Numbers of tensors of each type, and bytes of all, as `llama-quantize --dry-run` of llama.cpp v0.5.0 reports them. */
const reported: Readonly<
  Record<"m1" | "odd" | "wide", Readonly<Partial<Record<GgufFormat, [Partial<Record<GgmlType, number>>, number]>>>>
> = {
  m1: {
    BF16: [{ BF16: 492, F32: 311 }, 912_213_893_120],
    F16: [{ F16: 492, F32: 311 }, 912_213_893_120],
    Q8_0: [{ Q8_0: 492, F32: 311 }, 484_646_051_840],
    Q6_K: [{ Q6_K: 492, F32: 311 }, 374_191_026_176],
    Q5_K_M: [{ Q6_K: 81, Q5_K: 411, F32: 311 }, 324_094_945_280],
    Q5_K_S: [{ Q6_K: 1, Q5_K: 491, F32: 311 }, 313_782_167_552],
    Q4_K_M: [{ Q6_K: 81, Q4_K: 411, F32: 311 }, 276_945_692_672],
    Q4_K_S: [{ Q6_K: 1, Q5_K: 14, Q4_K: 477, F32: 311 }, 259_267_192_832],
    Q3_K_L: [{ Q6_K: 1, Q5_K: 240, Q3_K: 251, F32: 311 }, 237_668_458_496],
    Q3_K_M: [{ Q6_K: 1, Q5_K: 7, Q4_K: 233, Q3_K: 251, F32: 311 }, 218_886_889_472],
    Q3_K_S: [{ Q6_K: 1, Q3_K: 491, F32: 311 }, 196_517_912_576],
    Q2_K: [{ Q6_K: 1, Q4_K: 80, Q3_K: 160, Q2_K: 251, F32: 311 }, 167_945_861_120],
  },
  odd: {
    F16: [{ F16: 66, F32: 37 }, 5_918_592],
    Q8_0: [{ Q8_0: 56, F16: 10, F32: 37 }, 3_741_312],
    Q6_K: [{ Q8_0: 46, Q6_K: 10, F16: 10, F32: 37 }, 3_681_792],
    Q5_K_M: [{ Q8_0: 15, Q5_1: 31, Q5_K: 10, F16: 10, F32: 37 }, 3_178_752],
    Q4_K_M: [{ Q8_0: 15, Q5_0: 31, Q5_K: 10, F16: 10, F32: 37 }, 3_084_672],
    Q3_K_L: [{ Q8_0: 15, Q4_0: 31, Q3_K: 10, F16: 10, F32: 37 }, 2_833_152],
    Q3_K_M: [{ Q8_0: 15, Q4_0: 31, Q5_K: 10, F16: 10, F32: 37 }, 2_896_512],
    Q2_K: [{ Q8_0: 15, Q4_0: 31, Q5_K: 10, F16: 10, F32: 37 }, 2_896_512],
  },
  wide: {
    Q8_0: [{ Q8_0: 66, F32: 37 }, 106_680_320],
    Q6_K: [{ Q6_K: 52, Q8_0: 14, F32: 37 }, 83_110_400],
    Q5_K_M: [{ Q6_K: 6, Q5_K: 46, Q8_0: 14, F32: 37 }, 72_295_680],
    Q5_K_S: [{ Q6_K: 1, Q5_K: 51, Q8_0: 14, F32: 37 }, 70_206_720],
    Q4_K_M: [{ Q6_K: 6, Q4_K: 36, Q5_K: 10, Q8_0: 14, F32: 37 }, 62_280_960],
    Q4_K_S: [{ Q6_K: 1, Q4_K: 40, Q5_K: 11, Q8_0: 14, F32: 37 }, 58_619_136],
    Q3_K_L: [{ Q6_K: 1, Q3_K: 41, Q8_0: 14, Q5_K: 10, F32: 37 }, 53_268_480],
    Q3_K_M: [{ Q6_K: 1, Q3_K: 31, Q5_K: 10, Q8_0: 14, Q4_K: 10, F32: 37 }, 49_674_240],
    Q3_K_S: [{ Q6_K: 1, Q3_K: 41, Q5_K: 10, Q8_0: 14, F32: 37 }, 45_496_320],
    Q2_K: [{ Q6_K: 1, Q2_K: 31, Q5_K: 10, Q8_0: 14, Q3_K: 10, F32: 37 }, 38_956_800],
  },
};

describe.each([
  ["m1", m1],
  ["odd", graph(odd)],
  ["wide", graph(wide)],
] as const)("%s: types and bytes are those of llama-quantize", (name, model) => {
  test.each(Object.entries(reported[name]))("%s", (format, [counts, bytes]) => {
    const tensors = ggufTensors(model, format as GgufFormat);
    const found: Partial<Record<GgmlType, number>> = {};
    for (const { type } of tensors) found[type] = (found[type] ?? 0) + 1;
    expect(found).toEqual(counts);
    expect(tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)).toBe(bytes);
  });
});

test("by hand: the first layer of the published model in Q4_K_M", () => {
  const layer = ggufTensors(m1, "Q4_K_M").filter((tensor) => tensor.layer === 0);
  expect(Object.fromEntries(layer.map(({ name, type, bytes }) => [name, [type, bytes]]))).toEqual({
    "blk.0.attn_norm.weight": ["F32", 4 * 6144],
    "blk.0.attn_qkv.weight": ["Q6_K", ((24_576 * 6144) / 256) * 210],
    "blk.0.attn_gate.weight": ["Q4_K", ((8192 * 6144) / 256) * 144],
    "blk.0.attn_norm_2.weight": ["F32", 4 * 8192],
    "blk.0.attn_output.weight": ["Q4_K", ((6144 * 8192) / 256) * 144],
    "blk.0.ffn_norm.weight": ["F32", 4 * 6144],
    "blk.0.ffn_gate_inp.weight": ["F32", 4 * 32 * 6144],
    "blk.0.ffn_gate_exps.weight": ["Q4_K", ((32 * 9216 * 6144) / 256) * 144],
    "blk.0.ffn_down_exps.weight": ["Q6_K", ((32 * 6144 * 9216) / 256) * 210],
    "blk.0.ffn_up_exps.weight": ["Q4_K", ((32 * 9216 * 6144) / 256) * 144],
  });
});

test("by hand: a small model in Q8_0; rows of 64 and 96 numbers are blocks of 32", () => {
  const all = ggufTensors(tinyM1, "Q8_0");
  expect(all.filter(({ type }) => type !== "F32" && type !== "Q8_0")).toEqual([]);
  const matrices = all.filter(({ type }) => type === "Q8_0");
  for (const { shape, bytes } of matrices) expect(bytes).toBe((shape.reduce((product, dim) => product * dim, 1) / 32) * 34);
  expect(all.find(({ name }) => name === "blk.0.ffn_up_exps.weight")).toMatchObject({
    shape: [4, 96, 64],
    bytes: ((4 * 96 * 64) / 32) * 34,
  });
});

test("the types hold as many bits as their names say, and formats are sorted by size", () => {
  for (const [name, { block, bytes }] of Object.entries(ggmlTypes)) {
    const nominal = Number(/\d+/.exec(name)![0]);
    const bits = (8 * bytes) / block;
    expect(bits).toBeGreaterThanOrEqual(nominal);
    expect(bits).toBeLessThan(nominal + 1.01);
  }
  const sizes = ggufFormats.map((format) => ggufTensors(m1, format).reduce((sum, { bytes }) => sum + bytes, 0));
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
});

test("a tied head is the embedding, with the head's type", () => {
  const tied = parseConfig({ ...wide.source, tie_word_embeddings: true });
  const tensors = ggufTensors(tied, "Q4_K_M");
  expect(tensors.find(({ name }) => name === "token_embd.weight")!.type).toBe("Q6_K");
  expect(tensors.some(({ name }) => name === "output.weight")).toBe(false);
});

test("unknown formats and other architectures are refused", () => {
  expect(() => ggufTensors(m1, "Q4" as never)).toThrow(facts('ggufTensors: format: …"Q4_K_M"…"Q4"'));
  expect(() => ggufTensors(hypeNet2B, "Q8_0")).toThrow(facts("ggufTensors: model: …MiniMax-M1…hypenet…llama.cpp 0.5.0"));
  for (const [change, message] of [
    [{ shared_intermediate_size: 96 }, "shared expert"],
    [{ postnorm: false }, "postnorm false"],
    [{ attn_type_list: Array(8).fill(1) }, "one kind of attention"],
    [{ layernorm_mlp_alpha: 2 }, "several residual scales"],
  ] as const) {
    const model = parseConfig({ ...tinyM1.source, ...change });
    expect(() => ggufTensors(model, "Q8_0")).toThrow(facts(`ggufTensors: model: …${message}…llama.cpp 0.5.0`));
  }
});
