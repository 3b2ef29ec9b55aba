// Tests of the helpers that other tests use.

import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/model/config.js";
import { graph } from "../../src/model/graph.js";
import { tinyM1 } from "../../src/model/presets.js";
import { decode, encode, roundTo } from "./number-formats.js";
import { random, randomTensor } from "./random.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";
import { EPSILON, maxAbsDiff, product } from "./tolerance.js";
import { checkpointBytes, ROUTING_MARGIN, randomCase, randomWeights, routingMargin } from "./weights.js";

describe("number formats", () => {
  test("every bf16 and float16 pattern survives decode and encode", () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const type of ["BF16", "F16"] as const) {
      const values = decode(type, new Uint8Array(patterns.buffer));
      const again = new Uint16Array(encode(type, values).buffer);
      expect(again.filter((bits, i) => bits !== i && !Number.isNaN(values[i]))).toHaveLength(0);
    }
  });

  test("a bf16 is the upper half of a float32", () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const upper = new Float32Array(Uint32Array.from(patterns, (bits) => bits << 16).buffer);
    expect([...decode("BF16", new Uint8Array(patterns.buffer))]).toEqual([...upper]);
  });

  test("float16 by IEEE 754: one, the largest, the smallest normal, the smallest", () => {
    const bits = Uint16Array.of(0x3c00, 0x7bff, 0x0400, 0x0001, 0xc000, 0x3555);
    expect([...decode("F16", new Uint8Array(bits.buffer))]).toEqual([1, 65504, 2 ** -14, 2 ** -24, -2, 0.333251953125]);
  });

  test("rounding goes to the nearest, ties to even, up into the next binade and down to zero", () => {
    expect(roundTo("BF16", 1 + 2 ** -8)).toBe(1);
    expect(roundTo("BF16", 1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
    expect(roundTo("BF16", -(1 + 2 ** -8 + 2 ** -20))).toBe(-(1 + 2 ** -7));
    expect(roundTo("BF16", 2 - 2 ** -9)).toBe(2);
    expect(roundTo("F16", 1 + 2 ** -11)).toBe(1);
    expect(roundTo("F16", 2049)).toBe(2048);
    expect(roundTo("F16", 2 ** -25)).toBe(0);
    expect(roundTo("F16", 1.5 * 2 ** -24)).toBe(2 ** -23);
    expect(roundTo("F32", 1 / 3)).toBe(Math.fround(1 / 3));
  });
});

test("safetensors: write ∘ read is the identity", () => {
  const tensors = new Map([
    ["a", { dtype: "F32" as const, shape: [2, 2], data: Float64Array.of(1, -2, 0.5, 3) }],
    ["b", { dtype: "BF16" as const, shape: [3], data: Float64Array.of(1, -2, 0.5) }],
    ["c", { dtype: "I32" as const, shape: [1, 2], data: Float64Array.of(7, -9) }],
    ["empty", { dtype: "F16" as const, shape: [0], data: Float64Array.of() }],
  ]);
  expect(readSafetensors(writeSafetensors(tensors))).toEqual(tensors);
});

describe("random numbers", () => {
  test("a seed is a stream", () => {
    expect(randomTensor(5, 10)).toEqual(randomTensor(5, 10));
    expect(randomTensor(5, 10)).not.toEqual(randomTensor(6, 10));
  });

  test("uniform over [0, 1), normal with mean 0 and variance 1", () => {
    const { uniform, normal } = random(1);
    const n = 20_000;
    const u = Array.from({ length: n }, uniform);
    expect(Math.min(...u)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...u)).toBeLessThan(1);
    const z = Array.from({ length: n }, normal);
    const mean = z.reduce((a, b) => a + b) / n;
    const variance = z.reduce((a, b) => a + b * b, 0) / n;
    // Five standard errors.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
  });
});

