import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isDeepStrictEqual, parseArgs } from "node:util";

/**
 * Reads the command line of a study, and its configuration. The folder stores a copy of the configuration, so that runs of another one are
 * never mixed with it. With --help, prints the help and ends the process.
 */
export function readStudyOptions({ help, defaultConfig, defaultFolder }) {
  const { values } = parseArgs({
    options: {
      ...{ run: { type: "boolean" }, jobs: { type: "string" }, figure: { type: "boolean" }, write: { type: "boolean" } },
      ...{ config: { type: "string" }, folder: { type: "string" }, help: { type: "boolean" } },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const { run = false, figure = false, write = false, config: configFile = defaultConfig, folder = defaultFolder } = values;
  const config = JSON.parse(readFileSync(configFile, "utf8"));
  const jobs = values.jobs === undefined ? availableParallelism() : Number(values.jobs);
  if (!(Number.isInteger(jobs) && jobs >= 1)) throw new Error(`study: --jobs: expected an integer of at least 1, got ${values.jobs}`);
  mkdirSync(folder, { recursive: true });
  const stored = `${folder}/config.json`;
  if (!existsSync(stored)) writeFileSync(stored, `${JSON.stringify(config, undefined, 2)}\n`);
  else if (!isDeepStrictEqual(JSON.parse(readFileSync(stored, "utf8")), config)) {
    throw new Error(
      `study: ${stored}: expected the configuration in ${configFile}, got another one (use another --folder for another study)`,
    );
  }
  return { run, figure, write, jobs, configFile, config, folder };
}

/** Compares a verdict with the committed one, or replaces that. Ends the process with exit code 1 if they differ. */
export function checkVerdict(verdict, { folder, write }) {
  const text = `${JSON.stringify(verdict, (_, x) => (typeof x === "number" ? Number(x.toPrecision(4)) : x), 1)}\n`;
  const committed = `${folder}/verdict.json`;
  if (write) writeFileSync(committed, text);
  else if (!existsSync(committed)) console.log(`no verdict in ${committed} yet (--write)`);
  else if (readFileSync(committed, "utf8") !== text) {
    console.error(`study: expected the verdict in ${committed}, got another one (--write replaces it)`);
    process.exit(1);
  }
}
