import { signed } from "../../analysis/benchmark-claims.js";
import { type ComparisonRule, type CountingRule, comparisonRules, type Flops, type TrainingCost } from "../../analysis/index.js";
import { formatBytes } from "../../index.js";
import type { Analysis, BenchmarkReport } from "../reports/analysis.js";
import { memorySections } from "./memory-text.js";
import { count, table, wrapWords } from "./tables.js";
import { type Colours, visible } from "./terminal.js";

/** Formats an analysis as text of at most 80 columns. Long names may exceed them. */
export function analysisText(analysis: Analysis, rule: CountingRule, { bold, dim }: Colours): string {
  const { prompt, generation } = analysis.flops[rule];
  const sections = [
    parameterLines(analysis, { bold, dim }),
    [
      ...flopTable("FLOPs of generating", generation, dim),
      "",
      ...flopTable("FLOPs of a prompt in one pass", prompt, dim),
      dim("two per multiply-add of matmuls with weights (head included) and attention;"),
      dim(
        rule === "causal"
          ? "causal query-key pairs (--rule square: all n² pairs)"
          : "all n² query-key pairs (--rule causal: causal pairs only)",
      ),
    ],
    ...memorySections(analysis.memory, dim),
    ratioLines(analysis, dim),
    peerLines(analysis, dim),
    ...(analysis.claims.length > 0
      ? [[dim("reinforcement learning as reported: 512 H800 for three weeks"), ...costLines(analysis.reportedTrainingCost)]]
      : []),
  ];
  return `${bold(visible(analysis.name))}\n\n${indented(sections)}`;
}

function parameterLines(analysis: Analysis, { bold, dim }: Pick<Colours, "bold" | "dim">): string[] {
  const { blocks, parameterCount, activatedParameterCount, activatedWithEmbeddingAndHead, checkpointBytes } = analysis;
  const rows = blocks.map(({ block, parameters, activated, bytes }) => [
    block,
    count(parameters),
    activated === 0 ? "–" : count(activated),
    count(bytes),
  ]);
  const sums = ["total", count(parameterCount), count(activatedParameterCount), count(checkpointBytes)];
  return [
    ...table([["block", "parameters", "activated", "bytes"], ...rows, sums], dim),
    `${bold(billions(parameterCount))} parameters, ${formatBytes(checkpointBytes)} (${gigabytes(checkpointBytes)}) as stored`,
    `${bold(billions(activatedParameterCount))} activated per token; ${billions(activatedWithEmbeddingAndHead)} with embedding and head`,
  ];
}

/** Parts in the order of the forward pass. */
const FLOP_PARTS: readonly (readonly [key: keyof Flops, label: string])[] = [
  ["lightningProjections", "lightning projections"],
  ["lightningAttention", "lightning attention"],
  ["softmaxProjections", "softmax projections"],
  ["softmaxAttention", "softmax attention"],
  ["router", "router"],
  ["experts", "experts"],
  ["shared", "shared expert"],
  ["mlp", "dense MLP"],
  ["head", "head"],
  ["total", "total"],
];

function flopTable(title: string, columns: Analysis["flops"]["causal"]["prompt"], dim: Colours["dim"]): string[] {
  const rows = FLOP_PARTS.filter(([key]) => columns.some((column) => column[key] > 0)).map(([key, label]) => [
    label,
    ...columns.map((column) => flop(column[key])),
  ]);
  return table([[title, ...columns.map(({ tokens }) => count(tokens))], ...rows], dim);
}

const RULES: Readonly<Record<ComparisonRule, string>> = {
  causal: "causal, R1 expanded",
  square: "square, R1 expanded",
  causalAbsorbed: "causal, R1 absorbed",
  squareAbsorbed: "square, R1 absorbed",
};

function ratioLines({ ratioToDeepSeekR1, claims, readings }: Analysis, dim: Colours["dim"]): string[] {
  const rules = Object.keys(comparisonRules) as ComparisonRule[];
  const lengths = Object.keys(ratioToDeepSeekR1.causal).map(Number);
  const verdict = (rule: ComparisonRule, i: number) => (claims[i] ? (claims[i].holds[rule] ? " holds" : " does not") : "");
  const rows = rules.map((rule) => [
    RULES[rule],
    ...lengths.map((tokens, i) => `${percent(ratioToDeepSeekR1[rule][tokens]!)}${verdict(rule, i)}`),
  ]);
  const said =
    claims.length > 0
      ? [["claim of the report", ...claims.map(({ claimed }) => `${claimed === 0.5 ? "below " : "about "}${percent(claimed, 0)}`)]]
      : [];
  const ratios = table([["of DeepSeek-R1's FLOPs, tokens", ...lengths.map(count)], ...rows, ...said], dim);
  if (readings.length === 0) return ratios;
  const read = readings.map(({ model, tokens, flops, causal, square }) => [
    `${model}, ${count(tokens)}`,
    ...[flops, causal, square].map((value) => `${(value / 1e15).toFixed(1)} P`),
  ]);
  return [...ratios, "", ...table([["FLOPs in the report's figure 1", "read off", "causal", "square"], ...read], dim)];
}

