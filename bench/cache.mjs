// Creates files that the benchmarks need and keeps them, outside of version control: the compiled limits, and the bench model in every
// format.
import { existsSync, mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("cache/", import.meta.url));
mkdirSync(folder, { recursive: true });

export const cached = (name) => folder + name;

export const wasmFile = (build) => cached(`limits-${build}.wasm`);

/** Compiles the limits for every build, if the source is newer. */
export async function compileLimits(builds) {
  const source = fileURLToPath(new URL("assembly/limits.ts", import.meta.url));
  for (const build of builds) {
    const out = wasmFile(build);
    if (existsSync(out) && statSync(out).mtimeMs > statSync(source).mtimeMs) continue;
    const { main } = await import("assemblyscript/asc");
    const features = ["simd", ...(build === "relaxed" ? ["relaxed-simd"] : [])].flatMap((name) => ["--enable", name]);
    const flags = ["-O3", "--noAssert", "--runtime", "stub", "--importMemory", "--use", "abort=", ...features];
    const { error, stderr } = await main([source, "--outFile", out, ...flags]);
    if (error) throw new Error(`bench: limits (${build}): ${error.message}\n${stderr}`);
  }
}
