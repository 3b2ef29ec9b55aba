// Greedy tokens of a model whose weights are a formula: `{ config, ids, tokens }` as JSON on the command line, one line of JSON. BUILD, THREADS.
import { build, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

const { config, ids, tokens } = JSON.parse(process.argv[2]);
const model = await MiniMaxM1.formula(config, { build, threads });
const generated = [];
for await (const { id } of model.generate(ids, { maxTokens: tokens })) generated.push(id);
console.log(JSON.stringify(generated));
model.dispose();
