import assert from "node:assert/strict";
import test from "node:test";
import { evaluate } from "../src/evaluate.ts";

test("arithmetic", () => {
  assert.equal(evaluate("1 + 2 * 3"), 7);
  assert.equal(evaluate("(1 + 2) * 3"), 9);
  assert.equal(evaluate("1.5e2 / 3"), 50);
});

test("variables", () => {
  assert.equal(evaluate("price * count", { price: 2, count: 4 }), 8);
  assert.throws(() => evaluate("1 + missing"), /unknown name missing at 4/);
});

test("texts", () => {
  assert.equal(evaluate("'a' + \"b\" + 1"), "ab1");
  assert.equal(evaluate("upper('x')"), "X");
  assert.equal(evaluate("'apple' < 'pear'"), true);
});

test("functions", () => {
  assert.equal(evaluate("max(1, 5, 3) - min(4, 2)"), 3);
  assert.equal(evaluate("sum([1, 2, 3])"), 6);
  assert.throws(() => evaluate("nothing(1)"), /unknown function nothing at 0/);
});

test("conditions", () => {
  assert.equal(evaluate("age > 17 ? 'adult' : 'child'", { age: 20 }), "adult");
  assert.equal(evaluate("1 == 2"), false);
});

test("members", () => {
  assert.equal(evaluate("user.name", { user: { name: "Ada" } }), "Ada");
  assert.equal(evaluate("items[1]", { items: [1, 2] }), 2);
});

test("errors have a position", () => {
  assert.throws(() => evaluate("1 +"), /unexpected end at 3/);
  assert.throws(() => evaluate("1 $ 2"), /unexpected \$ at 2/);
  assert.throws(() => evaluate("(1"), /expected \) at 2/);
});
