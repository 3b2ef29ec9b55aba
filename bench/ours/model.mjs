// A whole model in the library, through `generate`: the time to the first token, and the time of the tokens after it. Options: folder,
// dtype. Environment: BUILD=simd|relaxed, THREADS=n.
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

let model;

export async function setup({ folder, dtype }) {
  model = await MiniMaxM1.load(folder, { build, dtype, threads });
  expectThreads(model.threads);
  return `lightning-m1 ${model.build}, ${dtype}, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}`;
}

export function prepare({ ids, tokens }) {
  let generated;
  return {
    async run() {
      generated = [];
      const begin = performance.now();
      let first = begin;
      for await (const { id } of model.generate(ids, { maxTokens: tokens + 1 })) {
        if (generated.push(id) === 1) first = performance.now();
      }
      return { prefill: first - begin, decode: performance.now() - first };
    },
    result: () => generated,
  };
}
