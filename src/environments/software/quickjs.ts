import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSWASMModule } from "quickjs-emscripten-core";
import { harnessModule, resolveImport } from "./resolve-import.js";
import type { FileOutcome, FileRun, TestResult, TestStop } from "./test-report.js";

/** Stack of the interpreter in bytes. The engine that runs the interpreter needs several times as much of its own. */
const STACK_BYTES = 256 * 1024;
/** Name of the script that imports the test file. No module of a project has it, because it is no relative path. */
const MAIN = "<main>";
/** Jobs between two looks at the limits. */
const JOBS_AT_ONCE = 1000;

/**
 * Runs one test file in an interpreter of its own.
 *
 * @param quickjs an instance that no other run uses: its state is undefined after an error of the engine
 * @param harness the bundled harness
 * @param onResult takes each result at once
 */
export function runInQuickJs(
  quickjs: QuickJSWASMModule,
  harness: string,
  run: FileRun,
  onResult: (result: TestResult) => void = () => {},
): FileOutcome {
  return new QuickJsRun(quickjs, harness, run, onResult).outcome();
}

class QuickJsRun {
  private readonly results: TestResult[] = [];
  private output = "";
  private deadline = Number.POSITIVE_INFINITY;
  /** The limit that was hit. All code ends from then on. */
  private limit: TestStop | undefined;
  private readonly runtime: QuickJSRuntime;
  private readonly context: QuickJSContext;

  constructor(
    quickjs: QuickJSWASMModule,
    private readonly harness: string,
    private readonly run: FileRun,
    private readonly onResult: (result: TestResult) => void,
  ) {
    const { limits, files, path } = run;
    this.runtime = quickjs.newRuntime();
    this.runtime.setMemoryLimit(Math.min(limits.memoryBytes, 2 ** 31 - 1));
    this.runtime.setMaxStackSize(STACK_BYTES);
    this.runtime.setInterruptHandler(() => this.isOver());
    this.context = this.runtime.newContext();
    this.runtime.setModuleLoader(
      (name) => this.load(name),
      (importer, specifier) => {
        const provided = harnessModule(specifier);
        // Only tests may register tests.
        if (provided === "node:test" && importer !== path && importer !== MAIN) {
          return { error: new Error(`${importer}: cannot import "node:test": only test files can`) };
        }
        const resolved = provided ?? (importer === MAIN ? specifier : resolveImport(importer, specifier, (file) => files.has(file)));
        return resolved ?? { error: new Error(`cannot find module ${JSON.stringify(specifier)}, imported by ${importer}`) };
      },
    );
  }

  outcome(): FileOutcome {
    try {
      const [stop, error] = this.runFile();
      const ended = this.limit ?? stop;
      this.dispose();
      return {
        results: this.results,
        stop: ended,
        error: ended === "finished" ? "" : this.limit ? limitText(ended) : error,
        output: this.output,
      };
    } catch (error) {
      // An error of the engine itself, such as an overflow of its own stack. The instance cannot be used any more.
      return {
        results: this.results,
        stop: this.limit ?? "crashed",
        error: `the interpreter ended: ${(error as Error).message}`,
        output: this.output,
      };
    }
  }

  private runFile(): [TestStop, string] {
    const { context } = this;
    const created = context.evalCode(`(() => { ${this.harness}; return worker.createHarness; })()`, "<harness>");
    if (created.error) return this.failed(created.error, "crashed");
    const host = context.newObject();
    this.addFunction(host, "result", (name, passed, message) => {
      const result = { name: context.getString(name!), passed: context.dump(passed!) === true, message: context.getString(message!) };
      this.results.push(result);
      this.onResult(result);
    });
    this.addFunction(host, "print", (text) => this.print(context.getString(text!)));
    const harness = context.callFunction(created.value, context.undefined, host, context.true);
    if (harness.error) return this.failed(harness.error, "crashed");
    const handle = harness.value;
    this.defineModules(handle);
    this.deadline = performance.now() + this.run.limits.wallMs;
    const loaded = context.evalCode(`import ${JSON.stringify(this.run.path)};`, MAIN, { type: "module" });
    if (loaded.error) return this.failed(loaded.error, "load");
    const failure = this.settle(loaded.value, handle);
    if (failure) return this.failed(failure, "load");
    if (this.limit) return [this.limit, ""];
    if (context.getPromiseState(loaded.value).type === "pending") return ["load", "a top-level await never ends"];
    const ran = this.call(handle, "run");
    const error = this.settle(ran, handle);
    if (error) return this.failed(error, "crashed");
    return context.getPromiseState(ran).type === "fulfilled" ? ["finished", ""] : ["crashed", "the tests never end"];
  }

