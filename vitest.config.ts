import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { checkpointService } from "./tests/support/checkpoint-service.js";
import { LongestFirst } from "./tests/support/longest-first.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const chromium = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
/** Chromium is the system's; the others are Playwright's (`npx playwright install firefox`). */
const ENGINES = ["chromium", "firefox", "webkit"] as const;
const engine = ENGINES.find((name) => name === (process.env.TEST_BROWSER ?? "chromium"));
if (!engine) throw new Error(`tests: TEST_BROWSER: expected ${ENGINES.join(", ")}, got ${JSON.stringify(process.env.TEST_BROWSER)}`);
const hasBrowser = engine !== "chromium" || chromium !== undefined;

/**
 * `vitest run --mode quick` leaves these out, and the browser: they start processes or servers, need `dist/`, wait for timeouts, take long,
 * or repeat the kernels of another build.
 */
const SLOW = [
  "tests/{cli,docs,package,studies}/**",
  "tests/checkpoint/{streamed,streamed-faults}.test.ts",
  "tests/conformance/node-{debug,relaxed}.test.ts",
  "tests/environments/software/{agent,cheats,grade,hostile,inject-bugs,repair-tasks}.test.ts",
  "tests/environments/tokens.test.ts",
  "tests/io/{byte-source,download-cache,fuzz,http-faults,mask-secrets,named-urls-source}.test.ts",
  "tests/model/bundled-model.test.ts",
  "tests/node/{directory-store,hub,save-journal}.test.ts",
  "tests/node-entry/run-in-directory.test.ts",
  "tests/remote/{against-server,browser,connection}.test.ts",
  "tests/rl/{evaluation,tasks}/**",
  "tests/rl/loop/collapse-detection.test.ts",
  "tests/runtime/threads.test.ts",
  "tests/serve/{socket,stress}.test.ts",
  "tests/synlogic/{grids,hostile,laws}.test.ts",
  "tests/text/encode-async.test.ts",
  "tests/train/trainer.test.ts",
];

const CHROMIUM_ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const quick = process.argv.some((arg, i) => arg === "--mode=quick" || (arg === "quick" && process.argv[i - 1] === "--mode"));

if (process.env.REQUIRE_BROWSER && !hasBrowser) {
  throw new Error("tests: REQUIRE_BROWSER is set and no Chromium was found (apt-get install chromium, or set CHROMIUM to its path)");
}
if (!hasBrowser && !quick)
  console.warn("tests: no Chromium found, the browser's half is not run (apt-get install chromium, or set CHROMIUM to its path)");

// Node 20 has relaxed SIMD behind a flag; later versions have it on and do not know the flag.
const execArgv = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];

/** Tests that replace modules, which other files of a worker must not see. */
const APART = ["tests/node/save-journal.test.ts", "tests/runtime/{page-threads,threads,wasm}.test.ts"];

/** Tests in Node. Without `isolate`, all files of a worker share one module graph, which saves a third of the processor time. */
function inNode(name: string, files: { include: string[]; exclude: string[]; isolate: boolean }): TestProjectConfiguration {
  return {
    resolve: {
      alias: {
        "#platform": source("./src/node/platform.ts"),
        "#sandbox": source("./src/node/sandbox.ts"),
        "#threads": source("./src/node/threads.ts"),
        "#websocket": source("./src/node/websocket.ts"),
        "#worker": source("./tests/support/worker-endpoint.ts"),
        "lightning-m1/model": source("./models/m1-puzzles/index.js"),
      },
    },
    test: {
      name,
      ...files,
      env: { TEST_QUICK: quick ? "1" : "" },
      pool: "forks",
      execArgv,
      testTimeout: 60_000,
      hookTimeout: 60_000,
      setupFiles: ["tests/support/setup.ts"],
    },
  };
}

export default defineConfig({
  test: {
    // One more than processors, because some tests mostly wait.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    reporters: process.env.CI ? ["default", ["json", { outputFile: "build/test-report.json" }]] : ["default"],
    projects: [
      inNode("node", {
        include: ["tests/**/*.test.ts"],
        exclude: ["tests/{browser,examples,gguf}/**", ...APART, ...(quick ? SLOW : [])],
        isolate: false,
      }),
      inNode("node-apart", { include: APART, exclude: quick ? SLOW : [], isolate: true }),
      ...(hasBrowser && !quick
        ? [
            {
              resolve: {
                alias: {
                  "#platform": source("./src/io/platform.ts"),
                  "#sandbox": source("./src/base/sandbox.ts"),
                  "#threads": source("./src/runtime/threads.ts"),
                  "#websocket": source("./src/io/websocket.ts"),
                  "#worker": source("./src/worker/worker-endpoint.ts"),
                  "lightning-m1/model": source("./models/m1-puzzles/index.js"),
                },
              },
              plugins: [checkpointService()],
              // Found only when a worker imports the server. The page would then be reloaded.
              optimizeDeps: { include: ["hono", "hono/cors", "hono/utils/buffer", "hono/utils/url"] },
              // Isolated, so that pages have shared memory and threads.
              server: { headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" } },
              test: {
                name: "browser",
                include: ["tests/browser/**/*.test.ts"],
                testTimeout: 60_000,
                hookTimeout: 60_000,
                setupFiles: ["tests/support/setup.ts"],
                browser: {
                  enabled: true,
                  headless: true,
                  screenshotFailures: false,
                  provider: playwright(
                    engine === "chromium" ? { launchOptions: { executablePath: chromium, args: CHROMIUM_ARGUMENTS } } : {},
                  ),
                  instances: [{ browser: engine }],
                },
              },
            },
          ]
        : []),
    ],
  },
});
