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
const read = (page: string) => readFileSync(join(root, page), "utf8");
const examples = pages.flatMap((page) => {
  return [...read(page).matchAll(/```ts\n(.*?)```/gs)].map(([, code], i) => ({ name: `${page}, example ${i + 1}`, code: code! }));
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

/** The anchors of a page's headings, as repository hosts derive them. */
function anchorsOf(page: string): string[] {
  const headings = [...read(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => heading!);
  return headings.map((heading) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-"),
  );
}

describe("links lead to files and headings that exist", () => {
  test.each([...pages, "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])("%s", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)|^\[[^\]]+\]: (?!https?:)(\S+)/gm)].map(
      ([, inline, reference]) => (inline ?? reference)!,
    );
    const broken = links.filter((link) => {
      const [target, anchor] = link.split("#") as [string, string | undefined];
      const file = target ? join(dirname(page), target) : page;
      return !existsSync(join(root, file)) || (anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  test("references are defined", () => {
    const undefinedReferences = pages.flatMap((page) => {
      const defined = new Set([...read(page).matchAll(/^\[([^\]]+)\]: /gm)].map(([, name]) => name!));
      return [...read(page).matchAll(/\[[^\]]+\]\[([^\]]+)\]/g)]
        .map(([, name]) => name!)
        .filter((name) => defined.size > 0 && !defined.has(name));
    });
    expect(undefinedReferences).toEqual([]);
  });

  test("files named in the paper map exist", () => {
    const text = read("docs/paper-map.md");
    const named = [...text.matchAll(/`((?:src|assembly|tests)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
