import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Test files that take the longest, by a part of their path. Earlier entries begin earlier, so that no worker is left with a long file at
 * the end.
 */
const LONGEST = [
  "tests/package/bench.test.ts",
  "tests/package/package.test.ts",
  "tests/package/pages.test.ts",
  "tests/cli/train.test.ts",
  "tests/cli/rl.test.ts",
  "tests/browser/conformance.test.ts",
  "tests/docs/",
  "tests/conformance/",
  "tests/rl/tasks/",
  "tests/checkpoint/streamed-faults.test.ts",
  "tests/io/http-faults.test.ts",
  "tests/runtime/threads.test.ts",
  "tests/studies/",
  "tests/model/bundled-model.test.ts",
  "tests/node/hub.test.ts",
];

/** Runs the longest files first. Vitest orders files by the time of earlier runs, which a fresh clone does not have. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((part) => moduleId.includes(`/${part}`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
