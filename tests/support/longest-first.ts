import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take longest, by a part of their path: those that come first here begin first, so that no worker is left with one at the end. */
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

/** Vitest's order, by what earlier runs took, has nothing to go by in a fresh clone. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((part) => moduleId.includes(`/${part}`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