describe("random checkpoints", () => {
  test("hold every tensor of the graph, in its dtype, each value exactly", () => {
    for (const torch_dtype of ["float32", "bfloat16", "float16"]) {
      const config = parseConfig({ ...tinyM1.source, torch_dtype });
      const weights = randomWeights(config, 3);
      const stored = readSafetensors(checkpointBytes(config, weights));
      const { tensors } = graph(config);
      expect([...stored.keys()]).toEqual(tensors.map(({ name }) => name));
      for (const { name, shape, dtype } of tensors) {
        const { data, ...rest } = stored.get(name)!;
        expect(rest).toEqual({ dtype: dtype.toUpperCase(), shape });
        expect(maxAbsDiff(data, weights.get(name)!.data)).toBe(0);
      }
      expect(stored.get("model.layers.0.block_sparse_moe.gate.weight")!.dtype).toBe("F32");
    }
  });

  test("a case routes clearly", () => {
    const { expected, config } = randomCase(tinyM1, 1, [10, 10]);
    expect(routingMargin(expected.routerLogits, config)).toBeGreaterThanOrEqual(ROUTING_MARGIN);
    expect(routingMargin([Float64Array.of(1, 5, 4, 4.5)], config)).toBe(0.5);
  });
});

test("a difference of lengths or a NaN passes no comparison", () => {
  expect(maxAbsDiff([1, 2], [1]) <= 1e9).toBe(false);
  expect(maxAbsDiff([1, Number.NaN], [1, 2]) <= 1e9).toBe(false);
  expect(maxAbsDiff([1, Infinity], [1, 2]) <= 1e9).toBe(false);
  expect(maxAbsDiff([1, 2.5], [1, 2])).toBe(0.5);
});

test("a product in float32 stays within its tolerance, and a wrong weight does not", () => {
  const [x, w] = [randomTensor(1, 64), randomTensor(2, 64)];
  let exact = 0;
  let float = 0;
  for (let i = 0; i < 64; i++) {
    exact += x[i]! * w[i]!;
    float = Math.fround(float + Math.fround(x[i]! * w[i]!));
  }
  expect(Math.abs(float - exact)).toBeLessThanOrEqual(product(x, w, 64));
  expect(Math.abs(x[0]! * w[0]!)).toBeGreaterThan(product(x, w, 64));
  expect(product(x, w, 64)).toBeLessThan(2000 * EPSILON * 64);
});

describe("long arrays of numbers are compared", () => {
  const numbers = Array.from({ length: 200 }, (_, i) => i / 3);
  const ending = (...last: number[]) => [...numbers, ...last];

  test.each<[string, unknown, unknown, boolean]>([
    ["NaN", Float32Array.from(ending(Number.NaN)), Float32Array.from(ending(Number.NaN)), true],
    ["of another number", Float32Array.from(ending(2)), Float32Array.from(ending(2.0000002)), false],
    ["0 and −0", Float64Array.from(ending(0)), Float64Array.from(ending(-0)), false],
    ["of another length", Uint8Array.from(numbers), Uint8Array.from(ending(0)), false],
    ["of another type", Float32Array.from(numbers), Float64Array.from(numbers), false],
    ["in an object, equal", { a: [Uint8Array.from(numbers)] }, { a: [Uint8Array.from(numbers)] }, true],
    ["in an object, different", { a: [Uint8Array.from(ending(1))] }, { a: [Uint8Array.from(ending(2))] }, false],
    ["not typed, equal", ending(1), ending(1), true],
    ["not typed, different", ending(1), ending(2), false],
    ["not typed, with something else", [...numbers, "1"], ending(1), false],
    ["not typed, with objects, different", [...numbers, { a: 1 }], [...numbers, { a: 2 }], false],
  ])("%s", (_, a, b, equal) => {
    for (const compare of [() => expect(a).toEqual(b), () => expect(a).toStrictEqual(b)]) {
      if (equal) compare();
      else expect(compare).toThrow(/expected/);
    }
  });
});
