// Needles, variable tracking and copying of UUIDs: lengths, positions, uniqueness, determinism, and scores that only the answer earns.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ExactRow,
  generateNeedles,
  generateUuidCopy,
  generateVariableTracking,
  needles,
  scoreNeedles,
  scoreUuidCopy,
  scoreVariableTracking,
  totalReward,
  uuidCopy,
  variableTracking,
} from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";
import { answerOnce, countWords } from "./support.js";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;

const tasks = [
  { name: "needles", generate: generateNeedles, score: scoreNeedles, environment: needles, values: /\b\d{7}\b/g, unit: 200 },
  {
    name: "variable tracking",
    generate: generateVariableTracking,
    score: scoreVariableTracking,
    environment: variableTracking,
    values: /\b[A-Z]{5}\b/g,
    unit: 200,
  },
  { name: "copying of UUIDs", generate: generateUuidCopy, score: scoreUuidCopy, environment: uuidCopy, values: UUID, unit: 80 },
] as const;

describe.each(tasks)("$name", ({ generate, score, environment, values, unit }) => {
  test("the prompt is as long as the options say, in characters or tokens, and the same for the same options", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2000, max: 20_000 }), fc.boolean(), (seed, length, tokens) => {
        const options = { seed, length, ...(tokens && { countTokens: countWords }) };
        const row = generate(options);
        expect(row.length).toBe(tokens ? countWords(row.prompt) : row.prompt.length);
        expect(row.length).toBeLessThanOrEqual(length);
        expect(row.length).toBeGreaterThan(length - 2 * unit);
        expect(generate(options)).toEqual(row);
        expect(generate({ ...options, seed: (seed ^ 1) >>> 0 }).answers).not.toEqual(row.answers);
      }),
      { numRuns: 12 },
    );
  });

  test("only the exact answer is right", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const row = generate({ seed, length: 4000 });
        const answer = row.answers.join(", ");
        expect(score(row, answer)).toBe(1);
        expect(score(row, `<think>It may be 1234567, or not.</think>\n\n${row.answers.join("\n")}\n`)).toBe(1);
        for (const wrong of [
          "",
          row.prompt,
          [...new Set(row.prompt.match(values))].join(", "),
          `${answer} ${answer}`,
          `The answer is ${answer}`,
          `<think>${answer}`,
          `${answer}</think>`,
          answer.slice(0, -1),
          answer.toUpperCase() === answer ? answer.toLowerCase().replace(/^\d/, "0") : answer.toUpperCase(),
        ]) {
          // A task of which everything is asked for has no other values to list.
          if (wrong !== answer && [...wrong.matchAll(values)].join() !== row.answers.join())
            expect([wrong, score(row, wrong)]).toEqual([wrong, 0]);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("an environment of one turn", async () => {
    const row = generate({ seed: 3, length: 3000 });
    const right = await answerOnce(environment, row, row.answers.join(", "));
    expect([right.stop_condition, right.rewards, right.nodes[0]!.message.content]).toEqual([
      "terminated",
      { score: { score: 1, weight: 1 } },
      row.prompt,
    ]);
    expect(totalReward(await answerOnce(environment, row, "1234567"))).toBe(0);
    const cut = await answerOnce(environment, row, `${row.answers.join(", ")} a b c d e f`, row.answers.length);
    expect([cut.stop_condition, totalReward(cut)]).toEqual(["max_tokens", 0]);
    const { answers: _, ...without } = row;
    const failed = await answerOnce(environment, without as ExactRow, "1");
    expect(failed.errors).toMatchObject([{ type: "InputError", message: expect.stringContaining("row: answers: expected") }]);
  });

  test("refuses options that are not possible", () => {
    const where = generate.name;
    for (const [options, message] of [
      [{}, `${where}: length: expected a value, got none`],
      [{ length: 0 }, `${where}: length: expected an integer within [1, 50000000], got 0`],
      [{ length: 1 }, /: length: expected at least \d+ characters for this task, got 1$/],
      [{ length: 1, countTokens: countWords }, /: length: expected at least \d+ tokens for this task, got 1$/],
      [{ length: 1000, depth: 2 }, `${where}: depth: expected a number within [0, 1], or an array of them, got 2`],
      [{ length: 1000, depth: [0.1, 0.2, 0.3] }, /: depth: expected one number or \d, got 3$/],
      [{ length: 1000, countTokens: () => 0 }, `${where}: countTokens: expected at least 1 for a sentence, got 0`],
      [{ length: 1000, countTokens: () => 1.5 }, `${where}: countTokens: expected an integer of at least 0, got 1.5`],
      [{ length: 1000, lenght: 1 }, /: lenght: unknown option/],
    ] as const) {
      const attempt = () => generate(options as { length: number });
      expect(attempt).toThrow(InputError);
      expect(attempt).toThrow(message);
    }
    expect(() => score({} as ExactRow, "a")).toThrow(InputError);
    expect(() => score({ answers: ["a"] }, 1 as never)).toThrow(InputError);
  });
});

