// Prompts of the stages, and scores of the places that a model names.

import { expect, test } from "vitest";
import {
  createPatch,
  goldLocations,
  localizationPrompt,
  parseLocations,
  type SoftwareInstance,
  scoreLocalization,
} from "../../../src/environments/index.js";

const cache = `import { now } from "./clock.ts";

export class Cache<T> {
  #values = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  #drop(key: string): void {
    this.#values.clear();
  }
}

export const limit = 10;
export const keyOf = (value: unknown) => String(value);
const FORMATS = {
  short: () => "s",
  long() {
    return "l";
  },
};
`;
const files = {
  "src/cache.ts": cache,
  "src/clock.ts": "export function now(): number {\n  return 1;\n}\n",
  "test/cache.test.ts": "",
  "README.md": "# Cache\n",
};
const fixed = {
  ...files,
  "src/cache.ts": cache.replace("this.#values.clear();", "this.#values.delete(key);").replace('return "l";', 'return "long";'),
  "src/clock.ts": files["src/clock.ts"].replace("return 1", "return 2"),
};
const row: SoftwareInstance = {
  instance_id: "cache-1",
  repo: "cache",
  base_commit: "",
  problem_statement: "Dropping one key empties the cache.",
  hints_text: "",
  version: "1",
  patch: createPatch(files, fixed),
  test_patch: "",
  created_at: "",
  FAIL_TO_PASS: ["test/cache.test.ts > a"],
  PASS_TO_PASS: [],
  files,
};
const gold = [
  { path: "src/cache.ts", element: "Cache.#drop" },
  { path: "src/cache.ts", element: "FORMATS.long" },
  { path: "src/clock.ts", element: "now" },
];

test("the places of the reference solution are its innermost elements", async () => {
  expect(await goldLocations(row)).toEqual({ files: [{ path: "src/cache.ts" }, { path: "src/clock.ts" }], elements: gold });
});

test("the first stage shows the issue and all paths but tests", async () => {
  const prompt = await localizationPrompt(row, "files");
  expect(prompt).toContain(row.problem_statement);
  expect(prompt).toContain("src/cache.ts\nsrc/clock.ts\nREADME.md");
  expect(prompt).not.toContain("test/cache.test.ts");
});

test("the second stage shows outlines", async () => {
  const prompt = await localizationPrompt(row, "elements", [{ path: "src/cache.ts" }]);
  for (const line of [
    "3-13 class Cache: export class Cache<T> {",
    "6-8 method Cache.get: get(key: string): T | undefined {",
    "10-12 method Cache.#drop: #drop(key: string): void {",
    "15-15 variable limit: export const limit = 10;",
    "16-16 function keyOf:",
    "18-18 method FORMATS.short:",
  ]) {
    expect(prompt).toContain(line);
  }
  expect(prompt).not.toContain("this.#values");
  expect(prompt).not.toContain("src/clock.ts\n```");
});

test("the last stage shows the code around the named elements", async () => {
  const prompt = await localizationPrompt(row, "repair", [{ path: "src/cache.ts", element: "Cache.#drop" }, { path: "src/clock.ts" }]);
  expect(prompt).toContain("this.#values.clear();");
  expect(prompt).not.toContain("FORMATS");
  expect(prompt).toContain("return 1;");
  expect(prompt).toContain("<<<<<<< SEARCH");
  expect(await localizationPrompt(row, "repair", [{ path: "src/clock.ts" }], "diff")).toContain("+++ b/");
});

test("unknown places are refused", async () => {
  await expect(localizationPrompt(row, "elements", [{ path: "src/other.ts" }])).rejects.toThrow(
    "expected places of the project, got src/other.ts",
  );
  await expect(localizationPrompt(row, "repair", [{ path: "src/clock.ts", element: "later" }])).rejects.toThrow("src/clock.ts later");
});

test("places are read from lists", () => {
  const response = `<think>src/clock.ts: now</think>
These:
1. \`src/cache.ts\`: \`Cache.#drop(key)\`
- src/cache.ts::FORMATS.long
* src/clock.ts
- test/cache.test.ts
- src/nothing.ts: x
src/clock.ts`;
  expect(parseLocations(response, files)).toEqual([
    { path: "src/cache.ts", element: "Cache.#drop" },
    { path: "src/cache.ts", element: "FORMATS.long" },
    { path: "src/clock.ts" },
  ]);
});

test("recall and precision by files and by elements", async () => {
  expect(await scoreLocalization(row, "files", [{ path: "src/cache.ts" }, { path: "README.md" }])).toEqual({ recall: 0.5, precision: 0.5 });
  expect(await scoreLocalization(row, "elements", gold)).toEqual({ recall: 1, precision: 1 });
  const partly = [gold[0]!, gold[0]!, { path: "src/cache.ts", element: "Cache.get" }];
  expect(await scoreLocalization(row, "elements", partly)).toEqual({ recall: 1 / 3, precision: 0.5 });
  expect(await scoreLocalization(row, "files", [])).toEqual({ recall: 0, precision: 0 });
});
