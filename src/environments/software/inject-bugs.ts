import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { fnv1a } from "../../base/hash.js";
import { count, expectArgument, isObjectLike, oneOf, parseOptions, seedNumber } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { BUG_OPERATORS, type BugOperator, type BugSite, bugSites } from "./bug-operators.js";
import { pathOfTest, reasonOf } from "./grade.js";
import type { SoftwareInstance } from "./instances.js";
import { createPatch } from "./patch.js";
import { expectFiles, type FileMap, isTestFile } from "./paths.js";
import type { SoftwareProject } from "./repair-tasks.js";
import { runTests, testEntries } from "./run-tests.js";
import { isCode, loadParser, type Parse } from "./syntax.js";
import type { TestLimits, TestOptions, TestReport } from "./test-report.js";

/** Options of {@link injectBugs}. Defaults are in parentheses. */
export interface InjectBugsOptions extends Pick<TestOptions, "runtime" | "signal"> {
  /** Seed of the choice, an integer within [0, 2^32). */
  readonly seed: number;
  /** Number of instances to create. Fewer are created if the project has no more places. */
  readonly count: number;
  /** Number of bugs in each instance (1). Each of them makes a test fail on its own. */
  readonly bugs?: number;
  /** Kinds of bugs (all). */
  readonly operators?: readonly BugOperator[];
  /** Limits of each run of a test file (2 seconds of processor time, 5 seconds in all). */
  readonly limits?: TestLimits;
}

/** Why a changed program was thrown away. */
export interface DiscardedBugs {
  /** All tests pass. */
  readonly survived: number;
  /** It has a syntax error, or a module cannot be loaded. */
  readonly unloadable: number;
  /** It ran into a limit, or ended before all tests had run. */
  readonly stopped: number;
}

/** Result of {@link injectBugs}. */
export interface InjectedBugs {
  readonly instances: readonly SoftwareInstance[];
  /** Changed programs that were thrown away. */
  readonly discarded: DiscardedBugs;
  /** Number of places and changes that the project has in all. */
  readonly sites: number;
}

/** Endless loops are frequent among changed programs, so they should end soon. */
const DEFAULT_LIMITS: TestLimits = { cpuMs: 2000, wallMs: 5000 };

const schema = v.strictObject({
  seed: seedNumber,
  count,
  bugs: v.optional(count, 1),
  operators: v.optional(v.pipe(v.array(oneOf(...BUG_OPERATORS)), v.minLength(1, "at least one operator")), [...BUG_OPERATORS]),
  ...testEntries,
  limits: v.optional(testEntries.limits.wrapped, DEFAULT_LIMITS),
});

/**
 * Creates repair tasks from a project whose tests pass, by putting bugs into its code. Each bug is a small change of the syntax tree. A
 * changed program becomes an instance if it loads, runs to the end and fails at least one test; otherwise it is thrown away.
 *
 * The problem statement quotes the messages of failing tests. Test files with failing tests are hidden: they are in `test_patch`. Equal
 * arguments give equal instances.
 *
 * @throws {InputError} invalid options, a project whose tests do not pass, or no @babel/parser
 * @throws {SandboxError} the sandbox cannot run
 */
export async function injectBugs(project: SoftwareProject, options: InjectBugsOptions): Promise<InjectedBugs> {
  const { seed, count: wanted, bugs, operators, ...settings } = parseOptions(schema, options, "injectBugs");
  expectArgument("injectBugs: project", isObjectLike(project) && typeof project.name === "string", "{ name, files }", project);
  expectFiles("injectBugs: project: files", project.files);
  const parse = await loadParser("injectBugs");
  const original = await runTests({ files: project.files, tests: testsOf(project.files) }, settings);
  const failing = Object.keys(original.results).filter((id) => original.results[id] !== "passed");
  const unfinished = Object.keys(original.stops).filter((path) => original.stops[path] !== "finished");
  if (failing.length + unfinished.length > 0 || Object.keys(original.results).length === 0) {
    const got =
      [...failing, ...unfinished.map((path) => `${path} (${original.stops[path]}: ${original.errors[path]})`)].join(", ") || "no test";
    throw new InputError(`injectBugs: project ${project.name}: expected tests that pass, got ${got}`);
  }
  const tests = Object.keys(original.results);
  const sites = allSites(project.files, operators, parse);
  const random = Random.seeded(seed);
  const trial = new Trials(project.files, parse, settings);
  const instances: SoftwareInstance[] = [];
  const order = shuffled(sites, random);
  let group: BugSite[] = [];
  for (const site of order) {
    if (instances.length === wanted) break;
    if (group.some((other) => overlaps(other, site))) continue;
    const single = await trial.run([site]);
    if (!single) continue;
    group.push(site);
    if (group.length < bugs) continue;
    const report = bugs === 1 ? single : await trial.run(group);
    if (report) instances.push(instanceOf(project, group, tests, report));
    group = [];
  }
  return { instances, discarded: trial.discarded, sites: sites.length };
}

type Settings = Pick<TestOptions, "runtime" | "limits" | "signal">;

