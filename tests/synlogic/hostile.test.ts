// Messages and calls that try to mislead a verifier, to stop it, or to make it throw anything but an InputError.

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { generateRows } from "../../src/rl/rows/task-rows.js";
import { explain, generate, type Row, solve, taskNamed, tasks, verify } from "../../src/synlogic/index.js";
import { boxes, codeBlocks } from "../../src/synlogic/reading/final-text.js";

const NUMBER = /(?<![0-9A-Za-z_.-])[1-9][0-9]*(?![0-9A-Za-z_.])/g;

/** Replaces one whole number of an answer, in the middle. Undefined if there is none. */
function withNumber(answer: string, change: (number: string) => string): string | undefined {
  const numbers = [...answer.matchAll(NUMBER)];
  const one = numbers[numbers.length >> 1];
  return one && answer.slice(0, one.index) + change(one[0]) + answer.slice(one.index + one[0].length);
}

/** Changes that leave a right answer right. */
const HARMLESS: Record<string, (answer: string) => string> = {
  "line ends of Windows": (answer) => `First this.\n\n${answer}\n`.replaceAll("\n", "\r\n"),
  "a byte order mark": (answer) => `\ufeff${answer}`,
  "several </think>": (answer) => `<think>\n[[1]]</think> hm \\boxed{1}</think>\n${answer}`,
  "a space before the brace of a box": (answer) => answer.replaceAll("\\boxed{", "\\boxed {"),
  "a megabyte of white space behind": (answer) => answer + " \n".repeat(1 << 19),
  "a megabyte of text before": (answer) => `${"Let me think. ".repeat(80_000)}\n${answer}`,
  "boxes that are begun and not ended": (answer) => `I use \\boxed{… and again \\boxed{\n${answer}`,
  "lists that are begun and not ended": (answer) => `Not [[1, 2, ['a\n${answer}`,
  "longer fences": (answer) => answer.replaceAll("```", "````"),
};

/** Changes that leave no right answer. Undefined where there is nothing to change. The verdict may also be open. */
const HARMFUL: Record<string, (answer: string) => string | undefined> = {
  "full-width digits": (answer) => withNumber(answer, (n) => n.replace(/./g, (digit) => String.fromCharCode(0xff10 + Number(digit)))),
  "a sum": (answer) => withNumber(answer, (n) => `(${n}+0)`),
  "an underscore": (answer) => withNumber(answer, (n) => `0_${n}`),
  hexadecimal: (answer) => withNumber(answer, (n) => `0x${Number(n).toString(16)}`),
  exponent: (answer) => withNumber(answer, (n) => `${n}e0`),
  "a zero-width space": (answer) => withNumber(answer, (n) => `${n}\u200b`),
  "a byte order mark inside": (answer) => withNumber(answer, (n) => `${n}\ufeff${n}`),
  NUL: (answer) => withNumber(answer, (n) => `${n}\0`),
  "a lone surrogate": (answer) => withNumber(answer, (n) => `${n}\ud800`),
  "hundreds of digits": (answer) => withNumber(answer, (n) => n + "0".repeat(400)),
  "taken back": (answer) => `${answer}\n</think>\nSorry, I cannot tell.`,
  "never ended": (answer) => `${answer}<think>`,
};

describe.each(tasks)("%s", (name) => {
  const rows = taskNamed(name).languages.flatMap((language) => generate(name, { level: "tiny", language, count: 2, seed: 17 }));

  test.each(Object.entries(HARMLESS))("right: %s", (_, change) => {
    for (const row of rows) expect(verify(row, change(solve(row))), solve(row)).toBe(true);
  });

  test.each(Object.entries(HARMFUL))("not right: %s", (_, change) => {
    for (const row of rows) {
      const changed = change(solve(row));
      if (changed !== undefined) expect(verify(row, changed), changed).not.toBe(true);
    }
  });

  test("the published verdict takes linear time, and is missing for longer messages", () => {
    const row = rows[0]!;
    for (const text of ["[[1,", "((1, 2), "]) {
      const begin = performance.now();
      expect(explain(row, text.repeat(70_000 / text.length)).right).toBe(false);
      expect(performance.now() - begin).toBeLessThan(2000);
    }
    expect(explain(row, `${solve(row)}${" ".repeat(200_000)}`)).not.toHaveProperty("published");
  });

  test("rows of another form end in an InputError", () => {
    const [row] = rows;
    const keys = Object.keys(row!.metadata ?? {});
    const broken = [
      ...[null, undefined, [], "x", 5].map((metadata) => ({ ...row!, metadata })),
      ...[null, undefined, {}, [], 5, true, ""].map((answer) => ({ ...row!, answer })),
      ...keys.flatMap((key) =>
        [null, -1, 1.5, "x", [], [[]], [null], {}, [{}], true].map((value) => ({ ...row!, metadata: { ...row!.metadata, [key]: value } })),
      ),
    ];
    const answer = solve(row!);
    for (const one of broken as Row[]) {
      for (const call of [() => verify(one, answer), () => explain(one, answer), () => solve(one)]) {
        try {
          call();
        } catch (error) {
          expect(error, JSON.stringify(one.metadata)).toBeInstanceOf(InputError);
        }
      }
    }
  });
});

