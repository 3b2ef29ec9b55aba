// npm run bench [-- --only GROUP,… --shapes MxKxN,… --json FILE --quick --own --report]
//
// Measures the library, and others on the same work, group by group. Every group leaves its figures in bench/results/; RESULTS.md and
// the plot of the documentation are made from all that is there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileLimits } from "./cache.mjs";
import { builds, engines } from "./engines.mjs";
import { table } from "./table.mjs";

const GROUPS = ["products", "int8", "lightning", "attention", "threads", "model", "profile", "long"];
const folder = fileURLToPath(new URL(".", import.meta.url));
const results = `${folder}results/`;

const options = parseOptions();
const only = options.only?.split(",") ?? GROUPS;
const unknown = only.find((name) => !GROUPS.includes(name));
if (unknown !== undefined) fail(`--only: expected ${GROUPS.join(", ")}, got ${unknown}`);

if (!options.own && !existsSync(`${folder}node_modules`)) install();
if (options.report) {
  const { report } = await import("./report.mjs");
  await report(GROUPS);
  process.exit(0);
}

await compileLimits(builds);
const machine = {
  processor: cpus()[0]?.model ?? "unknown processor",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  engines: Object.fromEntries(builds.map((build) => [build, engines[build].name])),
};
console.log(`${machine.processor}, ${machine.cores} cores; simd in ${machine.engines.simd}, relaxed in ${machine.engines.relaxed}`);

const effort = options.quick ? { rounds: 1, ms: 1 } : { rounds: 7, ms: 100 };
const reports = [];
for (const group of only) {
  console.log(`\n${group}\n`);
  const begin = performance.now();
  const { run } = await import(`./groups/${group}.mjs`);
  const figures = await run({ ...options, ...effort, show: (heat) => console.log(`${table(heat)}\n`) });
  const seconds = Math.round((performance.now() - begin) / 1000);
  reports.push({ group, date: new Date().toISOString().slice(0, 10), seconds, machine, ...figures });
  console.log(`  ${group}: ${seconds} s`);
  if (!options.json && !options.quick) {
    mkdirSync(results, { recursive: true });
    writeFileSync(`${results}${group}.json`, json(reports.at(-1)));
  }
}
if (options.json) writeFileSync(options.json, json(reports));

function parseOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: "string" },
        shapes: { type: "string" },
        json: { type: "string" },
        quick: { type: "boolean", default: false },
        own: { type: "boolean", default: false },
        report: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    fail(error.message);
  }
}

function fail(message) {
  console.error(`bench: ${message} (--only ${GROUPS.join(",")} --shapes MxKxN,… --json FILE --quick --own --report)`);
  process.exit(2);
}

/** The peers, once: without their install scripts, which download what is not needed here, and without GPU parts. */
function install() {
  console.log("bench: installing the peers into bench/node_modules (about 800 MB; --own measures without them)");
  const flags = ["ci", "--prefix", folder, "--ignore-scripts", "--omit=optional", "--force", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", flags, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) console.log("bench: the peers could not be installed; those missing are reported as skipped");
}

function json(value) {
  return `${JSON.stringify(value, (_, x) => (typeof x === "number" ? Number(x.toPrecision(6)) : x), 1)}\n`;
}
