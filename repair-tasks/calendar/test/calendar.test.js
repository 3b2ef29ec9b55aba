import assert from "node:assert/strict";
import test from "node:test";
import { addMonths, formatDay, toDay, weekday } from "../src/date.js";
import { between, nextAfter } from "../src/expand.js";
import { countDays, mergeRanges } from "../src/ranges.js";
import { parseRule } from "../src/rule.js";

test("dates are numbers of days", () => {
  assert.equal(toDay("1970-01-02"), 1);
  assert.equal(formatDay(toDay("2024-02-29")), "2024-02-29");
  assert.equal(weekday(toDay("2024-01-01")), 1);
  assert.throws(() => toDay("2024-13-01"), RangeError);
});

test("months are added", () => {
  assert.equal(formatDay(addMonths(toDay("2024-01-15"), 1)), "2024-02-15");
  assert.equal(formatDay(addMonths(toDay("2024-11-15"), 3)), "2025-02-15");
});

test("a daily rule", () => {
  assert.deepEqual(between("every 3 days from 2024-01-01", "2024-01-01", "2024-01-10"), ["2024-01-01", "2024-01-04", "2024-01-07", "2024-01-10"]);
});

test("a weekly rule", () => {
  assert.deepEqual(between("weekly from 2024-01-03", "2024-01-01", "2024-01-20"), ["2024-01-03", "2024-01-10", "2024-01-17"]);
});

test("the next date", () => {
  assert.equal(nextAfter("yearly from 2020-05-01", "2023-05-01"), "2024-05-01");
  assert.equal(nextAfter("daily from 2024-01-01 until 2024-01-05", "2024-01-05"), undefined);
});

test("what is no rule is refused", () => {
  assert.throws(() => parseRule("sometimes"), SyntaxError);
  assert.throws(() => parseRule("daily on Mon from 2024-01-01"), RangeError);
  assert.throws(() => parseRule("weekly on Foo from 2024-01-01"), SyntaxError);
});

test("overlapping ranges are merged", () => {
  assert.deepEqual(mergeRanges([["2024-01-05", "2024-01-09"], ["2024-01-01", "2024-01-06"]]), [["2024-01-01", "2024-01-09"]]);
  assert.equal(countDays([["2024-01-01", "2024-01-03"]]), 3);
});
