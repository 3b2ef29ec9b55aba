import type { Kernels, RangeKernelArguments, WorkspaceKernelArguments } from "../../build/wasm/kernels.js";
import { LightningError } from "../base/errors.js";
import { printedJson } from "../base/printed.js";
import type { Heap } from "./heap.js";

/**
 * Every kernel's typed signature, as the AssemblyScript compiler wrote it: renaming a kernel breaks its callers here.
 * `RangeKernelArguments` and `WorkspaceKernelArguments` are the arguments of those over a range, without and with a workspace.
 */
export type { Kernels, RangeKernelArguments, WorkspaceKernelArguments };

/**
 * One source, several modules: `simd` runs everywhere and rounds every product; `relaxed` fuses multiply and add where
 * the engine has relaxed SIMD; `debug` keeps the kernels' assertions.
 */
export type Build = "simd" | "relaxed" | "debug";

/** Each build as a module of its own, compressed: a bundler that splits code fetches only the one that runs. */
const modules: Record<Build, () => Promise<{ default: string }>> = {
  simd: () => import("../../build/wasm/simd.packed.js"),
  relaxed: () => import("../../build/wasm/relaxed.packed.js"),
  debug: () => import("../../build/wasm/debug.packed.js"),
};

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** The builds that this engine can run, best first. */
export async function availableBuilds(): Promise<Build[]> {
  return (await supportsRelaxed()) ? ["relaxed", "simd", "debug"] : ["simd", "debug"];
}

/** Picks `build`, or the best one for `"auto"`, and compiles it once per process, for memory of one thread or shared by several. */
export async function compile(build: Build | "auto", shared = false): Promise<{ build: Build; module: WebAssembly.Module }> {
  if (build !== "auto" && !Object.hasOwn(modules, build)) {
    throw new LightningError(`build: expected auto, simd, relaxed or debug, got ${printedJson(build)}`);
  }
  if (typeof WebAssembly === "undefined") {
    throw new LightningError("build: this engine has no WebAssembly (Node 20 or later, or a current browser)");
  }
  const picked = build === "auto" ? ((await supportsRelaxed()) ? "relaxed" : "simd") : build;
  if (picked === "relaxed" && !(await supportsRelaxed())) {
    throw new LightningError(
      'build: relaxed: this engine has no relaxed SIMD (Node 22 or later, a current Chromium or Firefox, or node --experimental-wasm-relaxed-simd; build: "simd" runs everywhere)',
    );
  }
  const key = shared ? `${picked}, shared` : picked;
  let module = compiled.get(key);
  if (!module) {
    module = bytesOf(picked).then((bytes) => WebAssembly.compile(shared ? withSharedMemory(bytes) : bytes));
    compiled.set(key, module);
  }
  try {
    return { build: picked, module: await module };
  } catch (cause) {
    compiled.delete(key);
    if (cause instanceof LightningError) throw cause;
    throw new LightningError(
      `build: ${picked}: the kernels do not compile here (SIMD128 is required; a page's CSP must allow 'wasm-unsafe-eval')`,
      { cause },
    );
  }
}

/** Binds a compiled module to a heap. @returns its functions, and its constants as numbers */
export function instantiate(module: WebAssembly.Module, heap: Heap): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
  const entries = Object.entries(exports).map(([name, value]) => [name, value instanceof WebAssembly.Global ? value.value : value]);
  const kernels: Kernels = Object.fromEntries(entries);
  heap.reserve(kernels.heapBase);
  return kernels;
}

let relaxed: Promise<boolean> | undefined;

/** Whether relaxed multiply-add exists and computes what it should: validation alone does not say so. */
function supportsRelaxed(): Promise<boolean> {
  relaxed ??= bytesOf("relaxed").then(async (bytes) => {
    if (!WebAssembly.validate(bytes)) return false;
    try {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
      const { exports } = (await WebAssembly.instantiate(bytes, { env: { memory } })).instance;
      return (exports as unknown as Kernels).probe(3, 4, 5) === 17;
    } catch {
      return false;
    }
  });
  relaxed.catch(() => {
    relaxed = undefined;
  });
  return relaxed;
}

/** The import of the memory as it stands in a module: its name, its kind, and that it has a maximum. */
const MEMORY_IMPORT = [..."\x03env\x06memory\x02\x01"].map((char) => char.charCodeAt(0));

/** The same module for shared memory: one bit of the import says so. */
function withSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const at = bytes.findIndex((_, i) => MEMORY_IMPORT.every((byte, j) => bytes[i + j] === byte));
  if (at < 0) throw new LightningError("build: the kernels do not import their memory");
  const shared = bytes.slice();
  shared[at + MEMORY_IMPORT.length - 1]! |= 2;
  return shared;
}

/** @throws {LightningError} a part of the package that is missing, or an engine that cannot decompress it */
async function bytesOf(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { default: packed } = await modules[build]();
    const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new LightningError(
      `build: ${build}: the kernels cannot be read: ${(cause as Error).message} (a file of the bundle that is missing on the server, or an engine without DecompressionStream: Node 20 or later and current browsers have it)`,
      { cause },
    );
  }
}
