import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attention } from "../../src/ops/attention.js";
import { KeyValueCache, type KVType } from "../../src/ops/kv-cache.js";
import { lightning, lightningState, readLightningState } from "../../src/ops/lightning.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { softmaxAttention } from "../reference/attention.js";
import { quadraticLightning, recurrentLightning } from "../reference/lightning.js";
import { roundKeysValues as rounded } from "../support/number-formats.js";
import { randomTensor } from "../support/random.js";
import * as tolerance from "../support/tolerance.js";
import type { Suite } from "./harness.js";

const seed = fc.integer({ min: 1, max: 1 << 20 });

/** The steepest published slope: first of 64 heads in the first layer. Over a block of 256 its factored form would need e^235. */
const STEEPEST = 2 ** -0.125 * 1.00001;
const slope = fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.constantFrom(0, 1e-8, STEEPEST, 10, 88.8, 1000, 3e38, Infinity));
const headDim = fc.oneof(fc.integer({ min: 4, max: 128 }), fc.constantFrom(4, 16, 64, 128));
const length = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(1, 31, 32, 33, 255, 256, 257, 300));

/** Ends of the pieces that a sequence is cut into. */
function cuts(length: number): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.integer({ min: 1, max: length }), { maxLength: 5 })
    .map((ends) => [...new Set([...ends, length])].sort((a, b) => a - b));
}

/** Runs the op over a sequence in pieces; returns all outputs and the last state. */
function inPieces(rt: Runtime, qkv: Float32Array, slopes: Float32Array, dim: number, ends: readonly number[], chunk: number) {
  const heads = slopes.length;
  const row = heads * 3 * dim;
  return rt.scope(() => {
    const state = lightningState(rt, heads, dim);
    const lambda = rt.from(slopes);
    const outputs: number[] = [];
    let begin = 0;
    for (const end of ends) {
      rt.scope(() => {
        const piece = rt.from(qkv.subarray(begin * row, end * row), [end - begin, heads, 3 * dim]);
        for (const value of rt.f32(lightning(piece, lambda, [{ begin: 0, end: end - begin }], [state], chunk))) outputs.push(value);
      });
      begin = end;
    }
    const matrices = readLightningState(state, dim);
    rt.release(state);
    return { o: Float32Array.from(outputs), state: matrices };
  });
}

/** q, k and v out of the fused `[tokens, heads, 3, dim]`. */
function parts(qkv: Float32Array, dim: number): [q: Float32Array, k: Float32Array, v: Float32Array] {
  const part = (which: number) => qkv.filter((_, i) => Math.floor(i / dim) % 3 === which);
  return [part(0), part(1), part(2)];
}

