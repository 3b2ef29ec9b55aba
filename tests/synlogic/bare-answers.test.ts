// Answers that a question wants alone on the last line: what counts, what does not, and what it leaves open.

import { expect, test } from "vitest";
import { generate, type Row, solve, verify } from "../../src/synlogic/index.js";
import { pythonInteger } from "../../src/synlogic/reading/python-integer.js";

const completion: Row = {
  task: "dyck_language",
  question: "Give the shortest completion.",
  answer: "([{}])",
  metadata: { question_sequence: "([{", full_sequence: "([{}])" },
};
const error: Row = { task: "dyck_language_errors", question: "", answer: "3", metadata: { bracket_string: "()]([]" } };
const trace = (errors: number) => generate("dyck_language_reasoning_errors", { n_errors: errors, total_length: 10, seed: 3 })[0]!;

test.each([
  ["I close them.\n\n([{}])", true],
  ["([{\n}])", true],
  ["( [ { } ] )", true],
  ['"([{}])"', null],
  ["The answer is: “([{}])”", null],
  ["I close them.\n([{\n}])", false],
  ["([{}])()", false],
  ["The answer is: ([{}]).", null],
  ["**([{}])**", null],
  ["```\n([{}])\n```", null],
  ["\\boxed{([{}])}", null],
  ["**([{}]]**", false],
])("a completed sequence: %j is %s", (text, right) => expect(verify(completion, text)).toBe(right));

test("a longer balanced completion is undecided if the question does not ask for the shortest", () => {
  expect(verify({ ...completion, question: "Complete it." }, "([{}])()")).toBe(null);
  expect(verify({ ...completion, question: "Complete it." }, "([{}])(")).toBe(false);
});

test.each([
  ["It breaks early.\n3", true],
  ["Position 3", null],
  ["**3**", null],
  ["3.", null],
  ["+3", false],
  ["03", false],
  ["3.0", false],
  ["- 3", false],
  ["3, 4", false],
  ["3rd", false],
  ["３", false],
  [`${"]".repeat(1000)}3`, false],
])("a position: %j is %s", (text, right) => expect(verify(error, text)).toBe(right));

test("an empty text lists no wrong thoughts", () => {
  for (const text of ["", '""', "All is well.\n“”"]) {
    expect(verify(trace(0), text)).toBe(true);
    expect(verify(trace(2), text)).toBe(false);
  }
  expect(verify(trace(0), "<think>")).toBe(false);
  expect(verify(trace(0), "There are no mistakes.")).toBe(false);
  expect(verify(trace(0), "[]")).toBe(null);
});

test("a list of thoughts: separators, order and decoration", () => {
  const row = trace(3);
  const [a, b, c] = row.metadata!.error_indices as number[];
  for (const text of [`${a},${b},${c}`, `${c}, ${a}，${b}`, `${a},\n${b},\n${c}`, `"${a},${b},${c}"`]) expect(verify(row, text)).toBe(true);
  for (const text of [`[${a},${b},${c}]`, `Thoughts ${a}, ${b} and ${c} are wrong.`, `Thought ${a}, Thought ${b}, thought ${c}.`])
    expect(verify(row, text)).toBe(null);
  for (const text of [`${a},${b}`, `${a},${b},${c},${c}`, `${a},${b},${c},`, `,${a},${b},${c}`, `${a}x,${b},${c}`, `${a}\n${b}\n${c}`]) {
    expect(verify(row, text)).toBe(false);
  }
});

test("a long number in a list of thoughts is read in linear time", () => {
  const begin = performance.now();
  for (const text of ["9".repeat(390), `\\boxed{${"9".repeat(380)}}`, `${"9 , ".repeat(95)}x`, `Thought ${"and 1 ".repeat(60)}`]) {
    expect(verify(trace(2), `${text} .`)).toBe(false);
  }
  expect(performance.now() - begin).toBeLessThan(1000);
});

test("Python's integers", () => {
  for (const text of ["12", " +12\n", "1_2", "0012", "１２", "١٢", "𝟏𝟐"]) expect(pythonInteger(text), text).toBe(12n);
  for (const text of ["", "1__2", "_12", "12_", "1 2", "12.0", "²", "- 12", "1".repeat(5000)])
    expect(pythonInteger(text), text).toBeUndefined();
});

test.each([
  ["dyck_language", { n_types: 1, total_length: 3, to_fill_length: 1 }],
  ["dyck_language", { n_types: 4, total_length: 200, to_fill_length: 100 }],
  ["dyck_language", { n_types: 2, total_length: 20, to_fill_length: 1, nesting_depth: 10 }],
  ["dyck_language_errors", { n_types: 1, total_length: 1 }],
  ["dyck_language_errors", { n_types: 4, total_length: 199 }],
  ["dyck_language_reasoning_errors", { n_types: 1, total_length: 3, n_errors: 10 }],
  ["dyck_language_reasoning_errors", { n_types: 4, total_length: 100, n_errors: 10 }],
] as const)("%s with %j has a right answer", (name, parameters) => {
  for (const row of generate(name, { ...parameters, count: 20 })) expect(verify(row, solve(row)), row.question).toBe(true);
});

test("parameters for which no sequence exists are refused", () => {
  expect(() => generate("dyck_language", { total_length: 10, to_fill_length: 6 })).toThrow(/at most half of the length 10, got 6, 0/);
  expect(() => generate("dyck_language", { total_length: 10, nesting_depth: 6 })).toThrow(/at most half of the length 10, got 1, 6/);
});

test("a sequence reaches the nesting depth that is asked for", () => {
  for (const { answer } of generate("dyck_language", { total_length: 20, nesting_depth: 6, count: 50 })) {
    let [depth, deepest] = [0, 0];
    for (const bracket of String(answer)) {
      depth += "([{<".includes(bracket) ? 1 : -1;
      deepest = Math.max(deepest, depth);
    }
    expect(deepest).toBeGreaterThanOrEqual(6);
  }
});
