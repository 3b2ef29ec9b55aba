// The verdicts on responses to published rows.

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { explain, solve, tasks, verify } from "../../src/synlogic/index.js";
import { isFormat, publishedRows } from "./published-rows.js";

describe.each(tasks)("%s", (name) => {
  const rows = publishedRows.filter(({ task }) => task === name);

  test("has rows", () => expect(rows.length).toBeGreaterThan(5));

  test("values: every label is met", () => {
    for (const [i, row] of rows.entries()) {
      for (const check of row.checks.filter((one) => !isFormat(one) && one.right !== null)) {
        const verdict = explain(row, check.response);
        if (verdict.right !== check.right) {
          expect.fail(
            `row ${i}: ${check.kind}: ${check.note}: expected ${check.right}, got ${JSON.stringify(verdict)}\n${check.response.slice(-600)}`,
          );
        }
      }
    }
  });

  test("formats: every label is met", () => {
    for (const [i, row] of rows.entries()) {
      for (const check of row.checks.filter((one) => isFormat(one) && one.right !== null)) {
        const verdict = explain(row, check.response);
        if (verdict.right !== check.right) {
          expect.fail(
            `row ${i}: ${check.kind}: ${check.note}: expected ${check.right}, got ${JSON.stringify(verdict)}\n${check.response.slice(-600)}`,
          );
        }
      }
    }
  });

  test("the solver's answers are right, and there is one unless no answer is", () => {
    for (const row of rows) {
      if (row.checks.every((check) => check.right === false)) {
        expect(() => solve(row)).toThrow(InputError);
        continue;
      }
      // Some questions can be read in two ways, and all their solutions are right in one of them only.
      const open = row.checks.some((check) => check.kind === "gold" && check.right === null);
      // A published row may have contradictory clues: then no answer of its checks is right.
      if (open || row.checks.some(({ right }) => right === true)) {
        const verdict = verify(row, `<think>\n…\n</think>\n${solve(row)}`);
        expect(verdict ?? open, JSON.stringify(row.metadata)).toBe(true);
      } else expect(() => solve(row)).toThrow(InputError);
    }
  });

  test("the published verifier's verdicts are known", () => {
    const checks = rows.flatMap((row) => row.checks.map((check) => ({ check, published: explain(row, check.response).published })));
    const known = checks.filter(({ published }) => published !== undefined);
    if (known.length === 0) return;
    const met = known.filter(({ check, published }) => published === check.published || published === "evaluates");
    const missed = known.find((one) => !met.includes(one));
    expect(met.length / checks.length, JSON.stringify(missed)?.slice(0, 1500)).toBeGreaterThan(0.95);
  });
});
