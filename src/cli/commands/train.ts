import { defineCommand } from "citty";
import type { RunKind } from "../../node-entry/run-directory.js";
import { run } from "../../train/index.js";
import { exponentialMean, type LossPoint, lossCurve } from "../../train/loss-curve.js";
import { parseTrainingPlan } from "../../train/training-plan.js";
import { commonOptions, numberOption, positiveInteger } from "../options.js";
import { prepareTraining } from "../runs/prepare-training.js";
import { readPlan, runArguments, runOptions, trainInDirectory } from "../runs/train-in-directory.js";
import { trainingView } from "../runs/training-view.js";
import type { Terminal } from "../text/terminal.js";

/** Trains as a plan file describes. After an interruption, the same command continues from the last save, with bit-identical results. */
export const train = defineCommand({
  meta: { name: "train", description: "Train a model from a plan file; run it again to continue" },
  args: {
    config: { type: "positional", description: "Plan file (JSON) with model, data and training options", required: true },
    ...runArguments,
    steps: { type: "string", valueHint: "n", description: "Total number of steps (overrides the plan file)" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const [where, instead] = [runOptions(args), numberOption(args, "steps", positiveInteger)];
    const plan = await readPlan(args.config, parseTrainingPlan);
    const { steps, ...course } = { ...plan.run, steps: instead ?? plan.run.steps };
    const smooth = exponentialMean();
    const view = trainingView(steps);
    const trained = await trainInDirectory(
      {
        ...{ kind: trainingRunKind, file: args.config, ...where, trainer: plan.trainer, total: steps, saveEvery: plan.save.every },
        async prepare(options) {
          const {
            model,
            identity,
            data,
            heldOut,
            documents: most = Number.POSITIVE_INFINITY,
          } = await prepareTraining(plan, args.config, options);
          return {
            ...{ model, identity },
            lines(trainer, points) {
              for (const { loss } of points) smooth(loss);
              const { documents, every } = plan.heldOut ?? {};
              const measured = documents && every && heldOut ? { data: heldOut, documents: Math.min(documents, most), every } : undefined;
              return run(trainer, data, { ...course, steps, heldOut: measured, signal: terminal.signal });
            },
          };
        },
        // The load of each expert is left out, because it would be most of the bytes.
        toStoredLine: ({ expertLoad, ...metrics }) => ({ ...metrics, expertImbalance: expertImbalance(expertLoad) }),
        toDisplay: (metrics) => view(metrics, smooth(metrics.crossEntropy)),
      },
      terminal,
    );
    const { loss, heldOutLoss } = summary(trained.points);
    if (args.json) await terminal.print(`${JSON.stringify({ steps: trained.steps, loss, heldOutLoss, model: trained.model })}\n`);
    else {
      const learned = loss === undefined ? "" : `, loss ${loss.toFixed(4)}`;
      const tested = heldOutLoss === undefined ? "" : `, held out ${heldOutLoss.toFixed(4)}`;
      await terminal.print(`${trained.steps} steps${learned}${tested}: ${trained.model}\n`);
    }
  },
});

/**
 * Returns for each layer the number of tokens of the busiest expert, divided by an even share. The value is 1 if all experts get the same
 * number of tokens, and experts / k if the same k experts get every token.
 */
export function expertImbalance(load: readonly Float64Array[]): number[] {
  return load.map((layer) => {
    const mean = layer.reduce((sum, x) => sum + x, 0) / layer.length;
    return Number((Math.max(...layer) / mean).toPrecision(6));
  });
}

const COLUMNS = [
  ...["step", "documents", "loss", "crossEntropy", "auxLoss", "heldOutLoss", "targets", "tokens"],
  ...["gradNorm", "lr", "tokensPerSecond"],
];

/** The kind of these runs: one line of metrics per step. */
const trainingRunKind: RunKind<LossPoint> = {
  command: "train",
  unit: "step",
  position: ({ steps }) => steps,
  read({ step, crossEntropy, heldOutLoss }) {
    if (!Number.isSafeInteger(step) || !Number.isFinite(crossEntropy)) return undefined;
    // A non-finite loss is null in JSON.
    if (!["undefined", "number"].includes(typeof (heldOutLoss ?? undefined))) return undefined;
    const at = step as number;
    return { at, point: { step: at, loss: crossEntropy as number, heldOut: (heldOutLoss as number | null) ?? undefined } };
  },
  figure: "loss.svg",
  draw: lossCurve,
  columns: {
    ...Object.fromEntries(COLUMNS.map((name) => [name, (line: Readonly<Record<string, unknown>>) => line[name]])),
    // The largest value of all layers. Undefined in lines of earlier versions.
    expertImbalance: ({ expertImbalance: layers }) => (Array.isArray(layers) && layers.length > 0 ? Math.max(...layers) : undefined),
  },
};

/** Summarizes the whole run, including earlier calls: the smoothed cross-entropy and the latest held-out loss. */
function summary(points: readonly LossPoint[]) {
  const smooth = exponentialMean();
  let loss: number | undefined;
  for (const point of points) loss = smooth(point.loss);
  return { loss, heldOutLoss: points.findLast(({ heldOut }) => heldOut !== undefined)?.heldOut };
}
