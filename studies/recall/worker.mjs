// node worker.mjs CONFIG FILE RUN: makes one run, and writes its result into a file.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { runOne } from "./one.mjs";

const [configFile, file, json] = process.argv.slice(2);
const result = await runOne(JSON.parse(json), JSON.parse(readFileSync(configFile, "utf8")));
// Renamed into place: a result that exists is complete.
writeFileSync(`${file}.tmp`, `${JSON.stringify(result)}\n`);
renameSync(`${file}.tmp`, file);
