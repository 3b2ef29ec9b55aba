// Multi-query associative recall: every question has exactly one answer in the context, everything else is drawn evenly, and options are checked.

import fc from "fast-check";
import { expect, test } from "vitest";
import { generateRecall, type RecallOptions } from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";

const options = fc
  .record({
    keys: fc.integer({ min: 1, max: 40 }),
    values: fc.integer({ min: 1, max: 20 }),
    fillers: fc.integer({ min: 1, max: 20 }),
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    gap: fc.nat(60),
  })
  .chain(({ gap, ...rest }) =>
    fc
      .integer({ min: 1, max: rest.keys })
      .chain((pairs) => fc.integer({ min: 1, max: pairs }).map((asked) => ({ ...rest, pairs, asked, context: 2 * pairs + gap }))),
  );

test("each question asks for another key, which occurs exactly once before, with the value of the answer", () => {
  fc.assert(
    fc.property(options, (given) => {
      const { keys, values, fillers, pairs, asked, context } = given;
      const { ids, weights } = generateRecall(given);
      expect([ids.length, weights.length]).toEqual([context + 2 * asked, context + 2 * asked]);
      const kinds = ids.map((id) => (id < keys ? "key" : id < keys + values ? "value" : "filler"));
      expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < keys + values + fillers)).toBe(true);
      const places = ids.flatMap((id, t) => (t < context && id < keys ? [{ id, t }] : []));
      expect(new Set(places.map(({ id }) => id)).size).toBe(pairs);
      expect(places.every(({ t }) => kinds[t + 1] === "value" && t + 1 < context)).toBe(true);
      expect(kinds.slice(0, context).filter((kind) => kind === "filler")).toHaveLength(context - 2 * pairs);
      for (let q = 0; q < asked; q++) {
        const t = context + 2 * q;
        expect([kinds[t], kinds[t + 1], weights[t], weights[t + 1]]).toEqual(["key", "value", 0, 1]);
        const before = ids.flatMap((id, s) => (s < t && id === ids[t] ? [s] : []));
        expect(before).toHaveLength(1);
        expect(ids[before[0]! + 1]).toBe(ids[t + 1]);
      }
      expect(weights.slice(0, context).every((weight) => weight === 0)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test("equal options give an equal sequence, and another seed another one", () => {
  const given = { pairs: 8, context: 64, seed: 5 };
  expect(generateRecall(given)).toEqual(generateRecall(given));
  expect(generateRecall({ ...given, seed: 6 }).ids).not.toEqual(generateRecall(given).ids);
});

test("without further options, the context consists of the pairs, and all keys are asked for", () => {
  const { ids, weights } = generateRecall({ pairs: 5 });
  expect(ids).toHaveLength(20);
  expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(5);
  expect(new Set([0, 2, 4, 6, 8].map((t) => ids[t]))).toEqual(new Set([10, 12, 14, 16, 18].map((t) => ids[t])));
});

test("a guess is right as often as chance says, also one that takes the value of a fixed place or key", () => {
  const [pairs, values, drawn] = [4, 16, 4000];
  const right = { constant: 0, first: 0, lowest: 0 };
  for (let seed = 0; seed < drawn; seed++) {
    const { ids } = generateRecall({ pairs, asked: 1, values, seed });
    const answer = ids[2 * pairs + 1];
    if (answer === 64) right.constant++;
    if (answer === ids[1]) right.first++;
    const lowest = Math.min(...[0, 2, 4, 6].map((t) => ids[t]!));
    if (answer === ids[ids.indexOf(lowest) + 1]) right.lowest++;
  }
  // Four standard deviations of the share are at most 0.03. A value of the context is right in one of four cases, or by coincidence.
  expect(right.constant / drawn).toBeCloseTo(1 / values, 1.5);
  for (const share of [right.first, right.lowest]) expect(Math.abs(share / drawn - (1 / 4 + 3 / 4 / values))).toBeLessThan(0.03);
});

test.each([0, 0.25, 0.5, 0.9, 1])("a pair at depth %d", (depth) => {
  const { ids } = generateRecall({ pairs: 1, context: 1002, depth, seed: 3 });
  expect(ids.indexOf(ids[1002]!)).toBe(Math.round(1000 * depth));
});

test("pairs at depths of their own, among pairs that are not asked for", () => {
  const { ids } = generateRecall({ pairs: 12, asked: 2, context: 424, depth: [0, 1], seed: 3 });
  const places = [424, 426].map((t) => ids.indexOf(ids[t]!)).sort((a, b) => a - b);
  expect(places).toEqual([0, 422]);
});

test("refuses options that are not possible", () => {
  for (const [given, message] of [
    [{}, "generateRecall: pairs: expected a value, got none"],
    [{ pairs: 0 }, "generateRecall: pairs: expected an integer of at least 1, got 0"],
    [{ pairs: 65 }, "generateRecall: pairs: expected at most 64, the number of keys, got 65"],
    [{ pairs: 4, asked: 5 }, "generateRecall: asked: expected at most 4, the number of pairs, got 5"],
    [{ pairs: 4, context: 7 }, "generateRecall: context: expected at least 8 for 4 pairs, got 7"],
    [{ pairs: 4, context: 2 ** 30 }, "generateRecall: context: expected at most 1048576, got 1073741824"],
    [{ pairs: 4, keys: 1e12 }, "generateRecall: keys: expected at most 1048576, got 1000000000000"],
    [{ pairs: 4, depth: 2 }, "generateRecall: depth: expected a number within [0, 1], or an array of them, got 2"],
    [{ pairs: 4, depth: [0.5] }, "generateRecall: depth: expected one number or 4, got 1"],
    [{ pairs: 4, seed: -1 }, "generateRecall: seed: expected an integer within [0, 2^32), got -1"],
    [{ pairs: 4, value: 2 }, "generateRecall: value: unknown option"],
  ] as const) {
    const attempt = () => generateRecall(given as unknown as RecallOptions);
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(message);
  }
});
