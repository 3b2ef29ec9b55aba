import assert from "node:assert/strict";
import test from "node:test";
import { memoize } from "../src/memoize.js";

test("a result is computed once", () => {
  let calls = 0;
  const square = memoize((x) => (calls++, x * x), { maxSize: 10 });
  assert.equal(square(4), 16);
  assert.equal(square(4), 16);
  assert.equal(square(5), 25);
  assert.equal(calls, 2);
});

test("a promise is shared by its callers", async () => {
  let calls = 0;
  const load = memoize(async (name) => (calls++, `text of ${name}`), { maxSize: 10 });
  assert.deepEqual(await Promise.all([load("a"), load("a")]), ["text of a", "text of a"]);
  assert.equal(calls, 1);
});
