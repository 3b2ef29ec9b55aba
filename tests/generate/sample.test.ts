import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../src/base/random.js";
import { candidateIds, descendingIndices, draw, type Sampling, sample, takeFirst } from "../../src/generate/sample.js";
import { Runtime } from "../../src/runtime/runtime.js";

const rt = await Runtime.create("simd");
const neutral: Sampling = { temperature: 1, topK: Infinity, topP: 1, minP: 0, repetitionPenalty: 1 };
const options = { numRuns: 200, seed: 7 };

/** Probabilities as float32, some of them equal. */
const probabilities = fc
  .array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 60 })
  .filter((counts) => counts.some((count) => count > 0))
  .map((counts) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return Float32Array.from(counts, (count) => count / total);
  });

function byProbability(p: Float32Array): number[] {
  return [...p.keys()].sort((a, b) => p[b]! - p[a]! || a - b);
}

function mass(p: Float32Array, ids: Iterable<number>): number {
  return [...ids].reduce((sum, id) => sum + p[id]!, 0);
}

function logitsOf(values: readonly number[]) {
  return rt.from(values, [1, values.length]);
}

describe("what sampling keeps", () => {
  test("descending is the sort by value, then index", () => {
    fc.assert(
      fc.property(probabilities, (p) => {
        expect([...descendingIndices(p)]).toEqual(byProbability(p));
        expect(takeFirst(3, descendingIndices(p))).toEqual(byProbability(p).slice(0, 3));
      }),
      options,
    );
  });

  test("top-k keeps the k most probable", () => {
    fc.assert(
      fc.property(probabilities, fc.integer({ min: 1, max: 70 }), (p, topK) => {
        const ids = [...candidateIds(p, { ...neutral, topK })];
        expect(ids.toSorted((a, b) => a - b)).toEqual(
          byProbability(p)
            .slice(0, topK)
            .toSorted((a, b) => a - b),
        );
      }),
      options,
    );
  });

  test("top-p keeps the smallest set that holds the mass", () => {
    fc.assert(
      fc.property(probabilities, fc.double({ min: 0.01, max: 0.999, noNaN: true }), (p, topP) => {
        const ids = [...candidateIds(p, { ...neutral, topP })];
        expect(ids).toEqual(byProbability(p).slice(0, ids.length));
        // Sums of at most 60 float64 terms below one: exact to 60 · 2^−53 whatever their order.
        const tolerance = 60 * 2 ** -53;
        const enough = topP * mass(p, p.keys());
        expect(mass(p, ids)).toBeGreaterThanOrEqual(enough - tolerance);
        expect(mass(p, ids.slice(0, -1))).toBeLessThan(enough + tolerance);
      }),
      options,
    );
  });

  test("top-p stops at the token that reaches the mass exactly", () => {
    const p = Float32Array.of(0.25, 0.5, 0.25);
    expect([...candidateIds(p, { ...neutral, topP: 0.5 })]).toEqual([1]);
    expect([...candidateIds(p, { ...neutral, topP: 0.75 })]).toEqual([1, 0]);
    expect([...candidateIds(p, { ...neutral, topP: 0.75 + 2 ** -50 })]).toEqual([1, 0, 2]);
  });

  test("min-p keeps what reaches the share of the largest", () => {
    fc.assert(
      fc.property(probabilities, fc.double({ min: 0.01, max: 1, noNaN: true }), (p, minP) => {
        const least = minP * Math.max(...p);
        expect([...candidateIds(p, { ...neutral, minP })]).toEqual(byProbability(p).filter((id) => p[id]! >= least));
      }),
      options,
    );
  });

  test("together: top-k, then top-p of what it kept, then min-p", () => {
    fc.assert(
      fc.property(
        probabilities,
        fc.integer({ min: 1, max: 70 }),
        fc.double({ min: 0.01, max: 0.999, noNaN: true }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (p, topK, topP, minP) => {
          const most = byProbability(p).slice(0, topK);
          const enough = topP * mass(p, most);
          const nucleus = most.filter((_, i) => mass(p, most.slice(0, i)) < enough);
          // A set boundary that rounding decides is no case to compare.
          fc.pre(most.every((_, i) => Math.abs(mass(p, most.slice(0, i)) - enough) > 1e-12));
          expect([...candidateIds(p, { topK, topP, minP })]).toEqual(nucleus.filter((id) => p[id]! >= minP * p[most[0]!]!));
        },
      ),
      options,
    );
  });

  test("the neutral values keep everything", () => {
    fc.assert(
      fc.property(probabilities, (p) => {
        expect([...candidateIds(p, neutral)]).toEqual([...p.keys()]);
      }),
      options,
    );
  });
});

describe("drawing", () => {
  test("inverts the cumulative distribution", () => {
    const p = Float32Array.of(0.25, 0, 0.5, 0.25);
    const ids = [2, 0, 3, 1];
    for (const [u, id] of [
      [0, 2],
      [0.4999, 2],
      [0.5, 0],
      [0.7499, 0],
      [0.75, 3],
      [1 - 2 ** -53, 3],
    ] as const)
      expect(draw(p, ids, u)).toBe(id);
  });

  test("never takes a token without probability", () => {
    fc.assert(
      fc.property(probabilities, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (p, u) => {
        expect(p[draw(p, [...p.keys()], u)]).toBeGreaterThan(0);
      }),
      options,
    );
  });

  test("frequencies are the softmax of the logits over the temperature", () => {
    const logits = [1.5, -0.5, 0.25, 3, 0];
    const [temperature, draws] = [0.7, 20_000];
    const random = Random.seeded(11);
    const counts = logits.map(() => 0);
    const x = logitsOf(logits);
    for (let i = 0; i < draws; i++) counts[sample(x, { ...neutral, temperature }, new Set(), random)]!++;
    const weights = logits.map((l) => Math.exp(l / temperature));
    const total = weights.reduce((a, b) => a + b);
    // χ² with four degrees of freedom exceeds 23.5 once in 10,000 seeds.
    const chiSquare = weights.reduce((sum, w, i) => sum + (counts[i]! - (draws * w) / total) ** 2 / ((draws * w) / total), 0);
    expect(chiSquare).toBeLessThan(23.5);
  });

  test("a temperature near zero is greedy, and so is zero; of equals the lower id", () => {
    const x = logitsOf([1, 88, 3e38, -3e38, 3e38, Number.NEGATIVE_INFINITY]);
    for (const temperature of [0, 1e-30, 1e-3]) {
      const random = Random.seeded(3);
      const ids = Array.from({ length: 40 }, () => sample(x, { ...neutral, temperature }, new Set(), random));
      expect(new Set(ids)).toEqual(temperature === 0 ? new Set([2]) : new Set([2, 4]));
    }
  });

  test("the repetition penalty divides positive logits and multiplies negative ones", () => {
    const greedy = { ...neutral, temperature: 0, repetitionPenalty: 2 };
    const random = Random.seeded(0);
    expect(sample(logitsOf([3, 2, 1.4]), greedy, new Set([0]), random)).toBe(1);
    expect(sample(logitsOf([3, 2, 1.6]), greedy, new Set([0, 1]), random)).toBe(2);
    expect(sample(logitsOf([-1, -1.9]), greedy, new Set([0]), random)).toBe(1);
    expect(sample(logitsOf([-1, -2.1]), greedy, new Set([0]), random)).toBe(0);
  });
});

describe("randomness", () => {
  test("a seed gives the same numbers, a copy goes on alike and apart", () => {
    const [a, b] = [Random.seeded(42), Random.seeded(42)];
    const numbers = Array.from({ length: 5 }, () => a.next());
    expect(Array.from({ length: 5 }, () => b.next())).toEqual(numbers);
    const copy = a.copy();
    const next = a.next();
    expect(copy.next()).toBe(next);
    expect(Random.restored(42, b.state).next()).toBe(next);
    expect(numbers).toEqual(SEED_42);
  });

  test("neighbouring seeds begin far apart", () => {
    const count = 4096;
    const begins = Array.from({ length: count }, (_, seed) => Random.seeded(seed).next() - 0.5);
    const mean = begins.reduce((a, b) => a + b) / count;
    const covariance = begins.slice(1).reduce((sum, x, i) => sum + x * begins[i]!, 0) / count;
    // Five standard deviations of a mean, and of a lagged product, of uniform numbers (variance 1/12).
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / 12 / count));
    expect(Math.abs(covariance)).toBeLessThan((5 * (1 / 12)) / Math.sqrt(count));
  });
});

/** The first numbers of seed 42: saved seeds must keep their meaning. */
const SEED_42 = [0.7185774137701838, 0.6638893293163515, 0.19969571334462666, 0.08165326922659777, 0.518429634323783];
