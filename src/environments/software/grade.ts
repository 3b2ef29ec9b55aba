import * as v from "valibot";
import { InputError, SandboxError } from "../../base/errors.js";
import { expectArgument, number, parseOptions } from "../../base/options.js";
import { applyRepairAnswer, parseRepairAnswer } from "./answers.js";
import { checkRunnable, type SoftwareInstance } from "./instances.js";
import { applyPatch, patchedPaths } from "./patch.js";
import { PatchError } from "./patch-error.js";
import { type FileMap, isTestFile } from "./paths.js";
import { runTests, testEntries } from "./run-tests.js";
import type { TestLimits, TestOptions, TestReport } from "./test-report.js";

/** How answers are judged. Defaults are in parentheses. */
export interface GradeOptions extends TestOptions {
  /** Rewards of answers that do harm, each at most 0 (0). */
  readonly penalties?: {
    /** The answer cannot be read or does not apply. */
    readonly notApplied?: number;
    /** Tests that passed before cannot be loaded. */
    readonly notCompiled?: number;
    /** A test that passed before fails. */
    readonly regression?: number;
  };
}

/**
 * What became of an answer:
 *
 * - `resolved`: all tests of FAIL_TO_PASS and PASS_TO_PASS pass
 * - `unresolved`: a test of FAIL_TO_PASS fails or did not run
 * - `regression`: a test of PASS_TO_PASS fails or did not run
 * - `not_compiled`: a file with tests of PASS_TO_PASS no longer loads
 * - `not_applied`: the answer cannot be read or does not apply
 * - `not_judged`: the sandbox failed
 */
export type Outcome = "resolved" | "unresolved" | "regression" | "not_compiled" | "not_applied" | "not_judged";

/** The judgement of an answer. */
export interface Grade {
  /** 1 if resolved, 0 if not, a penalty, or null if the answer could not be judged. */
  readonly reward: number | null;
  readonly outcome: Outcome;
  /** Tests that should have passed and did not. Empty if no test ran. */
  readonly failed: readonly string[];
  /** The reason, for a person. Empty if resolved. */
  readonly message: string;
}

const penalty = v.optional(
  number("a number of at most 0", (x) => x <= 0),
  0,
);
export const gradeEntries = {
  ...testEntries,
  penalties: v.optional(v.strictObject({ notApplied: penalty, notCompiled: penalty, regression: penalty }), {}),
};
const schema = v.strictObject(gradeEntries);

/**
 * Judges a response to an instance: applies the answer in it to the snapshot, then the tests of the instance to a fresh copy of the result,
 * and runs these tests in the sandbox. Changes of test files by the answer have no effect. An empty response is judged like the unchanged
 * snapshot.
 *
 * @param answer the text of a model, or the `model_patch` of a prediction
 * @throws {InputError} an invalid instance, or one without files or tests
 * @throws the signal's reason, when the run is cancelled
 */
export async function gradeAnswer(instance: SoftwareInstance, answer: string, options: GradeOptions = {}): Promise<Grade> {
  expectArgument("gradeAnswer: answer", typeof answer === "string", "a string", answer);
  const { files } = checkRunnable(instance, "gradeAnswer: instance");
  const { penalties } = parseOptions(schema, options, "gradeAnswer");
  let changed: FileMap;
  try {
    changed = answer.trim() === "" ? files : applyRepairAnswer(files, parseRepairAnswer(answer));
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    return { reward: penalties.notApplied, outcome: "not_applied", failed: [], message: error.message };
  }
  return gradeFiles(instance, changed, options);
}

/** Judges the files of a project after a change, like {@link gradeAnswer}. */
export async function gradeFiles(instance: SoftwareInstance, files: FileMap, options: GradeOptions = {}): Promise<Grade> {
  const { penalties, ...settings } = parseOptions(schema, options, "gradeFiles");
  const checked = checkRunnable(instance, "gradeFiles: instance");
  const { FAIL_TO_PASS: targets, PASS_TO_PASS: others } = checked;
  if (targets.length === 0) {
    throw new InputError(`gradeFiles: instance: FAIL_TO_PASS: expected at least one test, got none (doing nothing would resolve it)`);
  }
  const all = withFreshTests(checked, files);
  const tests = testPaths([...targets, ...others]).filter((path) => Object.hasOwn(all, path));
  let report: TestReport;
  try {
    report = await runTests({ files: all, tests }, settings);
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { reward: null, outcome: "not_judged", failed: [], message: error.message };
  }
  const fails = (id: string) => report.results[id] !== "passed";
  const failed = [...targets, ...others].filter(fails);
  if (failed.length === 0) return { reward: 1, outcome: "resolved", failed, message: "" };
  const message = failed.map((id) => `${id}: ${reasonOf(id, report)}`).join("\n");
  const unloaded = testPaths(others).some((path) => ["syntax", "load"].includes(report.stops[path] ?? ""));
  if (unloaded) return { reward: penalties.notCompiled, outcome: "not_compiled", failed, message };
  if (others.some(fails)) return { reward: penalties.regression, outcome: "regression", failed, message };
  return { reward: 0, outcome: "unresolved", failed, message };
}

