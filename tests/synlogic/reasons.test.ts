// The reasons of verdicts: what was found in a right answer, what is wrong with another, and never the right answer itself.

import { expect, test } from "vitest";
import { explain, generate, levels, type Row, solve } from "../../src/synlogic/index.js";

const unbalanced: Row = { task: "dyck_language_errors", question: "", answer: "5", metadata: { bracket_string: "([])]" } };

test.each([
  ["5", "the first error is at position 5"],
  ["4", "the first error is not at position 4"],
  ["-1", "the sequence is not balanced"],
])("dyck_language_errors: the reason for %s", (text, reason) => expect(explain(unbalanced, text).reason).toBe(reason));

test("time_sequence: the reason says which of the two numbers is wrong", () => {
  const row = generate("time_sequence", { level: "easy", seed: 4 }).find(({ answer }) => (answer as number[])[0]! > 0)!;
  const [minutes, starts] = row.answer as [number, number];
  expect(explain(row, `[${minutes}, ${starts + 1}]`).reason).toBe(`${starts + 1} is not the number of starts`);
  expect(explain(row, `[${minutes + 5}, ${starts}]`).reason).toBe(`the longest meeting does not last ${minutes + 5} minutes`);
  expect(explain(row, `[${minutes + 5}, ${starts + 1}]`).reason).toBe("both the length and the number of starts are wrong");
});

// A wrong number must not be answered with the right one.
test.each(["operation", "object_properties", "object_counting", "buggy_tables", "dyck_language_errors", "word_sorting_mistake"])(
  "%s: the reason for a wrong number does not name the right one",
  (task) => {
    for (const row of levels.slice(0, 3).flatMap((level) => generate(task, { level, count: 20, seed: 3 }))) {
      const right = /-?[0-9]+(?:\.[0-9]+)?/.exec(solve(row).replace(/^```json/, ""))?.[0];
      if (right === undefined) continue;
      const wrong = task === "buggy_tables" ? "77777.25" : "77777";
      const { right: verdict, reason } = explain(row, solve(row).replace(right, wrong));
      expect(verdict).toBe(false);
      expect(reason.match(/-?[0-9]+(?:\.[0-9]+)?/g) ?? []).not.toContain(right);
      expect(reason).toContain(wrong);
    }
  },
);