/** Runs changed programs, and counts those that are thrown away. */
class Trials {
  readonly discarded = { survived: 0, unloadable: 0, stopped: 0 };

  constructor(
    private readonly files: FileMap,
    private readonly parse: Parse,
    private readonly settings: Settings,
  ) {}

  /** The report of a program that is a task. Undefined for another one. */
  async run(sites: readonly BugSite[]): Promise<TestReport | undefined> {
    const changed = withBugs(this.files, sites);
    if (sites.some(({ path }) => !this.parse(path, changed[path]!))) return this.discard("unloadable");
    let report: TestReport | undefined;
    // One file at a time, because a change that makes the first one run into a limit often does so in all.
    for (const path of testsOf(changed)) {
      const one = await runTests({ files: changed, tests: [path] }, this.settings);
      const stop = one.stops[path]!;
      if (stop !== "finished") return this.discard(stop === "syntax" || stop === "load" ? "unloadable" : "stopped");
      report = report ? merged(report, one) : one;
    }
    if (!report) return undefined;
    return Object.values(report.results).every((result) => result === "passed") ? this.discard("survived") : report;
  }

  private discard(reason: keyof DiscardedBugs): undefined {
    this.discarded[reason]++;
  }
}

function testsOf(files: FileMap): string[] {
  return Object.keys(files).filter((path) => isTestFile(path) && isCode(path));
}

/** Joins the reports of different test files. */
function merged(a: TestReport, b: TestReport): TestReport {
  return {
    results: { ...a.results, ...b.results },
    failures: { ...a.failures, ...b.failures },
    stops: { ...a.stops, ...b.stops },
    errors: { ...a.errors, ...b.errors },
    output: a.output + b.output,
  };
}

/** All changes of the code, without those that give the same program. */
function allSites(files: FileMap, operators: readonly BugOperator[], parse: Parse): BugSite[] {
  const sites = new Map<string, BugSite>();
  for (const path of Object.keys(files).sort()) {
    const text = files[path]!;
    const program = isCode(path) && !isTestFile(path) ? parse(path, text) : undefined;
    if (!program) continue;
    for (const site of bugSites(path, text, program, operators)) {
      const changed = withBugs(files, [site])[path]!;
      if (changed !== text && !sites.has(`${path}\n${changed}`)) sites.set(`${path}\n${changed}`, site);
    }
  }
  return [...sites.values()];
}

function withBugs(files: FileMap, sites: readonly BugSite[]): FileMap {
  const changed: Record<string, string> = { ...files };
  // From the end of each file, so that the offsets of the others stay right.
  for (const { path, start, end, text } of [...sites].sort((a, b) => b.start - a.start)) {
    const before = changed[path]!;
    changed[path] = withoutBlankLine(before.slice(0, start), text, before.slice(end));
  }
  return changed;
}

/** Joins three parts. A removed statement takes its line with it. */
function withoutBlankLine(before: string, text: string, after: string): string {
  const isLine = text === "" && /(?:^|\n)[ \t]*$/.test(before) && /^[ \t]*\n/.test(after);
  return isLine ? before.replace(/[ \t]*$/, "") + after.replace(/^[ \t]*\n/, "") : before + text + after;
}

/** Changes of touching texts cannot be combined. */
function overlaps(a: BugSite, b: BugSite): boolean {
  return a.path === b.path && a.start <= b.end && b.start <= a.end;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

function instanceOf(project: SoftwareProject, sites: readonly BugSite[], tests: readonly string[], report: TestReport): SoftwareInstance {
  const failed = tests.filter((id) => report.results[id] !== "passed");
  const hidden = new Set(failed.map(pathOfTest));
  const buggy = withBugs(project.files, sites);
  const visible = Object.fromEntries(Object.entries(buggy).filter(([path]) => !hidden.has(path)));
  return {
    instance_id: `${project.name}__${sites.map(({ operator, path, start, text }) => `${operator}-${shortName(`${path}:${start}:${text}`)}`).join("-")}`,
    repo: project.name,
    base_commit: "",
    problem_statement: statementOf(project.name, failed, report),
    hints_text: "",
    version: "1",
    patch: createPatch(buggy, project.files),
    test_patch: createPatch(visible, buggy),
    created_at: "",
    FAIL_TO_PASS: failed,
    PASS_TO_PASS: tests.filter((id) => report.results[id] === "passed"),
    files: visible,
  };
}

const shortName = (text: string) => fnv1a(Array.from(text, (char) => char.codePointAt(0)!)).toString(36);

/** Number of failing tests that a problem statement quotes. */
const QUOTED_TESTS = 5;

function statementOf(name: string, failed: readonly string[], report: TestReport): string {
  const quoted = failed.slice(0, QUOTED_TESTS).map((id) => `- ${id.slice(pathOfTest(id).length + 3)}: ${reasonOf(id, report)}`);
  const more = failed.length > QUOTED_TESTS ? [`- and ${failed.length - QUOTED_TESTS} more`] : [];
  return [`${name} does not behave as expected. These checks fail:`, "", ...quoted, ...more].join("\n");
}
