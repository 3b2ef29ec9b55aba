import assert from "node:assert/strict";
import test from "node:test";
import { Cache } from "../src/cache.js";

test("values are found by key", () => {
  const cache = new Cache({ maxSize: 3 });
  cache.set("a", 1);
  cache.set("b", 2);
  assert.equal(cache.get("a"), 1);
  assert.equal(cache.get("c"), undefined);
  assert.equal(cache.has("b"), true);
  assert.equal(cache.count, 2);
});

test("the least recently used entry is evicted", () => {
  const cache = new Cache({ maxSize: 3 });
  for (const key of ["a", "b", "c"]) cache.set(key, key);
  cache.get("b");
  cache.set("d", "d");
  assert.equal(cache.has("a"), false);
  assert.deepEqual(cache.keys(), ["d", "b", "c"]);
});

test("a deleted entry is gone", () => {
  const cache = new Cache({ maxSize: 2 });
  cache.set("a", 1);
  assert.equal(cache.delete("a"), true);
  assert.equal(cache.delete("a"), false);
  assert.equal(cache.count, 0);
});

test("peek leaves the order alone", () => {
  const cache = new Cache({ maxSize: 2 });
  cache.set("a", 1);
  cache.set("b", 2);
  assert.equal(cache.peek("a"), 1);
  assert.deepEqual(cache.keys(), ["b", "a"]);
  assert.equal(cache.statistics.hits, 0);
});

test("clear removes everything", () => {
  const cache = new Cache({ maxSize: 5, sizeOf: (text) => text.length });
  cache.set("a", "xx");
  cache.clear();
  assert.equal(cache.size, 0);
  assert.deepEqual(cache.keys(), []);
  cache.set("b", "yyyyy");
  assert.equal(cache.size, 5);
});

test("the hit rate counts lookups", () => {
  const cache = new Cache({ maxSize: 2 });
  assert.equal(cache.statistics.hitRate, 0);
  cache.set("a", 1);
  cache.get("a");
  cache.get("a");
  cache.get("b");
  cache.get("c");
  assert.equal(cache.statistics.hitRate, 0.5);
  cache.statistics.reset();
  assert.equal(cache.statistics.hitRate, 0);
});

test("invalid sizes are refused", () => {
  assert.throws(() => new Cache({ maxSize: 0 }), RangeError);
});
