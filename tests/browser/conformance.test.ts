import { describe, expect, test } from "vitest";
import { availableBuilds } from "../../src/runtime/wasm.js";
import { conformance } from "../conformance/suite.js";

const builds = await availableBuilds();

test("a current browser has relaxed SIMD", () => {
  expect(builds).toContain("relaxed");
});

test("the page is isolated, so that threads can be tested", () => {
  expect(globalThis.crossOriginIsolated).toBe(true);
});

describe.each(builds)("build %s in the browser", (build) => {
  describe("on one thread", () => conformance(build));
  describe("on two threads", () => conformance(build, 2));
});
