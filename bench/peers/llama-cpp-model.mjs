// A whole model in native llama.cpp, through node-llama-cpp. It runs on the processor only, with the whole prompt as one batch, and decodes
// greedily. Options: file, threads.
import { getLlama, getModuleVersion } from "node-llama-cpp";

/** Number of context tokens in addition to the prompt and the generated tokens. */
const SPARE_TOKENS = 64;

let model;
let options;

export async function setup(given) {
  options = given;
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: options.threads, logLevel: "error" });
  model = await llama.loadModel({ modelPath: options.file, gpuLayers: 0 });
  return `node-llama-cpp ${await getModuleVersion()}, ${options.threads} thread${options.threads > 1 ? "s" : ""}`;
}

export async function prepare({ ids, tokens }) {
  const context = await model.createContext({
    contextSize: ids.length + tokens + SPARE_TOKENS,
    batchSize: ids.length,
    threads: options.threads,
    sequences: 1,
    flashAttention: false,
  });
  const sequence = context.getSequence();
  let generated;
  return {
    async run() {
      await sequence.clearHistory();
      generated = [];
      const begin = performance.now();
      let first = begin;
      for await (const id of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
        if (generated.push(id) === 1) first = performance.now();
        if (generated.length > tokens) break;
      }
      return { prefill: first - begin, decode: performance.now() - first };
    },
    result: () => generated,
    dispose: () => context.dispose(),
  };
}
