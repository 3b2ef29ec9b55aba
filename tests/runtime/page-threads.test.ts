import { afterEach, expect, test, vi } from "vitest";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** What the browser's half of threads says in such an engine. */
async function inEngine(globals: Record<string, unknown>): Promise<typeof import("../../src/runtime/threads.js")> {
  for (const [name, value] of Object.entries({ Worker: class {}, ...globals })) vi.stubGlobal(name, value);
  vi.resetModules();
  return import("../../src/runtime/threads.js");
}

test("a page that is isolated can share memory", async () => {
  expect((await inEngine({ crossOriginIsolated: true })).canShare).toBe(true);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ["a page that is not isolated", { crossOriginIsolated: false }, /not cross-origin isolated.*Cross-Origin-Opener-Policy/],
  [
    "a page that is not isolated, and so has no shared memory",
    { crossOriginIsolated: false, SharedArrayBuffer: undefined },
    /not cross-origin isolated/,
  ],
  [
    "an isolated page in an engine without shared memory",
    { crossOriginIsolated: true, SharedArrayBuffer: undefined },
    /is cross-origin isolated.*no SharedArrayBuffer/,
  ],
  ["an isolated worker that can start none", { crossOriginIsolated: true, Worker: undefined }, /is cross-origin isolated.*no Worker/],
  ["an engine that is no browser", { crossOriginIsolated: undefined }, /engine has no cross-origin isolation/],
])("%s is told what is missing", async (_, globals, reason) => {
  const { canShare, cannotShareReason } = await inEngine(globals);
  expect(canShare).toBe(false);
  expect(cannotShareReason).toMatch(reason);
});
