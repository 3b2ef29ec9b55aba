import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const built = (path: string) => fileURLToPath(new URL(`../dist/node/${path}`, import.meta.url));

// Node 20 has relaxed SIMD behind a flag; later versions have it on and do not know the flag.
const execArgv = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];

export default defineConfig({
  // For tests of a view's computing, which run in Node.
  resolve: {
    alias: [
      { find: /^lightning-m1\/(.*)$/, replacement: built("$1.js") },
      { find: /^lightning-m1$/, replacement: built("index.js") },
    ],
  },
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/support/server.ts",
    execArgv,
    maxWorkers: 2,
    // Pages of one file that are checked at a time.
    maxConcurrency: 2,
    testTimeout: 180_000,
    hookTimeout: 60_000,
    reporters: process.env.CI ? ["default", ["json", { outputFile: "../build/site-report.json" }]] : ["default"],
  },
});
