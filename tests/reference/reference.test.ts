// Laws that the specification itself must obey, and values known from elsewhere.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/model/config.js";
import { tinyM1 } from "../../src/model/presets.js";
import { random, randomIds, randomTensor } from "../support/random.js";
import { maxAbs, maxAbsDiff, rounding } from "../support/tolerance.js";
import { randomWeights } from "../support/weights.js";
import { softmaxAttention, softmaxAttentionBackward } from "./attention.js";
import { quadraticLightning, recurrentLightning } from "./lightning.js";
import { logSoftmax, matmul, rmsNorm, sigmoid, silu, softmax } from "./linear.js";
import { type Reference, referenceForward } from "./model.js";
import { type Expert, mixtureOfExperts, routeWeights, swiglu } from "./moe.js";
import { angles, rope } from "./rope.js";
import { alibi, slopes } from "./slopes.js";

/** Room for float64's own rounding: 2⁻⁵² per operation, of which no law here takes more than some thousand. */
const FLOAT64 = 2 ** -40;

const seed = fc.integer({ min: 0, max: 2 ** 31 - 1 });

function close(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(maxAbsDiff(actual, expected)).toBeLessThanOrEqual(FLOAT64 * Math.max(1, maxAbs(expected)));
}

describe("products, norms and pointwise functions", () => {
  test("x·wᵀ of a worked example", () => {
    expect([...matmul([1, 2, 3, 4, 5, 6], [1, 0, -1, 2, 1, 0], 3)]).toEqual([-2, 4, -2, 13]);
  });

  test("rms norm of a worked example: (3, 4) has the root mean square 5/√2", () => {
    close(rmsNorm([3, 4, 0.6, 0.8], [1, 2], 0), [(3 * Math.SQRT2) / 5, (8 * Math.SQRT2) / 5, (3 * Math.SQRT2) / 5, (8 * Math.SQRT2) / 5]);
    close(rmsNorm([0, 0], [1, 1], 1e-5), [0, 0]);
  });

  test("σ(x) + σ(−x) = 1, silu(x) − silu(−x) = x", () => {
    fc.assert(
      fc.property(fc.double({ min: -50, max: 50, noNaN: true }), (x) => {
        close([sigmoid(x) + sigmoid(-x), silu(x) - silu(-x)], [1, x]);
      }),
    );
  });

  test("softmax sums to one, does not change with a shift, and is the exponential of log-softmax", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -300, max: 300, noNaN: true }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: -1000, max: 1000 }),
        (x, shift) => {
          const p = softmax(x);
          close([p.reduce((a, b) => a + b)], [1]);
          close(softmax(x.map((value) => value + shift)), p);
          close(logSoftmax(x).map(Math.exp), p);
        },
      ),
    );
    close(softmax([0, Math.log(3)]), [0.25, 0.75]);
  });
});

describe("rotary embedding", () => {
  test("position 0 turns nothing, and only the first rotaryDim turn", () => {
    const x = randomTensor(1, 2 * 3 * 8);
    close(rope(x, [0, 0], 3, 8, 4, 1e4), x);
    const turned = rope(x, [5, 9], 3, 8, 4, 1e4);
    for (let head = 0; head < 6; head++) {
      const at = head * 8;
      expect([...turned.subarray(at + 4, at + 8)]).toEqual([...x.subarray(at + 4, at + 8)]);
      expect(turned[at]).not.toBe(x[at]);
    }
  });

  test("one radian turns dim j towards dim j + rotaryDim/2", () => {
    const [cos, sin] = [Math.cos(1), Math.sin(1)];
    close(rope([1, 0, 0, 1], [1, 1], 1, 2, 2, 1e4), [cos, sin, -sin, cos]);
  });

  test("inverse frequencies fall from 1 to theta^(−1 + 2/rotaryDim)", () => {
    const a = angles(1, 64, 1e7);
    expect(a[0]).toBe(1);
    for (const [j, angle] of a.entries()) expect(Math.abs(angle / 1e7 ** ((-2 * j) / 64) - 1)).toBeLessThan(2 ** -18);
  });

  test("angles are float32, which counts at far positions", () => {
    const far = angles(999_999, 64, 1e7);
    expect(far).toEqual(Float64Array.from(far, Math.fround));
    const exact = Array.from(far, (_, j) => 999_999 * 1e7 ** ((-2 * j) / 64));
    // The product's rounding, and that of the inverse frequency before it.
    for (const [j, angle] of far.entries()) expect(Math.abs(angle - exact[j]!)).toBeLessThanOrEqual(rounding(4, exact[j]!));
    // One rounding alone is at most 2⁻²⁴ of the value.
    expect(far.some((angle, j) => Math.abs(angle / exact[j]! - 1) > 2 ** -24)).toBe(true);
  });

  test("scores depend on the difference of positions only", () => {
    fc.assert(
      fc.property(seed, fc.nat(500), fc.nat(500), fc.nat(500), (s, m, n, shift) => {
        const x = randomTensor(s, 16);
        const score = (first: number, second: number) => {
          const turned = rope(x, [first, second], 1, 8, 8, 1e4);
          return matmul(turned.subarray(0, 8), turned.subarray(8), 8)[0]!;
        };
        // Angles up to 1000 are float32, so each is off by up to 2⁻¹⁵; four enter a pair of dims.
        expect(Math.abs(score(m, n) - score(m + shift, n + shift))).toBeLessThanOrEqual(4 * 2 ** -15 * 8 * maxAbs(x) ** 2);
      }),
    );
  });
});

