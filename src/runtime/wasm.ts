import type { Kernels, RangeKernelArguments, WorkspaceKernelArguments } from "../../build/wasm/kernels.js";
import { LightningError } from "../base/errors.js";
import { printedJson } from "../base/printed.js";
import type { Heap } from "./heap.js";

/**
 * Signatures of all kernels. The AssemblyScript compiler generates them, so that the type check finds callers of a renamed kernel.
 * `RangeKernelArguments` and `WorkspaceKernelArguments` are the arguments of kernels over a range, without and with a workspace.
 */
export type { Kernels, RangeKernelArguments, WorkspaceKernelArguments };

/**
 * Builds of the kernels from one source. `simd` runs everywhere and rounds after every multiplication. `relaxed` fuses multiplication and
 * addition, and needs relaxed SIMD. `debug` is `simd` with the kernels' assertions.
 */
export type Build = "simd" | "relaxed" | "debug";

/** The builds. Each is a compressed ES module of its own, so that a bundler with code splitting fetches only the one that runs. */
const modules: Record<Build, () => Promise<{ default: string }>> = {
  simd: () => import("../../build/wasm/simd.packed.js"),
  relaxed: () => import("../../build/wasm/relaxed.packed.js"),
  debug: () => import("../../build/wasm/debug.packed.js"),
};

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** Returns the builds that this engine can run, with the best one first. */
export async function availableBuilds(): Promise<Build[]> {
  return (await supportsRelaxed()) ? ["relaxed", "simd", "debug"] : ["simd", "debug"];
}

/**
 * Compiles a build, once per process. `"auto"` is the best build that this engine can run.
 *
 * @param shared whether the module's memory is shared by several threads
 * @throws {LightningError} an unknown build, or a build that does not run here
 */
export async function compile(build: Build | "auto", shared = false): Promise<{ build: Build; module: WebAssembly.Module }> {
  if (build !== "auto" && !Object.hasOwn(modules, build)) {
    throw new LightningError(`build: expected auto, simd, relaxed or debug, got ${printedJson(build)}`);
  }
  if (typeof WebAssembly === "undefined") {
    throw new LightningError("build: this engine has no WebAssembly. Use Node 20 or later, or a current browser.");
  }
  const picked = build === "auto" ? ((await supportsRelaxed()) ? "relaxed" : "simd") : build;
  if (picked === "relaxed" && !(await supportsRelaxed())) {
    throw new LightningError(
      'build: relaxed: this engine has no relaxed SIMD. Use Node 22 or later, a current Chromium or Firefox, or node --experimental-wasm-relaxed-simd; build: "simd" runs everywhere.',
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
      `build: ${picked}: the kernels do not compile here. They need SIMD128, and in a page a CSP that allows 'wasm-unsafe-eval'.`,
      { cause },
    );
  }
}

/** Instantiates a module on a heap's memory. @returns its functions, and its constants as numbers */
export function instantiate(module: WebAssembly.Module, heap: Heap): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory: heap.memory } });
  const entries = Object.entries(exports).map(([name, value]) => [name, value instanceof WebAssembly.Global ? value.value : value]);
  const kernels: Kernels = Object.fromEntries(entries);
  heap.reserve(kernels.heapBase);
  return kernels;
}

let relaxed: Promise<boolean> | undefined;

/**
 * Returns whether the engine supports relaxed SIMD and computes its multiply-add and products of bytes correctly. Validation of a module
 * does not show the latter.
 */
function supportsRelaxed(): Promise<boolean> {
  relaxed ??= bytesOf("relaxed").then(async (bytes) => {
    if (!WebAssembly.validate(bytes)) return false;
    try {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
      const { exports } = (await WebAssembly.instantiate(bytes, { env: { memory } })).instance;
      const { probe, probeBytes } = exports as unknown as Kernels;
      return probe(3, 4, 5) === 17 && probeBytes(-127, 15) === -3810;
    } catch {
      return false;
    }
  });
  relaxed.catch(() => {
    relaxed = undefined;
  });
  return relaxed;
}

/** The bytes of a module's memory import: names, kind, and the flag for a maximum size. */
const MEMORY_IMPORT = [..."\x03env\x06memory\x02\x01"].map((char) => char.charCodeAt(0));

/** Converts a module for shared memory. Only one bit of the memory import differs. */
function withSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const at = bytes.findIndex((_, i) => MEMORY_IMPORT.every((byte, j) => bytes[i + j] === byte));
  if (at < 0) throw new LightningError("build: the kernels do not import their memory");
  const shared = bytes.slice();
  shared[at + MEMORY_IMPORT.length - 1]! |= 2;
  return shared;
}

/** Returns the bytes of a build. @throws {LightningError} a missing part of the package, or an engine that cannot decompress it */
async function bytesOf(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { default: packed } = await modules[build]();
    const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new LightningError(
      `build: ${build}: the kernels cannot be read: ${(cause as Error).message} (a file of the bundle is missing on the server, or the engine has no DecompressionStream, which Node 20 and current browsers have)`,
      { cause },
    );
  }
}
