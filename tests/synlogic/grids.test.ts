// What the laws do not reach in the tasks whose answer is a grid: notations, parameters without a puzzle, larger sizes.

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { generate, solve, verify } from "../../src/synlogic/index.js";

const rowOf = (task: string, options = {}) => generate(task, { seed: 4, ...options })[0]!;

describe.each(["calcudoko", "futoshiki"])("%s: notations of numbers in double brackets", (task) => {
  const row = rowOf(task);
  const answer = solve(row);
  const lines = answer.slice(2, -2).split(",");

  test.each([
    ["as asked for", answer],
    ["blanks between the brackets", `[ [${lines.join(" ,\n ")}] ]`],
    ["in a box", `$\\boxed{${answer}}$`],
    ["after a draft and before a sentence", `[[1 1,1 1]] no: ${answer} is the answer, see a[0].`],
    ["a comma at the end", `[[${lines.join(",")},]]`],
  ])("%s is right", (_, text) => expect(verify(row, text)).toBe(true));

  test.each([
    ["a nested list", `[${lines.map((line) => `[${line.split(" ").join(", ")}]`).join(",\n ")}]`],
    ["full-width commas", `[[${lines.join("，")}]]`],
  ])("%s is left open", (_, text) => expect(verify(row, text)).toBeNull());

  test.each([
    ["semicolons", answer.replaceAll(" ", ";")],
    ["a leading zero", answer.replace("[[", "[[0")],
    ["decimals", answer.replaceAll("1", "1.0")],
    ["a line too many", `[[${[...lines, lines[0]].join(",")}]]`],
    ["single brackets", answer.slice(1, -1)],
    ["brackets that never close", answer.slice(0, -1)],
  ])("%s: wrong", (_, text) => expect(verify(row, text)).toBe(false));
});

test("a comment in the block is refused where the question forbids it", () => {
  for (const [task, right] of [
    ["skyscraper_puzzle", false],
    ["survo", false],
    ["star_placement_puzzle", false],
    ["sudoku", true],
  ] as const) {
    const row = rowOf(task);
    expect(verify(row, solve(row).replace(/\n```$/, "  # done\n```")), task).toBe(right);
  }
});

test("survo: decimals are left open, booleans are wrong", () => {
  const row = rowOf("survo", { min_num: 1, max_num: 1 });
  const answer = solve(row);
  expect(verify(row, answer.replace(/(\d+)/g, "$1.0"))).toBeNull();
  expect(verify(row, answer.replace(/\b1\b/, "True"))).toBe(false);
});

test("star_placement_puzzle: two stars in each row, column and region", () => {
  const row = rowOf("star_placement_puzzle", { n: 8, k: 2 });
  const regions = row.metadata!.region_grid as readonly (readonly string[])[];
  const stars = [...solve(row).matchAll(/\((\d), (\d)\)/g)].map(([, i, j]) => [Number(i), Number(j)] as const);
  for (let line = 1; line <= 8; line++) {
    expect(stars.filter(([i]) => i === line)).toHaveLength(2);
    expect(stars.filter(([, j]) => j === line)).toHaveLength(2);
    expect(stars.filter(([i, j]) => regions[i - 1]![j - 1] === "ABCDEFGH"[line - 1])).toHaveLength(2);
  }
  expect(stars.every(([i, j], a) => stars.every(([k, l], b) => a === b || Math.max(Math.abs(i - k), Math.abs(j - l)) > 1))).toBe(true);
});

test("star_placement_puzzle: each region once, its own stars, in one block with its tag", () => {
  const row = rowOf("star_placement_puzzle");
  const answer = solve(row);
  const [first, second] = [...answer.matchAll(/\[\((.*)\)\]/g)].map(([, star]) => star!);
  expect(verify(row, answer.replace("'A'", "'B'"))).toBe(false);
  expect(verify(row, answer.replace("'A'", "'a'"))).toBe(false);
  expect(verify(row, answer.replace(first!, `${first}), (${first}`))).toBe(false);
  expect(verify(row, answer.replace(first!, "x").replace(second!, first!).replace("(x)", `(${second})`))).toBe(false);
  expect(verify(row, answer.replace("```python", "```"))).toBe(false);
});

test("wordscapes: words of the caller only, also where the letters form others", () => {
  const words = ["cat", "cot", "tent", "toe", "eat", "tea", "ant", "net"];
  const row = rowOf("wordscapes", { words, num_words: 4 });
  const placed = [...(row.metadata!.across_words as string[]), ...(row.metadata!.down_words as string[])];
  expect(placed).toHaveLength(4);
  for (const word of placed) expect(words).toContain(word);
});

test("parameters for which there is no puzzle end in an InputError", () => {
  expect(() => rowOf("futoshiki", { num_inequality_signs: 25 })).toThrow(/num_inequality_signs: expected at most 24/);
  expect(() => rowOf("futoshiki", { num_prefilled_coords: 17 })).toThrow(InputError);
  expect(() => rowOf("star_placement_puzzle", { n: 6, k: 2 })).toThrow(/expected at least 8/);
  expect(() => rowOf("survo", { n: 4, x: 7 })).toThrow(/expected at most 6/);
  expect(() => rowOf("survo", { min_num: 5, max_num: 4 })).toThrow(InputError);
  expect(() => rowOf("wordscapes", { words: ["cat", "dog"], num_words: 3 })).toThrow(/expected at least 3 words/);
  expect(() => rowOf("wordscapes", { words: ["aaa", "bbb", "ccc"], num_words: 3 })).toThrow(
    /expected parameters that give a single solution/,
  );
  expect(() => rowOf("wordscapes", { words: ["Cat!", "dog", "cow"] })).toThrow(/lower-case letters/);
});
