import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const examples = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code], i) => ({ name: `${page}, example ${i + 1}`, code: code! }));
});

/** An empty project into which the package has been installed, with a checkpoint in it. */
const project = mkdtempSync(join(tmpdir(), "lightning-m1-docs-"));

beforeAll(() => {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules/lightning-m1"), "dir");
  cpSync(join(root, "tests/golden/m1-tiny"), join(project, "checkpoint"), { recursive: true });
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe("examples run as they stand", () => {
  test("there are some", () => expect(examples.length).toBeGreaterThan(4));

  test.each(examples)("$name", ({ code }) => {
    writeFileSync(join(project, "example.js"), code);
    const printed = execFileSync(process.execPath, ["example.js"], { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    expect(printed.trim()).not.toBe("");
    // A comment of numbers or a truth value behind a console.log is what it prints.
    for (const [, promised] of code.matchAll(/console\.log\(.*\); \/\/ ([\d ]+|true|false)$/gm)) expect(printed).toContain(promised);
  });
});

describe("links lead somewhere", () => {
  test.each(pages)("%s", (page) => {
    const text = readFileSync(join(root, page), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, target]) => target!);
    expect(links.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });

  test("files named in the paper map exist", () => {
    const text = readFileSync(join(root, "docs/paper-map.md"), "utf8");
    const named = [...text.matchAll(/`((?:src|assembly|tests)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
