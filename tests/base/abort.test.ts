import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { followSignals, rejectOnAbort } from "../../src/base/abort.js";

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

test("many that follow a signal share one listener, so that Node does not warn of a leak", async () => {
  const outer = new AbortController();
  const controllers = Array.from({ length: 20 }, () => new AbortController());
  const undo = controllers.map((controller) => followSignals(controller, [outer.signal]));
  const waiting = rejectOnAbort(new Promise(() => {}), outer.signal);
  expect(getEventListeners(outer.signal, "abort")).toHaveLength(1);
  undo[0]!();
  undo[0]!();
  outer.abort("enough");
  await expect(waiting).rejects.toBe("enough");
  expect(controllers.map(({ signal }) => signal.reason)).toEqual([undefined, ...Array(19).fill("enough")]);
  for (const one of undo) one();
  expect(getEventListeners(outer.signal, "abort")).toHaveLength(0);
});
