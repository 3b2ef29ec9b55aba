// Measures a checkpoint of HypeNet-2B's exact shape with seeded weights: time and memory of the load, then prefill and decode, by dtype,
// number of threads and engine. Also checks that the streamed weights give the same tokens. The files are in the page cache as far as
// memory allows, and are deleted afterwards.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median } from "../contest.mjs";
import { builds, engines } from "../engines.mjs";
import { randomIds } from "../random.mjs";

const script = fileURLToPath(new URL("../ours/pretrained.mjs", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The same kind of model, small enough to check within seconds that everything runs. */
const small = {
  ...{ architectures: ["HypeNetForCausalLM"], model_type: "hypenet", torch_dtype: "bfloat16", tie_word_embeddings: true, vocab_size: 256 },
  ...{ hidden_size: 64, intermediate_size: 64, num_hidden_layers: 2, mixer_types: ["lightning-attn", "attn"], head_dim: 32 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, lightning_nh: 2, lightning_nkv: 2, lightning_head_dim: 32, hidden_act: "silu" },
  ...{ lightning_scale: "1/sqrt(d)", rms_norm_eps: 1e-6, rope_theta: 1e6, max_position_embeddings: 4096, attn_logits_scaling: "hype 500" },
};

const UNITS = { load: "s", loaded: "GiB", memory: "GiB", prefill: "tokens/s", decode: "tokens/s" };

export async function run({ quick, rounds }) {
  const { hypeNet2B, MiniMaxM1 } = await import("../../dist/node/index.js");
  const config = quick ? small : hypeNet2B;
  const vocabulary = quick ? small.vocab_size : hypeNet2B.vocabSize;
  const task = { ids: randomIds(quick ? 16 : 512, vocabulary, 5), tokens: quick ? 4 : 32, rounds: Math.min(rounds, 3) };
  const folder = mkdtempSync(join(tmpdir(), "lightning-m1-pretrained-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  try {
    const model = await MiniMaxM1.formula(config);
    await model.save(folder, { maxShardBytes: quick ? 1e5 : 1e9 });
    model.dispose();
    const heats = [];
    const skipped = [];
    for (const dtype of ["q8", "q4"]) {
      const results = [];
      for (const contestant of contestants(folder)) {
        const { name, build, engine, measure } = contestant;
        try {
          const measured = await measure({ ...task, options: { dtype } });
          if (!measured.steady) throw new Error("the progress of the load did not grow from 0 to 1");
          results.push({ name, build, engine: measured.engine ?? engine, info: measured.build, rates: ratesOf(measured) });
          console.log(`  ${dtype} ${describe(results.at(-1))}`);
        } catch (error) {
          console.log(`  skipped: ${dtype} ${name}: ${error.message.slice(0, 500)}`);
          skipped.push({ name: `${name} ${dtype}`, build, engine, reason: error.message.slice(0, 300) });
        }
      }
      await expectSameStreamed(folder, dtype, { ids: task.ids.slice(0, 8), tokens: 2, rounds: 1 });
      heats.push({ title: dtype, task: { ...task, dtype }, units: UNITS, results });
    }
    return { heats, skipped };
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** The library in Node, in every build, and in Chromium; on one and two threads. */
function contestants(folder) {
  const name = (where, threads) => ["lightning-m1", where, threads > 1 && `${threads} threads`].filter(Boolean).join(" ");
  const inNode = (build, threads) => ({
    name: name(build, threads),
    build,
    engine: engines[build].name,
    measure: (task) => runScript(build, threads, { folder, ...task }),
  });
  const inPage = (threads) => ({
    name: name("in a page", threads),
    build: "page",
    engine: "Chromium",
    async measure({ options, ...task }) {
      if (!existsSync(CHROMIUM)) throw new Error(`expected Chromium at ${CHROMIUM} (set CHROMIUM to its path)`);
      const { measureInChromium } = await import("../ours/pretrained-page.mjs");
      return measureInChromium({ folder, executable: CHROMIUM, ...task, options: { ...options, threads } });
    },
  });
  return [1, 2].flatMap((threads) => [...builds.map((build) => inNode(build, threads)), inPage(threads)]);
}

/** Runs the script of Node in a build. @returns what it prints */
async function runScript(build, threads, task) {
  const { path, flags } = engines[build];
  const env = { ...process.env, BUILD: build, THREADS: String(threads) };
  const { stdout } = await promisify(execFile)(path, [...flags, script, JSON.stringify(task)], { env, maxBuffer: 1e8 });
  return JSON.parse(stdout);
}

async function expectSameStreamed(folder, dtype, task) {
  const build = builds.at(-1);
  const [resident, streamed] = [
    await runScript(build, 2, { folder, ...task, options: { dtype } }),
    await runScript(build, 2, { folder, ...task, options: { dtype, residency: "streamed" } }),
  ];
  if (resident.generated.join() !== streamed.generated.join())
    throw new Error(`bench: ${dtype}: expected the tokens ${resident.generated} of resident weights, got ${streamed.generated}`);
  console.log(`  ${dtype}: the same ${resident.generated.length} tokens when streamed`);
}

function ratesOf({ loadSeconds, loadedBytes, reservedBytes, points }) {
  const of = (values) => ({ median: median(values), minimum: Math.min(...values), maximum: Math.max(...values) });
  return {
    load: of([loadSeconds]),
    loaded: of([loadedBytes / 2 ** 30]),
    memory: of([reservedBytes / 2 ** 30]),
    prefill: of(points.map(({ prefill }) => prefill)),
    decode: of(points.map(({ decode }) => decode)),
  };
}

function describe({ name, engine, rates }) {
  const { load, loaded, memory, prefill, decode } = Object.fromEntries(
    Object.entries(rates).map(([key, rate]) => [key, rate.median.toPrecision(3)]),
  );
  return `${name.padEnd(34)} ${engine}: loaded in ${load} s, ${loaded} GiB, later ${memory} GiB, prefill ${prefill}, decode ${decode} tokens/s`;
}
