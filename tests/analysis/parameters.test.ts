import { expect, test } from "vitest";
import { parameterTable } from "../../src/analysis/index.js";
import { graph, minimaxM1, tinyM1 } from "../../src/index.js";

test("the published model's exact numbers", () => {
  expect(parameterTable(minimaxM1)).toMatchObject({
    parameterCount: 456_089_655_296,
    activatedParameterCount: 45_944_920_064,
    activatedWithEmbeddingAndHead: 48_403_306_496,
    checkpointBytes: 912_210_767_872,
  });
});

/** That many layers, alternating. */
function layers(count: number) {
  return { num_hidden_layers: count, attn_type_list: Array.from({ length: count }, (_, i) => i % 2) };
}

test.each([
  ["minimax-m1", minimaxM1.source],
  ["tiny-m1", tinyM1.source],
  ["a shared expert", { ...tinyM1.source, shared_intermediate_size: 96 }],
  ["a tied head", { ...tinyM1.source, tie_word_embeddings: true }],
  ["three experts of seven", { ...tinyM1.source, num_local_experts: 7, num_experts_per_tok: 3 }],
  ["two experts of 33, many layers", { ...tinyM1.source, ...layers(500), num_local_experts: 33, intermediate_size: 65_536 }],
])("blocks add up to the whole: %s", (_, config) => {
  const table = parameterTable(config);
  const sum = (key: "parameters" | "activated" | "bytes" | "tensors") => table.blocks.reduce((total, block) => total + block[key], 0);
  expect(sum("parameters")).toBe(table.parameterCount);
  expect(sum("activated")).toBe(table.activatedParameterCount);
  expect(sum("bytes")).toBe(table.checkpointBytes);
  expect(sum("tensors")).toBe(graph(config).tensors.length);
});

test("a tied head counts once", () => {
  const [own, tied] = [tinyM1.source, { ...tinyM1.source, tie_word_embeddings: true }].map((config) => parameterTable(config));
  expect(own!.activatedWithEmbeddingAndHead - tied!.activatedWithEmbeddingAndHead).toBe(320 * 64);
});

test("a graph, a typed configuration and its JSON give the same", () => {
  expect(parameterTable(graph(tinyM1))).toEqual(parameterTable(tinyM1));
  expect(parameterTable(tinyM1.source)).toEqual(parameterTable(tinyM1));
});
