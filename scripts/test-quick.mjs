// Checks the types and runs the quick tests, side by side. The types are checked by one thread, which leaves the other processors to the tests.
// Options are passed on to vitest.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const bin = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

async function run(script, ...args) {
  const [code] = await once(spawn(process.execPath, [script, ...args], { stdio: "inherit" }), "close");
  return code ?? 1;
}

const codes = await Promise.all([
  run(bin("typescript/bin/tsc"), "--noEmit", "--incremental", "--tsBuildInfoFile", "build/tsc.info"),
  run(bin("vitest/vitest.mjs"), "run", "--mode", "quick", ...process.argv.slice(2)),
]);
if (codes[0] !== 0) console.error("test:quick: the types have errors, see above");
process.exitCode = Math.max(...codes);
