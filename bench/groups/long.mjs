// Measures long contexts with three small models of the same size: with lightning attention in all layers, in seven of eight, and in none.
// It measures rates and memory at 1k, 10k, 100k and 1M tokens, with two threads. Where a whole prefill would take too long, it measures
// chunks over a cache that is declared full.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { checkpoint, sevenToOne, smallConfig } from "../bench-model.mjs";
import { engines } from "../engines.mjs";

const script = fileURLToPath(new URL("../ours/long.mjs", import.meta.url));
const THREADS = 2;

/**
 * The model has one small head, because the softmax layer of the hybrid computes n² / 2 pairs of positions, which is half a trillion at a
 * million tokens.
 */
const config = { ...smallConfig, num_attention_heads: 1, head_dim: 16, rotary_dim: 8 };

const models = [
  { name: "all lightning", types: sevenToOne.map(() => 0), whole: 1e6 },
  { name: "7:1", types: sevenToOne, whole: 1e6, abort: true },
  { name: "all softmax", types: sevenToOne.map(() => 1), whole: 1e5 },
];

export async function run({ quick }) {
  const marks = quick ? [64, 512, 2048] : [1e3, 1e4, 1e5, 1e6];
  const series = [];
  const skipped = [];
  for (const { name, types, whole, abort } of models) {
    const folder = await checkpoint(`long-${name.replace(/\W/g, "-")}`, { ...config, attn_type_list: types });
    const computed = quick ? marks.slice(0, whole < 1e6 ? 2 : 3) : marks.filter((mark) => mark <= whole);
    const filled = marks.filter((mark) => !computed.includes(mark));
    console.log(`  ${name}`);
    const points = [];
    try {
      await follow({ folder, marks: computed, filled, abort, ...(quick && { warmMs: 100 }) }, (point) => {
        points.push(point);
        console.log(`    ${describe(point)}`);
      });
    } catch (error) {
      console.log(`  skipped: ${name}: ${error.message}`);
      skipped.push({ name, build: "relaxed", engine: engines.relaxed.name, reason: error.message });
    }
    series.push({ name, points });
  }
  return { threads: THREADS, series, skipped };
}

/** Runs the script and passes on its lines as they arrive. @throws if the script fails, with the last lines that it wrote */
function follow(task, onPoint) {
  const { path, flags } = engines.relaxed;
  const child = spawn(path, [...flags, script, JSON.stringify(task)], {
    env: { ...process.env, BUILD: "relaxed", THREADS: String(THREADS) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let pending = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const lines = (pending + text).split("\n");
    pending = lines.pop();
    for (const line of lines) onPoint(JSON.parse(line));
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr = (stderr + text).slice(-2000);
  });
  return new Promise((resolve, reject) =>
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(stderr.match(/^\w*Error: .*/m)?.[0] ?? `exit code ${code}`)))),
  );
}

function describe({ position, filled, prefill, prefillHere, decodeHere, usedBytes, abort }) {
  const at = `${position.toLocaleString("en-US")} tokens`.padEnd(18);
  if (abort) return `${at} cancelled: ended ${abort.endedAfterMs.toFixed(0)} ms later, a chunk takes ${abort.chunkMs.toFixed(0)} ms`;
  const rates = `prefill there ${prefillHere.toFixed(0)} tokens/s, decode ${decodeHere.toFixed(0)}`;
  const whole = filled ? "over a filled cache" : `whole ${prefill.toFixed(0)} tokens/s`;
  return `${at} ${rates}, ${whole}, ${(usedBytes / 2 ** 20).toFixed(0)} MiB`;
}
