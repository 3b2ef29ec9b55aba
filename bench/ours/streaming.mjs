// Runs a checkpoint that is streamed with a budget. The argument is `{ folder, budgetBytes, ids, tokens, rounds }` as JSON. Each round
// loads the model anew, computes the prompt and greedy tokens, and prints one line of JSON. Environment: BUILD, THREADS.
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

const { folder, budgetBytes, ids, tokens, rounds } = JSON.parse(process.argv[2]);
for (let round = 0; round < rounds; round++) {
  const model = await MiniMaxM1.load(folder, { residency: "streamed", budgetBytes, build, threads });
  expectThreads(model.threads);
  const generated = [];
  const begin = performance.now();
  let first = begin;
  for await (const { id } of model.generate(ids, { maxTokens: tokens })) if (generated.push(id) === 1) first = performance.now();
  const seconds = (performance.now() - first) / 1000;
  console.log(
    JSON.stringify({
      generated,
      ...model.streaming,
      firstSeconds: (first - begin) / 1000,
      decode: (tokens - 1) / seconds,
      peakBytes: model.memory.peakBytes,
      reservedBytes: model.memory.reservedBytes,
      rssBytes: process.resourceUsage().maxRSS * 1024,
    }),
  );
  model.dispose();
}
