// Steps of training: forward pass, backward pass, clipping and AdamW. Options: config.
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");
const { Trainer } = await import("../../dist/node/train.js");

let model;
let trainer;

export async function setup({ config }) {
  model = await MiniMaxM1.create(config, { seed: 1, build, threads });
  expectThreads(model.threads);
  trainer = new Trainer(model);
  return `lightning-m1 ${model.build}, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}`;
}

export function prepare({ documents, length }) {
  const { vocabSize } = model.config;
  const batch = Array.from({ length: documents }, (_, d) => Array.from({ length }, (_, t) => (t * t + 31 * d) % vocabSize));
  return {
    run() {
      const begin = performance.now();
      trainer.step(batch);
      const ms = performance.now() - begin;
      return { step: ms, tokens: ms };
    },
  };
}
