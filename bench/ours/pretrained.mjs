// Measures a pretrained model's checkpoint in Node. The argument is `{ folder, options, ids, tokens, rounds }` as JSON, with options of
// `load`. Prints one line of JSON. Environment: BUILD, THREADS.
import { build, expectThreads, threads } from "./library.mjs";
import { measurePretrained } from "./pretrained-run.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

const { folder, options, ...task } = JSON.parse(process.argv[2]);
const measured = await measurePretrained(MiniMaxM1, folder, { ...task, options: { ...options, build, threads } });
expectThreads(measured.threads);
console.log(JSON.stringify(measured));
