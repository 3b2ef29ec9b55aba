import { expect, test } from "vitest";
import { expectWithin } from "./expect-within.js";
import { facts } from "./facts.js";

test("a failure names the element that is off most, and both values", () => {
  expectWithin([1, 2, 3], [1, 2.25, 3], 0.25);
  expectWithin([], [], 0);
  const failing = (actual: number[], expected: number[]) => () => expectWithin(actual, expected, 0.25, "input 1");
  expect(failing([1, 2, 3.5, 4], [1, 2.5, 3, 6])).toThrow(facts("input 1, element 3: expected 6, got 4"));
  expect(failing([1, Number.NaN, 9], [1, 2, 3])).toThrow(facts("input 1, element 1: expected 2, got NaN"));
  expect(failing([1, 2], [1, 2, 3])).toThrow(facts("input 1: number of elements"));
  expect(() => expectWithin([5], [1], 1, "", () => 61)).toThrow(facts("element 61: expected 1, got 5"));
});
