import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { repetitionStop } from "../../../src/generate/repetition.js";
import {
  drawPart,
  groupOutcome,
  hasPassRate,
  lengthBias,
  mixture,
  nextWindow,
  type RewardedLengths,
  rampUp,
  reportWindows,
  type WindowState,
} from "../../../src/rl/curriculum/index.js";
import { Random } from "../../../src/rl/index.js";
import { facts } from "../../support/facts.js";
import { maxAbsDiff, OBJECTIVES } from "../../support/tolerance.js";

describe("nextWindow", () => {
  const K = 1024;
  const long = (tokens: number) => Array.from({ length: 100 }, (_, i) => (i < 90 ? 1000 : tokens));
  const short = (tokens: number) => Array.from({ length: 100 }, () => tokens / 2);
  const first: WindowState = { tokens: 40 * K, perplexities: [] };
  const follow = (batches: number, seen: (i: number, tokens: number) => { perplexity: number; lengths: number[] }, options = {}) => {
    let state = first;
    for (let i = 0; i < batches; i++) state = nextWindow(state, seen(i, state.tokens), options);
    return state;
  };

  test("advances through the windows of the report, and stops at the last", () => {
    expect(reportWindows).toEqual([40, 48, 56, 64, 72, 80].map((k) => k * K));
    const reached = Array.from({ length: 7 }, (_, i) => follow(10 * i, (_, tokens) => ({ perplexity: 1.5, lengths: long(tokens) })).tokens);
    expect(reached).toEqual([40, 48, 56, 64, 72, 80, 80].map((k) => k * K));
    expect(follow(9, (_, tokens) => ({ perplexity: 1.5, lengths: long(tokens) })).tokens).toBe(40 * K);
  });

  test("advances only if perplexity has converged and the 99th percentile is near the window", () => {
    expect(follow(100, (_, tokens) => ({ perplexity: 1.5, lengths: short(tokens) })).tokens).toBe(40 * K);
    expect(follow(100, (i, tokens) => ({ perplexity: 1.5 - 0.004 * i, lengths: long(tokens) })).tokens).toBe(40 * K);
    expect(follow(100, (i, tokens) => ({ perplexity: 1.5 + 0.1 * (i % 2), lengths: long(tokens) })).tokens).toBe(40 * K);
    // One response in a hundred is not the 99th percentile.
    expect(follow(100, (_, tokens) => ({ perplexity: 1.5, lengths: [...short(tokens).slice(1), tokens] })).tokens).toBe(40 * K);
    expect(follow(100, (i, tokens) => ({ perplexity: 1.5 - 0.004 * i, lengths: long(tokens) }), { tolerance: 0.1 }).tokens).toBe(80 * K);
    expect(follow(100, (_, tokens) => ({ perplexity: 1.5, lengths: short(tokens) }), { near: 0.5 }).tokens).toBe(80 * K);
  });

  test("has a state of plain data, which is reset for each window", () => {
    const state = follow(9, (_, tokens) => ({ perplexity: 1.5, lengths: long(tokens) }));
    const again = JSON.parse(JSON.stringify(state));
    expect(nextWindow(again, { perplexity: 1.5, lengths: long(40 * K) })).toEqual({ tokens: 48 * K, perplexities: [] });
    expect(follow(1000, (_, tokens) => ({ perplexity: 1.5, lengths: short(tokens) })).perplexities).toHaveLength(10);
  });

  test.each([
    [() => nextWindow({ ...first, tokens: 5 }, { perplexity: 2, lengths: [1] }), "nextWindow: tokens: …40960… 49152"],
    [() => nextWindow(first, { perplexity: 0.5, lengths: [1] }), "nextWindow: perplexity: …finite number…1…0.5"],
    [() => nextWindow(first, { perplexity: Number.NaN, lengths: [1] }), "nextWindow: perplexity: …finite number…1…NaN"],
    [
      () => nextWindow({ ...first, perplexities: [null as never] }, { perplexity: 2, lengths: [1] }),
      "nextWindow: perplexities: …array…1…[null]",
    ],
    [() => nextWindow(first, { perplexity: 2 } as never), "nextWindow: lengths:"],
    [() => nextWindow(first, { perplexity: 2, lengths: [] }), "nextWindow: lengths:"],
    [() => nextWindow(first, { perplexity: 2, lengths: [1, Number.NaN] }), "nextWindow: lengths[1]: …integer…0…NaN"],
    [() => nextWindow(first, { perplexity: 2, lengths: [1] }, { windows: [2, 1] }), "nextWindow: windows: …ascending"],
    [() => nextWindow(first, { perplexity: 2, lengths: [1] }, { near: 2 }), "nextWindow: near: …number…(0, 1]…2"],
  ])("refuses (%#)", (call, message) => expect(call).toThrow(facts(message)));
});

