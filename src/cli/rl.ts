import { dirname, resolve } from "node:path";
import { defineCommand } from "citty";
import * as v from "valibot";
import { InputError, MiniMaxM1 } from "../index.js";
import { answerPuzzles, chatCodec, heldOut, meanAccuracy, type ProblemSource, type Puzzle, trainPolicy } from "../rl/index.js";
import { objectiveOf, type PolicyPlan, parsePolicyPlan, sourcesOf } from "../rl/plan.js";
import { windowsOf, within } from "../rl/policy-options.js";
import type { Trainer } from "../train/index.js";
import { common, number, positive, UsageError } from "./options.js";
import { drawSvg } from "./picture.js";
import { type HeldOut, type PolicyPoint, policyFigure } from "./policy-figure.js";
import { type PolicyLine, policyView } from "./policy-view.js";
import type { RunKind } from "./run-directory.js";
import type { Terminal } from "./terminal.js";
import { type LoadOptions, readPlan, runArguments, runOptions, trainInDirectory } from "./training-run.js";

/** Reinforcement learning as a file says. Killed and called again, it goes on from the last save, and ends with the same bits. */
export const rl = defineCommand({
  meta: { name: "rl", description: "Reinforcement learning on puzzles, as a file says; called again, go on" },
  args: {
    action: { type: "positional", description: "What to do: run", required: true },
    config: { type: "positional", description: "JSON file: tasks, objective, and how to train", required: true },
    ...runArguments,
    batches: { type: "string", valueHint: "n", description: "Batches in all, in place of the file's" },
    ...common,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const { signal } = terminal;
    if (args.action !== "run") throw new UsageError(`rl: expected "run", got ${JSON.stringify(args.action)}`);
    const [where, instead] = [runOptions(args), number(args, "batches", positive)];
    const given = await readPlan(args.config, parsePolicyPlan);
    const plan = { ...given, run: { ...given.run, batches: instead ?? given.run.batches } };
    const view = policyView();
    const { points, steps, model } = await trainInDirectory<PolicyLine, PolicyPoint>(
      {
        ...{ kind, file: args.config, ...where, trainer: plan.trainer, total: plan.run.batches, saveEvery: plan.save.every },
        async prepare(options) {
          const { model, sources, puzzles, identity } = await prepare(plan, args.config, options);
          return { model, identity, lines: (trainer) => measured(model, trainer, sources, plan, puzzles, signal) };
        },
        written: (line) => line,
        shown: view,
      },
      terminal,
    );
    const latest = points.findLast(({ heldOut }) => heldOut !== undefined)?.heldOut;
    const [batches, accuracy] = [points.at(-1)?.batch ?? 0, latest && meanAccuracy(latest)];
    const tested = accuracy === undefined ? "" : `, held out ${(100 * accuracy).toFixed(1)} %`;
    await terminal.print(
      args.json
        ? `${JSON.stringify({ batches, steps, heldOut: accuracy, model })}\n`
        : `${batches} batches, ${steps} steps${tested}: ${model}\n`,
    );
  },
});

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** What curves need of a line. */
const pointSchema = v.object({
  batch: count,
  accuracy: v.optional(share),
  heldOut: v.optional(v.pipe(v.array(v.object({ task: v.string(), level: count, accuracy: share })), v.nonEmpty())),
});

/** A line per batch, and one before them. */
const kind: RunKind<PolicyPoint> = {
  command: "rl",
  unit: "batch",
  position: ({ progress }) => (progress as { batch?: number } | null | undefined)?.batch ?? 0,
  read(line) {
    const { success, output } = v.safeParse(pointSchema, line);
    return success ? { at: output.batch, point: output } : undefined;
  },
  picture: "curves.svg",
  draw: (points) => drawSvg(policyFigure(points)),
};

interface Preparation {
  readonly model: MiniMaxM1;
  readonly sources: readonly ProblemSource[];
  /** Held-out puzzles of one level each. */
  readonly puzzles: readonly (readonly Puzzle[])[];
  readonly identity: Readonly<Record<string, unknown>>;
}

/** @param file the plan's file, for messages; its paths count from there */
async function prepare(plan: PolicyPlan, file: string, options: LoadOptions): Promise<Preparation> {
  const { levels, rewards, objective, trainer, seed, build } = plan;
  const { batches: _, ...run } = plan.run;
  const { perLevel } = plan.heldOut ?? {};
  const puzzles = perLevel ? within(`${file}: heldOut`, () => levels.map(({ task, level }) => heldOut(task, level, perLevel, seed))) : [];
  const model = await MiniMaxM1.load(plan.model && resolve(dirname(file), plan.model), { ...options, dtype: "f32", build });
  try {
    if (!model.tokenizer) throw new InputError(`${file}: model: expected a checkpoint with a tokenizer, got none`);
    const codec = await chatCodec(model.tokenizer, (messages) => model.formatChat(messages));
    const tasks = levels.map(({ task, level, weight }) => ({ task: task.name, level, weight }));
    const identity = { model: plan.model, tasks, rewards, objective, trainer, run, seed, build };
    return { model, sources: sourcesOf(plan, codec), puzzles, identity };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** All batches that are left, with the accuracy on held-out puzzles where it is due. */
async function* measured(
  model: MiniMaxM1,
  trainer: Trainer,
  sources: readonly ProblemSource[],
  plan: PolicyPlan,
  puzzles: readonly (readonly Puzzle[])[],
  signal: AbortSignal,
): AsyncGenerator<PolicyLine> {
  const { run, seed } = plan;
  const maxTokens = windowsOf(run.maxTokens).windows.at(-1)!;
  async function measure(options: { signal?: AbortSignal } = {}): Promise<HeldOut[]> {
    const levels: HeldOut[] = [];
    for (const own of puzzles) {
      const { task, level } = own[0]!;
      levels.push({ task: task.name, level, ...(await answerPuzzles(model, own, { seed, maxTokens, ...options })) });
    }
    return levels;
  }
  if (plan.heldOut && kind.position(trainer) === 0) yield { batch: 0, heldOut: await measure({ signal }) };
  const options = { ...run, seed, objective: objectiveOf(plan), signal };
  for await (const metrics of trainPolicy(model, trainer, sources, options)) {
    const due = plan.heldOut && (metrics.batch % plan.heldOut.every === 0 || metrics.batch === run.batches);
    // To its end, whoever wants to stop: the batch is learned from, and without its line it would be lost.
    yield { ...metrics, ...(due && { heldOut: await measure() }) };
  }
}
