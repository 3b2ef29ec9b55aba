import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

// A script without types, which works on the built declarations.
const { apiReports }: { apiReports(): Map<string, string> } = await import(new URL("../../scripts/api-report.mjs", import.meta.url).href);

const folder = new URL("../../api/", import.meta.url);
const reports = apiReports();

test("each entry of the package has a report", () => {
  expect(reports.size).toBeGreaterThan(7);
  expect(readdirSync(folder).sort()).toEqual([...reports.keys()].sort());
});

test.each([...reports])("api/%s is the public surface (if the change is meant: npm run api, and a line in CHANGELOG.md)", (file, text) => {
  expect(readFileSync(new URL(file, folder), "utf8")).toBe(text);
});
