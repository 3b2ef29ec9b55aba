// Compiles assembly/ to build/wasm/. For each target it writes NAME.wasm, NAME.packed.js (the same bytes, compressed, as an ES module), and
// NAME.d.ts from the compiler. It also writes kernels.d.ts, the signatures of every kernel, and bundles the code of threads into strings:
// build/worker.js and others. It does nothing for sources that have not changed.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { deflateSync } from "node:zlib";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = join(root, "build/wasm");
const config = readFileSync(join(root, "asconfig.json"), "utf8");
/** Code that runs in threads and sandboxes, by the name of the string that contains it. */
const scripts = {
  worker: "src/runtime/worker.ts",
  reader: "src/io/reader-thread.ts",
  "reader-node": "src/node/reader-thread.ts",
  "test-harness": "src/environments/software/harness/harness.ts",
  "test-process": "src/environments/software/harness/test-process.ts",
  "quickjs-thread": "src/environments/software/quickjs-thread.ts",
};

/** Returns a source file and all files that it imports at run time. */
function withImports(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, target] of readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type\b)[^;]*?"(\.[^"]+)\.js";/gm)) {
    const path = join(dirname(file), `${target}.ts`);
    if (existsSync(path)) withImports(path, found);
  }
  return found;
}

const scriptFiles = new Set(Object.values(scripts).flatMap((file) => [...withImports(join(root, file))]));
const targets = Object.keys(JSON.parse(config).targets);

/** Runs `build` if the content of the files differs from that of the last run, whose hash is in the stamp. */
async function ifChanged(stampName, files, build) {
  const hash = createHash("sha256").update(config);
  for (const file of [fileURLToPath(import.meta.url), ...files]) hash.update(readFileSync(file));
  const stamp = hash.digest("hex");
  const stampFile = join(out, stampName);
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  await build();
  writeFileSync(stampFile, stamp);
}

mkdirSync(out, { recursive: true });
const assembly = readdirSync(join(root, "assembly")).sort();
await ifChanged(
  "stamp",
  assembly.map((name) => join(root, "assembly", name)),
  buildKernels,
);
await ifChanged("stamp-scripts", scriptFiles, bundleScripts);

/** Compiles a target in a thread of its own. Returns the errors, or undefined. */
async function compile(target) {
  const thread = new Worker(new URL("compile-target.mjs", import.meta.url), { workerData: { target, root } });
  const [error] = await once(thread, "message");
  return error;
}

async function buildKernels() {
  const errors = (await Promise.all(targets.map(compile))).filter((error) => error !== undefined);
  if (errors.length > 0) {
    console.error(errors.map((error) => `build-wasm: ${error}`).join("\n"));
    process.exit(1);
  }
  for (const target of targets) {
    const packed = deflateSync(readFileSync(join(out, `${target}.wasm`)), { level: 9 }).toString("base64");
    writeFileSync(join(out, `${target}.packed.js`), `export default "${packed}";\n`);
    writeFileSync(
      join(out, `${target}.packed.d.ts`),
      "/** zlib's format, in base64. */\ndeclare const packed: string;\nexport default packed;\n",
    );
  }
  // This interface has only the signatures of the kernels, and constants as numbers. The compiler's own file also declares how to instantiate
  // a module.
  const signatures = readFileSync(join(out, "simd.d.ts"), "utf8");
  const functions = [...signatures.matchAll(/^ {2}export function (.+);$/gm)].map(([, signature]) => `  ${signature};`);
  const globals = [...signatures.matchAll(/^ {2}export const (\w+): \{\n[^}]*get value\(\): number\n {2}\};?/gm)].map(
    ([, name]) => `  readonly ${name}: number;`,
  );
  // The arguments of kernels that end in a range, with and without a workspace before it.
  const ranged = (workspace) =>
    [...signatures.matchAll(/^ {2}export function (\w+)\((.+?(, ws: number)?, begin: number, end: number)\): void;$/gm)]
      .filter((match) => Boolean(match[3]) === workspace)
      .map(([, name, args]) => `  ${name}: [${args}];`);
  const declared = (name, members) => `export interface ${name} {\n${members.join("\n")}\n}\n`;
  writeFileSync(
    join(out, "kernels.d.ts"),
    declared("Kernels", [...functions, ...globals]) +
      declared("RangeKernelArguments", ranged(false)) +
      declared("WorkspaceKernelArguments", ranged(true)),
  );
  writeFileSync(join(out, "kernels.js"), "export {};\n");
}

async function bundleScripts() {
  const { build } = await import("esbuild");
  for (const [name, file] of Object.entries(scripts)) {
    const platform = name.endsWith("-node") ? "node" : "browser";
    const options = { bundle: true, format: "iife", globalName: "worker", minify: true, target: "es2022", write: false };
    const bundle = await build({ entryPoints: [join(root, file)], platform, ...options });
    writeFileSync(join(out, `../${name}.js`), `export const source = ${JSON.stringify(bundle.outputFiles[0].text.trim())};\n`);
    writeFileSync(join(out, `../${name}.d.ts`), "export declare const source: string;\n");
  }
}
