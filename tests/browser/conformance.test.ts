import { describe, expect, test } from "vitest";
import { server } from "vitest/browser";
import { availableBuilds } from "../../src/runtime/wasm.js";
import { conformance, conformanceOfThreads } from "../conformance/suite.js";

const builds = await availableBuilds();

test("current Chromium and Firefox have relaxed SIMD, WebKit has not", () => {
  expect(builds.includes("relaxed")).toBe(server.browser !== "webkit");
});

test("the page is isolated, so that threads can be tested", () => {
  expect(globalThis.crossOriginIsolated).toBe(true);
});

// The kernels are the same bytes as in Node, where every build has the whole suite; here the one that is picked by default.
describe(`build ${builds[0]} in the browser`, () => {
  describe("on one thread", () => conformance(builds[0]!, 0.4));
  describe("on two threads", () => conformanceOfThreads(builds[0]!, 2));
});

describe.each(builds.slice(1))("build %s in the browser", (build) => conformanceOfThreads(build, 2));