function peerLines({ peers }: Analysis, dim: Colours["dim"]): string[] {
  const rows = peers.map(({ name, published, counted }) => [
    name,
    billions(counted.total),
    billions(counted.activated),
    billions(counted.activatedWithHead),
    `${published.parameters}, ${published.activated} B`,
  ]);
  return table([["counted from configurations", "parameters", "activated", "with head", "published"], ...rows], dim);
}

/** Formats the cost of a training run. */
export function costText(cost: TrainingCost): string {
  return indented([costLines(cost)]);
}

function costLines({ gpus, days, gpuHours, pricePerHour, dollars }: TrainingCost): string[] {
  const hours = `${amount(gpus)} GPUs · ${amount(days)} days · 24 h = ${amount(gpuHours)} GPU-hours`;
  return [hours, `${money(dollars)} in total, ${money(pricePerHour)} per GPU-hour`];
}

/** Formats the report's table of benchmarks, and the claims that it supports or refutes. */
export function benchmarkText(
  { models, benchmarks, leadsOf80kOver40k, tauBenchAverages, sweBenchVerified, claims }: BenchmarkReport,
  { bold, dim, green, red }: Colours,
): string {
  const initials = ["80k", "40k", "Qwen3", "R1-0528", "R1", "Seed", "Claude", "Gemini", "o3"];
  const scores = benchmarks.map(({ name, scores }) => [name, ...scores.map((score) => score?.toFixed(1) ?? "–")]);
  const averages = ["TAU-bench, mean", ...models.map(({ name }) => tauBenchAverages[name]?.toFixed(1) ?? "–")];
  const leads = leadsOf80kOver40k.map(({ benchmark, points, standardError, clear }) => [
    benchmark,
    signed(points),
    standardError?.toFixed(1) ?? "–",
    clear === undefined ? "not known" : clear ? "more than two" : "within two",
  ]);
  const swe = Object.entries(sweBenchVerified.leadsOf80k).map(([name, { points }]) => [
    name,
    signed(points),
    `${(Math.abs(points) / sweBenchVerified.standardError).toFixed(1)}`,
  ]);
  const verdicts = (reported: boolean) =>
    claims
      .filter((claim) => claim.reported === reported)
      .flatMap(({ claim, holds, because }) => [
        ...wrapWords(holds ? green("holds   ") : red("not so  "), claim.split(" ")),
        ...wrapWords("        ", because.split(" ")).map(dim),
      ]);
  const sections = [
    [
      ...table([["percent", ...initials], ...scores, averages], dim, 2),
      dim("80k, 40k: MiniMax-M1; Qwen3: 235B-A22B; Seed: Thinking-v1.5; Claude: 4 Opus;"),
      dim("Gemini: 2.5 Pro (06-05); LiveCodeBench: August 2024 to May 2025; HLE: text only"),
      dim("for M1, Qwen3, both R1; SWE-bench Verified: 486 of 500 tasks for M1; –: no score"),
    ],
    table([["80k over 40k", "points", "± one", "standard errors"], ...leads], dim),
    [
      ...table([["SWE-bench Verified, 80k over", "points", "standard errors"], ...swe], dim),
      dim(`56.0 % of ${sweBenchVerified.questions} tasks has a standard error of ${sweBenchVerified.standardError.toFixed(2)} points`),
    ],
    [dim("claims of the report, paraphrased"), ...verdicts(true)],
    [dim("further conclusions"), ...verdicts(false)],
  ];
  return `${bold("Benchmarks of the MiniMax-M1 report")} ${dim("(arXiv 2506.13585, table 2)")}\n\n${indented(sections)}`;
}

function indented(sections: readonly (readonly string[])[]): string {
  return sections.map((lines) => lines.map((line) => `  ${line}`.trimEnd().concat("\n")).join("")).join("\n");
}

/** Formats FLOPs with a unit prefix: `6.91 PFLOP`. */
function flop(value: number): string {
  const units = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}FLOP`;
}

function billions(value: number): string {
  if (value > Number.MAX_SAFE_INTEGER) return count(value);
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} B`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : count(value);
}

function gigabytes(bytes: number): string {
  if (bytes > Number.MAX_SAFE_INTEGER) return `${count(bytes)} bytes`;
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

function percent(ratio: number, digits = 1): string {
  const value = 100 * ratio;
  return `${value < 0.1 ? Number(value.toPrecision(2)) : value.toFixed(digits)} %`;
}

function amount(value: number): string {
  if (value > Number.MAX_SAFE_INTEGER) return count(value);
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

function money(dollars: number): string {
  if (dollars > Number.MAX_SAFE_INTEGER) return `$${count(dollars)}`;
  const digits = dollars < 1000 ? 2 : 0;
  return `$${dollars.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}
