import * as v from "valibot";
import { count, milliseconds, oneOf, parseOptions, signal as signalOption } from "../../base/options.js";
import { runProcessTests } from "./process-tests.js";
import { checkProject, sourceFiles } from "./project-files.js";
import { runQuickJsTests } from "./quickjs-tests.js";
import type { FileOutcome, FileRun, TestOptions, TestProject, TestReport } from "./test-report.js";

const MEBIBYTE = 2 ** 20;

/** Options of every function that runs tests. */
export const testEntries = {
  runtime: v.optional(oneOf("quickjs", "bubblewrap"), "quickjs"),
  limits: v.optional(
    v.strictObject({
      cpuMs: v.optional(milliseconds, 5_000),
      wallMs: v.optional(milliseconds, 10_000),
      memoryBytes: v.optional(count, 256 * MEBIBYTE),
      outputBytes: v.optional(count, MEBIBYTE),
      processes: v.optional(count, 1),
      fileBytes: v.optional(count, 64 * MEBIBYTE),
    }),
    {},
  ),
  signal: v.optional(signalOption),
};
const schema = v.strictObject(testEntries);

/**
 * Runs the tests of a project in a sandbox, each test file in an interpreter or process of its own. Code of the project has no network and
 * no files but its own, and cannot change what the harness has recorded.
 *
 * Tests are ES modules for `node:test` and `node:assert/strict`. The types of TypeScript files are removed.
 *
 * @throws {InputError} invalid options, or paths that leave the project
 * @throws {SandboxError} the sandbox cannot run here, or failed; the results are then unknown
 */
export async function runTests(project: TestProject, options: TestOptions = {}): Promise<TestReport> {
  const { runtime, limits, signal } = parseOptions(schema, options, "runTests");
  checkProject(project);
  const files = await sourceFiles(project.files);
  const outcomes = new Map<string, FileOutcome>();
  for (const path of project.tests) {
    signal?.throwIfAborted();
    const run: FileRun = { path, project, files, limits };
    outcomes.set(path, runtime === "quickjs" ? await runQuickJsTests(run, signal) : await runProcessTests(run, signal));
  }
  signal?.throwIfAborted();
  return mergeOutcomes(outcomes);
}

/** Joins the results of all files. Of two tests with the same name, both must pass. */
function mergeOutcomes(outcomes: ReadonlyMap<string, FileOutcome>): TestReport {
  const results = new Map<string, "passed" | "failed">();
  const failures = new Map<string, string>();
  const errors = new Map<string, string>();
  let output = "";
  for (const [path, outcome] of outcomes) {
    for (const { name, passed, message } of outcome.results) {
      const id = `${path} > ${name}`;
      results.set(id, passed && results.get(id) !== "failed" ? "passed" : "failed");
      if (!passed && !failures.has(id)) failures.set(id, message.slice(0, 2000));
    }
    if (outcome.stop !== "finished") errors.set(path, outcome.error);
    output += outcome.output;
  }
  return {
    results: Object.fromEntries(results),
    failures: Object.fromEntries(failures),
    stops: Object.fromEntries([...outcomes].map(([path, { stop }]) => [path, stop])),
    errors: Object.fromEntries(errors),
    output,
  };
}
