import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Runtime } from "../../src/runtime/runtime.js";
import { availableBuilds } from "../../src/runtime/wasm.js";
import { attentionSuite } from "../conformance/attention.js";
import { poisonedRuntime } from "../conformance/harness.js";
import { opsSuite } from "../conformance/ops.js";
import { packSuite } from "../conformance/pack.js";
import { rangesSuite } from "../conformance/ranges.js";

const builds = await availableBuilds();

test("a current browser has relaxed SIMD", () => {
  expect(builds).toContain("relaxed");
});

describe.each(builds)("build %s in the browser", (build) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await poisonedRuntime(build);
  });
  afterAll(() => rt.dispose());
  opsSuite(() => rt);
  attentionSuite(() => rt);
  rangesSuite(() => rt);
  packSuite(() => rt);
});
