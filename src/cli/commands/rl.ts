import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { defineCommand } from "citty";
import * as v from "valibot";
import { InputError, MiniMaxM1 } from "../../index.js";
import type { RunKind } from "../../node-entry/run-directory.js";
import { answerPuzzles, chatCodec, heldOut, meanAccuracy, type ProblemSource, type Puzzle, trainPolicy } from "../../rl/index.js";
import { windowsOf, withErrorPrefix } from "../../rl/loop/policy-options.js";
import {
  checkDistinctLevels,
  needsReference,
  objectiveOf,
  type PolicyPlan,
  parsePolicyPlan,
  sourcesOf,
} from "../../rl/loop/policy-plan.js";
import type { Trainer } from "../../train/index.js";
import { drawSvg } from "../figures/figure.js";
import { installLine, missingFigurePackages } from "../figures/optional-packages.js";
import { type HeldOut, type PolicyPoint, policyFigure } from "../figures/policy-figure.js";
import { loadCustomTasks } from "../inputs/custom-tasks.js";
import { commonOptions, numberOption, positiveInteger, UsageError } from "../options.js";
import { policyColumns } from "../runs/policy-columns.js";
import { type PolicyLine, policyView } from "../runs/policy-view.js";
import { type PrepareOptions, readPlan, runArguments, runOptions, trainInDirectory } from "../runs/train-in-directory.js";
import type { Terminal } from "../text/terminal.js";

/**
 * Runs reinforcement learning as a plan file describes. After an interruption, the same command continues from the last save, with
 * bit-identical results.
 */
