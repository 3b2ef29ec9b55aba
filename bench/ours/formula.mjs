// Prints the greedy tokens of a model with synthetic weights, as one line of JSON. The argument is `{ config, ids, tokens }` as JSON.
// Environment: BUILD, THREADS.
import { build, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

const { config, ids, tokens } = JSON.parse(process.argv[2]);
const model = await MiniMaxM1.formula(config, { build, threads });
const generated = [];
for await (const { id } of model.generate(ids, { maxTokens: tokens })) generated.push(id);
console.log(JSON.stringify(generated));
model.dispose();
