import { basename } from "node:path";
import { defineCommand } from "citty";
import { type CountingRule, compareGeneration, trainingCost } from "../../analysis/index.js";
import type { Graph } from "../../index.js";
import { benchmarkFigure } from "../figures/benchmark-figure.js";
import { comparisonFigure } from "../figures/comparison-figure.js";
import { type Figure, FORMATS, formatOf, writeFigure } from "../figures/figure.js";
import { requireFigurePackages } from "../figures/optional-packages.js";
import { describedModel, PUBLISHED_MODEL, readGraph } from "../inputs/model-graph.js";
import { commonOptions, type ListRange, listOption, type NumberRange, numberOption, UsageError } from "../options.js";
import { analyzeGraph, benchmarkReport } from "../reports/analysis.js";
import { analysisText, benchmarkText, costText } from "../text/analysis-text.js";
import { count } from "../text/tables.js";
import { type Terminal, visible } from "../text/terminal.js";

const COST_OPTIONS = { gpus: "gpus", days: "days", price: "pricePerHour", dollars: "dollars" } as const;

/**
 * Computes the parameters, FLOPs, memory and training cost of a model from its configuration, and compares them with the report's
 * figures. Loads no weights.
 */
export const analyze = defineCommand({
  meta: { name: "analyze", description: "Compute parameters, FLOPs, memory and costs; check the report's figures" },
  args: {
    model: describedModel,
    tokens: { type: "string", valueHint: "1k,64k", description: "Lengths for FLOPs, in tokens (default: 1024,65536,1048576)" },
    rule: { type: "enum", options: ["causal", "square"], description: "Rule for counting query-key pairs (default: causal)" },
    context: { type: "string", valueHint: "4k,1M", description: "Lengths for memory, in tokens (default: 4096,131072,1048576)" },
    batch: { type: "string", valueHint: "n", description: "Number of sequences for memory (default: 1)" },
    benchmarks: { type: "boolean", description: "Print the report's benchmarks and check its claims instead" },
    figure: {
      type: "string",
      valueHint: "file",
      description: "Draw the report's figure (.svg, .png) or write its data (.json) instead",
    },
    dark: { type: "boolean", description: "Draw the figure for a dark background" },
    gpus: { type: "string", valueHint: "n", description: "GPUs of a training run; of these four options, give three" },
    days: { type: "string", valueHint: "x", description: "Days of a training run" },
    price: { type: "string", valueHint: "x", description: "Price per GPU-hour in dollars" },
    dollars: { type: "string", valueHint: "x", description: "Total cost of a training run in dollars" },
    json: { type: "boolean", description: "Print JSON with unrounded numbers" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const { out, err, signal } = terminal;
    const onWarning = (message: string) => terminal.note(`${err.yellow("warning:")} ${visible(message)}`);
    const format = args.figure === undefined ? undefined : formatOf(args.figure);
    const costs = Object.keys(COST_OPTIONS).filter((name) => args[name as keyof typeof COST_OPTIONS] !== undefined);
    checkTogether(args, costs);
    if (format === "svg" || format === "png") requireFigurePackages("--figure", format);

    if (costs.length > 0) {
      const cost = trainingCost(costOptions(args, costs));
      return terminal.print(args.json ? json(cost) : costText(cost));
    }
    if (args.benchmarks) {
      const report = benchmarkReport();
      if (args.figure !== undefined) return draw(args.figure, benchmarkFigure(report));
      return terminal.print(args.json ? json(report) : benchmarkText(report, out));
    }
    const lengths = listOption(args, "tokens", LENGTHS) ?? [1024, 65_536, 1_048_576];
    const asked = listOption(args, "context", LENGTHS);
    const batch = numberOption(args, "batch", BATCH_RANGE) ?? 1;
    const { name, graph } = await readGraph(args.model ?? PUBLISHED_MODEL, { signal, onWarning });
    if (args.figure !== undefined)
      return draw(args.figure, comparisonFigure(compareGeneration(graph, visible(basename(name)).slice(0, 40))));
    const analysis = analyzeGraph(name, graph, { lengths, contexts: contextsOf(graph, asked), batch });
    await terminal.print(args.json ? json(analysis) : analysisText(analysis, (args.rule ?? "causal") as CountingRule, out));

    async function draw(path: string, figure: Figure): Promise<void> {
      await writeFigure(path, figure, args.dark ?? false);
      terminal.note(err.dim(`${visible(path)}: ${figure.title}`));
    }
  },
});

type Given = Readonly<Record<string, unknown>>;

/** Checks combinations of options. @throws {UsageError} mutually exclusive options */
function checkTogether(args: Given, costs: readonly string[]): void {
  const { figure, dark, benchmarks, model, tokens, rule, context, batch, json } = args;
  if (dark && figure === undefined) throw new UsageError("--dark: expected with --figure");
  if (typeof figure === "string" && !formatOf(figure)) {
    throw new UsageError(
      `--figure: expected a file that ends in ${FORMATS.map((format) => `.${format}`).join(", ")}, got ${JSON.stringify(figure)}`,
    );
  }
  const instead = costs.length > 0 ? `--${costs[0]}` : benchmarks ? "--benchmarks" : figure !== undefined ? "--figure" : undefined;
  if (!instead) return;
  const others = {
    ...(instead !== "--figure" && { MODEL: model }),
    "--tokens": tokens,
    "--rule": rule,
    "--context": context,
    "--batch": batch,
    ...(costs.length > 0 && { "--figure": figure, "--benchmarks": benchmarks || undefined }),
    ...(figure !== undefined && { "--json": json || undefined }),
  };
  const [superfluous] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (superfluous) throw new UsageError(`${superfluous}: expected without ${superfluous === "--json" ? "--figure" : instead}`);
}

/** Returns the options of `trainingCost`. @throws {UsageError} invalid numbers, or fewer than three */
function costOptions(args: Given, given: readonly string[]) {
  if (given.length < 3) {
    throw new UsageError(
      `${Object.keys(COST_OPTIONS)
        .map((name) => `--${name}`)
        .join(", ")}: expected three of them, got ${given.map((name) => `--${name}`).join(", ")}`,
    );
  }
  const values = Object.entries(COST_OPTIONS).map(([name, option]) => [
    option,
    numberOption(args, name, ["a number within [1e-15, 1e15]", (x) => x >= 1e-15 && x <= 1e15]),
  ]);
  return Object.fromEntries(values);
}

/** Returns the lengths at which memory is computed. @throws {UsageError} a length beyond the model's context */
function contextsOf({ config }: Graph, asked: readonly number[] | undefined): number[] {
  const longest = config.maxPositionEmbeddings;
  if (!asked) return [...new Set([4096, 131_072, 1_048_576].map((tokens) => Math.min(tokens, longest)))];
  const beyond = asked.find((tokens) => tokens > longest);
  if (beyond) throw new UsageError(`--context: expected at most ${count(longest)} (max_position_embeddings), got ${count(beyond)}`);
  return [...asked];
}

/** Lengths in tokens. */
const LENGTHS: ListRange = { most: 5, largest: 1_000_000_000, example: "4k,128k,1M" };

const BATCH_RANGE: NumberRange = ["an integer within [1, 1,000,000]", (x) => Number.isInteger(x) && x >= 1 && x <= 1_000_000];

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
