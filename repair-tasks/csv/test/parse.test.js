import assert from "node:assert/strict";
import test from "node:test";
import { parse } from "../src/parse.js";

test("rows become objects", () => {
  assert.deepEqual(parse("name,age\nAda,36\nAlan,41\n"), [
    { name: "Ada", age: "36" },
    { name: "Alan", age: "41" },
  ]);
});

test("without header rows are arrays", () => {
  assert.deepEqual(parse("a,b\nc,d", { header: false }), [
    ["a", "b"],
    ["c", "d"],
  ]);
});

test("a quoted field contains delimiters", () => {
  assert.deepEqual(parse('a,b\n"x, y",z\n'), [{ a: "x, y", b: "z" }]);
});

test("columns are converted", () => {
  const [row] = parse("n,ok\n1.5,yes\n", { types: { n: "number", ok: "boolean" } });
  assert.deepEqual(row, { n: 1.5, ok: true });
});

test("a line with too few fields is an error", () => {
  assert.throws(() => parse("a,b\n1,2\n3\n"), { name: "CsvError", message: /expected 2 fields, got 1/ });
});

test("an unknown option is an error", () => {
  assert.throws(() => parse("a", { separator: ";" }), /unknown option separator/);
});

test("an empty text has no rows", () => {
  assert.deepEqual(parse(""), []);
  assert.deepEqual(parse("a,b\n"), []);
});
