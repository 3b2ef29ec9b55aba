// The computing of the view "The real model", without a browser. Expected numbers are those of the guides, or follow from the shapes.
import { graph, hypeNet2B, minimaxM1, tinyM1 } from "lightning-m1";
import { DeploymentError, planDeployment } from "lightning-m1/analysis";
import { expect, test } from "vitest";
import { parseAmount } from "../../src/views/real-model/amounts.ts";
import { readModel } from "../../src/views/real-model/chosen-model.ts";
import { ancestors, modelTree, nodesById, openForSearch, searchTensors, visibleRows } from "../../src/views/real-model/model-tree.ts";
import { type Costs, cacheCurves, requirements } from "../../src/views/real-model/requirements.ts";

const published = graph(minimaxM1);
const root = modelTree(published, "MiniMax-M1");
const nodes = nodesById(root);

test("the tree has all tensors, parameters and bytes of the model", () => {
  expect(root.parameters).toBe(456_089_655_296);
  expect(root.active).toBe(published.activatedParameterCount);
  expect(root.bytes).toBe(912_210_767_872);
  expect(root.tensors).toBe(published.tensors.length);
  for (const tensor of published.tensors) expect(nodes.get(tensor.name)?.tensor).toBe(tensor);
  expect(nodes.size).toBeGreaterThan(published.tensors.length);
});

test("equal layers are folded into ranges", () => {
  const labels = root.children.map(({ id }) => id);
  expect(labels.slice(1, 5)).toEqual(["layers.0-6", "layers.7", "layers.8-14", "layers.15"]);
  expect(nodes.get("layers.0-6")?.children.length).toBe(7);
  const parts = nodes.get("layers.7")!.children.map(({ id }) => id);
  expect(parts).toEqual(["layers.7.norm", "layers.7.softmax", "layers.7.router", "layers.7.expert"]);
  const w1 = nodes.get("model.layers.3.block_sparse_moe.experts.5.w1.weight")!;
  expect(ancestors(w1)).toEqual(["model", "layers.0-6", "layers.3", "layers.3.expert", "layers.3.expert.5"]);
});

test("a search finds tensors by every word, and exact layers and experts", () => {
  expect(searchTensors(root, "  ")).toBeUndefined();
  expect(searchTensors(root, "q_proj")?.tensors).toBe(10);
  expect(searchTensors(root, "layer 7 expert 3")?.tensors).toBe(3);
  expect(searchTensors(root, "w1 6144 9216")?.tensors).toBe(80 * 32);
  expect(searchTensors(root, "float32")?.tensors).toBe(published.tensors.filter(({ dtype }) => dtype === "f32").length);
  expect(searchTensors(root, "no such tensor")?.tensors).toBe(0);
});

test("a search opens as much as fits", () => {
  const few = searchTensors(root, "q_proj")!;
  const rows = visibleRows(root, openForSearch(root, few), few);
  expect(rows.filter(({ node }) => node.tensor).length).toBe(10);
  const many = searchTensors(root, "w1")!;
  expect(visibleRows(root, openForSearch(root, many, 30), many).length).toBeLessThanOrEqual(30);
  const closed = visibleRows(root, new Set(["model"]));
  expect(closed.length).toBe(1 + root.children.length);
  expect(closed[1]).toMatchObject({ level: 2, position: 1, siblings: root.children.length, open: false });
});

test("memory and GPUs agree with the guides", () => {
  const needs = requirements(published, { context: 131_072, users: 1, weights: "experts_int8", kv: "bf16" });
  expect(needs.exact.keyValues).toBe(5 * 2 ** 30);
  expect(needs.exact.states).toBe(280 * 2 ** 20);
  expect(needs.exact.weights / 2 ** 30).toBeCloseTo(447.09, 2);
  expect(needs.everyLayerCached.keyValues).toBe(40 * 2 ** 30);
  expect(Object.fromEntries(needs.exact.gpus.map(({ gpu, needed }) => [gpu.name, needed]))).toMatchObject({
    H800: { copies: 1, perCopy: 8 },
    H20: { copies: 1, perCopy: 8 },
    H200: { copies: 1, perCopy: 4 },
    B200: { copies: 1, perCopy: 4 },
  });
});