describe("groups and prompts", () => {
  const group = (right: number, size = 8) => Array.from({ length: size }, (_, i) => i < right);

  test("a group is kept if some are right and some are wrong", () => {
    expect([0, 1, 7, 8].map((right) => groupOutcome(group(right)))).toEqual(["all wrong", "mixed", "mixed", "all right"]);
    expect([groupOutcome([true]), groupOutcome([false])]).toEqual(["all right", "all wrong"]);
  });

  test("a prompt is kept by its pass rate, bounds excluded", () => {
    expect([0, 1, 8, 9, 10].map((right) => hasPassRate(group(right, 10)))).toEqual([false, true, true, false, false]);
    expect([0, 1, 4, 5].map((right) => hasPassRate(group(right, 10), { below: 0.5 }))).toEqual([false, true, true, false]);
    expect(hasPassRate(group(10, 10), { below: Infinity })).toBe(true);
    expect(hasPassRate(group(3, 10), { above: 0.3 })).toBe(false);
  });

  test("an invalid group is an error", () => {
    expect(() => groupOutcome([])).toThrow(facts("groupOutcome: correct: …response"));
    expect(() => groupOutcome([true, 1 as never])).toThrow(facts("groupOutcome: correct[1]: …1"));
    expect(() => hasPassRate([true], { above: 0.9 })).toThrow(facts("hasPassRate: below: …number…0.9…0.9"));
  });
});

describe("mixtures", () => {
  test("follow weights, and favour uncertain pass rates", () => {
    expect(maxAbsDiff(mixture([{}, { weight: 3 }]), [0.25, 0.75])).toBeLessThanOrEqual(OBJECTIVES);
    const shares = mixture([{ passRate: 0 }, { passRate: 0.5 }, { passRate: 1 }, {}], { floor: 0.25 });
    expect(maxAbsDiff(shares, [0.25 / 3, 1.25 / 3, 0.25 / 3, 1.25 / 3])).toBeLessThanOrEqual(OBJECTIVES);
    expect(mixture([{ weight: 0 }, {}])).toEqual(Float64Array.of(0, 1));
  });

  test("add up to 1 and are drawn with these frequencies", () => {
    const part = fc.record({
      weight: fc.double({ min: 0, max: 5, noNaN: true }),
      passRate: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        fc.pre(parts.some(({ weight }) => weight > 1e-3));
        const sum = mixture(parts).reduce((total, share) => total + share, 0);
        expect(Math.abs(sum - 1)).toBeLessThanOrEqual(OBJECTIVES);
      }),
    );
    const [random, shares, draws] = [Random.seeded(1), [0.5, 0, 0.2, 0.3], 10_000] as const;
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < draws; i++) counts[drawPart(random, shares)]!++;
    // Five standard deviations of a binomial share, at most 1/2 each.
    const deviation = (5 * 0.5) / Math.sqrt(draws);
    for (const [k, share] of shares.entries()) expect(Math.abs(counts[k]! / draws - share)).toBeLessThanOrEqual(deviation);
    expect(counts[1]).toBe(0);
  });

  test("a ramp rises from 0 to 1", () => {
    expect([0, 10, 15, 20, 30].map((step) => rampUp(step, 10, 20))).toEqual([0, 0, 0.5, 1, 1]);
    expect(() => rampUp(1, 5, 5)).toThrow(facts("rampUp: until: …5…5"));
  });

  test.each([
    [() => mixture([]), "mixture: parts: …0"],
    [() => mixture([{ weight: 0 }]), "mixture: parts: …0"],
    [() => mixture([{ weight: -1 }]), "mixture: parts[0].weight: …number…[0, 1e9]…-1"],
    [() => mixture([{ passRate: Number.NaN }]), "mixture: parts[0].passRate: …number…[0, 1]…NaN"],
    [() => mixture(3 as never), "mixture: parts: …array…{ weight, passRate }…number"],
    [() => drawPart(Random.seeded(1), []), "drawPart: shares:"],
    [() => mixture([{}], { floor: 0 }), "mixture: floor: …number…(0, 1e9]…0"],
  ])("refuses (%#)", (call, message) => expect(call).toThrow(facts(message)));
});

