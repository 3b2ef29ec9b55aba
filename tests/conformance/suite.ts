import { afterAll, beforeAll } from "vitest";
import { Runtime } from "../../src/runtime/runtime.js";
import type { Build } from "../../src/runtime/wasm.js";
import { attentionSuite } from "./attention.js";
import { attentionBackwardSuite } from "./attention-backward.js";
import { gradientsSuite } from "./gradients.js";
import { poisonedRuntime } from "./harness.js";
import { slopesSuite } from "./lightning-slopes.js";
import { opsSuite } from "./ops.js";
import { packSuite } from "./pack.js";
import { rangesSuite } from "./ranges.js";

/** Everything that has to hold for the kernels of a build, on whatever engine this runs, with every call split over the threads. */
export function conformance(build: Build, threads = 1): void {
  let rt: Runtime;
  const { sharedWork } = Runtime;
  beforeAll(async () => {
    Runtime.sharedWork = 0;
    rt = await poisonedRuntime(build, threads);
  });
  afterAll(() => {
    rt.dispose();
    Runtime.sharedWork = sharedWork;
  });
  for (const suite of [opsSuite, attentionSuite, attentionBackwardSuite, gradientsSuite, slopesSuite, rangesSuite, packSuite])
    suite(() => rt);
}
