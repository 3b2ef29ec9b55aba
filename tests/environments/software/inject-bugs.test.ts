// Seeded bugs: the operators, and tasks made of projects.
// INJECTED_BUGS=1000 npx vitest run --project node tests/environments/software/inject-bugs.test.ts creates and checks so many.

import { describe, expect, test } from "vitest";
import { applyPatch, injectBugs, repairProjects, type SoftwareProject, validateInstances } from "../../../src/environments/index.js";
import { BUG_OPERATORS, type BugOperator, bugSites } from "../../../src/environments/software/bug-operators.js";
import { loadParser } from "../../../src/environments/software/syntax.js";
import { InputError } from "../../../src/index.js";
import { answerWith, files, goldPatch, instance } from "./small-project.js";

/** All changes that operators make to a text. */
async function changesOf(operator: BugOperator, source: string, path = "a.ts"): Promise<string[]> {
  const parse = await loadParser("test");
  const sites = bugSites(path, source, parse(path, source)!, [operator]);
  return sites.map(({ start, end, text }) => source.slice(0, start) + text + source.slice(end));
}

describe("operators", () => {
  test.each<[BugOperator, string, string[]]>([
    ["comparison", "a < b;", ["a <= b;", "a > b;"]],
    ["comparison", "(a) === (b);", ["(a) !== (b);"]],
    ["off_by_one", "f(0, 1.5);", ["f(1, 1.5);", "f((-1), 1.5);"]],
    ["arithmetic", "a + b; c += d; i++;", ["a - b; c += d; i++;", "a + b; c -= d; i++;", "a + b; c += d; i--;"]],
    ["logical", "a && b;", ["a || b;", "a;", "b;"]],
    ["logical", "a ?? b;", ["a;", "b;"]],
    ["negated_condition", "if (a) b(); else if (!c) d();", ["if (!(a)) b(); else if (!c) d();", "if (a) b(); else if (c) d();"]],
    [
      "constant",
      'import x from "x"; f(true, "y", { "k": "z" });',
      [
        'import x from "x"; f(false, "y", { "k": "z" });',
        'import x from "x"; f(true, "", { "k": "z" });',
        'import x from "x"; f(true, "y", { "k": "" });',
      ],
    ],
    ["missing_statement", "a(); for (;;) { break; }", [" for (;;) { break; }", "a(); for (;;) {  }"]],
    ["missing_return", "function f() { return a + b; }", ["function f() { a + b; }"]],
    ["missing_early_return", "function f() { if (a) return 1; return 2; }", ["function f() {  return 2; }"]],
    ["missing_early_return", "function f() { if (a) { b(); return 1; } if (c) d(); }", ["function f() {  if (c) d(); }"]],
    ["missing_else", "if (a) b(); else c();", ["if (a) b();"]],
    ["missing_await", "async () => await f();", ["async () => f();"]],
    ["missing_optional_chaining", "a?.b; c?.[0];", ["a.b; c?.[0];", "a?.b; c[0];"]],
    ["swapped_arguments", "f(a, b + 1, ...c);", ["f(b + 1, a, ...c);"]],
    [
      "wrong_variable",
      "function f(a, b) { const c = a; return c + o.a; }",
      [
        "function f(a, b) { const c = b; return c + o.a; }",
        "function f(a, b) { const c = a; return a + o.a; }",
        "function f(a, b) { const c = a; return b + o.a; }",
      ],
    ],
    ["wrong_method", "Math.max(a); x.push(y); floor(z);", ["Math.min(a); x.push(y); floor(z);", "Math.max(a); x.unshift(y); floor(z);"]],
    ["constant", 'type A = "a"; interface B { c: true }', []],
  ])("%s: %s", async (operator, source, expected) => expect((await changesOf(operator, source)).sort()).toEqual([...expected].sort()));

  test("every operator applies somewhere in the package's own projects", async () => {
    const parse = await loadParser("test");
    const found = new Set<BugOperator>();
    for (const { files } of await repairProjects()) {
      for (const [path, text] of Object.entries(files)) {
        if (!path.startsWith("src/")) continue;
        for (const { operator, start, end, text: changed } of bugSites(path, text, parse(path, text)!, BUG_OPERATORS)) {
          found.add(operator);
          expect(text.slice(0, start) + changed + text.slice(end)).not.toBe(text);
        }
      }
    }
    expect([...found].sort()).toEqual([...BUG_OPERATORS].sort());
  });
});

