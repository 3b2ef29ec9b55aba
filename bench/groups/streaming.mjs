// Measures a checkpoint of 7 GiB with synthetic weights that is streamed with a budget of 1 GiB: how much of the reading overlaps with
// computation. Also checks the tokens, which must equal those of the model without files. The files are in the page cache as far as memory
// allows, and are deleted afterwards.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { sevenToOne, smallConfig } from "../bench-model.mjs";
import { median } from "../contest.mjs";
import { builds, engines } from "../engines.mjs";
import { randomIds } from "../random.mjs";

const script = fileURLToPath(new URL("../ours/streaming.mjs", import.meta.url));

/** A model of 3.7 billion parameters, 1.3 billion of them active. */
const large = {
  ...smallConfig,
  torch_dtype: "bfloat16",
  vocab_size: 20_000,
  hidden_size: 2048,
  intermediate_size: 4096,
  num_hidden_layers: 16,
  attn_type_list: [...sevenToOne, ...sevenToOne],
  num_attention_heads: 22,
  num_key_value_heads: 2,
  head_dim: 128,
  rotary_dim: 64,
  num_local_experts: 8,
};

export async function run({ quick, rounds }) {
  const config = quick ? { ...smallConfig, torch_dtype: "bfloat16" } : large;
  const task = {
    budgetBytes: quick ? 2 ** 18 : 2 ** 30,
    ids: randomIds(8, config.vocab_size, 5),
    tokens: quick ? 4 : 12,
    rounds: Math.min(rounds, 3),
  };
  const folder = mkdtempSync(join(tmpdir(), "lightning-m1-streaming-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  try {
    const expected = await write(config, folder, task);
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    console.log(`  ${gibibytes(bytes)} on disk, a budget of ${gibibytes(task.budgetBytes)}`);
    const results = [];
    const skipped = [];
    for (const build of builds) {
      for (const threads of [1, 2]) {
        const name = ["lightning-m1", build, threads > 1 && `${threads} threads`].filter(Boolean).join(" ");
        try {
          const points = await measure({ ...task, folder }, build, threads);
          const wrong = points.find(({ generated }) => generated.join() !== expected[build].join());
          if (wrong) throw new Error(`expected the tokens ${expected[build]}, got ${wrong.generated}`);
          const result = { name, build, engine: engines[build].name, rates: summary(points), memory: memoryOf(points) };
          results.push(result);
          console.log(`  ${describe(result)}`);
        } catch (error) {
          console.log(`  skipped: ${name}: ${error.message}`);
          skipped.push({ name, build, engine: engines[build].name, reason: error.message });
        }
      }
    }
    const title = `${gibibytes(bytes)} streamed under ${gibibytes(task.budgetBytes)}, prompt of ${task.ids.length}, then ${task.tokens} tokens`;
    return { heats: [{ title, task: { ...task, bytes }, units: UNITS, results }], skipped };
  } finally {
    process.off("exit", remove);
    remove();
  }
}

const UNITS = {
  hidden: "share of the reading time",
  hits: "share of the matrices found in memory",
  read: "GB",
  first: "seconds to the first token",
  decode: "tokens/s",
};

function summary(points) {
  const of = (value) => {
    const values = points.map(value);
    return { median: median(values), minimum: Math.min(...values), maximum: Math.max(...values) };
  };
  return {
    hidden: of(({ waitMs, readMs }) => Math.max(0, 1 - waitMs / readMs)),
    hits: of(({ hits, misses }) => hits / (hits + misses)),
    read: of(({ readBytes }) => readBytes / 1e9),
    first: of(({ firstSeconds }) => firstSeconds),
    decode: of(({ decode }) => decode),
  };
}

function memoryOf(points) {
  const most = (key) => Math.max(...points.map((point) => point[key]));
  // Later rounds of a process still hold what is left of earlier rounds.
  return { peakBytes: most("peakBytes"), reservedBytes: most("reservedBytes"), rssBytes: points[0].rssBytes };
}

/** Writes the checkpoint in several files. @returns the tokens that follow the prompt without any files, by build */
async function write(config, folder, { ids, tokens }) {
  const { MiniMaxM1 } = await import("../../dist/node/index.js");
  const model = await MiniMaxM1.formula(config);
  await model.save(folder, { maxShardBytes: config === large ? 1e9 : 1e5 });
  model.dispose();
  const expected = {};
  for (const build of builds) {
    const lines = await runScript(
      engines[build],
      fileURLToPath(new URL("../ours/formula.mjs", import.meta.url)),
      { config, ids, tokens },
      build,
      2,
    );
    [expected[build]] = lines;
  }
  return expected;
}

const measure = (task, build, threads) => runScript(engines[build], script, task, build, threads);

/** Runs the script. @returns its lines */
async function runScript({ path, flags }, file, task, build, threads) {
  const env = { ...process.env, BUILD: build, THREADS: String(threads) };
  const { stdout } = await promisify(execFile)(path, [...flags, file, JSON.stringify(task)], { env, maxBuffer: 1e8 });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function describe({ name, rates, memory }) {
  const { hidden, hits, read, first, decode } = Object.fromEntries(Object.entries(rates).map(([key, rate]) => [key, rate.median]));
  return `${name.padEnd(34)} ${percent(hidden)} of the reading hidden, ${percent(hits)} of the matrices there, ${read.toPrecision(3)} GB read, first token after ${first.toFixed(1)} s, ${decode.toPrecision(3)} tokens/s, ${gibibytes(memory.peakBytes)} in use at most, ${gibibytes(memory.rssBytes)} process`;
}

const percent = (share) => `${(100 * share).toFixed(0)} %`;
const gibibytes = (bytes) => (bytes < 2 ** 27 ? `${(bytes / 2 ** 20).toFixed(2)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`);
