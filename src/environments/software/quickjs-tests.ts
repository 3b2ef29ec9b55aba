import { platform } from "#platform";
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
  const { callThread, findPackage } = sandbox;
  if (!callThread || !findPackage) return runInQuickJs(await loadQuickJs(), harness, run);
  const [core, variant, wasmUrl] = [PACKAGES.core, PACKAGES.variant, `${PACKAGES.variant}/wasm`].map(findPackage);
  if (!core || !variant || !wasmUrl) throw notInstalled();
  const wasm = await compiledInterpreter(wasmUrl);
  const results: TestResult[] = [];
  const request: QuickJsRequest = { wasm, packages: { core, variant }, harness, run };
  const outcome = await callThread(request, {
    timeoutMs: run.limits.wallMs + GRACE_MS,
    signal,
    onNote: (note) => {
      if (note !== "started") results.push(note as TestResult);
    },
  });
  return (outcome as FileOutcome | undefined) ?? { results, stop: "time", error: limitText("time"), output: "" };
}

let compiled: Promise<WebAssembly.Module> | undefined;

/**
 * The interpreter's module, compiled once. While it is in use, the engine also keeps the code that it has optimized, which takes several
 * times as long as compiling. Each run has an instance of its own.
 */
function compiledInterpreter(url: string): Promise<WebAssembly.Module> {
  compiled ??= compile(url);
  return compiled;
}

async function compile(url: string): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile((await platform.readFile(new URL(url))) as BufferSource);
  } catch (cause) {
    compiled = undefined;
    throw notInstalled(cause);
  }
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
