// The puzzles of the view "Tasks", without a browser: every task can be solved by its solver, and wrong answers are judged as such.
import { expect, test } from "vitest";
import { catalogue, exampleOf, judgeAnswer, makePuzzle, solution } from "../../src/views/tasks/puzzles.ts";

const entries = catalogue();

test("35 published and 14 compact tasks", () => {
  expect(entries.filter(({ isCompact }) => !isCompact).length).toBe(35);
  expect(entries.filter(({ isCompact }) => isCompact).length).toBe(14);
  for (const { isCompact, summary, levels } of entries) {
    expect(summary !== undefined).toBe(!isCompact);
    expect(levels.length).toBeGreaterThanOrEqual(3);
  }
});

test.each(entries.map(({ name }) => name))("%s: its solution is right, other text is wrong", (name) => {
  const { levels, languages } = entries.find((entry) => entry.name === name)!;
  const choice = { task: name, level: levels[0]!, language: languages[0]!, seed: 3, index: 2 };
  const row = makePuzzle(choice);
  expect(makePuzzle(choice)).toEqual(row);
  expect(row.question).not.toBe("");
  const example = exampleOf(choice);
  expect(example !== undefined).toBe(name.startsWith("compact/"));
  if (example) expect(example.question).not.toBe(row.question);
  const { text, answer } = solution(row);
  expect(judgeAnswer(row, text).right).toBe(true);
  expect(judgeAnswer(row, answer).right).toBe(true);
  const wrong = judgeAnswer(row, "I do not know.");
  expect(wrong.right).toBe(false);
  expect(wrong.reason).not.toBe("");
});
