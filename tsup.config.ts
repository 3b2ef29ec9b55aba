import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Options } from "tsup";

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/** Builds of the kernels. */
const BUILDS = ["simd", "relaxed", "debug"];

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The same sources twice: with Node's file system, hub, threads and sockets behind names such as `#platform`, or with a page's. */
function build(name: "node" | "browser", entry: Record<string, string>, aliases: Record<`#${string}`, string>): Options {
  return {
    entry,
    outDir: `dist/${name}`,
    format: "esm",
    platform: name === "node" ? "node" : "browser",
    target: "es2022",
    splitting: true,
    sourcemap: false,
    clean: true,
    // The addresses of the bundled model's files are a module of its own beside them, which both platforms share.
    external: ["lightning-m1/model"],
    // Development dependencies that are imported are bundled: small parts of packages that would multiply the size of an installation.
    esbuildPlugins: [withoutXet, commonJs, licences(name), ...(name === "node" ? [sharedData] : [])],
    dts: name === "node" && {
      compilerOptions: { ignoreDeprecations: "6.0", stripInternal: true },
      banner: '/// <reference lib="esnext.disposable" />',
    },
    esbuildOptions(options) {
      // Node's own build of yaml is CommonJS, which requires Node's modules at run time.
      const own = Object.fromEntries(Object.entries(aliases).map(([alias, file]) => [alias, path(file)]));
      options.alias = { ...own, yaml: path("node_modules/yaml/browser/index.js") };
      options.legalComments = "none";
      // Indentation is a fifth of the code. Lines stay short, so that positions in stack traces mean something.
      options.minifyWhitespace = true;
      options.minifySyntax = true;
      options.lineLimit = 140;
    },
    onSuccess: async () => joinStrings(`dist/${name}`),
  };
}

/** Joins strings that the line limit has broken, because bundlers look for the literal address of the worker's script. */
function joinStrings(folder: string): void {
  for (const file of readdirSync(path(folder)).filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(path(`${folder}/${file}`), "utf8");
    const joined = text.replace(/(?<!\\)((?:\\\\)*)\\\n/g, "$1");
    if (joined !== text) writeFileSync(path(`${folder}/${file}`), joined);
  }
}

const browser = build(
  "browser",
  {
    index: "src/index.ts",
    ops: "src/ops/index.ts",
    train: "src/train/index.ts",
    rl: "src/rl/index.ts",
    environments: "src/environments/index.ts",
    analysis: "src/analysis/index.ts",
    remote: "src/remote/index.ts",
    "ai-sdk": "src/ai-sdk/index.ts",
    serve: "src/serve/index.ts",
    worker: "src/worker/index.ts",
    // Data, which the build for Node imports from here.
    "repair-tasks": "src/environments/software/tasks/repair-tasks.json",
    ...Object.fromEntries(BUILDS.map((name) => [`${name}.packed`, `build/wasm/${name}.packed.js`])),
  },
  {
    "#platform": "src/io/platform.ts",
    "#sandbox": "src/base/sandbox.ts",
    "#threads": "src/runtime/threads.ts",
    "#websocket": "src/io/websocket.ts",
    "#worker": "src/worker/worker-endpoint.ts",
  },
);

/**
 * Finds the bundled model in the folder `model` beside the script. A worker imports this script too, and must not have dynamic imports, so
 * that every bundler can build it.
 */
const standalone: Plugin = {
  name: "standalone",
  setup(build) {
    const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    const contents = `export const files = new Map(${JSON.stringify(names)}.map((name) => [name, new URL("model/" + name, SCRIPT_URL)]));`;
    build.onResolve({ filter: /^lightning-m1\/model$/ }, ({ path }) => ({ path, namespace: "standalone" }));
    build.onLoad({ filter: /.*/, namespace: "standalone" }, () => ({ contents }));
  },
};

/** Leaves the writer of GGUF files out of the standalone build, which has no parts that load only when asked for. */
const withoutGguf: Plugin = {
  name: "without-gguf",
  setup(build) {
    const message = "gguf: not part of lightning-m1/standalone (import lightning-m1, or run npx lightning-m1 export)";
    const contents = `import { InputError } from "./src/base/errors.ts";
      const fail = () => { throw new InputError(${JSON.stringify(message)}); };
      export { fail as exportCheckpoint, fail as saveModel };`;
    build.onResolve({ filter: /\/gguf\/index\.js$/ }, ({ path: name }) => ({ path: name, namespace: "without-gguf" }));
    build.onLoad({ filter: /.*/, namespace: "without-gguf" }, () => ({ contents, resolveDir: path(".") }));
  },
};

/** Takes the repair tasks and the kernels from the build for browsers, so that the package contains them once. */
const sharedData: Plugin = {
  name: "shared-data",
  setup(build) {
    build.onResolve({ filter: /\/(repair-tasks\.json|\w+\.packed\.js)$/ }, ({ path }) => {
      return { path: `../browser/${basename(path).replace(/\.json$/, ".js")}`, external: true };
    });
  },
};

