import { defineCommand } from "citty";
import { evaluateTasks, meanAccuracy, moreTasks, type Score, type Task, tasks } from "../../rl/index.js";
import { loadModel, requireTokenizer } from "../inputs/load-model.js";
import { commonOptions, loadingArguments, numberOption, positiveInteger, UsageError } from "../options.js";
import { evaluateText, isTextFile, readDocuments } from "../reports/text-perplexity.js";
import type { Terminal } from "../text/terminal.js";

/** Options that apply only to puzzles, and options that apply only to texts. */
const [PUZZLE_OPTIONS, TEXT_OPTIONS] = [
  ["tasks", "per-level", "greedy", "seed"],
  ["window", "stride"],
] as const;

/** Measures accuracy on held-out puzzles, or perplexity and bits per byte of a text. */
export const evaluate = defineCommand({
  meta: { name: "eval", description: "Measure accuracy on puzzles, or perplexity and bits per byte of a text" },
  args: {
    ...loadingArguments,
    file: {
      type: "positional",
      description: "Text or JSONL file for perplexity (default: puzzles instead)",
      required: false,
    },
    tasks: { type: "string", valueHint: "a,b", description: "Puzzles: tasks (default: the eight of the bundled model)" },
    "per-level": { type: "string", valueHint: "n", description: "Puzzles: number per level (default: 50)" },
    greedy: { type: "boolean", description: "Puzzles: greedy decoding (default: temperature 1, top-p 0.95)" },
    seed: { type: "string", valueHint: "n", description: "Puzzles: seed of instances and sampling (default: 1)" },
    window: { type: "string", valueHint: "n", description: "Text: tokens per window (default: context, at most 2048)" },
    stride: { type: "string", valueHint: "n", description: "Text: tokens between windows (default: half a window)" },
    json: { type: "boolean", description: "Print JSON lines (puzzles: one per level, and a summary)" },
    ...commonOptions,
  },
  async run({ args: { file: second, ...args }, data }) {
    const terminal = data as Terminal;
    const only = second === undefined && args.source !== undefined && (await isTextFile(args.source));
    const [source, file] = only ? [undefined, args.source] : [args.source, second];
    const other = (file === undefined ? TEXT_OPTIONS : PUZZLE_OPTIONS).find((name) => args[name] !== undefined);
    if (other) {
      throw new UsageError(
        file === undefined ? `--${other}: expected with a FILE only` : `--${other}: expected without a FILE only, got ${file}`,
      );
    }
    const given = { ...args, source };
    if (file === undefined) await evaluatePuzzles(given, terminal);
    else await evaluateTextFile(file, given, terminal);
  },
});

type Given = Readonly<Record<string, unknown>>;

async function evaluateTextFile(file: string, args: Given, terminal: Terminal): Promise<void> {
  const [window, stride] = [numberOption(args, "window", positiveInteger), numberOption(args, "stride", positiveInteger)];
  const documents = await readDocuments(file, terminal);
  await requireTokenizer(args, terminal, "eval: expected a checkpoint with a tokenizer, got a checkpoint without");
  using model = await loadModel(args, terminal);
  await evaluateText(file, model, documents(model), { window, stride, json: args.json as boolean | undefined }, terminal);
}

async function evaluatePuzzles(args: Given, terminal: Terminal): Promise<void> {
  const chosen = tasksNamed(args.tasks as string | undefined);
  const perLevel = numberOption(args, "per-level", positiveInteger);
  const seed = numberOption(args, "seed", ["an integer within [0, 2^32)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32]);
  await requireTokenizer(args, terminal, "eval: expected a checkpoint with a tokenizer, got a checkpoint without");
  using model = await loadModel(args, terminal);
  const scores: Score[] = [];
  if (!args.json) await terminal.print(terminal.out.dim(tableRow("task", "level", "right", "blind", "majority", "formed", "tokens")));
  const temperature = args.greedy ? 0 : undefined;
  for await (const score of evaluateTasks(model, { tasks: chosen, perLevel, seed, temperature, signal: terminal.signal })) {
    scores.push(score);
    await terminal.print(args.json ? `${JSON.stringify(score)}\n` : scoreRow(score));
  }
  const mean = meanAccuracy(scores);
  const instances = scores.reduce((sum, score) => sum + score.instances, 0);
  await terminal.print(
    args.json
      ? `${JSON.stringify({ mean, instances })}\n`
      : `\n${percent(mean)} right on average over ${scores.length} levels, ${instances} puzzles\n`,
  );
}

function tasksNamed(list: string | undefined): readonly Task[] {
  if (list === undefined) return tasks;
  const known = [...tasks, ...moreTasks];
  return list.split(",").map((name) => {
    const task = known.find((one) => one.name === name.trim());
    if (!task) throw new UsageError(`--tasks: expected some of ${known.map((one) => one.name).join(", ")}, got ${JSON.stringify(name)}`);
    return task;
  });
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function tableRow(task: string, ...columns: readonly string[]): string {
  return `${task.padEnd(20)}${columns.map((column) => column.padStart(10)).join("")}\n`;
}

function scoreRow({ task, level, accuracy, blind, majority, formatted, tokens }: Score): string {
  return tableRow(task, String(level), percent(accuracy), percent(blind), percent(majority), percent(formatted), tokens.toFixed(0));
}
