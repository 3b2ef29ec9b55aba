// The warm start, and one run from it: all computations that the study's numbers depend on.

import { MiniMaxM1 } from "../../dist/node/index.js";
import * as rl from "../../dist/node/rl.js";
import { run, Trainer } from "../../dist/node/train.js";
import { demonstrations, END, encode, heldOut, problems, tasks, vocabSize } from "./tasks.mjs";

const objectives = { grpo: rl.grpo, dapo: rl.dapo, cispo: rl.cispo, reinforce: rl.reinforce, unified: rl.unified };
const [FORK] = encode("W");

/**
 * Trains a model on demonstrations, one kind after the other. All runs of a task start from its weights.
 *
 * @returns the files of the checkpoint, and its sampled accuracy
 */
export async function warmStart(name, config) {
  const task = tasks[name];
  const model = await MiniMaxM1.create(
    { ...config.model, vocab_size: vocabSize, bos_token_id: END, eos_token_id: END },
    { seed: 1, build: "simd", threads: 1 },
  );
  let loss;
  for (const [seed, { lr, steps, batchTokens, ...options }] of config.tasks[name].warmStart.entries()) {
    const trainer = new Trainer(model, { lr, weightDecay: 0, auxLossCoef: 0.01 });
    for await (const step of run(trainer, demonstrations(task, options, seed), { steps, batchTokens, schedule: { warmup: 50 } }))
      loss = step.crossEntropy;
    trainer.dispose();
  }
  const { accuracy, forks } = await measure(model, heldOut(task, config.heldOut.instances), config.heldOut.samples);
  const files = await model.save();
  model.dispose();
  return { files, loss, accuracy, forks };
}

/** Measures the accuracy at temperature 1 and the share of responses that start with the fork token. */
async function measure(model, test, samples) {
  const groups = await rl.rollouts(
    model,
    test.map(({ prompt }) => prompt),
    { groupSize: samples, maxTokens: 12, seed: 7 },
  );
  const all = groups.flatMap((responses, i) =>
    responses.map((response) => ({ right: test[i].judge(response).correct, forks: response.ids[0] === FORK })),
  );
  const share = (key) => all.filter((one) => one[key]).length / all.length;
  return { accuracy: share("right"), forks: share("forks") };
}

/**
 * Runs one arm with one learning rate and one seed.
 *
 * @param files the files of the warm start
 * @returns an entry of `results.jsonl`: curves with one point per evaluation, and means over the run
 */
export async function runArm({ task: name, arm, lr, seed, batches }, config, files) {
  const task = tasks[name];
  const { name: objective, ...options } = config.arms[arm];
  const model = await MiniMaxM1.load(files, { dtype: "f32", build: "simd", threads: 1 });
  const trainer = new Trainer(model, { ...config.trainer, lr });
  const test = heldOut(task, config.heldOut.instances);
  const { every, samples } = config.heldOut;
  const began = performance.now();
  const points = [{ batch: 0, step: 0, ...(await measure(model, test, samples)) }];
  const clipped = [];
  const totals = { dropped: 0, sampled: 0, tokens: 0, updates: 0, cutGradients: 0 };
  for await (const metrics of rl.trainPolicy(model, trainer, [problems(task, seed)], {
    ...config.run,
    ...{ batches, seed },
    objective: (batch) => objectives[objective](batch, options),
  })) {
    const { updates, groups } = metrics;
    clipped.push(updates.map(({ clipFraction }) => clipFraction));
    totals.dropped += groups.sampled - groups.kept;
    totals.sampled += groups.sampled;
    totals.tokens += metrics.length.mean * groups.sampled * config.run.groupSize;
    totals.updates += updates.length;
    totals.cutGradients += updates.filter(({ gradNorm }) => gradNorm > config.trainer.clipNorm).length;
    if (metrics.batch % every !== 0) continue;
    const last = updates.at(-1);
    points.push({
      ...{ batch: metrics.batch, step: metrics.step },
      ...(await measure(model, test, samples)),
      ...{ entropy: metrics.policy?.entropy, kl: last?.kl.k3, ratio99: last?.ratio.p99, ratioMax: last?.ratio.max },
      ...(last && { effective: last.effectiveSampleSize / last.tokens, gradNorm: last.gradNorm }),
    });
  }
  model.dispose();
  const column = (key) => points.map((point) => rounded(point[key]));
  return {
    ...{ task: name, arm, lr, seed, batches },
    curves: Object.fromEntries(
      ["batch", "step", "accuracy", "forks", "entropy", "kl", "ratio99", "ratioMax", "effective", "gradNorm"].map((key) => [
        key,
        column(key),
      ]),
    ),
    clip: clipShares(clipped, config.run.minibatches),
    totals: { ...totals, seconds: Math.round((performance.now() - began) / 1000) },
  };
}

/** Share of clipped tokens by position of the update in its batch, averaged over the run: of all tokens, and by sign of the advantage. */
function clipShares(clipped, minibatches) {
  const at = (i, kind) => clipped.flatMap((batch) => (batch[i] ? [batch[i][kind]] : []));
  const mean = (values) => (values.length === 0 ? null : rounded(values.reduce((sum, x) => sum + x, 0) / values.length));
  return Object.fromEntries(
    ["all", "positive", "negative"].map((kind) => [kind, Array.from({ length: minibatches }, (_, i) => mean(at(i, kind)))]),
  );
}

/** Rounds to four significant digits, which suffice for all conclusions. */
function rounded(x) {
  return x === undefined || x === null ? null : Number(x.toPrecision(4));
}