/** Leaves out the Xet protocol, which the hub's client imports and which nothing here calls. */
const withoutXet: Plugin = {
  name: "without-xet",
  setup(build) {
    build.onResolve({ filter: /^@huggingface\/xetchunk-wasm$/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
  },
};

/**
 * Bundles the package ws, which is CommonJS, into one module beforehand. Its calls of `require` for Node's modules would fail in a module
 * otherwise.
 */
const commonJs: Plugin = {
  name: "common-js",
  setup({ onLoad, esbuild }) {
    onLoad({ filter: /node_modules\/ws\/wrapper\.mjs$/ }, async ({ path }) => {
      const { outputFiles } = await esbuild.build({
        stdin: { contents: 'export { WebSocket, WebSocketServer } from "./wrapper.mjs";', resolveDir: dirname(path) },
        ...{ bundle: true, write: false, format: "esm", platform: "node", external: ["bufferutil", "utf-8-validate"] },
        banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      });
      return { contents: outputFiles![0]!.text, loader: "js" };
    });
  },
};

/** Writes the licences of the packages whose code is in the output, to LICENSES.txt beside it. */
function licences(name: string): Plugin {
  return {
    name: "licences",
    setup(build) {
      build.initialOptions.metafile = true;
      build.onEnd(({ metafile }) => {
        const outputs = Object.values(metafile?.outputs ?? {}).flatMap(({ inputs }) => Object.entries(inputs));
        const files = outputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file);
        const packages = new Set(files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []));
        const notices = [...packages].sort().map((name) => `${name}\n\n${licenceOf(path(`node_modules/${name}`))}`);
        mkdirSync(path(`dist/${name}`), { recursive: true });
        writeFileSync(path(`dist/${name}/LICENSES.txt`), notices.join(`\n${"-".repeat(80)}\n\n`));
      });
    },
  };
}

function licenceOf(folder: string): string {
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map((name) => join(folder, name)).find(existsSync);
  if (!file) throw new Error(`${folder}: expected a file LICENSE, got none`);
  return readFileSync(file, "utf8");
}

export default defineConfig([
  build(
    "node",
    {
      index: "src/index.ts",
      ops: "src/ops/index.ts",
      train: "src/train/index.ts",
      rl: "src/rl/index.ts",
      environments: "src/environments/index.ts",
      analysis: "src/analysis/index.ts",
      remote: "src/remote/index.ts",
      "ai-sdk": "src/ai-sdk/index.ts",
      serve: "src/serve/index.ts",
      worker: "src/worker/index.ts",
      // The script of the thread that `worker` starts; no entry of the package.
      "lightning-m1-worker": "src/worker/lightning-m1-worker.ts",
      node: "src/node-entry/index.ts",
      cli: "src/cli/main.ts",
      // For the figures of studies; no entry of the package.
      figure: "src/cli/figures/figure.ts",
    },
    {
      "#platform": "src/node/platform.ts",
      "#sandbox": "src/node/sandbox.ts",
      "#threads": "src/node/threads.ts",
      "#websocket": "src/node/websocket.ts",
      "#worker": "src/node/worker-endpoint.ts",
    },
  ),
  {
    ...browser,
    async onSuccess() {
      joinStrings("dist/browser");
      mkdirSync(path("dist/wasm"), { recursive: true });
      for (const name of BUILDS) copyFileSync(path(`build/wasm/${name}.wasm`), path(`dist/wasm/${name}.wasm`));
      // Bundlers follow `new URL("./lightning-m1-worker.js", import.meta.url)` to this file.
      const worker = 'import { serveWorker } from "../standalone/lightning-m1.js";\nserveWorker();\n';
      writeFileSync(path("dist/browser/lightning-m1-worker.js"), worker);
    },
  },
  // One file with everything inside, for pages and workers without a bundler, and for the worker of pages with one.
  {
    ...browser,
    entry: { "lightning-m1": "src/worker/standalone.ts" },
    outDir: "dist/standalone",
    splitting: false,
    minify: true,
    noExternal: [/./],
    external: [],
    // Bundlers that build a worker from this script must not find the address of that worker in it. Turbopack follows constants, but no calls.
    define: { "import.meta.url": "SCRIPT_URL" },
    banner: { js: "const SCRIPT_URL = String(import.meta.url);" },
    esbuildPlugins: [standalone, withoutGguf, licences("standalone")],
    async onSuccess() {
      joinStrings("dist/standalone");
      const names = ["index.js", "index.d.ts", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
      for (const name of names) cpSync(path(`models/m1-puzzles/${name}`), path(`dist/standalone/model/${name}`));
      writeFileSync(path("dist/standalone/lightning-m1.d.ts"), 'export * from "../node/index.js";\nexport * from "../node/worker.js";\n');
      writeFileSync(path("dist/standalone/lightning-m1-worker.js"), 'import { serveWorker } from "./lightning-m1.js";\nserveWorker();\n');
    },
  },
]);
