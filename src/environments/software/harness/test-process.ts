// Runs one test file in a process of Node, inside of the sandbox. It is bundled into a script of its own, in CommonJS. Modules of the project
// are loaded from memory by the engine's own interface for modules, so that the harness decides what each of them may import.

import { harnessModule, resolveImport } from "../resolve-import.js";
import type { SourceFile } from "../test-report.js";
import { createHarness, type Harness } from "./harness.js";
import { describeError } from "./inspect.js";

/** What the process reads first. */
export interface TestProcessInput {
  readonly path: string;
  readonly sources: readonly (readonly [path: string, source: SourceFile])[];
  /** Files that lie in the folder of the project, for code that reads them. */
  readonly texts: readonly (readonly [path: string, text: string])[];
  readonly allowProcesses: boolean;
}

/** A record that the process writes. */
export type TestProcessRecord =
  | { readonly kind: "ready" }
  | { readonly kind: "result"; readonly name: string; readonly passed: boolean; readonly message: string }
  | { readonly kind: "failed"; readonly stop: "load" | "syntax"; readonly error: string }
  | { readonly kind: "done" };

/** The parts of Node that the process uses. They are captured before other code can replace them. */
export interface NodeParts {
  require(name: string): Record<string, unknown>;
  readonly builtins: readonly string[];
  readInput(): TestProcessInput;
  write(record: TestProcessRecord): void;
  exit(code: number): never;
}

/** Modules of Node that code may import. Others could reach into the harness, as `node:inspector` and `node:v8` do. */
const ALLOWED = new Set(
  (
    "assert async_hooks buffer console constants crypto diagnostics_channel dns dns/promises events fs fs/promises http http2 https net os " +
    "path path/posix path/win32 perf_hooks process punycode querystring readline readline/promises stream stream/consumers " +
    "stream/promises stream/web string_decoder sys timers timers/promises tls tty url util util/types zlib"
  ).split(" "),
);
const ALLOWED_WITH_PROCESSES = new Set(["child_process", "dgram", "worker_threads"]);

/** The parts of the engine's modules that are used here. They are not in the types of Node 20. */
interface Module {
  readonly identifier: string;
  readonly status: string;
  readonly namespace: object;
  link(linker: (specifier: string, importer: Module) => Module): Promise<void>;
  evaluate(): Promise<void>;
}
interface ModuleTypes {
  SourceTextModule: new (
    text: string,
    options: {
      identifier: string;
      initializeImportMeta(meta: Record<string, unknown>): void;
      importModuleDynamically(specifier: string, importer: Module): Promise<Module>;
    },
  ) => Module;
  SyntheticModule: new (
    names: string[],
    evaluate: (this: { setExport(name: string, value: unknown): void }) => void,
    options: { identifier: string },
  ) => Module;
}

export const PROJECT_FOLDER = "/tmp/project";