export const attentionSuite: Suite = (runtime, runs) => {
  describe("lightning attention", () => {
    test("equals the quadratic form in float64, for any length, head dim, slope, chunk and split", () => {
      const rt = runtime();
      const cases = length.chain((tokens) =>
        fc.record({
          tokens: fc.constant(tokens),
          ends: cuts(tokens),
          dim: headDim,
          slopes: fc.array(slope, { minLength: 1, maxLength: 2 }),
          chunk: fc.integer({ min: 1, max: 256 }),
          seed,
        }),
      );
      fc.assert(
        fc.property(cases, ({ tokens, ends, dim, slopes: values, chunk, seed }) => {
          const slopes = Float32Array.from(values);
          const qkv = randomTensor(seed, tokens * slopes.length * 3 * dim);
          const [q, k, v] = parts(qkv, dim);
          const { o, state } = inPieces(rt, qkv, slopes, dim, ends, chunk);
          const allowed = tolerance.lightning(q, k, v, slopes, dim);
          expect(tolerance.maxAbsDiff(o, quadraticLightning(q, k, v, slopes, dim))).toBeLessThanOrEqual(allowed);
          const expected = recurrentLightning(q, k, v, slopes, dim).state;
          const magnitude = recurrentLightning(q.map(Math.abs), k.map(Math.abs), v.map(Math.abs), slopes, dim).state;
          expect(tolerance.maxAbsDiff(state, expected)).toBeLessThanOrEqual(
            tolerance.rounding(3 * tokens + 104, tolerance.maxAbs(magnitude)),
          );
        }),
        { numRuns: runs(50), examples: [[{ tokens: 256, ends: [256], dim: 128, slopes: [STEEPEST, 1e-5], chunk: 256, seed: 1 }]] },
      );
    });

    test("a token never changes what came before it, to the bit", () => {
      const rt = runtime();
      fc.assert(
        fc.property(
          fc.integer({ min: 2, max: 90 }),
          fc.integer({ min: 1, max: 40 }),
          fc.integer({ min: 1, max: 64 }),
          seed,
          (tokens, dim, chunk, seed) => {
            const slopes = Float32Array.of(0.3);
            const at = seed % tokens;
            const qkv = randomTensor(seed, tokens * 3 * dim);
            const changed = qkv.slice();
            changed.set(randomTensor(seed + 1, 3 * dim), at * 3 * dim);
            const [before, after] = [qkv, changed].map((input) => inPieces(rt, input, slopes, dim, [tokens], chunk).o) as [
              Float32Array,
              Float32Array,
            ];
            expect(after.subarray(0, at * dim)).toEqual(before.subarray(0, at * dim));
          },
        ),
        { numRuns: runs(40) },
      );
    });

    test("an empty past and a decay of everything leave only the token itself", () => {
      const rt = runtime();
      const qkv = randomTensor(9, 40 * 3 * 8);
      const { o } = inPieces(rt, qkv, Float32Array.of(1e6), 8, [40], 16);
      const [q, k, v] = parts(qkv, 8);
      const own = Float64Array.from(o, (_, i) => {
        const t = Math.floor(i / 8) * 8;
        return q.subarray(t, t + 8).reduce((sum, x, j) => sum + x * k[t + j]!, 0) * v[i]!;
      });
      expect(tolerance.maxAbsDiff(o, own)).toBeLessThanOrEqual(tolerance.rounding(10, tolerance.maxAbs(own) * 8));
    });
  });

  describe("softmax attention", () => {
    /** The new steps' outputs, given all queries, keys and values of a sequence; the keys come in two pieces. */
    function run(
      rt: Runtime,
      q: Float32Array,
      k: Float32Array,
      v: Float32Array,
      tokens: number,
      past: number,
      heads: number,
      kvHeads: number,
      dim: number,
      kv: KVType = "f32",
    ) {
      return rt.scope(() => {
        const fresh = tokens - past;
        const cache = new KeyValueCache(rt, kvHeads, dim, kv);
        for (const [begin, end] of [
          [0, past],
          [past, tokens],
        ] as const) {
          const piece = (x: Float32Array) => rt.from(x.subarray(begin * kvHeads * dim, end * kvHeads * dim), [end - begin, kvHeads, dim]);
          if (end > begin) cache.append(piece(k), piece(v));
        }
        const queries = rt.from(q.subarray(past * heads * dim), [fresh, heads, dim]);
        const o = rt.read(attention(queries, [{ begin: 0, end: fresh }], [cache]));
        cache.dispose();
        return o;
      });
    }

    const cases = fc.record({
      tokens: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(63, 64, 65, 127, 128, 129)),
      kvHeads: fc.integer({ min: 1, max: 3 }),
      group: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom(8, 9)),
      dim: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(64, 128)),
      seed,
      scale: fc.constantFrom(1, 8),
      cut: fc.nat(),
    });

    test.each(["f32", "bf16", "q8"] as const)("equals the dense form in float64, for any group, head dim and split (%s)", (kv) => {
      const rt = runtime();
      fc.assert(
        fc.property(cases, ({ tokens, kvHeads, group, dim, seed, scale, cut }) => {
          const past = cut % tokens;
          const heads = kvHeads * group;
          const q = randomTensor(seed, tokens * heads * dim, scale);
          const [k, v] = [randomTensor(seed + 1, tokens * kvHeads * dim, scale), randomTensor(seed + 2, tokens * kvHeads * dim)];
          const o = run(rt, q, k, v, tokens, past, heads, kvHeads, dim, kv);
          const [keys, values] = [rounded(k, dim, kv), rounded(v, dim, kv)];
          const expected = softmaxAttention(q, keys, values, heads, kvHeads, dim).subarray(past * heads * dim);
          expect(tolerance.maxAbsDiff(o, expected)).toBeLessThanOrEqual(tolerance.attention(q, keys, values, dim, tokens));
        }),
        { numRuns: runs(30) },
      );
    });

    test.each(["f32", "bf16", "q8"] as const)("a token's bits do not depend on how the sequence was cut (%s)", (kv) => {
      const rt = runtime();
      fc.assert(
        fc.property(cases, ({ tokens, kvHeads, group, dim, seed, cut }) => {
          const past = cut % tokens;
          const heads = kvHeads * group;
          const q = randomTensor(seed, tokens * heads * dim, 2);
          const [k, v] = [randomTensor(seed + 1, tokens * kvHeads * dim), randomTensor(seed + 2, tokens * kvHeads * dim)];
          const whole = run(rt, q, k, v, tokens, 0, heads, kvHeads, dim, kv);
          expect(run(rt, q, k, v, tokens, past, heads, kvHeads, dim, kv)).toEqual(whole.subarray(past * heads * dim));
          const last = run(rt, q, k, v, tokens, tokens - 1, heads, kvHeads, dim, kv);
          expect(last).toEqual(whole.subarray((tokens - 1) * heads * dim));
        }),
        { numRuns: runs(15) },
      );
    });

    test("equal heads behave as plain attention", () => {
      const rt = runtime();
      const [tokens, heads, dim] = [50, 3, 16];
      const q = randomTensor(1, tokens * heads * dim);
      const single = [randomTensor(2, tokens * dim), randomTensor(3, tokens * dim)] as const;
      const repeated = single.map((x) =>
        Float32Array.from({ length: tokens * heads * dim }, (_, i) => x[Math.floor(i / (heads * dim)) * dim + (i % dim)]!),
      ) as [Float32Array, Float32Array];
      const grouped = run(rt, q, ...single, tokens, 0, heads, 1, dim);
      const plain = run(rt, q, ...repeated, tokens, 0, heads, heads, dim);
      expect(tolerance.maxAbsDiff(grouped, plain)).toBeLessThanOrEqual(tolerance.attention(q, repeated[0], repeated[1], dim, tokens));
    });

    test("a token never changes what came before it, to the bit", () => {
      const rt = runtime();
      const [tokens, dim, at] = [150, 8, 70];
      const inputs = [randomTensor(1, tokens * dim), randomTensor(2, tokens * dim), randomTensor(3, tokens * dim)] as const;
      const changed = inputs.map((x) => Float32Array.from(x, (value, i) => (i >= at * dim ? -2 * value : value))) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const [before, after] = [run(rt, ...inputs, tokens, 0, 1, 1, dim), run(rt, ...changed, tokens, 0, 1, 1, dim)];
      expect(after.subarray(0, at * dim)).toEqual(before.subarray(0, at * dim));
      expect(after.subarray(at * dim)).not.toEqual(before.subarray(at * dim));
    });

    test("scores beyond the range of e^x neither overflow nor vanish", () => {
      const rt = runtime();
      const [tokens, dim] = [70, 4];
      const q = new Float32Array(tokens * dim).fill(100);
      const k = Float32Array.from({ length: tokens * dim }, (_, i) => (Math.floor(i / dim) === 3 ? 100 : -100));
      const v = randomTensor(5, tokens * dim);
      const o = run(rt, q, k, v, tokens, 0, 1, 1, dim);
      for (let t = 3; t < tokens; t++) expect(o.slice(t * dim, (t + 1) * dim)).toEqual(v.slice(3 * dim, 4 * dim));
    });
  });
};