export const rl = defineCommand({
  meta: { name: "rl", description: "Reinforcement learning from a plan file; run it again to continue" },
  args: {
    action: { type: "positional", description: "Subcommand: run", required: true },
    config: { type: "positional", description: "Plan file (JSON) with tasks, objective and training options", required: true },
    ...runArguments,
    batches: { type: "string", valueHint: "n", description: "Total number of batches (overrides the plan file)" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    if (args.action !== "run") throw new UsageError(`rl: expected "run", got ${JSON.stringify(args.action)}`);
    const [where, instead] = [runOptions(args), numberOption(args, "batches", positiveInteger)];
    const given = await readPlan(args.config, parsePolicyPlan);
    const plan = { ...given, run: { ...given.run, batches: instead ?? given.run.batches } };
    const view = policyView();
    const { points, steps, model } = await trainInDirectory<PolicyLine, PolicyPoint>(
      {
        ...{
          kind: { ...policyRunKind, draw: curvesDrawing(terminal) },
          file: args.config,
          ...where,
          trainer: plan.trainer,
          total: plan.run.batches,
          saveEvery: plan.save.every,
        },
        async prepare(options) {
          const prepared = await preparePolicyTraining(plan, args.config, options);
          return { ...prepared, lines: (trainer) => trainAndEvaluate(prepared, trainer, plan, options) };
        },
        toStoredLine: (line) => line,
        toDisplay: view,
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
/** Schema of the part of a metrics line that the curves need. */
const pointSchema = v.object({
  batch: count,
  accuracy: v.optional(share),
  length: v.optional(v.object({ mean: v.pipe(v.number(), v.minValue(0)), window: count, truncated: share })),
  heldOut: v.optional(v.pipe(v.array(v.object({ task: v.string(), level: count, accuracy: share })), v.nonEmpty())),
});

/** The kind of these runs: one line of metrics per batch, and one line before the first batch. */
const policyRunKind: RunKind<PolicyPoint> = {
  command: "rl",
  unit: "batch",
  position: ({ progress }) => (progress as { batch?: number } | null | undefined)?.batch ?? 0,
  read(line) {
    const { success, output } = v.safeParse(pointSchema, line);
    return success ? { at: output.batch, point: output } : undefined;
  },
  figure: "curves.svg",
  columns: policyColumns,
};

/** Returns a function that draws the curves of the run. Without the optional packages, returns undefined and warns with the install command. */
function curvesDrawing(terminal: Terminal): RunKind<PolicyPoint>["draw"] {
  const missing = missingFigurePackages("svg");
  if (missing.length === 0) return (points) => drawSvg(policyFigure(points));
  const warning = `${policyRunKind.figure}: not drawn, because optional packages are not installed. Install: ${installLine(missing)}`;
  terminal.note(`${terminal.err.yellow("warning:")} ${warning}`);
  return undefined;
}

interface PreparedPolicyTraining {
  readonly model: MiniMaxM1;
  readonly sources: readonly ProblemSource[];
  /** The reference model of objectives with a KL penalty: the initial weights, or another checkpoint's weights. */
  readonly reference?: MiniMaxM1 | undefined;
  /** Held-out puzzles, one array per level. */
  readonly puzzles: readonly (readonly Puzzle[])[];
  readonly identity: Readonly<Record<string, unknown>>;
}

/**
 * Loads the models, tasks and held-out puzzles of a plan.
 *
 * @param file path of the plan file: prefix of messages, and base of the plan's relative paths
 */
async function preparePolicyTraining(plan: PolicyPlan, file: string, options: PrepareOptions): Promise<PreparedPolicyTraining> {
  const { rewards, objective, trainer, seed, build } = plan;
  // The settings of judge calls are not part of the identity, because they change no number as long as the judges respond.
  const { batches: _, judging: __, ...run } = plan.run;
  const { perLevel } = plan.heldOut ?? {};
  const own = await loadCustomTasks(plan.customTasks, dirname(file));
  const levels = checkDistinctLevels([...plan.levels, ...own].map((level) => ({ ...level, at: `${file}: tasks` })));
  const puzzles = perLevel
    ? withErrorPrefix(`${file}: heldOut`, () => levels.map(({ task, level }) => heldOut(task, level, perLevel, seed)))
    : [];
  const load = (path: string | undefined) => MiniMaxM1.load(path && resolve(dirname(file), path), { ...options, dtype: "f32", build });
  const model = await load(plan.model);
  let reference: MiniMaxM1 | undefined;
  try {
    if (!model.tokenizer) throw new InputError(`${file}: model: expected a checkpoint with a tokenizer, got none`);
    const codec = await chatCodec(model.tokenizer, (messages) => model.formatChat(messages));
    if (needsReference(plan)) reference = await load(plan.reference ?? plan.model);
    if (reference && reference.config.vocabSize !== model.config.vocabSize) {
      const got = reference.config.vocabSize;
      throw new InputError(`${file}: reference: expected a model with the same ${model.config.vocabSize} tokens, got ${got} tokens`);
    }
    const sources = sourcesOf({ ...plan, levels }, codec);
    const tasks = levels.map(({ task, level, weight, ...more }) => ({ task: task.name, level, weight, ...more }));
    const identity = {
      ...{ model: plan.model, tasks, rewards, objective, trainer, run, seed, build },
      // Identified by its weights, because its file may have been replaced.
      ...(reference && { reference: await weightsDigest(reference) }),
    };
    return { model, sources, reference, puzzles, identity };
  } catch (error) {
    model.dispose();
    reference?.dispose();
    throw error;
  }
}

/** Computes the SHA-256 of all weights. */
async function weightsDigest(model: MiniMaxM1): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, bytes] of await model.save()) if (name.endsWith(".safetensors")) hash.update(bytes);
  return hash.digest("hex");
}

/** Trains on the remaining batches, and evaluates held-out puzzles at the intervals of the plan. */
async function* trainAndEvaluate(
  { model, sources, reference, puzzles }: PreparedPolicyTraining,
  trainer: Trainer,
  plan: PolicyPlan,
  { signal }: PrepareOptions,
): AsyncGenerator<PolicyLine> {
  const { run, seed } = plan;
  const maxTokens = windowsOf(run.maxTokens).windows.at(-1)!;
  async function measure(options: { signal?: AbortSignal | undefined } = {}): Promise<HeldOut[]> {
    const levels: HeldOut[] = [];
    for (const own of puzzles) {
      const { task, level } = own[0]!;
      const given = { seed, maxTokens, judging: run.judging, ...(options.signal && { signal: options.signal }) };
      levels.push({ task: task.name, level, ...(await answerPuzzles(model, own, given)) });
    }
    return levels;
  }
  try {
    if (plan.heldOut && policyRunKind.position(trainer) === 0) yield { batch: 0, heldOut: await measure({ signal }) };
    const options = {
      ...run,
      seed,
      objective: objectiveOf(plan),
      ...(signal && { signal }),
      ...(reference && { reference }),
    };
    for await (const metrics of trainPolicy(model, trainer, sources, options)) {
      const due = plan.heldOut && (metrics.batch % plan.heldOut.every === 0 || metrics.batch === run.batches);
      // This evaluation cannot be cancelled, because the batch has already been trained on and its metrics line must be written.
      yield { ...metrics, ...(due && { heldOut: await measure() }) };
    }
  } finally {
    reference?.dispose();
  }
}
