// npm run study:cispo [-- --help]
//
// Does CISPO need half of DAPO's updates? Computes the verdict from the results, and with --run makes missing runs first.

import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkVerdict, readStudyOptions } from "../study-options.mjs";
import { bestRate, judge } from "./verdict.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const HELP = `npm run study:cispo [-- OPTION …]

Without options, computes the verdict from docs/cispo-study/results.jsonl. Exit code 1 if it differs from docs/cispo-study/verdict.json.

  --run            first makes missing runs, several at a time; an interrupted run begins again
  --jobs N         number of runs at a time (default: number of processors)
  --figure         draws docs/cispo-study.svg
  --write          replaces docs/cispo-study/verdict.json
  --config FILE    settings of another study (default: studies/cispo/config.json); also pass --folder
  --folder DIR     directory of results, warm starts and verdict (default: docs/cispo-study)
  --help`;

const options = readStudyOptions({
  help: HELP,
  defaultConfig: path("config.json"),
  defaultFolder: path("../../docs/cispo-study"),
});
const { config, configFile, folder, jobs } = options;
const resultsFile = `${folder}/results.jsonl`;

if (options.run) await runMissing();
const results = readResults();
if (results.length === 0) {
  console.error(`study: ${resultsFile}: expected results, got none (npm run study:cispo -- --run makes them, which takes hours)`);
  process.exit(1);
}
const verdicts = Object.keys(config.tasks).map((task) => judge(results, task, config));
for (const { task, goal, rates, seeds, headline, plateau, sweep, valid, clipped, verdict } of verdicts) {
  const missing = Object.keys(config.arms).filter((arm) => !(arm in rates));
  if (missing.length > 0) console.log(`${task}: without ${missing.join(", ")}, whose runs are not complete (--run)`);
  const number = ({ ratio, interval }) => `${ratio.toFixed(2)} (${interval.map((x) => x.toFixed(2)).join(" to ")})`;
  const { 0.5: half, 0.75: more } = sweep.cispo;
  const told = `(${plateau.conclusive ? "" : "inconclusive: "}no ratio above ${plateau.largest.toFixed(2)} can be seen)`;
  console.log(
    `${task}: CISPO needs ${number(half)} of DAPO's updates to half of the gain, ${number(more)} to three quarters and ${number(headline)} to the plateau of ${(100 * goal).toFixed(1)} % ${told}. ${seeds} seeds, each arm at its best learning rate (${rates.cispo}, ${rates.dapo}); DAPO clips ${(100 * clipped).toFixed(2)} %${valid ? "" : ", too little to compare"}. By the rules: ${verdict}.`,
  );
}
if (options.figure) {
  const { figure } = await import("./figure.mjs");
  writeFileSync(path("../../docs/cispo-study.svg"), await figure(results, verdicts, config));
}
checkVerdict(verdicts, options);

function readResults() {
  if (!existsSync(resultsFile)) return [];
  return readFileSync(resultsFile, "utf8")
    .split("\n")
    .flatMap((line, i, lines) => {
      if (line === "") return [];
      try {
        return [JSON.parse(line)];
      } catch {
        // The last line is incomplete if the study stopped while writing it. That run is repeated.
        if (i === lines.length - 1) return [];
        throw new Error(
          `study: ${resultsFile}: line ${i + 1}: expected a result as JSON, got ${JSON.stringify(line.slice(0, 60))} (remove the line; --run repeats the run)`,
        );
      }
    });
}

/**
 * Makes the missing runs arm by arm, so that complete arms can be judged early: pilot runs at every learning rate, then final runs at the
 * best one.
 */
async function runMissing() {
  const found = readResults();
  // Removes an incomplete last line, which the next line would otherwise continue.
  if (existsSync(resultsFile)) writeFileSync(resultsFile, found.map((run) => `${JSON.stringify(run)}\n`).join(""));
  const { learningRates, arms, pilot, final } = config;
  const tasks = Object.keys(config.tasks);
  await all(tasks.map((task) => ({ warmStart: task })).filter(({ warmStart }) => !existsSync(`${folder}/${warmStart}.safetensors`)));
  for (const arm of Object.keys(arms)) {
    await all(
      pilot.seeds.flatMap((seed) => learningRates.flatMap((lr) => tasks.map((task) => ({ task, arm, lr, seed, batches: pilot.batches })))),
    );
    const done = readResults();
    await all(
      final.seeds.flatMap((seed) =>
        tasks.map((task) => ({ task, arm, lr: bestRate(done, task, arm, config), seed, batches: final.batches })),
      ),
    );
  }
}

/** Runs the tasks that are not done yet, `jobs` at a time, each in a process of its own. */
async function all(asked) {
  const key = ({ task, arm, lr, seed }) => [task, arm, lr, seed].join();
  const done = new Set(readResults().map(key));
  const waiting = asked.filter((one) => one.warmStart || !done.has(key(one)));
  let finished = 0;
  const worker = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      const line = await inProcess(one);
      // One write per line, so that a reader never sees an incomplete one.
      if (!one.warmStart) appendFileSync(resultsFile, `${line}\n`);
      finished++;
      console.log(`${finished} of ${finished + waiting.length}: ${line.slice(0, 90)}…`);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: jobs }, worker));
  const failed = ends.find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
}

function inProcess(task) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path("worker.mjs"), configFile, folder, JSON.stringify(task)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
    });
    child.on("close", (code) =>
      code === 0 ? resolve(output.trim()) : reject(new Error(`study: ${JSON.stringify(task)}: exit code ${code}`)),
    );
  });
}