/** Why a test did not pass, in one line. */
export function reasonOf(id: string, { failures, errors, stops }: TestReport): string {
  const path = pathOfTest(id);
  const stop = stops[path] && stops[path] !== "finished" ? `stopped: ${stops[path]}` : "did not run";
  return (failures[id] ?? errors[path] ?? stop).split("\n")[0]!;
}

/** The file of a test with the id `path > name`. */
export function pathOfTest(id: string): string {
  return id.split(" > ")[0]!;
}

function testPaths(ids: readonly string[]): string[] {
  return [...new Set(ids.map(pathOfTest))];
}

/** The changed project with the test files of the instance in place of its own. */
function withFreshTests(instance: SoftwareInstance & { readonly files: FileMap }, changed: FileMap): FileMap {
  const { files, test_patch } = instance;
  const patched = new Set(test_patch.trim() === "" ? [] : patchedPaths(test_patch));
  const isFixed = (path: string) => isTestFile(path) || patched.has(path);
  const original = patched.size === 0 ? files : applyTests(files, test_patch);
  return Object.fromEntries([
    ...Object.entries(changed).filter(([path]) => !isFixed(path)),
    ...Object.entries(original).filter(([path]) => isFixed(path)),
  ]);
}

function applyTests(files: FileMap, patch: string): FileMap {
  try {
    return applyPatch(files, patch);
  } catch (cause) {
    throw new InputError(`gradeFiles: instance: test_patch: expected a patch of the snapshot, got ${(cause as Error).message}`, { cause });
  }
}

/** Result of {@link validateInstances}. */
export interface ValidatedInstances {
  readonly valid: readonly SoftwareInstance[];
  readonly invalid: readonly { readonly instance_id: string; readonly reason: string }[];
}

/**
 * Checks instances by running them: the reference solution must resolve an instance, and doing nothing must not.
 *
 * @throws {SandboxError} the sandbox cannot run
 */
export async function validateInstances(
  instances: readonly SoftwareInstance[],
  options: { readonly runtime?: TestOptions["runtime"]; readonly limits?: TestLimits; readonly signal?: AbortSignal } = {},
): Promise<ValidatedInstances> {
  expectArgument("validateInstances: instances", Array.isArray(instances), "an array of instances", instances);
  const valid: SoftwareInstance[] = [];
  const invalid: { instance_id: string; reason: string }[] = [];
  for (const [i, given] of instances.entries()) {
    const instance = checkRunnable(given, `validateInstances: instances[${i}]`);
    const reason = await flawOf(instance, options);
    if (reason === undefined) valid.push(instance);
    else invalid.push({ instance_id: instance.instance_id, reason });
  }
  return { valid, invalid };
}

async function flawOf(instance: SoftwareInstance, options: TestOptions): Promise<string | undefined> {
  const gold = await gradeAnswer(instance, instance.patch, options);
  if (gold.outcome === "not_judged") throw new SandboxError(gold.message);
  if (gold.reward !== 1) return `the reference solution is ${gold.outcome}: ${gold.message}`;
  const nothing = await gradeAnswer(instance, "", options);
  if (nothing.outcome === "not_judged") throw new SandboxError(nothing.message);
  const passing = instance.FAIL_TO_PASS.filter((id) => !nothing.failed.includes(id));
  if (passing.length > 0) return `doing nothing passes ${passing.join(", ")}`;
  const failing = instance.PASS_TO_PASS.filter((id) => nothing.failed.includes(id));
  return failing.length > 0 ? `PASS_TO_PASS fails in the snapshot: ${failing.join(", ")}` : undefined;
}
