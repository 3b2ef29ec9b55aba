import { describe } from "vitest";
import { availableBuilds, type Build } from "../../src/runtime/wasm.js";
import { conformance } from "./suite.js";

const available = await availableBuilds();

describe.each(["simd", "relaxed", "debug"] satisfies Build[])("build %s", (build) => {
  const reason = available.includes(build) ? "" : " (this engine has no relaxed SIMD)";
  describe.runIf(available.includes(build))(`in Node ${process.versions.node}${reason}`, () => {
    describe("on one thread", () => conformance(build));
    describe("on three threads", () => conformance(build, 3));
  });
});
