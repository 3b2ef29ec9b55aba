import { expect, test } from "vitest";
import { runTests } from "../../../src/environments/index.js";

test.each(["quickjs", "bubblewrap"] as const)("results, messages and output in %s", async (runtime) => {
  const project = {
    files: {
      "src/sum.ts": "export function sum(a: number, b: number): number { return a + b; }",
      "src/table.json": '{ "one": 1 }',
      "src/index.js": 'export * from "./sum.js"; export { default as table } from "./table.json" with { type: "json" };',
      "tests/sum.test.ts": `
        import assert from "node:assert/strict";
        import test, { describe, it, beforeEach } from "node:test";
        import { sum, table } from "../src";
        test("adds", () => assert.equal(sum(1, 2), 3));
        test("adds wrongly", () => { console.log("here", { a: [1] }); assert.deepEqual({ sum: sum(1, 2) }, { sum: 4 }); });
        test("waits", async () => { await new Promise((resolve) => setTimeout(resolve, 20)); assert.equal(table.one, 1); });
        test("never", () => new Promise(() => {}));
        test.skip("skipped", () => {});
        describe("outer", () => {
          let n: number = 0;
          beforeEach(() => { n++; });
          it("inner", () => assert.equal(n, 1));
          describe("more", () => { it("deep", async (t) => { await t.test("sub", () => assert.ok(false)); }); });
        });
        test("throws", () => { assert.throws(() => { throw new TypeError("bad") }, TypeError); assert.throws(() => null.x, /null/); });
        test("rejects", async () => { await assert.rejects(Promise.reject(new RangeError("x")), { name: "RangeError", message: "x" }); });
        class Own extends Error { constructor(m: string) { super(m); this.name = "Own"; this.message = "changed"; } }
        test("own errors", () => assert.throws(() => { throw new Own("a"); }, { name: "Own", message: "changed" }));
      `,
    },
    tests: ["tests/sum.test.ts"],
  };
  const report = await runTests(project, { runtime });
  const path = "tests/sum.test.ts";
  const passed = ["adds", "waits", "outer > inner", "throws", "rejects", "own errors"];
  const failed = ["adds wrongly", "never", "outer > more > deep > sub", "outer > more > deep"];
  expect(report.results).toEqual(
    Object.fromEntries([
      ...passed.map((name) => [`${path} > ${name}`, "passed"]),
      ...failed.map((name) => [`${path} > ${name}`, "failed"]),
    ]),
  );
  expect(Object.keys(report.failures).sort()).toEqual(failed.map((name) => `${path} > ${name}`).sort());
  expect(report.failures[`${path} > adds wrongly`]).toMatch(
    /^AssertionError: deepEqual: expected \{sum: 4\}, got \{sum: 3\}\n.*sum\.test\.ts:6:/,
  );
  expect(report).toMatchObject({ stops: { [path]: "finished" }, errors: {} });
  expect(report.output).toMatch(/^here \{ ?a: \[ ?1 ?\] ?\}\n$/);
});
