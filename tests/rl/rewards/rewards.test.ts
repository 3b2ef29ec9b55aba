import { describe, expect, test } from "vitest";
import { groupAdvantages } from "../../../src/rl/objectives/advantages.js";
import { type Grade, gradedReward, type Preference, pairwiseReward } from "../../../src/rl/rewards/generative-rewards.js";
import { type AnsweredPuzzle, correctnessReward, formatReward, overlongPunishment, sumOfRewards } from "../../../src/rl/rewards/rewards.js";
import { arithmeticChain, formatResponse, type Task } from "../../../src/rl/tasks/index.js";
import { facts } from "../../support/facts.js";
import { maxAbsDiff, OBJECTIVES } from "../../support/tolerance.js";

const task = arithmeticChain as Task;
const instance = { expression: "3 + 4" };
const answered = (text: string): AnsweredPuzzle => ({
  question: task.question(instance),
  text,
  tokens: text.length,
  puzzle: { task, level: 1, instance },
});
const right = formatResponse(task.solve(instance));

describe("overlongPunishment", () => {
  test.each([
    [0, 0],
    [80, 0],
    [81, -0.05],
    [90, -0.5],
    [100, -1],
    [101, -1],
    [1e6, -1],
  ])("of %d tokens is %d, for 100 and a cache of 20", (tokens, expected) => {
    expect(Math.abs(overlongPunishment(tokens, { maxTokens: 100, cache: 20 }) - expected)).toBeLessThanOrEqual(OBJECTIVES);
  });

  test("without a cache is a step", () => {
    expect([99, 100, 101].map((tokens) => overlongPunishment(tokens, { maxTokens: 100, cache: 0 }))).toEqual([0, 0, -1]);
  });

  test.each([
    [() => overlongPunishment(1, { maxTokens: 10, cache: 11 }), "overlongPunishment: cache: …maxTokens… 10…11"],
    [() => overlongPunishment(1.5, { maxTokens: 10, cache: 1 }), "overlongPunishment: tokens: …integer…0…1.5"],
    [() => overlongPunishment(-1, { maxTokens: 10, cache: 1 }), "overlongPunishment: tokens: …integer…0…-1"],
    [() => overlongPunishment(1, { maxTokens: 0, cache: 0 }), "overlongPunishment: maxTokens: …integer…1…0"],
    [() => overlongPunishment(1, {} as never), "overlongPunishment: maxTokens:"],
  ])("refuses (%#)", (call, message) => expect(call).toThrow(facts(message)));
});

describe("rewards of puzzles", () => {
  test.each([
    [right, 1, 1],
    ["<think>\n3 + 4\n</think>\n<answer>8</answer>", 0, 1],
    ["<answer>7</answer>", 0, 0],
    ["7", 0, 0],
    ["", 0, 0],
  ])("%j", (text, correct, formatted) => {
    expect([correctnessReward(answered(text)), formatReward(answered(text))]).toEqual([correct, formatted]);
  });
});

describe("a sum of rewards", () => {
  const reward = sumOfRewards<AnsweredPuzzle>({
    correctness: correctnessReward,
    format: (response) => 0.1 * formatReward(response),
    length: async ({ tokens }) => overlongPunishment(tokens, { maxTokens: 40, cache: 40 }),
  });

  test("returns its components", async () => {
    const { total, components } = await reward(answered(right));
    expect(components).toEqual({ correctness: 1, format: 0.1, length: Math.max(-1, -right.length / 40) });
    expect(maxAbsDiff([total!], [1.1 + components.length!])).toBeLessThanOrEqual(OBJECTIVES);
  });

  test("is null if a component is null, and the response then has no advantage", async () => {
    const doubtful = sumOfRewards({ a: ({ text }) => Number(text), judge: ({ text }) => (text === "5" ? null : 0) });
    const scored = await Promise.all(["1", "5", "0"].map((text) => doubtful({ question: "", text, tokens: 1 })));
    expect(scored[1]).toEqual({ total: null, components: { a: 5, judge: null } });
    const totals = scored.map(({ total }) => total);
    expect(totals).toEqual([1, null, 0]);
    expect(groupAdvantages(totals)[1]).toBe(0);
  });

  test("is an error without rewards, and if a reward returns an invalid value", async () => {
    expect(() => sumOfRewards({})).toThrow(facts("sumOfRewards: components: …reward"));
    expect(() => sumOfRewards(undefined as never)).toThrow("sumOfRewards: components:");
    expect(() => sumOfRewards({ a: 1 as never })).toThrow(facts("sumOfRewards: a: …function…number"));
    for (const value of [Number.NaN, undefined, "1", Infinity, true]) {
      await expect(sumOfRewards({ a: () => value as never })(answered(""))).rejects.toThrow(
        facts(`sumOfRewards: a: …number…[-1e9, 1e9]…null…${value}`),
      );
    }
    const broken = new Error("the sandbox is gone");
    await expect(sumOfRewards({ a: () => Promise.reject(broken) })(answered(""))).rejects.toBe(broken);
  });
});

