// Softmax attention alone, in a model of one layer: the time of its kernel for a prompt, and for the tokens after it. Options: folder, kv.
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

let model;
let attentionMs = 0;

export async function setup({ folder, kv }) {
  const onKernel = ({ kernel, ms }) => {
    if (kernel === "attention") attentionMs += ms;
  };
  model = await MiniMaxM1.load(folder, { build, threads, onKernel, ...(kv !== "f32" && { kv }) });
  expectThreads(model.threads);
  return `lightning-m1 ${model.build}, keys and values in ${kv}, Node ${process.versions.node}`;
}

export function prepare({ ids, tokens }) {
  const attention = (body) => {
    attentionMs = 0;
    body();
    return attentionMs;
  };
  return {
    run() {
      const cache = [model.newCache()];
      const forward = (ids) => model.forward([ids], { cache, logits: "last" });
      const prefill = attention(() => forward(ids));
      const decode = attention(() => {
        for (let i = 0; i < tokens; i++) forward([i]);
      });
      cache[0].dispose();
      return { prefill, decode };
    },
  };
}
