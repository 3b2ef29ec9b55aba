// Measures where a forward pass spends its time: every kernel's calls, milliseconds and floating point operations, for a prompt and for the
// tokens after it. Options: folder, dtype.
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

let model;
let calls = [];

export async function setup({ folder, dtype }) {
  model = await MiniMaxM1.load(folder, { build, dtype, threads, onKernel: (call) => calls.push(call) });
  expectThreads(model.threads);
  return `lightning-m1 ${model.build}, ${dtype}, Node ${process.versions.node}`;
}

export function prepare({ ids, tokens }) {
  const phases = {};
  /** Runs `body`, which computes `size` tokens, and adds the work of the kernels to the phase. */
  function phase(name, size, body) {
    calls = [];
    const begin = performance.now();
    body();
    const ms = performance.now() - begin;
    phases[name] ??= { tokens: 0, ms: 0, kernels: {} };
    const sum = phases[name];
    sum.tokens += size;
    sum.ms += ms;
    for (const { kernel, ms, work } of calls) {
      sum.kernels[kernel] ??= { calls: 0, ms: 0, work: 0 };
      const entry = sum.kernels[kernel];
      entry.calls++;
      entry.ms += ms;
      entry.work += work;
    }
    return ms;
  }
  function run() {
    const cache = [model.newCache()];
    const forward = (ids) => model.forward([ids], { cache, logits: "last" });
    const prefill = phase("prefill", ids.length, () => forward(ids));
    const decode = phase("decode", tokens, () => {
      for (let i = 0; i < tokens; i++) forward([i]);
    });
    cache[0].dispose();
    return { prefill, decode };
  }
  // The engine fully compiles the kernels while they run for the first time.
  run();
  for (const name of Object.keys(phases)) delete phases[name];
  return { run, report: () => phases };
}
