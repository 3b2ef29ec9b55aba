import { afterAll, beforeAll } from "vitest";
import type { Runtime } from "../../src/runtime/runtime.js";
import type { Build } from "../../src/runtime/wasm.js";
import { attentionSuite } from "./attention.js";
import { poisonedRuntime } from "./harness.js";
import { opsSuite } from "./ops.js";
import { packSuite } from "./pack.js";
import { rangesSuite } from "./ranges.js";

/** Everything that has to hold for the kernels of a build, on whatever engine this runs. */
export function conformance(build: Build): void {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await poisonedRuntime(build);
  });
  afterAll(() => rt.dispose());
  for (const suite of [opsSuite, attentionSuite, rangesSuite, packSuite]) suite(() => rt);
}
