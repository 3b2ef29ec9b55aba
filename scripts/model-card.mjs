// Evaluates models/m1-puzzles and writes its card: models/m1-puzzles/README.md and loss.svg.
//   npm run build && node scripts/model-card.mjs RUN      RUN: where it was trained, for metrics.jsonl
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { graph } from "../dist/node/index.js";
import { tasks } from "../dist/node/rl.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "models/m1-puzzles");
const [run] = process.argv.slice(2);
const PER_LEVEL = 100;

const evaluate = (...options) => {
  const args = [join(root, "dist/node/cli.js"), "eval", "--per-level", PER_LEVEL, "--build", "simd", "--json", ...options];
  const lines = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
};
const percent = (share) => (100 * share).toFixed(0);
const [sampled, greedy, q8] = [evaluate(), evaluate("--greedy"), evaluate("--dtype", "q8")];
const means = [sampled, greedy, q8].map((scores) => (100 * scores.at(-1).mean).toFixed(1));

const metrics = readFileSync(join(run, "metrics.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
copyFileSync(join(run, "loss.svg"), join(folder, "loss.svg"));
const plan = JSON.parse(readFileSync(join(root, "models/m1-puzzles.train.json"), "utf8"));
const tokens = metrics.reduce((sum, step) => sum + step.tokens, 0);
const hours = metrics.reduce((sum, step) => sum + step.tokens / step.tokensPerSecond, 0) / 3600;
const heldOut = metrics.filter((step) => step.heldOutLoss !== undefined);
const { parameterCount, activatedParameterCount } = graph(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")));
const n = (x) => x.toLocaleString("en-US");

const rows = tasks.flatMap((task) =>
  Array.from({ length: task.levels }, (_, i) => {
    const of = (scores) => scores.find((score) => score.task === task.name && score.level === i + 1);
    const { accuracy, blind, majority, tokens } = of(sampled);
    const cells = [accuracy, of(greedy).accuracy, of(q8).accuracy, blind, majority].map(percent);
    return `| ${[i === 0 ? task.name : "", i + 1, `**${cells[0]}**`, ...cells.slice(1), tokens.toFixed(0)].join(" | ")} |`;
  }),
);
const solved = tasks.filter((task) => sampled.find(({ task: name, level }) => name === task.name && level === 1).accuracy >= 0.9);

writeFileSync(
  join(folder, "README.md"),
  `# m1-puzzles

The model in the box: MiniMax-M1's architecture at ${n(parameterCount)} parameters, ${n(activatedParameterCount)} of them active per token, trained by this library and nothing else. It thinks in \`<think>\` over
[eight kinds of puzzles](../../docs/tasks.md) and answers in \`<answer>\`. It knows nothing else: other questions get an answer to some puzzle.

\`\`\`sh
npx lightning-m1 chat          # ask it
npx lightning-m1 eval --per-level ${PER_LEVEL} --build simd     # the table below, column "sampled"
npm run train:model            # its training, from nothing, in the repository
\`\`\`

## What it can do

Right answers in percent on ${PER_LEVEL} held-out puzzles for each level, which no training data contains: sampled at temperature 1.0 with top-p 0.95, as MiniMax recommends; greedy; and sampled with 8-bit weights. Blind is guessing
a well-formed answer; majority is always giving the most frequent one. Thinking is the mean length of a response in tokens.

| task | level | sampled | greedy | 8-bit | blind | majority | tokens |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join("\n")}
| **mean of all ${rows.length}** | | **${means[0]}** | ${means[1]} | ${means[2]} | ${percent(mean(sampled, "blind"))} | ${percent(mean(sampled, "majority"))} | |

${solved.length} of ${tasks.length} tasks reach 90 % on their easiest level: ${solved.map(({ name }) => name).join(", ")}.

## How it came about

- **Architecture**: ${plan.model.num_hidden_layers} layers, seven of lightning attention and one of softmax attention; hidden ${plan.model.hidden_size}, ${plan.model.num_attention_heads} heads of ${plan.model.head_dim}; ${plan.model.num_local_experts} experts of ${plan.model.intermediate_size}, two per token; a byte-level vocabulary of ${plan.tokenizer.vocabSize}
  learned from ${n(plan.data.texts)} puzzles. Stored in bf16 in the published layout.
- **Data**: worked solutions of generated puzzles, all tasks and levels as often, prompts masked out. An eighth of all puzzles, by a hash, is never trained on.
- **Training**: supervised, ${n(metrics.length)} steps, ${n(metrics.at(-1).documents)} puzzles, ${(tokens / 1e6).toFixed(1)} million tokens, ${plan.run.batchTokens} a step; AdamW as in the report (β 0.9 and 0.95, ε 1e-15), learning rate ${plan.trainer.lr} with ${plan.run.schedule.warmup} steps of warm-up and a cosine to a tenth; gradient norm
  clipped to 1; load-balancing loss × ${plan.model.router_aux_loss_coef}. On two shared cores it took ${hours.toFixed(1)} hours of computing, on one of them.
- **Held-out loss**: ${heldOut[0].heldOutLoss.toFixed(3)} nats per token after ${heldOut[0].step} steps, ${heldOut.at(-1).heldOutLoss.toFixed(4)} at the end. Training loss at the end: ${mean(metrics.slice(-100), "crossEntropy").toFixed(4)}.

![loss](./loss.svg)

## Limits

- What it was not trained on it cannot do: longer puzzles, other wordings, other languages. It has no knowledge and makes none of it up well.
- Long chains fail by single slips: one wrong copy, and the rest follows from it. No reinforcement learning has been applied.
- A run follows from its seed with the \`simd\` kernels, to the bit, on any number of threads: tested on short runs, killed and resumed. Of the training that made these weights the first 277 steps were repeated, on two threads: identical. The whole of it was not.

Apache-2.0, like the library.
`,
);
console.log(means.join(" "), solved.length);

function mean(items, key) {
  const known = items.filter((item) => item[key] !== undefined);
  return known.reduce((sum, item) => sum + item[key], 0) / known.length;
}
