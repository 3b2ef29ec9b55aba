// Runs tests in QuickJS on a thread, which is ended from outside if the interpreter does not return. It is bundled into a script of its own.

import { runInQuickJs } from "./quickjs.js";
import type { FileOutcome, FileRun } from "./test-report.js";

export interface QuickJsRequest {
  /** The compiled interpreter, which all threads share. */
  readonly wasm: WebAssembly.Module;
  /** Addresses of the packages, which a script without a file cannot find by their names. */
  readonly packages: { readonly core: string; readonly variant: string };
  readonly harness: string;
  readonly run: FileRun;
}

/** Runs one test file. The first note means that it has started; then there is one for each result. */
export async function serve({ wasm, packages, harness, run }: QuickJsRequest, notify: (note: unknown) => void): Promise<FileOutcome> {
  const core: typeof import("quickjs-emscripten-core") = await import(packages.core);
  const variant: { default: typeof import("@jitl/quickjs-wasmfile-release-sync") } = await import(packages.variant);
  const quickjs = await core.newQuickJSWASMModuleFromVariant(core.newVariant(variant.default as never, { wasmModule: wasm }));
  notify("started");
  return runInQuickJs(quickjs, harness, run, notify);
}