describe("rewards by a model", () => {
  const response = { question: "2 + 2", text: "four", tokens: 1, reference: "4" };
  /** Returns the answers one after the other. */
  const says = <T>(...answers: T[]) => {
    let i = 0;
    return async () => answers[i++ % answers.length]!;
  };

  test("grades are mapped to values", async () => {
    expect(await Promise.all(([1, 2, 3, 4, 5] as const).map((grade) => gradedReward(() => grade)(response)))).toEqual([
      0, 0.25, 0.5, 0.75, 1,
    ]);
    expect(await gradedReward(says<Grade>(5), { values: [-1, 0, 0, 0, 2] })(response)).toBe(2);
    expect(await gradedReward(says<Grade | null>(5, null, 3), { judgements: 3 })(response)).toBe(0.75);
    expect(await gradedReward(says<Grade | null>(null), { judgements: 3 })(response)).toBeNull();
    const seen: unknown[] = [];
    await gradedReward((asked) => {
      seen.push(asked);
      return 1;
    })(response);
    expect(seen).toEqual([response]);
  });

  test("invalid grades are errors", async () => {
    for (const grade of [0, 6, 2.5, Number.NaN, undefined, "5"]) {
      await expect(gradedReward(() => grade as never)(response)).rejects.toThrow(facts(`gradedReward: grade: …integer…1…5…null…${grade}`));
    }
    expect(() => gradedReward(undefined as never)).toThrow(facts("gradedReward: grade: …function…undefined"));
    expect(() => pairwiseReward(1 as never)).toThrow(facts("pairwiseReward: compare: …function…number"));
    expect(() => gradedReward(() => 1, { values: [0, 1] })).toThrow(facts("gradedReward: values: …[0,1]"));
    expect(() => gradedReward(() => 1, { judgements: 0 })).toThrow(facts("gradedReward: judgements: …integer…1…0"));
  });

  test("two answers are compared in both orders", async () => {
    const judge =
      (better: (first: string, second: string) => Preference | null) =>
      (question: string, first: string, second: string): Preference | null => {
        expect(question).toBe("2 + 2");
        expect([first, second].sort()).toEqual(["4", "four"]);
        return better(first, second);
      };
    const of = (better: (first: string, second: string) => Preference | null) => pairwiseReward(judge(better))(response);
    expect(await of((first) => (first === "four" ? 1 : -1))).toBe(1);
    expect(await of((first) => (first === "four" ? -1 : 1))).toBe(-1);
    expect(await of(() => 0)).toBe(0);
    // The first answer always wins: position bias.
    expect(await of(() => 1)).toBe(0);
    expect(await of(() => -1)).toBe(0);
    expect(await of((first) => (first === "four" ? 1 : 0))).toBe(0);
    expect(await of((first) => (first === "four" ? 1 : null))).toBeNull();
    await expect(of(() => 2 as never)).rejects.toThrow(facts("pairwiseReward: compare: …-1… 0… 1…null…2"));
  });
});
