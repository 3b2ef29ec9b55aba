// web_of_lies: statements of type 1, and what counts as an answer in the last line.

import { expect, test } from "vitest";
import { Random } from "../../src/base/random.js";
import { generate, type Json, type Row, solve, verify } from "../../src/synlogic/index.js";
import { oracle } from "./oracles/web-of-lies.js";

test("statements about pairs and about being of the same kind", () => {
  const random = Random.seeded(2);
  const texts = new Set<string>();
  for (const language of ["en", "zh"] as const) {
    for (const row of generate("web_of_lies", { num_person: 6, difficulty: 1, statement_type: 1, language, count: 100, seed: 5 })) {
      expect(oracle.solutions!(row), row.question).toBe(1);
      expect(verify(row, solve(row))).toBe(true);
      const { text, right } = oracle.candidate(row, random);
      expect(verify(row, text), `${row.question}\n${text}`).toBe(right);
      for (const kind of ["at least one", "both lie", "the same kind", "another kind", "至少有一个", "都说谎", "不是同一类人"]) {
        if (row.question.includes(kind)) texts.add(kind);
      }
    }
  }
  expect(texts.size).toBe(7);
});

const person = (id: number, name: string, location: string, is_truth_teller: boolean, statements: readonly Json[] = []) => ({
  ...{ id, name, location, is_truth_teller, statements },
  is_target: id > 0,
  has_truth_narration: id === 0,
});

/** A knows that it is honest; it says that B lies; B says that C tells the truth. Both questions use places. */
const row: Row = {
  task: "web_of_lies",
  question: "Ada always tells the truth. … Does the person at the park tell the truth? Does the person at the parking lot tell the truth?",
  answer: "no, no",
  metadata: {
    use_chinese: false,
    statements: ["Ada always tells the truth."],
    people: [
      person(0, "Ada", "bank", true, [{ type: "simple", speaker_id: 0, target_id: 1 }]),
      person(1, "Ben", "park", false, [{ type: "simple", speaker_id: 1, target_id: 2 }]),
      person(2, "Cleo", "parking lot", false),
    ],
    all_possible_solutions: [{ Ben: false, Cleo: false }],
  },
};

test.each([
  ["The answer is **no, no**.", true],
  ["I think **yes**.\nThe answer is **No, no,**", true],
  ["The answer is **no**, **no**.", true],
  ["**The answer is no, no.**", true],
  ["**Final:** The answer is **no, no**.", true],
  ["First I had **yes, no**, but the answer is **no, no**.", true],
  ["The answer is **no, no**. (**checked**)", null],
  ["答案是 **否, 否**。", null],
  ["The answer is **no, yes**. (**checked**)", false],
  ["The answer is no, no.", false],
  ["The answer is **no, no**.\nI hope this helps.", false],
  ["The answer is **no, no, no**.", false],
  ["The answer is **nono**.", false],
  ["The answer is **no no**.", false],
  ["The answer is **not, not**.", false],
  ["The answer is **false, false**.", false],
  ["The answer is **no, no", false],
  [`The answer is ${"**no**, ".repeat(30_000)}.`, false],
])("an answer: %j", (text, right) => expect(verify(row, text)).toBe(right));

test("clues that allow several answers leave them open, and others are wrong", () => {
  const people = (row.metadata!.people as ReturnType<typeof person>[]).map((one) => ({ ...one, has_truth_narration: false }));
  const open = { ...row, metadata: { ...row.metadata, people } };
  expect(verify(open, "The answer is **no, no**.")).toBe(null);
  expect(verify(open, "The answer is **yes, yes**.")).toBe(null);
  expect(verify(open, "The answer is **no, yes**.")).toBe(false);
});

test("the order of the questions decides, and not the order of the metadata", () => {
  const mixed = {
    ...row,
    question: row.question.replace("park tell", "PARK tell").replace("parking lot", "park").replace("PARK", "parking lot"),
  };
  const people = (row.metadata!.people as ReturnType<typeof person>[]).map((one) =>
    one.id === 2 ? { ...one, has_truth_narration: true, is_truth_teller: true } : one,
  );
  const first = { ...mixed, metadata: { ...row.metadata, people: people.map((one) => (one.id === 1 ? { ...one, statements: [] } : one)) } };
  expect(verify(first, "The answer is **yes, no**.")).toBe(true);
  expect(verify(first, "The answer is **no, yes**.")).toBe(false);
});
