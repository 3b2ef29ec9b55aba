// Runs tests in QuickJS on a thread, which is ended from outside if the interpreter does not return. It is bundled into a script of its own.

import { runInQuickJs } from "./quickjs.js";
import type { FileOutcome, FileRun } from "./test-report.js";

export interface QuickJsRequest {
  /** Addresses of the packages, which a script without a file cannot find by their names. */
  readonly packages: { readonly core: string; readonly variant: string };
  readonly harness: string;
  readonly run: FileRun;
}

/** Runs one test file. The first note means that it has started; then there is one for each result. */
export async function serve({ packages, harness, run }: QuickJsRequest, notify: (note: unknown) => void): Promise<FileOutcome> {
  const { newQuickJSWASMModuleFromVariant }: typeof import("quickjs-emscripten-core") = await import(packages.core);
  const variant: { default: typeof import("@jitl/quickjs-wasmfile-release-sync") } = await import(packages.variant);
  const quickjs = await newQuickJSWASMModuleFromVariant(variant.default as never);
  notify("started");
  return runInQuickJs(quickjs, harness, run, notify);
}
