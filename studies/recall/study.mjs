// npm run study:recall [-- --help]
//
// Why is every eighth layer softmax attention? Computes the verdict from the runs, and with --run makes missing runs first.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkVerdict, readStudyOptions } from "../study-options.mjs";
import { bestRate, judge } from "./verdict.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const HELP = `npm run study:recall [-- OPTION …]

Without options, computes the verdict from the runs in docs/recall-study. Exit code 1 if it differs from docs/recall-study/verdict.json.

  --run            first makes missing runs, several at a time; an interrupted run begins again
  --jobs N         number of runs at a time (default: number of processors)
  --figure         draws docs/recall-study.svg
  --write          replaces docs/recall-study/verdict.json
  --config FILE    settings of another study (default: studies/recall/config.json); also pass --folder
  --folder DIR     directory of runs and verdict (default: docs/recall-study)
  --help`;

const options = readStudyOptions({
  help: HELP,
  defaultConfig: path("config.json"),
  defaultFolder: path("../../docs/recall-study"),
});
const { config, configFile, folder, jobs } = options;

const arms = Object.keys(config.arms);
const pilots = config.pilot.seeds.flatMap((seed) =>
  config.learningRates.flatMap((lr) => arms.map((arm) => ({ stage: "pilot", arm, lr, seed, steps: config.pilot.steps }))),
);
if (options.run) await makeMissing(pilots);
const pilotRuns = readRuns(pilots);
const finals = config.final.seeds.flatMap((seed) =>
  arms.map((arm) => ({ stage: "final", arm, lr: bestRate(pilotRuns, arm, config), seed, steps: config.final.steps })),
);
if (options.run) await makeMissing(finals);
const runs = readRuns(finals);
const result = judge(runs, config);
report(result);
if (options.figure) {
  const { figure } = await import("./figure.mjs");
  writeFileSync(path("../../docs/recall-study.svg"), await figure(runs, config));
}
checkVerdict(result, options);

/** The file of a run. */
function fileOf({ stage, arm, lr, seed }) {
  return `${folder}/${stage}-${arm}-${lr}-${seed}.json`;
}

function readRuns(wanted) {
  return wanted.map((one) => {
    const file = fileOf(one);
    if (!existsSync(file)) {
      console.error(`study: ${file}: expected a run, got none (npm run study:recall -- --run makes it)`);
      process.exit(1);
    }
    try {
      return JSON.parse(readFileSync(file, "utf8"));
    } catch (cause) {
      throw new Error(`study: ${file}: expected JSON (remove the file; --run repeats the run)`, { cause });
    }
  });
}

/** Makes the runs that have no file yet, `jobs` at a time, each in a process of its own. */
async function makeMissing(wanted) {
  const waiting = wanted.filter((one) => !existsSync(fileOf(one)));
  const total = waiting.length;
  let finished = 0;
  const work = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      await inProcess(one);
      finished++;
      console.log(`${finished} of ${total}: ${one.stage} ${one.arm}, learning rate ${one.lr}, seed ${one.seed}`);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: jobs }, work));
  const failed = ends.find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
}

function inProcess(one) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path("worker.mjs"), configFile, fileOf(one), JSON.stringify(one)], { stdio: "inherit" });
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`study: ${JSON.stringify(one)}: exit code ${code}`))));
  });
}

function report({ rates, parameters, seeds, measures, verdict }) {
  const percent = ({ mean, interval }) => `${(100 * mean).toFixed(1)} (${interval.map((x) => (100 * x).toFixed(1)).join(" to ")})`;
  console.log(`${seeds} seeds; parameters ${JSON.stringify(parameters)}; learning rates ${JSON.stringify(rates)}`);
  for (const [name, { accuracy, gap, gain, rest, verdict }] of Object.entries(measures)) {
    console.log(
      `${name}: ${arms.map((arm) => `${arm} ${percent(accuracy[arm])} %`).join(", ")}; softmax − lightning ${percent(gap)}, hybrid − lightning ${percent(gain)}, softmax − hybrid ${percent(rest)}: ${verdict}`,
    );
  }
  console.log(`By the rules: ${verdict}.`);
}
