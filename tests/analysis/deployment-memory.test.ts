import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DeploymentMemory, deploymentMemory, gpusNeeded, tensorParallelSizes } from "../../src/analysis/index.js";
import { type Block, graph, minimaxM1, parseConfig, tinyM1 } from "../../src/index.js";
import { facts } from "../support/facts.js";

const m1 = graph(minimaxM1);
const tiny = graph(tinyM1);
const GiB = 2 ** 30;

describe("the published model", () => {
  const HEAD = 200_064 * 6144;
  const EXPERTS = 80 * 32 * 3 * 6144 * 9216;

  test("bf16 weights are the checkpoint's bytes, with a float32 head", () => {
    expect(deploymentMemory(m1).weightsBytes).toBe(912_210_767_872 + 2 * HEAD);
  });

  test("experts in int8: one byte per value, and a float32 scale per row", () => {
    const scales = 4 * 80 * 32 * (2 * 9216 + 6144);
    const rest = 912_210_767_872 - 2 * EXPERTS + 2 * HEAD;
    expect(deploymentMemory(m1, { weights: "experts_int8" }).weightsBytes).toBe(EXPERTS + scales + rest);
  });

  test("float32: four bytes per parameter", () => {
    expect(deploymentMemory(m1, { weights: "f32" }).weightsBytes).toBe(4 * 456_089_655_296);
  });

  test("fp8: all matrices of the layers in one byte, embedding and norms in two, head and routers in four", () => {
    const parameters = (...blocks: Block[]) =>
      m1.tensors.filter(({ block }) => blocks.includes(block)).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const lightningNorms = 70 * 64 * 128;
    const matrices = m1.tensors.filter(({ block, shape }) => ["lightning", "softmax", "expert"].includes(block) && shape.length === 2);
    expect(deploymentMemory(m1, { weights: "fp8" }).weightsBytes).toBe(
      parameters("lightning", "softmax", "expert") +
        lightningNorms +
        4 * matrices.length +
        2 * parameters("embedding", "norm") +
        4 * parameters("head", "router"),
    );
  });

  test("keys and values: 40 KiB a token, 40 GiB at 2^20; half of it in fp8; the states 280 MiB at any length", () => {
    const long = deploymentMemory(m1, { context: 2 ** 20 });
    expect(long.keyValueBytes).toBe(40 * GiB);
    expect(deploymentMemory(m1, { context: 2 ** 20, kv: "fp8" }).keyValueBytes).toBe(20 * GiB);
    expect(deploymentMemory(m1, { context: 16 }).keyValueBytes).toBe(16 * 40 * 2 ** 10);
    for (const { stateBytes } of [long, deploymentMemory(m1, { context: 16 })]) expect(stateBytes).toBe(280 * 2 ** 20);
    expect(deploymentMemory(m1, { context: 2 ** 20, batch: 3 }).keyValueBytes).toBe(120 * GiB);
  });

  test("up to 8 GPUs share keys and values; more hold copies", () => {
    const at = (tensorParallel: number) => deploymentMemory(m1, { tensorParallel }).keyValueBytes;
    expect([2, 4, 8, 16, 64].map(at)).toEqual([2, 4, 8, 8, 8].map((p) => at(1) / p));
  });

  test("numbers of GPUs that can share it", () => expect(tensorParallelSizes(minimaxM1)).toEqual([1, 2, 4, 8, 16, 32, 64]));

  test.each([
    ["H100", "experts_int8", 8],
    ["H20", "experts_int8", 8],
    ["H200", "experts_int8", 4],
    ["MI300X", "experts_int8", 4],
    ["H100", "bf16", 16],
    ["H200", "bf16", 8],
    ["B200", "bf16", 8],
  ] as const)("GPUs for one sequence of 131,072 tokens: %s, %s: %i", (name, weights, expected) => {
    const needed = gpusNeeded(m1, { weights }, 0.9);
    expect(needed.find(({ gpu }) => gpu.name === name)?.needed).toBe(expected);
  });
});