export async function runTestProcess(node: NodeParts): Promise<void> {
  const input = node.readInput();
  const { exit } = node;
  const write = (record: TestProcessRecord) => {
    try {
      node.write(record);
    } catch {
      // Code has closed the socket. Nothing can be reported any more.
      exit(1);
    }
  };
  writeFiles(node, input.texts);
  const { SourceTextModule, SyntheticModule } = node.require("vm") as unknown as ModuleTypes;
  const sources = new Map(input.sources);
  const modules = new Map<string, Module>();
  const host = {
    result: (name: string, passed: boolean, message: string) => write({ kind: "result", name, passed, message }),
    print: () => {},
  };
  const process = node.require("process") as unknown as typeof globalThis.process;
  const once = setImmediate;
  hideInternals(process);
  const harness: Harness = createHarness(host, false);
  let phase: "load" | "run" = "load";
  process.on("uncaughtException", (error) => harness.failCurrent(error));
  process.on("unhandledRejection", (error) => harness.failCurrent(error));
  process.on("beforeExit", () => {
    // Nothing is left that could settle the promise.
    if (phase === "load") {
      write({ kind: "failed", stop: "load", error: "a top-level await never ends" });
      exit(0);
    }
    harness.failCurrent(new Error("the promise of the test never settles"));
    once(() => {});
  });

  function define(name: string, exports: Readonly<Record<string, unknown>>): Module {
    const names = Object.keys(exports);
    return new SyntheticModule(
      names,
      function () {
        for (const key of names) this.setExport(key, exports[key]);
      },
      { identifier: name },
    );
  }

  function moduleOf(key: string, create: () => Module): Module {
    const known = modules.get(key);
    if (known) return known;
    const created = create();
    modules.set(key, created);
    return created;
  }

  function builtin(name: string): Module {
    return moduleOf(`node:${name}`, () => {
      const exports = node.require(name);
      return define(`node:${name}`, { ...exports, default: exports });
    });
  }

  function sourceModule(path: string): Module {
    return moduleOf(path, () => {
      const source = sources.get(path)!;
      if ("error" in source) throw new SyntaxError(`${path}: ${source.error}`);
      if (path.endsWith(".json")) return define(path, { default: JSON.parse(source.text) });
      return new SourceTextModule(source.text, {
        identifier: path,
        initializeImportMeta(meta) {
          const filename = `${PROJECT_FOLDER}/${path}`;
          Object.assign(meta, { url: `file://${filename}`, filename, dirname: filename.slice(0, filename.lastIndexOf("/")) });
        },
        async importModuleDynamically(specifier, importer) {
          const module = find(specifier, importer);
          if (module.status === "unlinked") await module.link(find);
          if (module.status === "linked") await module.evaluate();
          return module;
        },
      });
    });
  }

  function find(specifier: string, importer: Module): Module {
    const provided = harnessModule(specifier);
    if (provided === "node:test" && importer.identifier !== input.path) {
      throw new Error(`${importer.identifier}: cannot import "node:test": only test files can`);
    }
    if (provided) return moduleOf(provided, () => define(provided, harness.modules[provided]!));
    const path = resolveImport(importer.identifier, specifier, (file) => sources.has(file));
    if (path !== undefined) return sourceModule(path);
    const name = specifier.replace(/^node:/, "");
    if (node.builtins.includes(name)) {
      if (ALLOWED.has(name) || (input.allowProcesses && ALLOWED_WITH_PROCESSES.has(name))) return builtin(name);
      throw new Error(`${importer.identifier}: cannot import ${JSON.stringify(specifier)}: not available in the sandbox`);
    }
    throw new Error(`cannot find module ${JSON.stringify(specifier)}, imported by ${importer.identifier}`);
  }

  write({ kind: "ready" });
  try {
    const main = sourceModule(input.path);
    await main.link(find);
    await main.evaluate();
  } catch (error) {
    write({ kind: "failed", stop: error instanceof SyntaxError ? "syntax" : "load", error: describeError(error) });
    exit(0);
  }
  phase = "run";
  await harness.run();
  write({ kind: "done" });
  exit(0);
}

function writeFiles(node: NodeParts, texts: TestProcessInput["texts"]): void {
  const { mkdirSync, writeFileSync } = node.require("fs") as unknown as typeof import("fs");
  mkdirSync(PROJECT_FOLDER, { recursive: true });
  for (const [path, text] of texts) {
    const folder = path.split("/").slice(0, -1).join("/");
    if (folder) mkdirSync(`${PROJECT_FOLDER}/${folder}`, { recursive: true });
    writeFileSync(`${PROJECT_FOLDER}/${path}`, text);
  }
}

/** Removes the ways by which code gets modules of Node that it cannot import. */
function hideInternals(process: NodeJS.Process): void {
  process.chdir(PROJECT_FOLDER);
  for (const name of [
    "mainModule",
    "getBuiltinModule",
    "binding",
    "_linkedBinding",
    "dlopen",
    "_debugProcess",
    "_debugEnd",
    "_startProfilerIdleNotifier",
  ]) {
    if (name in process) Object.defineProperty(process, name, { value: undefined, writable: false, configurable: false });
  }
}
