import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { followSignals } from "../../src/base/abort.js";

test("the first signal's reason ends it", () => {
  const [first, second, controller] = [new AbortController(), new AbortController(), new AbortController()];
  followSignals(controller, [first.signal, undefined, second.signal]);
  expect(controller.signal.aborted).toBe(false);
  second.abort("second");
  first.abort("first");
  expect(controller.signal.reason).toBe("second");
});

test("a signal that has aborted already ends it at once", () => {
  const controller = new AbortController();
  followSignals(controller, [AbortSignal.abort("long ago")]);
  expect(controller.signal.reason).toBe("long ago");
});

test("undone, nothing is left with the signal", () => {
  const [outer, controller] = [new AbortController(), new AbortController()];
  const unfollow = followSignals(controller, [outer.signal]);
  expect(getEventListeners(outer.signal, "abort")).toHaveLength(1);
  unfollow();
  expect(getEventListeners(outer.signal, "abort")).toHaveLength(0);
  outer.abort();
  expect(controller.signal.aborted).toBe(false);
});
