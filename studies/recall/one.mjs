// One run: a new model, its training, and its evaluation. All computations that the study's numbers depend on.

import { generateRecall } from "../../dist/node/environments.js";
import { MiniMaxM1 } from "../../dist/node/index.js";
import { run, streamOf, Trainer } from "../../dist/node/train.js";

/** Seed of the evaluation, which is the same for all runs. Training uses streams of smaller seeds. */
const EVALUATION_SEED = 1_000_000;
/** Number of sequences per forward pass of the evaluation. */
const BATCH = 16;
/** Number of training steps whose mean loss is one point of the loss curve. */
const LOSS_WINDOW = 25;

/** The number of tokens of the vocabulary. */
const vocabSize = ({ vocabulary: { keys, values, fillers } }) => keys + values + fillers;

/** The `config.json` of an arm. */
export const modelOf = (config, arm) => ({
  ...config.model,
  ...config.arms[arm],
  ...{ vocab_size: vocabSize(config), bos_token_id: 0, eos_token_id: 0 },
});

/** Draws an integer from `from` to `to`, both included. */
const integer = (random, from, to) => from + Math.floor(random.next() * (to - from + 1));

/**
 * Training data of a stage. In each document, the length of the context and the number of pairs are random. A document with one pair is a
 * search for a needle. A stage may use only the first keys and values of the vocabulary.
 */
export function trainingData({ contexts, pairs: [least, most], asked, keys, values }, { vocabulary }, seed) {
  /** Moves ids of the smaller vocabulary to their places in the whole one. */
  const placed = (id) => {
    if (id < keys) return id;
    return id < keys + values ? id - keys + vocabulary.keys : id - keys - values + vocabulary.keys + vocabulary.values;
  };
  return {
    document(index) {
      const random = streamOf(seed, index);
      const context = contexts[integer(random, 0, contexts.length - 1)];
      const pairs = integer(random, least, Math.min(most, context / 2));
      const options = { pairs, context, asked: Math.min(asked, pairs), keys, values, fillers: vocabulary.fillers };
      const { ids, weights } = generateRecall({ ...options, seed: integer(random, 0, 2 ** 32 - 1) });
      return { ids: ids.map(placed), weights };
    },
  };
}

/**
 * The cells of the evaluation, in three series. `pairs` has more and more pairs in a context of the training length, or in the shortest
 * one that holds them. `length` has the same pairs in longer and longer contexts, and `needle` one pair at given depths.
 */
export function cells({ evaluation: { length, pairs, lengths, lengthPairs, depths, asked } }) {
  const of = (series, cell) => ({ series, ...cell, asked: Math.min(asked, cell.pairs) });
  return [
    ...pairs.map((n) => of("pairs", { pairs: n, context: Math.max(length, 2 * n) })),
    ...lengths.map((factor) => of("length", { pairs: lengthPairs, context: factor * length })),
    ...lengths.flatMap((factor) => depths.map((depth) => of("needle", { pairs: 1, context: factor * length, depth }))),
  ];
}

/** The sequences of a cell. */
export function sequencesOf({ series: _, ...cell }, index, { vocabulary, evaluation: { sequences } }) {
  const random = streamOf(EVALUATION_SEED, index);
  return Array.from({ length: sequences }, () => generateRecall({ ...vocabulary, ...cell, seed: integer(random, 0, 2 ** 32 - 1) }));
}

/** The share of questions whose answer has the highest logit of the whole vocabulary. */
export function accuracy(model, sequences) {
  const size = model.config.vocabSize;
  let right = 0;
  let questions = 0;
  for (let first = 0; first < sequences.length; first += BATCH) {
    const batch = sequences.slice(first, first + BATCH);
    const { logits } = model.forward(batch.map(({ ids }) => ids));
    for (const [i, { ids, weights }] of batch.entries()) {
      for (const [t, weight] of weights.entries()) {
        if (weight === 0) continue;
        const begin = (i * ids.length + t - 1) * size;
        const row = logits.subarray(begin, begin + size);
        questions++;
        if (row.indexOf(row.reduce((largest, logit) => Math.max(largest, logit))) === ids[t]) right++;
      }
    }
  }
  return right / questions;
}

/**
 * Trains one model, and evaluates it unless it is a pilot run, of which only the training loss is used.
 *
 * @returns the result of the run, as its file stores it
 */
export async function runOne({ stage: kind, arm, lr, seed, steps }, config) {
  const model = await MiniMaxM1.create(modelOf(config, arm), { seed, build: "simd", threads: 1 });
  const { stages, batchTokens, schedule, trainer: options } = config.training;
  const trainer = new Trainer(model, { ...options, lr });
  const losses = [];
  let tokens = 0;
  let sum = 0;
  for (const stage of stages) {
    // The learning rate decays only at the end of the last stage.
    const end = Math.min(stage.until, steps);
    const settings = {
      steps: end,
      batchTokens,
      schedule: stage === stages.at(-1) ? schedule : { warmup: schedule.warmup, decay: "constant" },
    };
    for await (const metrics of run(trainer, trainingData(stage, config, seed), settings)) {
      tokens += metrics.tokens;
      sum += metrics.crossEntropy;
      if (metrics.step % LOSS_WINDOW !== 0) continue;
      losses.push(rounded(sum / LOSS_WINDOW));
      sum = 0;
    }
  }
  trainer.dispose();
  const evaluated = kind === "pilot" ? [] : cells(config);
  const results = evaluated.map((cell, i) => ({ ...cell, accuracy: rounded(accuracy(model, sequencesOf(cell, i, config))) }));
  const { parameters } = model;
  model.dispose();
  const { user, system } = process.cpuUsage();
  const cpuSeconds = Math.round((user + system) / 1e6);
  return { stage: kind, arm, lr, seed, steps, parameters, tokens, losses, cells: results, cpuSeconds };
}

/** Rounds to four significant digits, which suffice for all conclusions. */
function rounded(x) {
  return Number(x.toPrecision(4));
}
