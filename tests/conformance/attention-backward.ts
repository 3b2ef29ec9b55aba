import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attention } from "../../src/ops/attention.js";
import { attentionBackward, loadKeysValues } from "../../src/ops/attention-backward.js";
import { KeyValueCache } from "../../src/ops/kv-cache.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { softmaxAttention, softmaxAttentionBackward } from "../reference/attention.js";
import { facts } from "../support/facts.js";
import { randomTensor } from "../support/random.js";
import * as tolerance from "../support/tolerance.js";
import { randomInput, type Suite } from "./harness.js";

const seed = fc.integer({ min: 1, max: 1 << 20 });

interface Shape {
  /** Of which the last `tokens` have queries. */
  readonly positions: number;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dim: number;
}

/** Queries and dO have a row for every position; those before the last `tokens` have a dO of zero and stay outside. */
interface Inputs {
  readonly dO: Float32Array;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

interface Gradients<Numbers = Float32Array> {
  readonly dq: Numbers;
  readonly dk: Numbers;
  readonly dv: Numbers;
}

type Three<T> = [T, T, T];

const GRADIENTS = ["dq", "dk", "dv"] as const;

function shapes(positions: fc.Arbitrary<number>, dim: fc.Arbitrary<number>): fc.Arbitrary<Shape> {
  return fc
    .record({
      positions,
      cut: fc.oneof(fc.constant(0), fc.nat()),
      kvHeads: fc.integer({ min: 1, max: 2 }),
      group: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constantFrom(5)),
      dim,
    })
    .map(({ positions, cut, kvHeads, group, dim }) => ({
      positions,
      tokens: positions - (cut % positions),
      heads: kvHeads * group,
      kvHeads,
      dim,
    }));
}

const small = shapes(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 4, max: 12 }));
const large = shapes(
  fc.oneof(fc.integer({ min: 1, max: 150 }), fc.constantFrom(63, 64, 65, 128, 129)),
  fc.oneof(fc.integer({ min: 4, max: 40 }), fc.constantFrom(64, 127, 128)),
);

function randomInputs(seed: number, { positions, tokens, heads, kvHeads, dim }: Shape, scale = 1): Inputs {
  const dO = randomTensor(seed, positions * heads * dim).fill(0, 0, (positions - tokens) * heads * dim);
  const q = randomTensor(seed + 1, positions * heads * dim, scale);
  const [k, v] = [randomTensor(seed + 2, positions * kvHeads * dim, scale), randomTensor(seed + 3, positions * kvHeads * dim)];
  return { dO, q, k, v };
}

/** Runs forward and backward; gradients are added to `to`, or to zeros. */
function run(rt: Runtime, { positions, tokens, heads, kvHeads, dim }: Shape, { dO, q, k, v }: Inputs, to?: Gradients): Gradients {
  return rt.scope(() => {
    const before = (positions - tokens) * heads * dim;
    const queries = rt.from(q.subarray(before), [tokens, heads, dim]);
    const [keys, values] = [rt.from(k, [positions, kvHeads, dim]), rt.from(v, [positions, kvHeads, dim])];
    const cache = new KeyValueCache(rt, kvHeads, dim, "f32");
    cache.append(keys, values);
    const o = attention(queries, [{ begin: 0, end: tokens }], [cache]);
    cache.dispose();
    const dq = rt.from(to?.dq ?? new Float32Array(queries.shape.reduce((a, b) => a * b)), queries.shape);
    const [dk, dv] = [rt.from(to?.dk ?? new Float32Array(k.length), keys.shape), rt.from(to?.dv ?? new Float32Array(k.length), keys.shape)];
    attentionBackward({ dq, dk, dv }, rt.from(dO.subarray(before), [tokens, heads, dim]), o, queries, keys, values);
    return { dq: rt.read(dq), dk: rt.read(dk), dv: rt.read(dv) };
  });
}

/** The same in float64, with the tolerances. */
function specified({ positions, tokens, heads, kvHeads, dim }: Shape, { dO, q, k, v }: Inputs, scoreRoundings?: number) {
  const { dq, dk, dv } = softmaxAttentionBackward(dO, q, k, v, heads, kvHeads, dim);
  const gradients: Gradients<Float64Array> = { dq: dq.subarray((positions - tokens) * heads * dim), dk, dv };
  return { gradients, allowed: tolerance.attentionBackward(dO, q, k, v, heads, kvHeads, dim, scoreRoundings) };
}

