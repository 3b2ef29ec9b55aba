// npm run bench [-- --help]
//
// Measures the library, and others on the same work, group by group. Every whole group leaves its figures in bench/results/; RESULTS.md and
// the plot of the documentation are made from all that is there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compileLimits } from "./cache.mjs";
import { table } from "./table.mjs";

const GROUPS = [
  "products",
  "int8",
  "lightning",
  "attention",
  "threads",
  "model",
  "profile",
  "train",
  "rollouts",
  "long",
  "streaming",
  "pretrained",
];
/** Groups that accept --shapes. */
const SHAPED = ["products", "int8", "threads"];
const HELP = `npm run bench [-- OPTION …]

  --only GROUP,…      of ${GROUPS.join(", ")}
  --shapes MxKxN,…    rows × inputs × outputs, with --only ${SHAPED.join(", ")}
  --own               only this library; installs nothing
  --quick             checks that everything runs; its figures are meaningless
  --json FILE         writes the results to FILE
  --report            writes RESULTS.md and the plot from bench/results/
  --help

Without --own or --report the peers are installed once, about 800 MB. All groups take about an hour, of which long takes 15 minutes;
streaming needs 8 GB on the drive for temporary files, pretrained 4 GB.
Results of whole groups with their peers are stored in bench/results/, but not with --shapes, --own, --quick or --json.`;
const folder = fileURLToPath(new URL(".", import.meta.url));
const results = `${folder}results/`;
/** The packages that draw the plot, and the peers. */
const { dependencies, devDependencies } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));

const options = parseOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const listed = (values) => values?.flatMap((value) => value.trim().split(/\s*,\s*/));
const only = listed(options.only) ?? GROUPS;
const shapes = listed(options.shapes);
const unknown = only.find((name) => !GROUPS.includes(name));
if (unknown !== undefined) fail(`--only: expected ${GROUPS.join(", ")}, got ${JSON.stringify(unknown)}`);
const shape = shapes?.find((text) => !/^[1-9]\d*x[1-9]\d*x[1-9]\d*$/.test(text));
if (shape !== undefined) fail(`--shapes: expected MxKxN,…, got ${JSON.stringify(shape)}`);
const unshaped = only.filter((name) => !SHAPED.includes(name));
if (shapes && unshaped.length > 0) fail(`--shapes: expected with --only ${SHAPED.join(", ")}, got ${unshaped.join(", ")}`);
if (options.json !== undefined) expectWritable(options.json);

if (options.report) {
  if (!installed(dependencies) && !install("--omit=dev"))
    fail("--report: expected the packages that draw the plot, which could not be installed", 1);
  const { report } = await import("./report.mjs");
  await report(GROUPS);
  process.exit(0);
}
if (!options.own && !installed({ ...dependencies, ...devDependencies })) {
  console.log("bench: installing the peers into bench/node_modules (about 800 MB; --own measures without them)");
  if (!install()) console.log("bench: the peers could not be installed; those missing are reported as skipped");
}

// One of the engines is installed with the peers.
const { builds, engines } = await import("./engines.mjs");
await compileLimits(builds);
const machine = {
  processor: cpus()[0]?.model ?? "unknown processor",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  engines: Object.fromEntries(builds.map((build) => [build, engines[build].name])),
};
console.log(`${machine.processor}, ${machine.cores} cores; simd in ${machine.engines.simd}, relaxed in ${machine.engines.relaxed}`);

const kept = !shapes && !options.own && !options.quick && options.json === undefined;
if (!kept) console.log("bench: these figures are not kept in bench/results/, which has those of whole groups with their peers");

const effort = options.quick ? { rounds: 1, ms: 1 } : { rounds: 7, ms: 100 };
const reports = [];
for (const group of only) {
  console.log(`\n${group}\n`);
  const begin = performance.now();
  const { run } = await import(`./groups/${group}.mjs`);
  const figures = await run({ ...options, shapes: shapes?.join(","), ...effort, show: (heat) => console.log(`${table(heat)}\n`) });
  const seconds = Math.round((performance.now() - begin) / 1000);
  reports.push({ group, date: new Date().toISOString().slice(0, 10), seconds, machine, ...figures });
  console.log(`  ${group}: ${seconds} s`);
  // No contestant could run.
  if (figures.heats?.some(({ results }) => results.length === 0)) process.exitCode = 1;
  if (kept) {
    mkdirSync(results, { recursive: true });
    writeFileSync(`${results}${group}.json`, json(reports.at(-1)));
  }
}
if (options.json !== undefined) writeFileSync(options.json, json(reports));

function parseOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: "string", multiple: true },
        shapes: { type: "string", multiple: true },
        json: { type: "string" },
        quick: { type: "boolean", default: false },
        own: { type: "boolean", default: false },
        report: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    fail(error.message);
  }
}

function fail(message, exitCode = 2) {
  console.error(`bench: ${message} (--help shows the options)`);
  process.exit(exitCode);
}

/** Checks that the file can be written before the benchmarks run, because they can take an hour. */
function expectWritable(file) {
  try {
    writeFileSync(file, "", { flag: "a" });
  } catch (error) {
    fail(`--json: expected a file that can be written, got ${JSON.stringify(file)}: ${error.message}`);
  }
}

function installed(packages) {
  return Object.keys(packages).every((name) => existsSync(`${folder}node_modules/${name}`));
}

/**
 * Installs what the benchmarks need. Install scripts are skipped, because they download what is not needed here. GPU parts are left out.
 *
 * @returns whether npm succeeded
 */
function install(...omit) {
  const flags = ["ci", "--prefix", folder, "--ignore-scripts", "--omit=optional", ...omit, "--force", "--no-audit", "--no-fund"];
  return spawnSync("npm", flags, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

function json(value) {
  return `${JSON.stringify(value, (_, x) => (typeof x === "number" ? Number(x.toPrecision(6)) : x), 1)}\n`;
}
