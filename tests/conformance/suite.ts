import { afterAll, beforeAll, describe } from "vitest";
import type { Runtime } from "../../src/runtime/runtime.js";
import { availableBuilds, type Build } from "../../src/runtime/wasm.js";
import { attentionSuite } from "./attention.js";
import { attentionBackwardSuite } from "./attention-backward.js";
import { gradientsSuite } from "./gradients.js";
import { poisonedRuntime } from "./harness.js";
import { slopesSuite } from "./lightning-slopes.js";
import { opsSuite } from "./ops.js";
import { packSuite } from "./pack.js";
import { rangesSuite } from "./ranges.js";
import { threadsSuite } from "./threads.js";

/**
 * Everything that has to hold for the kernels of a build, on whatever engine this runs, on one thread.
 *
 * @param share the share of the random inputs that each law is tried on
 */
export function conformance(build: Build, share: number): void {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await poisonedRuntime(build, 1);
  });
  afterAll(() => rt.dispose());
  for (const suite of [opsSuite, attentionSuite, attentionBackwardSuite, gradientsSuite, slopesSuite, rangesSuite, packSuite])
    suite(
      () => rt,
      (full) => Math.ceil(share * full),
    );
}

/** Every op gives on several threads, over which each call is split, the bits that it gives on one. */
export function conformanceOfThreads(build: Build, threads: number): void {
  let [one, several]: Runtime[] = [];
  beforeAll(async () => {
    [one, several] = [await poisonedRuntime(build, 1), await poisonedRuntime(build, threads)];
  });
  afterAll(() => {
    one?.dispose();
    several?.dispose();
  });
  threadsSuite(
    () => one!,
    () => several!,
  );
}

/** The whole suite for one build in Node, with a share of the random inputs. A file per build, so that they run side by side. */
export async function conformanceInNode(build: Build, share: number): Promise<void> {
  const available = (await availableBuilds()).includes(build);
  const reason = available ? "" : " (this engine has no relaxed SIMD)";
  describe.runIf(available)(`build ${build} in Node ${process.versions.node}${reason}`, () => {
    describe("on one thread", () => conformance(build, share));
    describe("on three threads", () => conformanceOfThreads(build, 3));
  });
}