describe("lightning attention", () => {
  const shapes = fc.record({
    seed,
    tokens: fc.integer({ min: 1, max: 40 }),
    heads: fc.integer({ min: 1, max: 3 }),
    headDim: fc.integer({ min: 1, max: 9 }),
    steepest: fc.double({ min: 0, max: 5, noNaN: true }),
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  test("the quadratic form ≡ the recurrence, and a sequence cut anywhere ends in the same state", () => {
    fc.assert(
      fc.property(shapes, ({ seed, tokens, heads, headDim, steepest, cut }) => {
        const size = tokens * heads * headDim;
        const [q, k, v] = [0, 1, 2].map((i) => randomTensor(seed + i, size)) as [Float32Array, Float32Array, Float32Array];
        const λ = Array.from({ length: heads }, (_, h) => steepest / (h + 1));
        const whole = recurrentLightning(q, k, v, λ, headDim);
        close(quadraticLightning(q, k, v, λ, headDim), whole.o);

        const at = Math.floor(cut * tokens) * heads * headDim;
        const head = recurrentLightning(q.subarray(0, at), k.subarray(0, at), v.subarray(0, at), λ, headDim);
        const tail = recurrentLightning(q.subarray(at), k.subarray(at), v.subarray(at), λ, headDim, head.state);
        expect([...head.o, ...tail.o]).toEqual([...whole.o]);
        expect(tail.state).toEqual(whole.state);
      }),
      { numRuns: 50 },
    );
  });

  test("a worked example: two tokens, λ = ln 2", () => {
    const o = quadraticLightning([1, 2], [3, 4], [5, 6], [Math.LN2], 1);
    close(o, [15, 2 * 3 * 5 * 0.5 + 2 * 4 * 6]);
  });
});

describe("slopes", () => {
  test("ALiBi as published: 8 heads from 1/2 to 1/256, 16 heads from 2^−½, 12 heads from both", () => {
    close(alibi(8), [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]);
    close(
      alibi(16),
      [...Array(16)].map((_, h) => 2 ** (-(h + 1) / 2)),
    );
    close(alibi(12), [...alibi(8), 2 ** -0.5, 2 ** -1.5, 2 ** -2.5, 2 ** -3.5]);
    close(alibi(1), [2 ** -8]);
  });

  test("the factor falls from 1 + 1e-5 in the first layer to 1e-5 in the last; one layer alone is a first layer", () => {
    close(
      slopes("minimax_m1", 8, 0, 80),
      alibi(8).map((slope) => slope * 1.00001),
    );
    close(
      slopes("minimax_m1", 8, 79, 80),
      alibi(8).map((slope) => slope * 1e-5),
    );
    close(
      slopes("minimax_m1", 8, 0, 1),
      alibi(8).map((slope) => slope * 1.00001),
    );
  });
});

describe("softmax attention", () => {
  test("the first token sees itself only, and equal scores average the values", () => {
    const v = randomTensor(3, 5 * 2);
    const o = softmaxAttention(new Float64Array(10), randomTensor(4, 10), v, 1, 1, 2);
    close(o.subarray(0, 2), v.subarray(0, 2));
    close([o[8]!], [(v[0]! + v[2]! + v[4]! + v[6]! + v[8]!) / 5]);
  });

  test("grouped queries ≡ plain attention over repeated keys and values", () => {
    fc.assert(
      fc.property(
        seed,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        (s, tokens, kvHeads, group) => {
          const headDim = 4;
          const heads = kvHeads * group;
          const q = randomTensor(s, tokens * heads * headDim);
          const [k, v] = [randomTensor(s + 1, tokens * kvHeads * headDim), randomTensor(s + 2, tokens * kvHeads * headDim)];
          const repeated = (x: Float32Array) =>
            Float64Array.from({ length: q.length }, (_, i) => {
              const [t, h, d] = [Math.floor(i / (heads * headDim)), Math.floor(i / headDim) % heads, i % headDim];
              return x[(t * kvHeads + Math.floor(h / group)) * headDim + d]!;
            });
          close(softmaxAttention(q, k, v, heads, kvHeads, headDim), softmaxAttention(q, repeated(k), repeated(v), heads, heads, headDim));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("backward of softmax attention", () => {
  test("a worked example: two tokens of equal scores", () => {
    const { dq, dk, dv } = softmaxAttentionBackward([1, 2], [3, 0], [5, 7], [1, 4], 1, 1, 1);
    // p = (½, ½), o = 2.5, dp − δ = 2 · (1 − 2.5), 2 · (4 − 2.5)
    close(dq, [0, -1.5 * 5 + 1.5 * 7]);
    close(dk, [0, 0]);
    close(dv, [1 + 2 / 2, 2 / 2]);
  });

  test("a shift of all keys changes no weight: the gradients of keys sum to zero", () => {
    const [tokens, headDim] = [9, 5];
    const [dO, q, k, v] = [1, 2, 3, 4].map((s) => randomTensor(s, tokens * headDim)) as Float32Array[];
    const { dk } = softmaxAttentionBackward(dO!, q!, k!, v!, 1, 1, headDim);
    close(
      Array.from({ length: headDim }, (_, i) => dk.filter((_, j) => j % headDim === i).reduce((a, b) => a + b)),
      new Float64Array(headDim),
    );
  });
});

describe("mixture of experts", () => {
  const hidden = 6;
  const experts: Expert[] = [0, 1, 2].map((e) => ({
    w1: randomTensor(10 + e, 5 * hidden),
    w2: randomTensor(20 + e, hidden * 5),
    w3: randomTensor(30 + e, 5 * hidden),
  }));
  const gate = randomTensor(40, 3 * hidden);
  const x = randomTensor(50, 4 * hidden);

  test("the top-k are renormalised to sum to one; of equals the first stay", () => {
    close(routeWeights([0, Math.log(3), Math.log(4)], 2), [0, 3 / 7, 4 / 7]);
    close(routeWeights([1, 1, 1, 1], 2), [0.5, 0.5, 0, 0]);
  });

  test("top-1 ≡ the best expert alone", () => {
    const { y, routerLogits } = mixtureOfExperts(x, gate, experts, 1, hidden);
    for (let t = 0; t < 4; t++) {
      const logits = routerLogits.subarray(3 * t, 3 * t + 3);
      const best = experts[logits.indexOf(Math.max(...logits))]!;
      close(y.subarray(t * hidden, (t + 1) * hidden), swiglu(x.subarray(t * hidden, (t + 1) * hidden), best, hidden));
    }
  });

  test("top-k of all experts ≡ the mixture by plain softmax", () => {
    const { y, routerLogits } = mixtureOfExperts(x, gate, experts, 3, hidden);
    const outputs = experts.map((expert) => swiglu(x, expert, hidden));
    const mixture = y.map((_, i) => {
      const t = Math.floor(i / hidden);
      return softmax(routerLogits.subarray(3 * t, 3 * t + 3)).reduce((sum, p, e) => sum + p * outputs[e]![i]!, 0);
    });
    close(y, mixture);
  });
});

describe("the whole model", () => {
  const weights = randomWeights(tinyM1, 7);
  const forward = (ids: number[]): Reference => referenceForward(tinyM1, weights, [ids]);

  test("causality: another token t leaves every output before t as it was", () => {
    const ids = randomIds(8, 12, tinyM1.vocabSize);
    const changed = ids.map((id, t) => (t === 9 ? (id + 1) % tinyM1.vocabSize : id));
    const [before, after] = [forward(ids).logits, forward(changed).logits];
    expect(after.subarray(0, 9 * tinyM1.vocabSize)).toEqual(before.subarray(0, 9 * tinyM1.vocabSize));
    expect(after.subarray(9 * tinyM1.vocabSize)).not.toEqual(before.subarray(9 * tinyM1.vocabSize));
  });

  test("sequences of a batch do not see each other", () => {
    const { integer } = random(9);
    const [a, b] = [0, 1].map(() => Array.from({ length: 5 }, () => integer(tinyM1.vocabSize))) as [number[], number[]];
    const both = referenceForward(tinyM1, weights, [a, b]);
    expect([...both.logits]).toEqual([...forward(a).logits, ...forward(b).logits]);
    expect([...both.lightningStates[0]!]).toEqual([...forward(a).lightningStates[0]!, ...forward(b).lightningStates[0]!]);
  });

  test("tied embeddings are the head", () => {
    const { source } = tinyM1;
    const tied = parseConfig({ ...source, tie_word_embeddings: true });
    const untied = new Map(weights).set("lm_head.weight", weights.get("model.embed_tokens.weight")!);
    expect(referenceForward(tied, weights, [[1, 2, 3]]).logits).toEqual(referenceForward(tinyM1, untied, [[1, 2, 3]]).logits);
  });
});
