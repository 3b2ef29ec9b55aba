import { describe, expect, test } from "vitest";
import { availableBuilds } from "../../src/runtime/wasm.js";
import { conformance } from "../conformance/suite.js";

const builds = await availableBuilds();

test("a current browser has relaxed SIMD", () => {
  expect(builds).toContain("relaxed");
});

describe.each(builds)("build %s in the browser", conformance);
