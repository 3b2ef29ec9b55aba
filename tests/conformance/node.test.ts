import { afterAll, beforeAll, describe } from "vitest";
import type { Runtime } from "../../src/runtime/runtime.js";
import { availableBuilds, type Build } from "../../src/runtime/wasm.js";
import { attentionSuite } from "./attention.js";
import { poisonedRuntime } from "./harness.js";
import { opsSuite } from "./ops.js";
import { packSuite } from "./pack.js";
import { rangesSuite } from "./ranges.js";

const available = await availableBuilds();

describe.each(["simd", "relaxed", "debug"] satisfies Build[])("build %s", (build) => {
  const reason = available.includes(build) ? "" : " (this engine has no relaxed SIMD)";
  describe.runIf(available.includes(build))(`in Node ${process.versions.node}${reason}`, () => {
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
});
