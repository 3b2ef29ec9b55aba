// npm run study:fp32-head [-- --responses N] [-- --write]
//
// Measures whether sampling and training compute the same probabilities (M1 report, section 3.2, figure 3). The bundled model answers puzzles
// token by token: with its head in float32, with its head in bfloat16, and with all weights in 8 bits. The trainer then computes all tokens
// of each response at once.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MiniMaxM1 } from "../../dist/node/index.js";
import { agreement, chatCodec, drawPuzzle, rollouts, tasks } from "../../dist/node/rl.js";
import { streamOf, Trainer } from "../../dist/node/train.js";
import { headOf, logProbabilities } from "./bf16-head.mjs";
import { figure } from "./figure.mjs";

const { values } = parseArgs({ options: { responses: { type: "string", default: "128" }, write: { type: "boolean" } } });
const responses = Number(values.responses);
if (!(Number.isInteger(responses) && responses >= 1)) {
  throw new Error(`study: --responses: expected an integer of at least 1, got ${values.responses}`);
}
const load = (dtype) => MiniMaxM1.load(undefined, { dtype, build: "simd", threads: 1 });

const model = await load("f32");
const codec = await chatCodec(model.tokenizer, (messages) => model.formatChat(messages));
const prompts = Array.from({ length: responses }, (_, i) => {
  const { task, instance } = drawPuzzle(streamOf(1, i), tasks, true);
  return codec.prompt(task.question(instance));
});

const float32 = await compare("head in float32", model, ({ logp }) => logp);
const head = await headOf(model);
const bfloat16 = await compare("head in bfloat16", model, ({ ids }, prompt) => logProbabilities(model, head, prompt, ids));
const quantised = await load("q8");
const int8 = await compare("all weights in 8 bits", quantised, ({ logp }) => logp);
for (const one of [model, quantised]) one.dispose();

const panels = [float32, bfloat16, int8];
for (const { title, tokens, correlation, largest } of panels) {
  console.log(`${title}: correlation ${correlation.toFixed(12)}, largest difference ${largest.toExponential(1)}, ${tokens} tokens`);
}
if (values.write) writeFileSync(fileURLToPath(new URL("../../docs/fp32-head.svg", import.meta.url)), await figure(panels));

/** Samples responses, and compares the sampler's log-probabilities with those of the trainer in float32. */
async function compare(title, sampler, thought) {
  const groups = await rollouts(sampler, prompts, { groupSize: 1, maxTokens: 256, seed: 1 });
  const own = groups.map(([response]) => response);
  const trainer = new Trainer(model, { microBatchTokens: 4096 });
  const examples = own.map(({ ids }, i) => ({
    ids: [...prompts[i], ...ids],
    weights: [...prompts[i].map(() => 0), ...ids.map(() => 1)],
  }));
  const trained = trainer.likelihoods(examples).map(({ logp }) => logp);
  trainer.dispose();
  const sampled = own.map((response, i) => thought(response, prompts[i]));
  const points = sampled.flatMap((row, i) => Array.from(row, (l, t) => ({ sampled: Math.exp(l), trained: Math.exp(trained[i][t]) })));
  return { title, tokens: points.length, ...agreement(sampled, trained), points };
}