describe("properties", () => {
  const options = fc.record({
    context: fc.integer({ min: 1, max: 4096 }),
    batch: fc.integer({ min: 1, max: 64 }),
    weights: fc.constantFrom("f32", "bf16", "fp8", "experts_int8"),
    kv: fc.constantFrom("bf16", "fp8"),
    tensorParallel: fc.constantFrom(...tensorParallelSizes(tinyM1)),
    passTokens: fc.integer({ min: 1, max: 10_000 }),
  } as const);

  test("parts add up, and are whole bytes", () => {
    fc.assert(
      fc.property(options, (given) => {
        const { totalBytes, ...parts } = deploymentMemory(tiny, given);
        expect(Object.values(parts).reduce((a, b) => a + b)).toBe(totalBytes);
        for (const part of [parts.weightsBytes, parts.keyValueBytes, parts.stateBytes, parts.rotaryBytes])
          expect(Number.isInteger(part)).toBe(true);
      }),
    );
  });

  test("grows with tokens, sequences and tokens per pass, and does not grow with GPUs", () => {
    fc.assert(
      fc.property(options, fc.constantFrom("context", "batch", "passTokens", "tensorParallel"), (given, key) => {
        const before = deploymentMemory(tiny, given);
        const doubled = 2 * given[key];
        if (key === "tensorParallel" && !tensorParallelSizes(tinyM1).includes(doubled)) return;
        const after = deploymentMemory(tiny, { ...given, [key]: doubled });
        for (const part of Object.keys(before) as (keyof DeploymentMemory)[]) {
          if (key === "tensorParallel") expect(after[part]).toBeLessThanOrEqual(before[part]);
          else expect(after[part]).toBeGreaterThanOrEqual(before[part]);
        }
      }),
    );
  });

  test("p GPUs together hold the model once, and replicated tensors p times", () => {
    const copied = tiny.tensors.filter(({ block }) => block === "norm" || block === "router");
    const bytes = copied.reduce((sum, { block, shape }) => sum + shape.reduce((a, b) => a * b, block === "router" ? 4 : 2), 0);
    const [one, two] = [1, 2].map((tensorParallel) => deploymentMemory(tiny, { tensorParallel }).weightsBytes) as [number, number];
    expect(2 * two - one).toBe(bytes);
  });

  test("a configuration, its JSON and its graph give the same", () => {
    const all = [tinyM1, tinyM1.source, tiny].map((model) => deploymentMemory(model));
    expect(all[1]).toEqual(all[0]);
    expect(all[2]).toEqual(all[0]);
  });
});

test("gpusNeeded is undefined if no number of GPUs suffices; utilization must be a share", () => {
  expect(new Set(gpusNeeded(m1, { context: 10_240_000, batch: 500 }).map(({ needed }) => needed))).toEqual(new Set([undefined]));
  for (const utilization of [0, 1.01, Number.NaN]) {
    expect(() => gpusNeeded(tiny, {}, utilization)).toThrow(facts(`gpusNeeded: utilization: …number…(0, 1]…${utilization}`));
  }
});

test("a model without softmax attention has no keys, values and rotary table", () => {
  const lightning = parseConfig({ ...tinyM1.source, attn_type_list: Array(8).fill(0) });
  expect(deploymentMemory(lightning)).toMatchObject({ keyValueBytes: 0, rotaryBytes: 0 });
});

test.each([
  [{ tensorParallel: 3 }, "deploymentMemory: tensorParallel: …1, 2, 4…heads…vocabulary…3"],
  [{ context: 0 }, "deploymentMemory: context: …integer…1…0"],
  [{ context: 1e300 }, "deploymentMemory: context: …integer…1…1e+300"],
  [{ batch: Number.NaN }, "deploymentMemory: batch: …integer…1…NaN"],
  [{ weights: "int4" }, 'deploymentMemory: weights: …"f32"…"bf16"…"fp8"…"experts_int8"…"int4"'],
  [{ tokens: 4 }, "deploymentMemory: tokens: unknown option"],
] as const)("%j is refused", (options, message) => {
  expect(() => deploymentMemory(tiny, options as object)).toThrow(facts(message));
});
