import { sandbox } from "#sandbox";
import { source as harness } from "../../../build/test-harness.js";
import { SandboxError } from "../../base/errors.js";
import { limitText, runInQuickJs } from "./quickjs.js";
import type { QuickJsRequest } from "./quickjs-thread.js";
import type { FileOutcome, FileRun, TestResult } from "./test-report.js";

const PACKAGES = { core: "quickjs-emscripten-core", variant: "@jitl/quickjs-wasmfile-release-sync" } as const;
/** Time that the interpreter has to start, and to end by itself after its limit. */
const GRACE_MS = 500;

/**
 * Runs a test file in QuickJS: on a thread if there are threads, so that a call of the engine that never returns can be ended.
 *
 * @throws {SandboxError} the packages are not installed, or the thread failed
 */
export async function runQuickJsTests(run: FileRun, signal: AbortSignal | undefined): Promise<FileOutcome> {
  if (!sandbox.callThread || !sandbox.findPackage) return runInQuickJs(await loadQuickJs(), harness, run);
  const [core, variant] = [sandbox.findPackage(PACKAGES.core), sandbox.findPackage(PACKAGES.variant)];
  if (!core || !variant) throw notInstalled();
  const results: TestResult[] = [];
  const request: QuickJsRequest = { packages: { core, variant }, harness, run };
  const outcome = await sandbox.callThread(request, {
    timeoutMs: run.limits.wallMs + GRACE_MS,
    signal,
    onNote: (note) => {
      if (note !== "started") results.push(note as TestResult);
    },
  });
  return (outcome as FileOutcome | undefined) ?? { results, stop: "time", error: limitText("time"), output: "" };
}

async function loadQuickJs(): Promise<import("quickjs-emscripten-core").QuickJSWASMModule> {
  // Bundlers accept missing packages in a try block.
  try {
    const { newQuickJSWASMModuleFromVariant } = await import("quickjs-emscripten-core");
    const { default: variant } = await import("@jitl/quickjs-wasmfile-release-sync");
    return await newQuickJSWASMModuleFromVariant(variant);
  } catch (cause) {
    throw notInstalled(cause);
  }
}

function notInstalled(cause?: unknown): SandboxError {
  const names = Object.values(PACKAGES);
  return new SandboxError(
    `runTests: the runtime quickjs needs optional packages: expected ${names.join(", ")}, which are missing or cannot be loaded. Install: npm i ${names.join(" ")}`,
    { cause },
  );
}
