import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the benchmark runs through and reports every group", () => {
  const folder = mkdtempSync(join(tmpdir(), "lightning-m1-bench-"));
  const file = join(folder, "report.json");
  execFileSync(process.execPath, [fileURLToPath(new URL("../../bench/run.mjs", import.meta.url)), "--quick", "--json", file], {
    stdio: "pipe",
  });
  const { report } = JSON.parse(readFileSync(file, "utf8"));
  expect(report.map(({ title }: { title: string }) => title.split(/[ ,]/)[0])).toEqual([
    ...Array(6).fill("product"),
    "lightning",
    "softmax",
  ]);
  for (const { results } of report) for (const { median } of results) expect(median).toBeGreaterThan(0);
  rmSync(folder, { recursive: true });
});