test.each([
  { count: 1e9 },
  { count: Number.NaN },
  { count: 2 ** 32 },
  { count: -1 },
  { first: 2 ** 32 },
  { first: 2 ** 53 },
  { seed: Number.NaN },
])("a generator refuses %j", (options) => {
  expect(() => generate("kukurasu", options)).toThrow(InputError);
  expect(() => generateRows("kukurasu", options)).toThrow(InputError);
  expect(() => generateRows("compact/sudoku", options)).toThrow(InputError);
});

test("a parameter that would be ignored is refused", () => {
  expect(() => generateRows("kukurasu", { parameters: { seed: 5 } })).toThrow(/seed: expected a parameter of the task/);
});

test.each([
  ["dyck_language", "zero-width space", "([{\u200b}])"],
  ["dyck_language", "byte order mark", "([{\ufeff}])"],
  ["dyck_language_errors", "zero-width space", "3\u200b"],
  ["dyck_language_errors", "NUL", "\0 3"],
  ["dyck_language_reasoning_errors", "zero-width joiner", "[1]\u200d"],
])("%s: an invisible character makes a bare answer wrong: %s", (task, _, text) => {
  const metadata = {
    ...{ question_sequence: "([{", full_sequence: "([{}])", bracket_string: "()]([]", dyck_sequence: "()" },
    thoughts: ["思考1: 遇到 ); 栈: 空"],
  };
  expect(verify({ task, question: "", answer: "", metadata }, text)).toBe(false);
});

test("buggy_tables: another block after the JSON block is the answer then", () => {
  const row = generate("buggy_tables", { level: "tiny" })[0]!;
  for (const tag of ["python", "text", ""]) expect(verify(row, `${solve(row)}\n\`\`\`${tag}\n1\n\`\`\``)).toBe(false);
});

test("goods_exchange: a person or an item without a name is refused", () => {
  const [row] = generate("goods_exchange", { level: "tiny" });
  for (const owns_before of [{ "": "red cup" }, { Ada: "" }] as { [name: string]: string }[]) {
    expect(() => solve({ ...row!, metadata: { ...row!.metadata, owns_before } })).toThrow(/owns_before: expected the item of each person/);
  }
});

test("object_properties: an unknown kind of change is refused", () => {
  const [row] = generate("object_properties", { level: "tiny" });
  const [change] = row!.metadata!.changes as { [key: string]: string }[];
  const changes = [{ ...change, kind: "paint" }];
  expect(() => solve({ ...row!, metadata: { ...row!.metadata, changes } })).toThrow(/changes: expected a list of changes/);
});

test("kukurasu: eight rows and columns, sums of no grid, and a grid that is too wide to search", () => {
  for (const ones_probability of [0.3, 0.5, 0.7]) {
    for (const row of generate("kukurasu", { n: 8, m: 8, ones_probability, count: 5 })) expect(verify(row, solve(row))).toBe(true);
  }
  for (const [row_sums, col_sums] of [
    [
      [1, 1],
      [3, 3],
    ],
    [[5], Array(2000).fill(1)],
  ]) {
    expect(() => solve({ task: "kukurasu", question: "", answer: "", metadata: { row_sums: row_sums!, col_sums: col_sums! } })).toThrow(
      InputError,
    );
  }
});

test("game_of_24: the search for an expression of many numbers gives up", () => {
  const [row] = generate("game_of_24");
  const numbers = Array(40).fill(1e9);
  expect(() => solve({ ...row!, metadata: { ...row!.metadata, numbers } })).toThrow(InputError);
});

test.each([
  ["\\boxed{1} \\boxed{2}", ["1", "2"]],
  ["\\boxed{a \\boxed{b}}", ["a \\boxed{b}"]],
  ["\\boxed{a \\boxed{b}", ["b"]],
  ["{ \\boxed{1} \\boxed{{2}", ["1"]],
  ["\\boxed {1} \\boxed\n{2}", ["1", "2"]],
  ["} \\boxed{\\{1\\}}", ["\\{1\\}"]],
])("boxes of %j", (text, contents) => expect(boxes(text)).toEqual(contents));

test("a fence has three or more backticks", () => {
  expect(codeBlocks("````python\n1\n````")).toEqual([{ language: "python", content: "\n1\n", end: 13 }]);
});