/** The small project without its bug, with all tests. */
const fixed = applyPatch(applyPatch(files, goldPatch), instance.test_patch);
const project: SoftwareProject = { name: "mean", files: { ...fixed, "src/unused.js": "export const twice = (x) => x * 2;\n" } };

describe("injectBugs", () => {
  test("each instance is solved by its reference solution and not by doing nothing", { timeout: 180_000 }, async () => {
    const { instances, discarded, sites } = await injectBugs(project, { seed: 1, count: 100 });
    const { invalid } = await validateInstances(instances);
    expect(invalid).toEqual([]);
    expect(instances.length).toBeGreaterThan(5);
    // The changes of unused.js make no test fail.
    expect(discarded.survived).toBeGreaterThan(0);
    expect(instances.length + discarded.survived + discarded.unloadable + discarded.stopped).toBe(sites);
    expect(new Set(instances.map(({ instance_id }) => instance_id)).size).toBe(instances.length);
    for (const { files: snapshot, patch, FAIL_TO_PASS, problem_statement, test_patch } of instances) {
      const hidden = FAIL_TO_PASS.map((id) => id.split(" > ")[0]!);
      expect(Object.keys(snapshot!)).not.toContain(hidden[0]);
      expect(applyPatch(applyPatch(snapshot!, patch), test_patch)).toEqual(project.files);
      expect(problem_statement).toContain(FAIL_TO_PASS[0]!.split(" > ")[1]);
    }
  });

  test("equal seeds give equal instances", async () => {
    const ids = async (seed: number) => (await injectBugs(project, { seed, count: 3 })).instances.map(({ instance_id }) => instance_id);
    const [first, again, other] = [await ids(1), await ids(1), await ids(2)];
    expect(first).toHaveLength(3);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test("several bugs", async () => {
    const { instances } = await injectBugs(project, {
      seed: 3,
      count: 1,
      bugs: 2,
      operators: ["comparison", "arithmetic", "missing_return"],
    });
    expect(instances[0]!.patch.match(/^\+[^+]/gm)).toHaveLength(2);
    expect((await validateInstances(instances)).invalid).toEqual([]);
  });

  test("a project whose tests fail is refused", async () => {
    const broken = { name: "broken", files: applyPatch(files, instance.test_patch) };
    await expect(injectBugs(broken, { seed: 1, count: 1 })).rejects.toThrow(
      "broken: expected tests that pass, got test/mean.test.js > a mean",
    );
    await expect(injectBugs({ name: "empty", files: { "a.js": "" } }, { seed: 1, count: 1 })).rejects.toThrow("got no test");
    const unparsable = { name: "x", files: applyPatch(fixed, answerWith({ "src/sum.js": "export function sum( {\n" })) };
    await expect(injectBugs(unparsable, { seed: 1, count: 1 })).rejects.toThrow(InputError);
    await expect(injectBugs(project, { seed: 1, count: 0 })).rejects.toThrow("count: expected an integer of at least 1");
    await expect(injectBugs(project, { seed: 1, count: 1, operators: ["typo" as never] })).rejects.toThrow(InputError);
  });

  const wanted = Number(process.env.INJECTED_BUGS ?? 0);
  test.skipIf(wanted === 0)("many bugs in the package's own projects", { timeout: 36e5 }, async () => {
    const projects = await repairProjects();
    let [created, tried] = [0, 0];
    for (const one of projects) {
      const { instances, discarded, sites } = await injectBugs(one, { seed: 1, count: Math.ceil(wanted / projects.length) });
      const { survived, unloadable, stopped } = discarded;
      console.log(
        `${one.name}: ${instances.length} created, ${survived} survived, ${unloadable} unloadable, ${stopped} stopped, ${sites} sites`,
      );
      expect((await validateInstances(instances)).invalid).toEqual([]);
      created += instances.length;
      tried += instances.length + survived + unloadable + stopped;
    }
    console.log(`${created} of ${tried} changed programs are tasks`);
    expect(created).toBeGreaterThanOrEqual(wanted);
  });
});