test("users who do not fit onto one copy of the model get several, as in a plan", () => {
  const [context, users] = [1_000_000, 500];
  const { exact } = requirements(published, { context, users, weights: "experts_int8", kv: "bf16" });
  for (const { gpu, needed } of exact.gpus) {
    const { copies, perCopy } = needed!;
    expect(copies).toBeGreaterThan(1);
    const target = { gpu: gpu.name, gpusPerNode: perCopy, context, concurrency: users, weights: "experts_int8", kv: "bf16" } as const;
    expect(planDeployment(published, { ...target, nodes: copies })).toMatchObject({ replicas: copies, tensorParallel: perCopy });
    expect(() => planDeployment(published, { ...target, nodes: copies - 1 })).toThrow(DeploymentError);
  }
  const longest = requirements(published, { context: 10_240_000, users: 1, weights: "experts_int8", kv: "bf16" });
  const h100 = ({ gpus }: Costs) => gpus.find(({ gpu }) => gpu.name === "H100")?.needed;
  expect(h100(longest.exact)).toEqual({ copies: 1, perCopy: 32 });
  expect(h100(longest.everyLayerCached)).toBeUndefined();
});

/** Softmax attention in all 80 layers has eight times the pairs of 10 layers. */
test("a cache in every layer costs eight times as much as in ten of eighty", () => {
  const { exact, everyLayerCached } = requirements(published, { context: 1_000_000, users: 3, weights: "bf16", kv: "fp8" });
  expect(everyLayerCached.keyValues).toBe(8 * exact.keyValues);
  expect(everyLayerCached.total - everyLayerCached.keyValues).toBe(exact.total - exact.keyValues - exact.states);
  const pairs = (1_000_000 * 1_000_001) / 2;
  const softmax = (layers: number) => 4 * 64 * 128 * layers * pairs;
  const lightning = everyLayerCached.prefillFlops - softmax(80);
  expect(exact.prefillFlops - softmax(10) - lightning).toBeGreaterThan(0);
  expect(everyLayerCached.tokenFlops).toBeGreaterThan(5 * exact.tokenFlops);
});

test("the curves of a model without lightning layers coincide with those of a cache in every layer", () => {
  const softmaxOnly = graph({ ...tinyM1, attnTypeList: tinyM1.attnTypeList.map(() => 1 as const) });
  for (const { hybrid, softmax } of cacheCurves(softmaxOnly, [16, 1000, 65_536], 2, "bf16")) expect(hybrid).toBe(softmax);
  const [short, long] = cacheCurves(graph(tinyM1), [16, 65_536], 2, "bf16");
  expect(short!.lightning).toBe(long!.lightning);
  expect(long!.hybrid).toBeLessThan(long!.softmax);
});

test.each([
  ["200k", 200_000],
  ["1M", 1_000_000],
  ["1.5 m", 1_500_000],
  ["128Ki", 131_072],
  ["1,048,576", 1_048_576],
  ["4096", 4096],
  ["1,04", undefined],
  ["1.5", undefined],
  ["-3", undefined],
  ["many", undefined],
  ["", undefined],
])("amount %j", (text, expected) => {
  expect(parseAmount(text)).toBe(expected);
});

test("a config.json is read, or refused with the library's reason", () => {
  expect(readModel(JSON.stringify(minimaxM1.source)).graph.parameterCount).toBe(456_089_655_296);
  const { graph } = readModel(JSON.stringify(hypeNet2B.source));
  const tree = modelTree(graph, "HypeNet");
  expect([tree.parameters, tree.tensors]).toEqual([graph.parameterCount, graph.tensors.length]);
  expect(() => readModel(JSON.stringify({ ...minimaxM1.source, num_hidden_layers: 2000, attn_type_list: Array(2000).fill(0) }))).toThrow(
    /at most 20,000 tensors/,
  );
  expect(() => readModel("{")).toThrow(/config.json: expected JSON/);
  expect(() => readModel('{ "model_type": "llama" }')).toThrow(/expected minimax_m1/);
});
