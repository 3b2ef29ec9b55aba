// Applies each mutation of the table to a copy of the repository, runs the tests that must detect it, and prints which mutations were
// detected.
//
//     npm run test:mutations                all of them; two at a time
//     npm run test:mutations -- softmax     those whose file or text contains this word
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import { mutations } from "./table.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const COPIED = [
  "assembly",
  "asconfig.json",
  "build",
  "docs",
  "examples",
  "models",
  "package.json",
  "scripts",
  "src",
  "tests",
  "tsconfig.json",
];
const [word = ""] = process.argv.slice(2);
const chosen = mutations.filter(({ file, from }) => `${file} ${from}`.includes(word));

for (const { file, from } of mutations) {
  const found = existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8").split(from).length - 1 : 0;
  if (found !== 1) fail(`${file}: expected once, found ${found} times: ${from}\nKeep tests/mutations/table.mjs up to date with the code.`);
}

const copies = Array.from({ length: Math.min(2, availableParallelism(), chosen.length) }, makeCopy);
process.on("exit", () => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

// Without a mutation, all of these tests must pass, and each pattern must match some of them. Otherwise a failure proves nothing.
const tests = [...new Set(chosen.flatMap((one) => one.tests))];
const clean = await runTests(copies[0], { tests });
if (clean.failed !== 0 || clean.names.length === 0) fail(`the tests fail without a mutation:\n${clean.output}`);
const unnamed = chosen.filter(({ only }) => only && !clean.names.some((name) => new RegExp(only).test(name)));
if (unnamed.length > 0) fail(unnamed.map(({ file, from, only }) => `${file}: no test is named ${only}, for: ${from}`).join("\n"));

const queue = [...chosen];
const missed = [];
await Promise.all(
  copies.map(async (copy) => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const begin = performance.now();
      const caught = await isCaught(copy, one);
      if (!caught) missed.push(one);
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      console.log(`${caught ? "caught" : "MISSED"}  ${seconds.padStart(6)} s  ${one.file}: ${one.from}  →  ${one.to}`);
    }
  }),
);
console.log(`${chosen.length - missed.length} of ${chosen.length} mutations caught`);
process.exitCode = missed.length === 0 ? 0 : 1;

function fail(message) {
  console.error(`mutations: ${message}`);
  process.exit(1);
}

/** Copies what the tests need, with the packages of this repository. */
function makeCopy() {
  const copy = mkdtempSync(join(tmpdir(), "lightning-m1-mutations-"));
  for (const name of [...COPIED, "vitest.config.ts"])
    if (existsSync(join(root, name))) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

async function isCaught(copy, { file, from, to, tests, only }) {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  const built = ["simd.wasm", "simd.packed.js"].map((name) => join(copy, "build/wasm", name));
  const isKernel = dirname(file) === "assembly";
  const before = isKernel ? built.map((name) => readFileSync(name)) : [];
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  try {
    if (isKernel) await compile(copy, built);
    const { failed } = await runTests(copy, { tests, only });
    return failed > 0;
  } finally {
    writeFileSync(path, text);
    for (const [i, bytes] of before.entries()) writeFileSync(built[i], bytes);
  }
}

/** Compiles the kernels of the build simd, as scripts/build-wasm.mjs does. */
async function compile(copy, [wasm, packed]) {
  const asc = join(root, "node_modules/assemblyscript/bin/asc.js");
  const { code, output } = await run(copy, [asc, "--target", "simd", "--baseDir", copy]);
  if (code !== 0) fail(`a mutated kernel does not compile:\n${output}`);
  writeFileSync(packed, `export default "${deflateSync(readFileSync(wasm)).toString("base64")}";\n`);
}

async function runTests(copy, { tests, only }) {
  const report = join(copy, "build/mutations.json");
  rmSync(report, { force: true });
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const filter = only ? ["-t", only, "--bail", "1"] : [];
  const workers = ["--maxWorkers", only ? "1" : "2"];
  const { output } = await run(copy, [
    vitest,
    "run",
    "--project",
    "node",
    ...workers,
    "--reporter=json",
    `--outputFile=${report}`,
    ...filter,
    ...tests,
  ]);
  if (!existsSync(report)) fail(`no report of ${tests.join(", ")}:\n${output}`);
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failures = all
    .filter(({ status }) => status === "failed")
    .map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join("\n")}`);
  const broken = testResults.filter(({ status, assertionResults }) => status === "failed" && assertionResults.length === 0);
  return {
    failed: failures.length,
    names: all.map(({ fullName }) => fullName),
    output: [...failures, ...broken.map(({ name, message }) => `${name}: ${message}`)].join("\n") || output,
  };
}

function run(cwd, args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd, env: { ...process.env, CI: "", NO_COLOR: "1" } });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => {
        output += data;
      });
    child.on("close", (code) => resolve({ code, output }));
  });
}