export const attentionBackwardSuite: Suite = (runtime, runs) => {
  describe("backward of softmax attention", () => {
    test("equals the dense form in float64, for any group, head dim and length", () => {
      const rt = runtime();
      fc.assert(
        fc.property(large, seed, fc.constantFrom(1, 3), (shape, seed, scale) => {
          const inputs = randomInputs(seed, shape, scale);
          const { gradients, allowed } = specified(shape, inputs);
          const actual = run(rt, shape, inputs);
          for (const name of GRADIENTS)
            expect(tolerance.maxAbsDiff(actual[name], gradients[name]), name).toBeLessThanOrEqual(allowed[name]);
        }),
        { numRuns: runs(15), examples: [[{ positions: 300, tokens: 200, heads: 2, kvHeads: 1, dim: 64 }, 1, 1]] },
      );
    });

    test("equals central differences of the forward in float64", () => {
      const rt = runtime();
      const h = 1e-5;
      fc.assert(
        fc.property(small, seed, fc.nat(), (shape, seed, at) => {
          const { heads, kvHeads, dim } = shape;
          const inputs = randomInputs(seed, shape);
          const actual = run(rt, shape, inputs);
          const allowed = tolerance.attentionBackward(inputs.dO, inputs.q, inputs.k, inputs.v, heads, kvHeads, dim);
          const before = (shape.positions - shape.tokens) * heads * dim;
          for (const [name, input, offset] of [
            ["dq", "q", before],
            ["dk", "k", 0],
            ["dv", "v", 0],
          ] as const) {
            const size = actual[name].length;
            // Every element of a stride that shares no factor with the dims: some of each row.
            for (let i = at % size, left = Math.min(size, 20); left > 0; left--, i = (i + 61) % size) {
              const loss = (by: number) => {
                const x = { q: Float64Array.from(inputs.q), k: Float64Array.from(inputs.k), v: Float64Array.from(inputs.v) };
                x[input][offset + i]! += by;
                return softmaxAttention(x.q, x.k, x.v, heads, kvHeads, dim).reduce((sum, y, j) => sum + y * inputs.dO[j]!, 0);
              };
              const [above, below] = [loss(h), loss(-h)];
              expect(Math.abs(actual[name][i]! - (above - below) / (2 * h)), name).toBeLessThanOrEqual(
                allowed[name] + tolerance.centralDifference(h, Math.abs(above)),
              );
            }
          }
        }),
        { numRuns: runs(15) },
      );
    });

    test("adds to what the gradients held", () => {
      const rt = runtime();
      const shape: Shape = { positions: 70, tokens: 66, heads: 6, kvHeads: 2, dim: 13 };
      const inputs = randomInputs(1, shape);
      const fresh = run(rt, shape, inputs);
      const held = { dq: randomTensor(5, fresh.dq.length), dk: randomTensor(6, fresh.dk.length), dv: randomTensor(7, fresh.dv.length) };
      const sums = run(rt, shape, inputs, held);
      for (const name of GRADIENTS) {
        const expected = Float64Array.from(fresh[name], (x, i) => x + held[name][i]!);
        expect(tolerance.maxAbsDiff(sums[name], expected), name).toBeLessThanOrEqual(tolerance.rounding(2, tolerance.maxAbs(expected)));
      }
    });

    test("is linear in dO: exact for a power of two, and additive", () => {
      const rt = runtime();
      fc.assert(
        fc.property(small, seed, (shape, seed) => {
          const inputs = randomInputs(seed, shape);
          const other = { ...inputs, dO: randomInputs(seed + 10, shape).dO };
          const both = { ...inputs, dO: inputs.dO.map((x, i) => x + other.dO[i]!) };
          const [one, two, sum] = [run(rt, shape, inputs), run(rt, shape, other), run(rt, shape, both)];
          const four = run(rt, shape, { ...inputs, dO: inputs.dO.map((x) => -4 * x) });
          const allowed = [inputs, other, both].map((x) => specified(shape, x).allowed);
          for (const name of GRADIENTS) {
            expect(
              tolerance.maxAbsDiff(
                four[name],
                one[name].map((x) => -4 * x),
              ),
              name,
            ).toBe(0);
            const added = Float64Array.from(one[name], (x, i) => x + two[name][i]!);
            expect(tolerance.maxAbsDiff(sum[name], added), name).toBeLessThanOrEqual(allowed.reduce((total, x) => total + x[name], 0));
          }
        }),
        { numRuns: runs(15) },
      );
    });

    test("no gradient before the first query's past, and none of a position that no query sees", () => {
      const rt = runtime();
      const shape: Shape = { positions: 90, tokens: 90, heads: 2, kvHeads: 1, dim: 8 };
      const inputs = randomInputs(1, shape);
      const dO = inputs.dO.slice().fill(0, 40 * 16);
      const { dq, dk, dv } = run(rt, shape, { ...inputs, dO });
      for (const x of [dq.subarray(40 * 16), dk.subarray(40 * 8), dv.subarray(40 * 8)]) expect(tolerance.maxAbs(x)).toBe(0);
      expect(tolerance.maxAbs(dq.subarray(0, 40 * 16))).toBeGreaterThan(0);
    });

    test("scores of ±10000 and beyond neither overflow nor vanish", () => {
      const rt = runtime();
      // Of integers, so that scores are exact: ±2 · 70², ±2 · 1000².
      for (const size of [70, 1000]) {
        const shape: Shape = { positions: 75, tokens: 71, heads: 2, kvHeads: 1, dim: 4 };
        const inputs = randomInputs(3, shape);
        const [signs, alike, opposite] = [Math.sign, () => 1, () => -1].map(
          (f) => (x: Float32Array) => x.map((value) => size * f(value)),
        ) as Three<(x: Float32Array) => Float32Array>;
        for (const [ofQueries, ofKeys] of [
          [signs, signs],
          [alike, alike],
          [alike, opposite],
        ] as const) {
          const extreme = { ...inputs, q: ofQueries(inputs.q), k: ofKeys(inputs.k) };
          const { gradients, allowed } = specified(shape, extreme, 0);
          const actual = run(rt, shape, extreme);
          for (const name of GRADIENTS)
            expect(tolerance.maxAbsDiff(actual[name], gradients[name]), name).toBeLessThanOrEqual(allowed[name]);
        }
      }
    });

    test("one key far above the others: its value takes all of dO", () => {
      const rt = runtime();
      const shape: Shape = { positions: 70, tokens: 67, heads: 1, kvHeads: 1, dim: 4 };
      const inputs = randomInputs(5, shape);
      const q = inputs.q.map(() => 100);
      const k = inputs.k.map((_, i) => (Math.floor(i / 4) === 3 ? 100 : -100));
      const { dv, dk, dq } = run(rt, shape, { ...inputs, q, k });
      const sums = Float64Array.from({ length: dv.length }, (_, i) =>
        Math.floor(i / 4) === 3 ? inputs.dO.filter((_, j) => j % 4 === i % 4).reduce((a, b) => a + b, 0) : 0,
      );
      const column = inputs.dO.reduce((sum, x) => sum + Math.abs(x), 0);
      expect(tolerance.maxAbsDiff(dv, sums)).toBeLessThanOrEqual(tolerance.rounding(70, column));
      const dp = tolerance.rounding(8, tolerance.maxAbs(inputs.dO) * tolerance.maxAbs(inputs.v) * 4);
      expect(tolerance.maxAbs(dq)).toBeLessThanOrEqual(50 * dp);
      expect(tolerance.maxAbs(dk)).toBeLessThanOrEqual(50 * 67 * dp);
    });

    test("takes o and dO as rows of all heads, and names what does not fit", () => {
      const rt = runtime();
      rt.scope(() => {
        const tensor = (seed: number, ...shape: number[]) => randomInput(rt, seed, shape).tensor;
        const [q, k, v] = [tensor(1, 5, 4, 6), tensor(2, 7, 2, 6), tensor(3, 7, 2, 6)];
        const to = () => ({ dq: tensor(4, 5, 4, 6), dk: tensor(5, 7, 2, 6), dv: tensor(6, 7, 2, 6) });
        const [wide, byHead] = [to(), to()];
        attentionBackward(wide, tensor(7, 5, 24), tensor(8, 5, 24), q, k, v);
        attentionBackward(byHead, tensor(7, 5, 4, 6), tensor(8, 5, 4, 6), q, k, v);
        for (const name of GRADIENTS) expect(rt.read(wide[name])).toEqual(rt.read(byHead[name]));
        const [dO, o] = [tensor(7, 5, 24), tensor(8, 5, 24)];
        expect(() => attentionBackward(to(), dO, tensor(8, 5, 25), q, k, v)).toThrow(/attentionBackward: o: expected \[5, 4, 6\]/);
        expect(() => attentionBackward({ ...to(), dk: q }, dO, o, q, k, v)).toThrow(/attentionBackward: dk: expected \[7, 2, 6\]/);
        expect(() => attentionBackward(to(), dO, o, q, k, tensor(3, 7, 2, 5))).toThrow(/attentionBackward: v: expected \[7, 2, 6\]/);
        const [few, odd] = [tensor(2, 4, 2, 6), tensor(2, 7, 3, 6)];
        expect(() => attentionBackward({ ...to(), dk: few, dv: few }, dO, o, q, few, few)).toThrow(/expected at least 5 positions/);
        expect(() => attentionBackward({ ...to(), dk: odd, dv: odd }, dO, o, q, odd, odd)).toThrow(/for 4 heads, got 7 of \[3, 6\]/);
      });
    });
  });

  describe("keys and values out of pages", () => {
    test("are those that went in, to the bit", () => {
      const rt = runtime();
      const lengths = fc.oneof(fc.integer({ min: 1, max: 140 }), fc.constantFrom(63, 64, 65, 128));
      fc.assert(
        fc.property(lengths, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 130 }), seed, (length, kvHeads, dim, seed) => {
          rt.scope(() => {
            const [k, v] = [randomInput(rt, seed, [length, kvHeads, dim]), randomInput(rt, seed + 1, [length, kvHeads, dim])];
            const cache = new KeyValueCache(rt, kvHeads, dim, "f32");
            cache.append(k.tensor, v.tensor);
            const { keys, values } = loadKeysValues(cache);
            cache.dispose();
            expect(keys.shape).toEqual([length, kvHeads, dim]);
            expect(rt.read(keys)).toEqual(k.data);
            expect(rt.read(values)).toEqual(v.data);
          });
        }),
        { numRuns: runs(20) },
      );
    });

    test("have to be float32", () => {
      const cache = new KeyValueCache(runtime(), 1, 8, "bf16");
      expect(() => loadKeysValues(cache)).toThrow(facts("loadKeysValues: cache: …f32…bf16"));
      cache.dispose();
    });
  });
};