describe("repetitionStop", () => {
  /** The number of tokens of these probabilities after which it stops. */
  const stopped = (probabilities: number[], options = {}) => {
    const stop = repetitionStop(options);
    return probabilities.findIndex((p) => stop(Math.log(p))) + 1;
  };
  const sure = (n: number) => new Array<number>(n).fill(0.991);

  test("stops after 3,000 consecutive tokens above 0.99, not after 2,999", () => {
    expect(stopped(sure(2999))).toBe(0);
    expect(stopped(sure(3000))).toBe(3000);
    expect(stopped([...sure(2999), 0.99, ...sure(2999)])).toBe(0);
    expect(stopped([...sure(2999), 0.99, ...sure(3000)])).toBe(6000);
    expect(stopped(new Array(5000).fill(0.99))).toBe(0);
  });

  test("has options, and counts each sequence separately", () => {
    expect(stopped([0.6, 0.4, 0.6, 0.6, 0.6], { tokens: 3, probability: 0.5 })).toBe(5);
    expect(stopped([1, 1], { tokens: 2 })).toBe(2);
    const [a, b] = [repetitionStop({ tokens: 2 }), repetitionStop({ tokens: 2 })];
    expect([a(0), b(0), a(-1), b(0), a(0)]).toEqual([false, false, false, true, false]);
  });

  test("refuses invalid probabilities", () => {
    expect(() => repetitionStop({ tokens: 0 })).toThrow(facts("repetitionStop: tokens: …integer…1…0"));
    expect(() => repetitionStop({ probability: 1 })).toThrow(facts("repetitionStop: probability: …number…(0, 1)…1"));
    expect(() => repetitionStop()(Number.NaN)).toThrow(facts("repetitionStop: logprob: …number…NaN"));
  });
});

describe("lengthBias", () => {
  /** Batches of eight responses, half of them right, the right ones longer, around a mean length. */
  const batch = (length: number, reward: (length: number, right: boolean) => number, rightOnes = 4): RewardedLengths => {
    const correct = Array.from({ length: 8 }, (_, i) => i < rightOnes);
    const lengths = correct.map((right, i) => length + 10 * (i % 4) + (right ? 200 : 0));
    return { correct, lengths, rewards: lengths.map((n, i) => reward(n, correct[i]!)) };
  };
  const verified = (_: number, right: boolean) => Number(right);
  const fond = (length: number, right: boolean) => Number(right) + length / 1000;
  const growing = [100, 120, 140, 160, 180];

  test("detects a reward that prefers long answers, which get longer and not better", () => {
    const found = lengthBias(growing.map((length) => batch(length, fond)));
    expect(found.biased).toBe(true);
    expect(maxAbsDiff([found.correlation, found.growth, found.gain], [1, 80 / 255, 0])).toBeLessThanOrEqual(OBJECTIVES);
  });

  test("compares wrong answers with wrong ones and right answers with right ones", () => {
    for (const rightOnes of [0, 8]) expect(lengthBias(growing.map((length) => batch(length, fond, rightOnes))).biased).toBe(true);
  });

  test("accepts a reward for right answers only, although they are longer", () => {
    const found = lengthBias(growing.map((length) => batch(length, verified)));
    expect(found).toMatchObject({ biased: false, correlation: 0 });
  });

  test("accepts constant lengths, rising accuracy, and rewards for short answers", () => {
    expect(lengthBias(growing.map(() => batch(100, fond))).biased).toBe(false);
    expect(lengthBias(growing.map((length, i) => batch(length, fond, 2 + i)))).toMatchObject({ biased: false, gain: 0.5 });
    expect(lengthBias(growing.map((length) => batch(length, (n) => -n)))).toMatchObject({ biased: false });
    expect(lengthBias([batch(100, fond)])).toMatchObject({ biased: false, growth: 0, gain: 0 });
    expect(
      lengthBias(
        growing.map((length) => batch(length, fond)),
        { growth: 0.5 },
      ).biased,
    ).toBe(false);
  });

  test.each([
    [() => lengthBias(3 as never), "lengthBias: batches:"],
    [() => lengthBias([]), "lengthBias: batches:"],
    [() => lengthBias([{ rewards: [], lengths: [], correct: [] }]), "lengthBias: batches[0].rewards:"],
    [
      () => lengthBias([{ rewards: [1], lengths: [], correct: [true] }]),
      "lengthBias: batches[0].lengths: expected 1 elements, as many as rewards, got 0",
    ],
    [() => lengthBias([{ rewards: [Number.NaN], lengths: [1], correct: [true] }]), "lengthBias: batches[0].rewards[0]: …number"],
    [() => lengthBias([{ rewards: [1], lengths: [1.5], correct: [true] }]), "lengthBias: batches[0].lengths[0]: expected an integer"],
    [() => lengthBias([{ rewards: [1], lengths: [1], correct: [1 as never] }]), "lengthBias: batches[0].correct[0]: …1"],
  ])("refuses (%#)", (call, message) => expect(call).toThrow(facts(message)));
});
