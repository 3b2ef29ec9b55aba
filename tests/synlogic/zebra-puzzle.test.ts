// zebra_puzzle: JSON answers, rows without clues, and rows of other sizes and shapes.

import { expect, test } from "vitest";
import { explain, generate, type Row, solve, verify } from "../../src/synlogic/index.js";

const block = (json: string) => `\`\`\`json\n${json}\n\`\`\``;
const solution = '{"House 1": {"Name": "Ada", "Age": 8}, "House 2": {"Name": "Ben", "Age": 7}}';

const byClues: Row = {
  task: "zebra_puzzle",
  question: "",
  answer: solution,
  metadata: {
    attributes: ["Name", "Age"],
    values: { Name: ["Ada", "Ben"], Age: [7, 8] },
    clues: [
      ["left", "Name", "Ada", "Name", "Ben"],
      ["not", "Age", 7, 0],
    ],
  },
};
/** Nothing but the stored answer, as in rows whose generator is unknown. */
const stored: Row = { ...byClues, metadata: {} };

test.each([
  [block(solution), true],
  [block('{"House 2": {"Age": 7, "Name": "Ben"},\n\n"House 1": {"Age": 8, "Name": "Ada"}}'), true],
  [`\`\`\`\n${solution}\n\`\`\``, true],
  [`**Answer**\n${block(solution)}\nThat was easy. \`\`\`\nnote\n\`\`\``, true],
  [block("{}") + block(solution), true],
  [block(solution.toLowerCase()), null],
  [block(solution) + block("{}"), false],
  [solution, false],
  [block(solution.replace("8", '"8"')), false],
  [block(solution.replace("8", "8.0")), false],
  [block(solution.replace("8", "true")), false],
  [block(solution.replace("8", "9")), false],
  [block(solution.replaceAll('"', "'")), false],
  [block(`${solution.slice(0, -1)},}`), false],
  [block(solution.replace('"Age": 8', '"Age": 8, "Age": 8')), false],
  [block(solution.replace("{", '{"House 1": {}, ')), false],
  [block(solution.replace('"Age": 8', '"Age": 8, "Pet": "cat"')), false],
  [block(`[${solution}]`), false],
  [block(`${solution} # done`), false],
  [block("9**9**9**9"), false],
])("an answer: %j is %s", (text, right) => {
  expect(verify(byClues, text), "by clues").toBe(right);
  expect(verify(stored, text), "by the stored answer").toBe(right);
});

test("the reason names the clue that does not hold", () => {
  const swapped = solution.replace("Ada", "X").replace("Ben", "Ada").replace("X", "Ben");
  expect(explain(byClues, block(swapped)).reason).toBe("clue 1 does not hold (left Name Ada Name Ben)");
  expect(explain(byClues, block(solution.replace("7", "8"))).reason).toBe("Age 8 is given to two houses");
});

test("a wrong stored answer does not count if the clues decide", () => {
  const wrong = { ...byClues, answer: solution.replace("8", "9").replace("7", "8").replace("9", "7") };
  expect(solve(wrong)).toBe(block(solution));
  expect(verify(wrong, block(solution))).toBe(true);
  expect(verify(wrong, block(wrong.answer))).toBe(false);
});

test("stored answers of other shapes: a list, a text, a JSON value", () => {
  const list: Row = { ...stored, answer: '["Ada", 7, [null, true, -1.5]]' };
  expect(verify(list, block('["Ada",7,[null,true,-1.5]]'))).toBe(true);
  expect(verify(list, block('["Ada",7,[null,true,-1.50]]'))).toBe(false);
  expect(verify(list, block('["Ada",7,[null,1,-1.5]]'))).toBe(false);
  expect(verify({ ...stored, answer: JSON.parse(solution) }, block(solution))).toBe(true);
  const text: Row = { ...stored, answer: "house 3, the green one" };
  expect(verify(text, block("house 3, the green one"))).toBe(true);
  expect(verify(text, block("house 2"))).toBe(false);
  for (const row of [list, text]) expect(verify(row, solve(row))).toBe(true);
});

test("six houses with seven attributes have one solution", () => {
  const [row] = generate("zebra_puzzle", { houses: 6, attributes: 7, seed: 2 });
  expect(verify(row!, solve(row!))).toBe(true);
  expect(verify(row!, solve(row!).replace("House 1", "House 7"))).toBe(false);
  expect(() => generate("zebra_puzzle", { houses: 7 })).toThrow(/houses/);
});
