import { expect, test } from "vitest";
import { runTests, SandboxError } from "../../src/environments/index.js";

const files = {
  "src/sum.ts": "export const sum = (a: number, b: number): number => a + b; export const loop = () => { for (;;); };",
  "test/sum.test.ts": `
    import assert from "node:assert/strict"; import test from "node:test"; import { loop, sum } from "../src/sum";
    test("adds", () => assert.equal(sum(1, 2), 3));
    test("never ends", () => loop());`,
};

test("tests of a project run in QuickJS in a page, within their limits", async () => {
  const report = await runTests({ files, tests: ["test/sum.test.ts"] }, { limits: { wallMs: 500 } });
  expect(report).toMatchObject({ results: { "test/sum.test.ts > adds": "passed" }, stops: { "test/sum.test.ts": "time" } });
});

test("a page has no processes", async () => {
  const run = runTests({ files, tests: ["test/sum.test.ts"] }, { runtime: "bubblewrap" });
  await expect(run).rejects.toThrow(SandboxError);
  await expect(run).rejects.toThrow(/expected Node on Linux, got a page/);
});
