// node worker.mjs CONFIG FOLDER TASK: makes one warm start or one run, and prints its result as a line of JSON.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { runArm, warmStart } from "./one.mjs";

const [configFile, folder, json] = process.argv.slice(2);
const config = JSON.parse(readFileSync(configFile, "utf8"));
const task = JSON.parse(json);
if (task.warmStart) {
  const { files, ...figures } = await warmStart(task.warmStart, config);
  const place = (ending, bytes) => {
    const path = `${folder}/${task.warmStart}.${ending}`;
    writeFileSync(`${path}.tmp`, bytes);
    renameSync(`${path}.tmp`, path);
  };
  // The weights come last and are renamed into place: if they exist, the warm start is complete.
  place("json", files.get("config.json"));
  place("safetensors", files.get("model.safetensors"));
  console.log(JSON.stringify({ warmStart: task.warmStart, ...figures }));
} else {
  const read = (ending) => new Uint8Array(readFileSync(`${folder}/${task.task}.${ending}`));
  const files = new Map([
    ["config.json", read("json")],
    ["model.safetensors", read("safetensors")],
  ]);
  console.log(JSON.stringify(await runArm(task, config, files)));
}
