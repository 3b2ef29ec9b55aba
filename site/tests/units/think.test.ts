// The view "Think" without a browser: questions of all formats are read back and judged, and the recorded run is one of the bundled model.
import { fileURLToPath } from "node:url";
import { MiniMaxM1 } from "lightning-m1";
import { formatResponse, tasks } from "lightning-m1/rl";
import { expect, test } from "vitest";
import { FORMATS, type Format, LEVELS, type Level } from "../../src/views/think/formats.ts";
import { judgeResponse, makeQuestion } from "../../src/views/think/questions.ts";
import recorded from "../../src/views/think/recorded-run.json";

test("the formats are the tasks of the bundled model", () => {
  expect(tasks.map(({ name }) => name)).toEqual([...FORMATS]);
  for (const { levels } of tasks) expect(levels).toBe(LEVELS.length);
});

test.each(FORMATS)("%s: its questions are read, and a solution is told from other answers", (task) => {
  for (const level of LEVELS) {
    for (let index = 0; index < 5; index++) {
      const question = makeQuestion({ task, level, index });
      const wrong = judgeResponse(question, formatResponse({ thinking: "", answer: "?" }));
      expect(wrong, question).toMatchObject({ isRight: false, found: "?" });
      expect(wrong!.solution, question).toBeTypeOf("string");
      const right = judgeResponse(question, formatResponse({ thinking: "", answer: wrong!.solution! }));
      expect(right, question).toMatchObject({ isRight: true, solution: undefined });
      expect(judgeResponse(question, "I do not know.")).toMatchObject({ isRight: false, found: undefined });
    }
  }
});

test.each([
  "Who are you?",
  "",
  "Compute",
  "Compute 3 +",
  "Compute 99999999999999999999 * 2",
  "Which are true ? A : T T ; B : ( ( ; C : F",
  "Make 10 from 1 2 3 4 5 6 7 8 9 10 11 12",
  "Sort AB by the alphabet B",
  "Is each honest , T or F ? A lies . B says C lies .",
  "Fill the sudoku with 1 2 3 4 :\n1 2 3 4",
  "Close the open brackets : ( <",
])("no question of a format: %j", (question) => {
  expect(judgeResponse(question, "<think>\n</think>\n<answer>5</answer>")).toBeUndefined();
});

test("a question that a reader wrote", () => {
  expect(judgeResponse(" Compute 3 + 4 - 2\n", "<think>\n</think>\n<answer>5</answer>")).toMatchObject({ isRight: true, found: "5" });
});

test("the recorded run is that of the bundled model, and its question is the first of the view", async () => {
  const { question, choice, sampling, tokens, build } = recorded;
  expect(makeQuestion({ ...choice, task: choice.task as Format, level: choice.level as Level })).toBe(question);
  using model = await MiniMaxM1.load(fileURLToPath(new URL("../../../models/m1-puzzles", import.meta.url)), { build: build as "simd" });
  const text = await model.generate([{ role: "user", content: question }], sampling).text();
  expect(tokens.map(([token]) => token).join("")).toBe(text);
  expect(judgeResponse(question, text)).toMatchObject({ isRight: true });
  const times = tokens.map(([, time]) => time as number);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});
