import assert from "node:assert/strict";
import test from "node:test";
import { stringify } from "../src/stringify.js";

test("objects get a header", () => {
  assert.equal(stringify([{ a: 1, b: "x" }]), "a,b\n1,x\n");
});

test("columns can be chosen", () => {
  assert.equal(stringify([{ a: 1, b: 2 }], { columns: ["b"] }), "b\n2\n");
  assert.equal(stringify([{ a: 1, b: 2 }], { columns: ["b"], header: false }), "2\n");
});

test("arrays have no header", () => {
  assert.equal(stringify([["a", "b"], [1, 2]], { delimiter: ";" }), "a;b\n1;2\n");
});

test("a field with the delimiter is quoted", () => {
  assert.equal(stringify([["x,y", "z"]]), '"x,y",z\n');
});
