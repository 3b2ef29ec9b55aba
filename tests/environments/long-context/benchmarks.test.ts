// Rows and scores of RULER and LongBench v2.

import { describe, expect, test } from "vitest";
import {
  type LongBenchRow,
  longBench,
  longBenchPrompt,
  parseLongBench,
  parseRuler,
  type RulerRow,
  ruler,
  rulerQuestions,
  scoreLongBench,
  scoreRuler,
  totalReward,
} from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";
import { answerOnce } from "./support.js";

const needle: RulerRow = {
  index: 0,
  input: "Text. What are the numbers?",
  outputs: ["12", "Ab"],
  length: 8,
  answer_prefix: " The numbers are",
};

describe("RULER", () => {
  test.each([
    ["12 and ab", "all", 1],
    ["12 and 13", "all", 0.5],
    ["13", "all", 0],
    ["12 and 13", "any", 1],
    ["13", "any", 0],
    ["<think>12, Ab</think> none", "all", 0],
    ["<think>12, Ab", "all", 0],
  ] as const)("%j with %s", (response, match, expected) => expect(scoreRuler(needle, response, match)).toBe(expected));

  test("reads rows; answer_prefix may be missing", () => {
    const { answer_prefix: _, ...old } = needle;
    expect(parseRuler(`${JSON.stringify(needle)}\n${JSON.stringify(old)}`)).toEqual([needle, { ...needle, answer_prefix: "" }]);
  });

  test.each([
    ["outputs: expected an array of strings, got", { outputs: "12" }],
    ["outputs: expected at least one string, got []", { outputs: [] }],
    ["outputs.1: expected a string of one or more characters, got 2", { outputs: ["1", 2] }],
    ["input: expected a string of one or more characters, got", { input: "" }],
    ["length: expected an integer of at least 0, got -1", { length: -1 }],
  ])("refuses %s", (message, change) => {
    const attempt = () => parseRuler(`\n\n${JSON.stringify({ ...needle, ...change })}`, "niah.jsonl");
    expect(attempt).toThrow(InputError);
    expect(attempt).toThrow(`niah.jsonl: line 3: ${message}`);
  });

  test("environments of one turn", async () => {
    const trace = await answerOnce(ruler, needle, "12");
    expect([totalReward(trace), trace.nodes[0]!.message.content]).toEqual([0.5, "Text. What are the numbers? The numbers are"]);
    expect(totalReward(await answerOnce(rulerQuestions, needle, "12"))).toBe(1);
  });
});

const choice: LongBenchRow = {
  _id: "66f36490821e116aacb2cc22",
  domain: "Single-Document QA",
  sub_domain: "Financial",
  difficulty: "easy",
  length: "short",
  question: "Who keeps the key?",
  choice_A: "the miller",
  choice_B: "the baker",
  choice_C: "the potter",
  choice_D: "nobody",
  answer: "B",
  context: "The baker keeps the key.",
};

describe("LongBench v2", () => {
  test.each([
    ["B", 1],
    [" (B)\n", 1],
    ["**B.**", 1],
    ["<think>A or C</think>\n\nB", 1],
    ["The correct answer is (B).", 1],
    ["The miller has no key. The answer is B, because of the first sentence.", 1],
    ["Answer: **B**", 1],
    ["A", 0],
    ["b", 0],
    ["", 0],
    ["A B C D", 0],
    ["(A) (B)", 0],
    ["The answer is A. The answer is B.", 0],
    ["The answer is Bread", 0],
    ["the baker", 0],
    ["B</think>", 0],
    ["<think>B", 0],
  ])("%j", (response, expected) => expect(scoreLongBench(choice, response)).toBe(expected));

  test("reads an array, as it is published, and JSON Lines", () => {
    expect(parseLongBench(JSON.stringify([choice, choice], null, 1))).toEqual([choice, choice]);
    expect(parseLongBench(JSON.stringify(choice))).toEqual([choice]);
    expect(() => parseLongBench(JSON.stringify({ ...choice, answer: "E" }))).toThrow(
      'longbench-v2: line 1: answer: expected "A" or "B" or "C" or "D", got "E"',
    );
    expect(() => parseLongBench(JSON.stringify({ ...choice, context: undefined }))).toThrow("line 1: context: expected a value, got none");
    expect(() => parseLongBench(3 as never)).toThrow(new InputError("longbench-v2: expected the text of a file, got number"));
  });

  test("a prompt with document, question and choices; an environment of one turn", async () => {
    const prompt = longBenchPrompt(choice);
    for (const part of [choice.context, choice.question, "(A) the miller\n(B) the baker\n(C) the potter\n(D) nobody"])
      expect(prompt).toContain(part);
    const trace = await answerOnce(longBench, choice, "B");
    expect([trace.task.key, trace.nodes[0]!.message.content, totalReward(trace)]).toEqual([choice._id, prompt, 1]);
    expect(totalReward(await answerOnce(longBench, choice, "C"))).toBe(0);
  });
});
