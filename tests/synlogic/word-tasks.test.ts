// The two word tasks: answers in a box, the caller's own words, and traces with unusual words.

import { expect, test } from "vitest";
import { generate, type Row, solve, verify } from "../../src/synlogic/index.js";

const sorting: Row = {
  task: "word_sorting",
  question: "",
  answer: "kiwi, fig, apple",
  metadata: { words: ["apple", "fig", "kiwi"], sorted_words: ["apple", "fig", "kiwi"], front_letters: "z,a", order: -1 },
};

test.each([
  ["\\boxed{kiwi,fig,apple}", true],
  ["\\boxed{\\text{kiwi}, \\text{fig}, \\text{apple}}", true],
  ["\\boxed{\\text{kiwi, fig, apple.}}", true],
  ['**\\boxed{"kiwi", "fig", "apple",}**', true],
  ["\\boxed{apple} no: \\boxed{kiwi，fig，\n apple} (\\boxed{})", true],
  ["\\boxed{Kiwi, Fig, Apple}", null],
  ["\\boxed{Apple, Fig, Kiwi}", false],
  ["\\boxed{kiwi fig apple}", false],
  ["\\boxed{ki wi, fig, apple}", false],
  ["\\boxed{kiwi, fig, apple, apple}", false],
  ["\\boxed{kiwi, fig, apple, }, or \\boxed{fig}", false],
  ["kiwi, fig, apple", false],
])("sorted words: %j is %s", (text, right) => expect(verify(sorting, text)).toBe(right));

test("the caller's own words are used, and checked", () => {
  const words = ["ab", "abc", "b", "ba", "bab"];
  const [row] = generate("word_sorting", { words, word_count_range: [5, 5], front_letters_range: [1, 26] });
  expect([...(row!.metadata!.words as string[])].sort()).toEqual(words);
  expect(verify(row!, solve(row!))).toBe(true);
  expect(() => generate("word_sorting", { words, word_count_range: [6, 6] })).toThrow(/expected at least 6 different words, got 5/);
  expect(() => generate("word_sorting", { words: ["Ab", "b"], word_count_range: [2, 2] })).toThrow(/letters a to z/);
  expect(() => generate("word_sorting", { word_count_range: [5, 4] })).toThrow(
    /word_count_range: expected two integers in ascending order/,
  );
  expect(() => generate("word_sorting_mistake", { word_count_range: [1, 4] })).toThrow(/within \[2, 50\]/);
});

test("traces of words that are prefixes of each other, or that leave no letter to misread", () => {
  for (const words of [["a", "aa", "aaa", "aaaa"], [..."abcdefghijklmnopqrstuvwxyz"]]) {
    const rows = generate("word_sorting_mistake", { words, word_count_range: [4, words.length], count: 200 });
    for (const row of rows) expect(verify(row, solve(row))).toBe(true);
    expect(new Set(rows.map(({ answer }) => answer)).size).toBeGreaterThan(2);
  }
});

test("the number of a thought: leading zeros are left open, other scripts and words are wrong", () => {
  const row = generate("word_sorting_mistake", { count: 20, seed: 3 }).find(({ answer }) => typeof answer === "number")!;
  expect(verify(row, `\\boxed{0${row.answer}}`)).toBe(null);
  expect(verify(row, `\\boxed{Thought ${row.answer}}`)).toBe(false);
  expect(verify(row, `\\boxed{${String.fromCodePoint(0xff10 + (row.answer as number))}}`)).toBe(false);
  expect(verify(row, `Thought ${row.answer}`)).toBe(false);
});
