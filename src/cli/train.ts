import { readFile } from "node:fs/promises";
import { defineCommand } from "citty";
import { InputError } from "../index.js";
import { type LossPoint, smoothing } from "../train/curve.js";
import { type Dataset, run, Trainer } from "../train/index.js";
import { type Plan, parsePlan } from "../train/plan.js";
import { common, loading, training, trainingOptions, UsageError } from "./options.js";
import { prepare } from "./preparation.js";
import { RunDirectory } from "./run-directory.js";
import { type Terminal, visible, whyUnread } from "./terminal.js";
import { openTrainingView } from "./training-view.js";

/** Trains a model as a file says. Killed and called again, it goes on from the last save, and ends with the same bits. */
export const train = defineCommand({
  meta: { name: "train", description: "Train a model as a file says; called again, go on where it stopped" },
  args: {
    config: { type: "positional", description: "JSON file: model, data, and how to train", required: true },
    out: { type: "string", valueHint: "dir", description: "Where everything goes (default: beside the file)" },
    threads: loading.threads,
    ...training,
    json: { type: "boolean", description: "The summary as a JSON line" },
    ...common,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const { err, signal } = terminal;
    const { threads, steps: instead } = trainingOptions(args);
    if (args.out === "") throw new UsageError('--out: expected a directory, got ""');
    const given = await readPlan(args.config);
    const plan = { ...given, run: { ...given.run, steps: instead ?? given.run.steps } };
    const directory = RunDirectory.open(args.out ?? `${args.config.replace(/(\.train)?(\.json)?$/, "")}-run`);
    try {
      terminal.note(err.dim(`preparing what ${args.config} describes`));
      const onWarning = (message: string) => terminal.note(`${err.yellow("warning:")} ${visible(message)}`);
      const { model, data, heldOut, identity } = await prepare(plan, args.config, { threads, signal, onWarning });
      try {
        const trainer = new Trainer(model, plan.trainer);
        directory.resume(trainer, identity);
        const { parameters, build, threads: computing } = model;
        const kernels = `${parameters.toLocaleString("en-US")} parameters, ${build} kernels on ${computing} thread${computing === 1 ? "" : "s"}`;
        const position = trainer.steps > 0 ? `going on after step ${trainer.steps}` : "beginning";
        terminal.note(err.dim(`${kernels}; ${position}, in ${directory.path}`));
        await update(trainer, plan, { data, heldOut }, directory, terminal);
        await model.save(directory.model, { signal });
        const { loss, heldOutLoss } = summary(directory.points);
        if (args.json) await terminal.print(`${JSON.stringify({ steps: trainer.steps, loss, heldOutLoss, model: directory.model })}\n`);
        else {
          const trained = loss === undefined ? "" : `, loss ${loss.toFixed(4)}`;
          const tested = heldOutLoss === undefined ? "" : `, held out ${heldOutLoss.toFixed(4)}`;
          await terminal.print(`${trainer.steps} steps${trained}${tested}: ${directory.model}\n`);
        }
      } finally {
        model.dispose();
      }
    } finally {
      directory.close();
    }
  },
});

async function readPlan(file: string): Promise<Plan> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new InputError(`${file}: expected the JSON file of a training, got ${whyUnread(cause)}`, { cause });
  });
  return parsePlan(bytes, file);
}

/** All steps that are left. Ctrl-C saves before it ends them. */
async function update(
  trainer: Trainer,
  plan: Plan,
  { data, heldOut }: { readonly data: Dataset; readonly heldOut: Dataset },
  directory: RunDirectory,
  terminal: Terminal,
): Promise<void> {
  const { signal } = terminal;
  const view = openTrainingView(terminal, plan.run.steps);
  const smooth = smoothing();
  for (const { loss } of directory.points) smooth(loss);
  let saved = trainer.steps;
  const save = () => {
    if (trainer.steps > saved) directory.save(trainer);
    saved = trainer.steps;
  };
  try {
    for await (const metrics of run(trainer, data, { ...plan.run, heldOut: plan.heldOut && { ...plan.heldOut, data: heldOut }, signal })) {
      directory.append(metrics);
      view.update(metrics, smooth(metrics.crossEntropy));
      if (metrics.step % plan.save.every === 0) save();
    }
    save();
  } catch (error) {
    if (signal.aborted) {
      view.stop();
      save();
      terminal.note(`saved after step ${trainer.steps}; the same command goes on`);
    }
    throw error;
  } finally {
    view.stop();
  }
}

/** What the whole run, its earlier parts included, came to: the smoothed cross-entropy, and the last one of held-out data. */
function summary(points: readonly LossPoint[]) {
  const smooth = smoothing();
  let loss: number | undefined;
  for (const point of points) loss = smooth(point.loss);
  return { loss, heldOutLoss: points.findLast(({ heldOut }) => heldOut !== undefined)?.heldOut };
}
