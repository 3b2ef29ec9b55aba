import { createPatch, type FileMap, type SoftwareInstance } from "../../../src/environments/index.js";

const sum = "export function sum(numbers) {\n  return numbers.reduce((a, b) => a + b, 0);\n}\n";
const mean = `import { sum } from "./sum.js";

export function mean(numbers) {
  return sum(numbers) / (numbers.length - 1);
}
`;
const visibleTest = `import assert from "node:assert/strict";
import test from "node:test";
import { sum } from "../src/sum.js";

test("sums", () => assert.equal(sum([1, 2, 3]), 6));
`;
const hiddenTest = `import assert from "node:assert/strict";
import test from "node:test";
import { mean } from "../src/mean.js";

test("a mean", () => assert.equal(mean([2, 4]), 3));
test("a mean of zeros", () => assert.equal(mean([0, 0, 0]), 0));
`;

export const files: FileMap = { "src/sum.js": sum, "src/mean.js": mean, "test/sum.test.js": visibleTest };
export const goldPatch = createPatch(files, { ...files, "src/mean.js": mean.replace("(numbers.length - 1)", "numbers.length") });

/** A task with one bug: `mean` divides by one too few. */
export const instance: SoftwareInstance = {
  instance_id: "mean__1",
  repo: "mean",
  base_commit: "",
  problem_statement: "The mean of 2 and 4 is 6.",
  hints_text: "",
  version: "1",
  patch: goldPatch,
  test_patch: createPatch(files, { ...files, "test/mean.test.js": hiddenTest }),
  created_at: "",
  FAIL_TO_PASS: ["test/mean.test.js > a mean"],
  PASS_TO_PASS: ["test/mean.test.js > a mean of zeros", "test/sum.test.js > sums"],
  files,
};

/** An answer that replaces files. */
export function answerWith(changed: FileMap): string {
  return createPatch(files, { ...files, ...changed });
}
