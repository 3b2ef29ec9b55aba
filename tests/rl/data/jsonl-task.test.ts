import { describe, expect, test } from "vitest";
import { jsonlTask } from "../../../src/rl/data/jsonl-task.js";
import { Random } from "../../../src/rl/index.js";
import { verifiers } from "../../../src/rl/rewards/verifiers.js";
import { facts } from "../../support/facts.js";

describe("verifiers", () => {
  test.each<[keyof typeof verifiers, string, string, boolean]>([
    ["exact", "4 2", " 4 2\n", true],
    ["exact", "4 2", "4  2", false],
    ["exact", "Yes", "yes", false],
    ["words", "Zoe, Ann  Bob", "zoe ann bob", true],
    ["words", "café", "CAFE\u0301", true],
    ["words", "Ann Bob", "Bob Ann", false],
    ["words", "", "Bob", false],
    ["number", "1000", "1,000", true],
    ["number", "1000", "1e3", true],
    ["number", "0.5", ".50", true],
    ["number", "0.5", "1/2", true],
    ["number", "-7", "−7", true],
    ["number", "7", "+7.", true],
    ["number", "0", "-0", true],
    ["number", "7", "7.0000001", false],
    ["number", "0.1", "0.1000000000000000055511151231257827", false],
    ["number", "12345678901234567890", "12345678901234567891", false],
    ["number", "7", "seven", false],
    ["number", "7", "7 apples", false],
    ["number", "1000", "1,00,0", false],
    ["number", "1", "1/0", false],
    ["number", "1", "1/", false],
    ["number", "1", "1/1/1", false],
    ["number", "7", "", false],
    ["number", "7", "Infinity", false],
    ["number", "7", "9".repeat(100_000), false],
    ["number", "7", "1e999999999", false],
  ])("%s: %j, given %j: %s", (name, expected, given, right) => {
    expect(verifiers[name].verify(expected, given)).toBe(right);
  });

  test.each<[string, string | undefined]>([
    ["First 3 + 4 = 7. The answer is 7.", "7"],
    ["It costs 1,250.50 dollars", "1,250.50"],
    ["10-3", "3"],
    ["minus: -3", "-3"],
    ["x = 3/4", "3/4"],
    ["none", undefined],
  ])("number finds the last number of %j", (response, found) => {
    expect(verifiers.number.parse(response)).toBe(found);
  });

  test("run in linear time", () => {
    for (const text of ["1,".repeat(200_000), "1".repeat(400_000), "-".repeat(400_000), "1/".repeat(200_000)]) {
      const began = process.cpuUsage().user;
      verifiers.number.parse(text);
      for (const { verify } of Object.values(verifiers)) verify("7", text);
      // Quadratic time would be minutes.
      expect(process.cpuUsage().user - began).toBeLessThan(20e6);
    }
  });
});

describe("jsonlTask", () => {
  const options = { name: "mine", verifier: "number", answer: "tagged" } as const;
  const rows = (...lines: unknown[]) =>
    new TextEncoder().encode(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));

  test("creates a task with the questions and answers of the file", () => {
    const task = jsonlTask(
      rows("\uFEFF", { prompt: "6 × 7?", answer: 42, id: "a" }, "", { prompt: "1 / 2?", answer: ["0.5", "50/100"] }),
      "FILE",
      options,
    );
    const random = Random.seeded(1);
    const seen = new Set(Array.from({ length: 50 }, () => JSON.stringify(task.generate(random, 1))));
    expect([...seen].sort()).toEqual(['{"prompt":"1 / 2?","answers":["0.5","50/100"]}', '{"prompt":"6 × 7?","answers":["42"]}']);
    const row = { prompt: "6 × 7?", answers: ["41", "42"] };
    expect([task.name, task.levels, task.question(row)]).toEqual(["mine", 1, "6 × 7?"]);
    expect([task.verify(row, "42.0"), task.verify(row, "43"), task.parse]).toEqual([true, false, undefined]);
  });

  test("judges responses without tags as a whole, or by their last number", () => {
    const line = rows({ prompt: "?", answer: "7" });
    expect(jsonlTask(line, "FILE", { ...options, answer: "text" }).parse!("so 3 and 7")).toBe("7");
    expect(jsonlTask(line, "FILE", { ...options, verifier: "exact", answer: "text" }).parse!(" 7\n")).toBe("7");
  });

  const good = { prompt: "a", answer: 1 };
  test.each<[unknown[], string]>([
    [[], 'FILE: …{"prompt": …, "answer": …}'],
    [[good, "{"], "FILE: line 2, column 2: expected a key, got the end of the file…damaged"],
    [[good, '{"prompt": "b", "answer": 1, "answer": 2}'], "FILE: line 2, column 30: expected every key once"],
    [[good, "", "5"], "FILE: line 3: …JSON object…5"],
    [[[1]], "FILE: line 1: …JSON object…[1]"],
    [[{ question: "b", answer: 1 }], "FILE: line 1: prompt: …prompt…answer"],
    [[{ prompt: "b" }], "FILE: line 1: answer:"],
    [[{ prompt: "b", answer: null }], "FILE: line 1: answer:"],
    [[{ prompt: " ", answer: 1 }], 'FILE: line 1: prompt: …" "'],
    [[{ prompt: 5, answer: 1 }], "FILE: line 1: prompt: …5"],
    [[{ prompt: "b", answer: "one" }], 'FILE: line 1: answer: expected a number, …verifier…"number"…got "one"'],
    [[{ prompt: "b", answer: [1, {}] }], 'FILE: line 1: answer: expected a number, …verifier…"number"…got {}'],
    [[{ prompt: "b", answer: [] }], 'FILE: line 1: answer: expected a number, …verifier…"number"…got an empty array'],
    [
      ['{"prompt": "b", "answer": 12345678901234567890}'],
      'FILE: line 1: answer: expected a number, because the verifier is "number", got 12345678901234567000',
    ],
    [[good, { prompt: "a", answer: 2 }], "FILE: line 2: answer: …line 1…prompt"],
  ])("refuses %j", (lines, message) => {
    expect(() => jsonlTask(rows(...lines), "FILE", options)).toThrow(facts(message));
  });

  test("refuses bytes that are not UTF-8", () => {
    expect(() => jsonlTask(Uint8Array.of(0xff), "FILE", options)).toThrow(facts("FILE: …UTF-8"));
  });

  test("accepts duplicate rows", () => {
    expect(() => jsonlTask(rows(good, good), "FILE", options)).not.toThrow();
  });
});
