import assert from "node:assert/strict";
import test from "node:test";
import { backoff, totalBackoff } from "../src/backoff.ts";
import { ManualClock } from "../src/clock.ts";
import { Heap } from "../src/heap.ts";
import { JobQueue } from "../src/queue.ts";
import { RateLimiter } from "../src/rate-limiter.ts";

test("a heap returns its items in order", () => {
  const heap = new Heap<number>((a, b) => a - b);
  for (const item of [5, 1, 4, 2, 3]) heap.push(item);
  assert.equal(heap.peek(), 1);
  assert.deepEqual([heap.pop(), heap.pop(), heap.pop(), heap.pop(), heap.pop(), heap.pop()], [1, 2, 3, 4, 5, undefined]);
});

test("higher priorities run first", () => {
  const queue = new JobQueue(new ManualClock());
  queue.add({ id: "low", priority: 1 });
  queue.add({ id: "high", priority: 9 });
  assert.equal(queue.next()?.id, "high");
  assert.equal(queue.next()?.id, "low");
  assert.equal(queue.next(), undefined);
});

test("a job waits for another", () => {
  const queue = new JobQueue(new ManualClock());
  queue.add({ id: "build" });
  queue.add({ id: "deploy", after: ["build"], priority: 5 });
  assert.equal(queue.next()?.id, "build");
  assert.equal(queue.next(), undefined);
  queue.finish("build");
  assert.equal(queue.next()?.id, "deploy");
});

test("a limit of running jobs", () => {
  const queue = new JobQueue(new ManualClock(), 1);
  queue.add({ id: "a" });
  queue.add({ id: "b" });
  assert.equal(queue.next()?.id, "a");
  assert.equal(queue.next(), undefined);
  queue.finish("a");
  assert.equal(queue.next()?.id, "b");
});

test("a job is added once", () => {
  const queue = new JobQueue(new ManualClock());
  queue.add({ id: "a" });
  assert.throws(() => queue.add({ id: "a" }), /already known/);
});

test("a bucket is empty after its capacity", () => {
  const limiter = new RateLimiter(new ManualClock(), 2, 1);
  assert.deepEqual([limiter.tryTake(), limiter.tryTake(), limiter.tryTake()], [true, true, false]);
});

test("delays double", () => {
  assert.equal(backoff(0, { base: 100 }), 100);
  assert.equal(backoff(2, { base: 100 }), 400);
  assert.equal(totalBackoff({ base: 100, retries: 3 }), 700);
});
