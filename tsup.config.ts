import { copyFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Options } from "tsup";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The same sources twice: with the file system, the hub and Node's threads behind `#platform` and `#threads`, or with a page's. */
function build(name: "node" | "browser", entry: Record<string, string>, platform: string, threads: string): Options {
  return {
    entry,
    outDir: `dist/${name}`,
    format: "esm",
    platform: name === "node" ? "node" : "browser",
    target: "es2022",
    splitting: true,
    sourcemap: false,
    clean: true,
    // The model in the box stays a file of its own, which both platforms share.
    external: ["lightning-m1/model"],
    dts: name === "node" && {
      compilerOptions: { ignoreDeprecations: "6.0", stripInternal: true },
      banner: '/// <reference lib="esnext.disposable" />',
    },
    esbuildOptions(options) {
      options.alias = { "#platform": path(platform), "#threads": path(threads) };
      options.legalComments = "none";
      options.keepNames = true;
    },
  };
}

export default defineConfig([
  build(
    "node",
    {
      index: "src/index.ts",
      ops: "src/ops/index.ts",
      train: "src/train/index.ts",
      rl: "src/rl/index.ts",
      analysis: "src/analysis/index.ts",
      remote: "src/remote/index.ts",
      "ai-sdk": "src/ai-sdk/index.ts",
      serve: "src/serve/index.ts",
      cli: "src/cli/main.ts",
      // For the figures of studies; no entry of the package.
      picture: "src/cli/picture.ts",
    },
    "src/node/platform.ts",
    "src/node/threads.ts",
  ),
  {
    ...build(
      "browser",
      {
        index: "src/index.ts",
        ops: "src/ops/index.ts",
        train: "src/train/index.ts",
        rl: "src/rl/index.ts",
        analysis: "src/analysis/index.ts",
        remote: "src/remote/index.ts",
        "ai-sdk": "src/ai-sdk/index.ts",
        serve: "src/serve/index.ts",
      },
      "src/io/platform.ts",
      "src/runtime/threads.ts",
    ),
    async onSuccess() {
      mkdirSync(path("dist/wasm"), { recursive: true });
      for (const name of ["model.js", "model.d.ts"]) copyFileSync(path(`build/${name}`), path(`dist/${name}`));
      for (const name of ["simd", "relaxed", "debug"]) copyFileSync(path(`build/wasm/${name}.wasm`), path(`dist/wasm/${name}.wasm`));
    },
  },
]);
