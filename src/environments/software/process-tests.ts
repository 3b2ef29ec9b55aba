import { sandbox } from "#sandbox";
import { SandboxError } from "../../base/errors.js";
import type { TestProcessInput, TestProcessRecord } from "./harness/test-process.js";
import { limitText } from "./quickjs.js";
import type { FileOutcome, FileRun, TestResult } from "./test-report.js";

/**
 * Runs a test file in a process of its own.
 *
 * @throws {SandboxError} the system cannot run the sandbox
 */
export async function runProcessTests(run: FileRun, signal: AbortSignal | undefined): Promise<FileOutcome> {
  const tests = new Set(run.project.tests);
  const input: TestProcessInput = {
    path: run.path,
    sources: [...run.files],
    // Code under test cannot read the tests.
    texts: Object.entries(run.project.files).filter(([path]) => !tests.has(path)),
    allowProcesses: run.limits.processes > 1,
  };
  const { records, stop, code, output } = await sandbox.runProcess({ input, limits: run.limits, signal });
  const known = records as TestProcessRecord[];
  if (known[0]?.kind !== "ready" && stop === "exit") {
    throw new SandboxError(`runTests: the harness did not start (exit code ${code}): ${output.slice(0, 1000)}`);
  }
  const results: TestResult[] = known.filter((record) => record.kind === "result");
  const failed = known.find((record) => record.kind === "failed");
  if (failed) return { results, stop: failed.stop, error: failed.error, output };
  if (known.some(({ kind }) => kind === "done")) return { results, stop: "finished", error: "", output };
  if (stop !== "exit") return { results, stop, error: limitText(stop), output };
  return { results, stop: "crashed", error: `the process ended before all tests had run (exit code ${code})`, output };
}