/** The position of a text in another one, from 0 to 1. */
const depthOf = (prompt: string, text: string) => prompt.indexOf(text) / prompt.length;

describe("positions", () => {
  test.each([0, 0.25, 0.5, 0.9, 1])("at depth %d", (depth) => {
    const length = 40_000;
    const needle = generateNeedles({ length, seed: 5, depth });
    expect(Math.abs(depthOf(needle.prompt, needle.answers[0]!) - depth)).toBeLessThan(0.015);
    const copy = generateUuidCopy({ length, seed: 5, depth });
    expect(Math.abs(depthOf(copy.prompt, copy.answers[0]!) - depth)).toBeLessThan(0.015);
    const tracking = generateVariableTracking({ length, seed: 5, depth, hops: 2 });
    for (const name of tracking.answers) expect(Math.abs(depthOf(tracking.prompt, `Variable ${name}`) - depth)).toBeLessThan(0.015);
  });

  test("one for each needle", () => {
    const depth = [0.8, 0.1, 0.5];
    const { prompt, answers } = generateNeedles({ length: 40_000, seed: 5, needles: 6, asked: 3, depth });
    const found = answers.map((answer) => depthOf(prompt, answer)).sort();
    for (const [i, expected] of [0.1, 0.5, 0.8].entries()) expect(Math.abs(found[i]! - expected)).toBeLessThan(0.015);
  });
});

test("needles: numbers and names are unique, and the filler contains no digits", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 30 }), (seed, asked) => {
      const { prompt, answers } = generateNeedles({ length: 12_000, seed, needles: 30, asked });
      const given = [...prompt.matchAll(/The registration number of the ([a-z ]+) is (\d{7})\./g)];
      expect(prompt.match(/\d+/g)).toEqual(given.map(([, , number]) => number));
      expect(new Set(given.map(([, name]) => name)).size).toBe(30);
      expect(new Set(given.map(([, , number]) => number)).size).toBe(30);
      // The question names the things in the order of the answers.
      const question = prompt.slice(prompt.lastIndexOf("\n\n"));
      const names = [...question.matchAll(/the ([a-z]+ [a-z]+)(?: in the text|\n)/g)].map(([, name]) => name!);
      expect(names.map((name) => given.find(([, one]) => one === name)?.[2]).slice(0, asked)).toEqual(answers);
      expect(answers.length).toBe(asked);
    }),
    { numRuns: 15 },
  );
});

test("variable tracking: the answer is what a reader of the statements computes", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 6 }), (seed, chains, hops) => {
      const row = generateVariableTracking({ length: 15_000, seed, chains, hops });
      const values = new Map<string, string>();
      for (const [, name, value, other] of row.prompt.matchAll(/Variable ([A-Z]{5}) (?:is (\d{5})|gets the value of ([A-Z]{5}))\./g)) {
        expect(values.has(name!)).toBe(false);
        values.set(name!, value ?? values.get(other!)!);
      }
      expect(values.size).toBe(chains * (hops + 1));
      const asked = /have the value (\d{5})/.exec(row.prompt)![1]!;
      const expected = [...values].filter(([, value]) => value === asked).map(([name]) => name);
      expect(new Set(row.answers)).toEqual(new Set(expected));
      expect(scoreVariableTracking(row, expected.reverse().join(" "))).toBe(1);
      expect(scoreVariableTracking(row, expected.map(() => expected[0]).join(" "))).toBe(hops === 0 ? 1 : 0);
    }),
    { numRuns: 15 },
  );
  expect(() => generateVariableTracking({ length: 9000, hops: 1, depth: [0.5, 0.4] })).toThrow("expected ascending numbers, got [0.5,0.4]");
});

test("copying of UUIDs: all UUIDs are different, and the answers belong to the keys", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 10 }), (seed, asked) => {
      const { prompt, answers } = generateUuidCopy({ length: 8000, seed, asked });
      const pairs = new Map([...prompt.matchAll(/^(\S{36}) -> (\S{36})$/gm)].map(([, key, value]) => [key!, value!]));
      const all = [...pairs].flat();
      expect(new Set(all).size).toBe(all.length);
      expect(all.every((one) => one.match(UUID)?.[0] === one)).toBe(true);
      const keys = prompt.slice(prompt.lastIndexOf("\n\n")).match(UUID)!;
      expect(keys.map((key) => pairs.get(key))).toEqual(answers);
    }),
    { numRuns: 10 },
  );
});
