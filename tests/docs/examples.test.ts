import { type SpawnSyncReturns, spawnSync } from "node:child_process";
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
const examplesOf = (page: string) => [...read(page).matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
const pagesWithExamples = pages.filter((page) => examplesOf(page).length > 0);

/** An empty project into which the package has been installed, with a checkpoint in it. */
const project = mkdtempSync(join(tmpdir(), "lightning-m1-docs-"));

beforeAll(() => {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules/lightning-m1"), "dir");
  cpSync(join(root, "tests/golden/m1-tiny"), join(project, "checkpoint"), { recursive: true });
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Between the outputs of two examples. */
const SEPARATOR = "\0";

// The examples of a page share a process, one after the other: to start one for each would take half of the time.
describe.each(pagesWithExamples)("examples run as they stand: %s", (page) => {
  const examples = examplesOf(page).map((code, i) => [i + 1, code] as const);
  let output: SpawnSyncReturns<string>;

  beforeAll(() => {
    const name = page.replaceAll(/\W/g, "-");
    for (const [i, code] of examples) writeFileSync(join(project, `${name}-${i}.js`), code);
    const imports = examples.map(([i]) => `await import("./${name}-${i}.js"); process.stdout.write("\\0");`);
    writeFileSync(join(project, `${name}.js`), imports.join("\n"));
    output = spawnSync(process.execPath, [`${name}.js`], { cwd: project, encoding: "utf8" });
  }, 120_000);

  test.each(examples)("example %i", (i, code) => {
    const printed = output.stdout.split(SEPARATOR);
    // An example that fails ends the process, and the separator after it is missing.
    expect(printed.length > i ? "" : output.stderr).toBe("");
    expect(printed[i - 1]!.trim()).not.toBe("");
    // A comment of numbers or a truth value behind a console.log is what it prints.
    for (const [, promised] of code.matchAll(/console\.log\(.*\); \/\/ ([\d ]+|true|false)$/gm)) expect(printed[i - 1]).toContain(promised);
  });

  test("the process ends by itself, without errors", () => expect([output.status, output.stderr]).toEqual([0, expect.any(String)]));
});

test("there are examples", () => expect(pagesWithExamples.length).toBeGreaterThan(4));

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
