import { defineCommand } from "citty";
import { evaluateTasks, meanAccuracy, type Score, type Task, tasks } from "../rl/index.js";
import { loadModel, requireTokenizer } from "./model.js";
import { common, loading, number, UsageError } from "./options.js";
import type { Terminal } from "./terminal.js";

/** Puts held-out puzzles to a model and prints how many it gets right. */
export const evaluate = defineCommand({
  meta: { name: "eval", description: "Accuracy on held-out puzzles, by task and level" },
  args: {
    ...loading,
    tasks: { type: "string", valueHint: "a,b", description: "Which tasks (default: all)" },
    "per-level": { type: "string", valueHint: "n", description: "Puzzles for each level (default: 50)" },
    greedy: { type: "boolean", description: "Most probable tokens (default: 1.0, top-p 0.95)" },
    seed: { type: "string", valueHint: "n", description: "Chooses puzzles and samples (default: 1)" },
    json: { type: "boolean", description: "A JSON line per level, then one in all" },
    ...common,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const chosen = named(args.tasks);
    const perLevel = number(args, "per-level", ["an integer of at least 1", (x) => Number.isSafeInteger(x) && x >= 1]);
    const seed = number(args, "seed", ["an integer within [0, 2^32)", (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32]);
    await requireTokenizer(args, terminal, "eval: expected a checkpoint with a tokenizer, got one without");
    using model = await loadModel(args, terminal);
    const scores: Score[] = [];
    if (!args.json) await terminal.print(terminal.out.dim(row("task", "level", "right", "blind", "majority", "formed", "tokens")));
    const temperature = args.greedy ? 0 : undefined;
    for await (const score of evaluateTasks(model, { tasks: chosen, perLevel, seed, temperature, signal: terminal.signal })) {
      scores.push(score);
      await terminal.print(args.json ? `${JSON.stringify(score)}\n` : rowOf(score));
    }
    const mean = meanAccuracy(scores);
    const instances = scores.reduce((sum, score) => sum + score.instances, 0);
    await terminal.print(
      args.json
        ? `${JSON.stringify({ mean, instances })}\n`
        : `\n${percent(mean)} right on average over ${scores.length} levels, ${instances} puzzles\n`,
    );
  },
});

function named(list: string | undefined): readonly Task[] {
  if (list === undefined) return tasks;
  return list.split(",").map((name) => {
    const task = tasks.find((one) => one.name === name.trim());
    if (!task) throw new UsageError(`--tasks: expected some of ${tasks.map((one) => one.name).join(", ")}, got ${JSON.stringify(name)}`);
    return task;
  });
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function row(task: string, ...columns: readonly string[]): string {
  return `${task.padEnd(20)}${columns.map((column) => column.padStart(10)).join("")}\n`;
}

function rowOf({ task, level, accuracy, blind, majority, formatted, tokens }: Score): string {
  return row(task, String(level), percent(accuracy), percent(blind), percent(majority), percent(formatted), tokens.toFixed(0));
}