  /** Runs jobs and timers until the promise is settled, or nothing can settle it. Returns what it was rejected with. */
  private settle(promise: QuickJSHandle, harness: QuickJSHandle): QuickJSHandle | undefined {
    for (;;) {
      while (!this.isOver() && this.runtime.hasPendingJob()) {
        const { error } = this.runtime.executePendingJobs(JOBS_AT_ONCE);
        if (error) return error;
      }
      if (this.isOver()) return undefined;
      const state = this.context.getPromiseState(promise);
      if (state.type === "rejected") return state.error;
      if (state.type === "fulfilled") return undefined;
      if (this.context.dump(this.call(harness, "fireTimer")) === true) continue;
      if (this.runtime.hasPendingJob()) continue;
      this.call(harness, "failCurrent", this.context.newError("the promise of the test never settles"));
      if (!this.runtime.hasPendingJob()) return undefined;
    }
  }

  private load(name: string): string | { error: Error } {
    if (harnessModule(name)) return { error: new Error(`cannot find module ${JSON.stringify(name)}`) };
    const file = this.run.files.get(name);
    if (!file) return { error: new Error(`cannot find module ${JSON.stringify(name)}`) };
    if ("error" in file) return { error: Object.assign(new Error(`${name}: ${file.error}`), { name: "SyntaxError" }) };
    return name.endsWith(".json") ? `export default JSON.parse(${JSON.stringify(file.text)});` : file.text;
  }

  /** Loads the modules of the harness, whose exports are read from a global variable that is gone afterwards. */
  private defineModules(harness: QuickJSHandle): void {
    const { context, runtime } = this;
    const modules = context.getProp(harness, "modules");
    context.setProp(context.global, "harnessModules", modules);
    const names: Record<string, string[]> = JSON.parse(context.getString(context.getProp(harness, "exportNames")));
    for (const [name, exports] of Object.entries(names)) {
      const others = exports.filter((key) => key !== "default");
      const from = `globalThis.harnessModules[${JSON.stringify(name)}]`;
      const source = `export default ${from}.default; export const { ${others.join(", ")} } = ${from};`;
      context.unwrapResult(context.evalCode(source, name, { type: "module" })).dispose();
    }
    runtime.executePendingJobs();
    context.unwrapResult(context.evalCode("delete globalThis.harnessModules", MAIN)).dispose();
  }

  private call(object: QuickJSHandle, method: string, ...args: QuickJSHandle[]): QuickJSHandle {
    const { context } = this;
    return context.unwrapResult(context.callFunction(context.getProp(object, method), object, ...args));
  }

  private addFunction(object: QuickJSHandle, name: string, run: (...args: QuickJSHandle[]) => void): void {
    this.context.setProp(object, name, this.context.newFunction(name, run));
  }

  private print(text: string): void {
    const room = this.run.limits.outputBytes - this.output.length;
    this.output += text.slice(0, room);
    if (text.length > room) this.limit ??= "output";
  }

  /** Whether a limit was hit. The engine asks for it while code runs. */
  private isOver(): boolean {
    if (!this.limit && performance.now() > this.deadline) this.limit = "time";
    return this.limit !== undefined;
  }

  private failed(error: QuickJSHandle, stop: TestStop): [TestStop, string] {
    const read = (key: string) => {
      const value = this.context.getProp(error, key);
      return this.context.typeof(value) === "string" ? this.context.getString(value).slice(0, 1000) : "";
    };
    const isObject = this.context.typeof(error) === "object";
    const [name, message, stack] = isObject
      ? [read("name"), read("message"), read("stack")]
      : ["thrown", String(this.context.dump(error)).slice(0, 1000), ""];
    if (message === "out of memory") return ["memory", limitText("memory")];
    const text = [`${name}: ${message}`, ...stack.split("\n").filter(Boolean).slice(0, 4)].join("\n");
    return [name === "SyntaxError" && stop === "load" ? "syntax" : stop, text];
  }

  private dispose(): void {
    // Handles are freed with the instance of the engine, which is not used again.
    this.runtime.removeInterruptHandler();
  }
}

/** The message of a test file that a limit ended. */
export function limitText(stop: TestStop): string {
  return `the limit of ${stop === "output" ? "printed text" : stop} was reached`;
}
