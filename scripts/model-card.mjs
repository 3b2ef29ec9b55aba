// Evaluates models and writes their cards, README.md and curves, from the directories in which they were trained:
//   npm run build && node scripts/model-card.mjs supervised RUN     models/m1-puzzles-supervised, from npm run train:model
//   npm run build && node scripts/model-card.mjs policy RUN         models/m1-puzzles, from lightning-m1 rl run examples/cispo-tiny.json
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { graph } from "../dist/node/index.js";
import { tasks } from "../dist/node/rl.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folders = { supervised: join(root, "models/m1-puzzles-supervised"), policy: join(root, "models/m1-puzzles") };
const [kind, run] = process.argv.slice(2);
const PER_LEVEL = 100;

const json = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));
const linesOf = (text) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const metrics = linesOf(readFileSync(join(run, "metrics.jsonl"), "utf8"));
const folder = folders[kind];
if (!folder) throw new Error(`model-card: expected supervised or policy, got ${kind}`);
writeFileSync(join(folder, "README.md"), kind === "policy" ? policyCard() : supervisedCard());

function policyCard() {
  copyFileSync(join(run, "curves.svg"), join(folder, "curves.svg"));
  const [sampled, greedy, q8] = [evaluate("policy"), evaluate("policy", "--greedy"), evaluate("policy", "--dtype", "q8")];
  const { parameterCount, activatedParameterCount } = graph(json("models/m1-puzzles/config.json"));
  const plan = json("examples/cispo-tiny.json");
  const batches = metrics.filter(({ step }) => step !== undefined);
  const totals = batches.reduce(
    ({ groups, tokens, seconds }, { groups: { sampled: more }, length, seconds: took }) => ({
      groups: groups + more,
      tokens: tokens + more * plan.run.groupSize * length.mean,
      seconds: seconds + took.sampling + took.learning,
    }),
    { groups: 0, tokens: 0, seconds: 0 },
  );
  const solved = tasks.filter(({ name }) => of(sampled, name, 1).accuracy >= 0.9);
  const before = evaluate("supervised");
  const fallen = sampled
    .filter(({ task, level, accuracy }) => task && accuracy < of(before, task, level).accuracy - 0.02)
    .map(({ task, level, accuracy }) => `${task} ${level} fell from ${percent(of(before, task, level).accuracy)} to ${percent(accuracy)} %`)
    .join(", ");
  return `# m1-puzzles

The model in the box: MiniMax-M1's architecture at ${n(parameterCount)} parameters, ${n(activatedParameterCount)} of them active per token, trained by this library and nothing else. It thinks in \`<think>\` over
[eight kinds of puzzles](../../docs/tasks.md) and answers in \`<answer>\`. It knows nothing else: other questions get an answer to some puzzle.

\`\`\`sh
npx lightning-m1 chat          # ask it
npx lightning-m1 eval --per-level ${PER_LEVEL} --build simd     # the table below, column "sampled"
\`\`\`

## What it can do

Right answers in percent on ${PER_LEVEL} held-out puzzles for each level, which no training data contains: sampled at temperature 1.0 with top-p 0.95, as MiniMax recommends; the same of [the supervised model](../m1-puzzles-supervised/README.md) that it was before
reinforcement learning; greedy; and sampled with 8-bit weights. Blind is guessing a well-formed answer; majority is always giving the most frequent one. Thinking is the mean length of a response in tokens.

${table({ sampled, "before RL": before, greedy, "8-bit": q8 })}

${solved.length} of ${tasks.length} tasks reach 90 % on their easiest level: ${solved.map(({ name }) => name).join(", ")}.

## How it came about

First [by imitation](../m1-puzzles-supervised/README.md), then by reinforcement learning with CISPO on what imitation had not mastered (\`lightning-m1 rl run examples/cispo-tiny.json\`): ${batches.length} batches of ${plan.run.groups} groups of ${plan.run.groupSize} answers, each learned from in ${plan.run.minibatches} updates;
weights up to ${plan.objective.maxWeight}, learning rate ${plan.trainer.lr} with a cosine to ${100 * plan.run.schedule.floor} %, ε ${plan.trainer.eps}. ${n(totals.groups * plan.run.groupSize)} answers were sampled to ${n(totals.groups)} puzzles, ${(totals.tokens / 1e6).toFixed(1)} million tokens, in ${(totals.seconds / 60).toFixed(0)} minutes of computing, on two cores.

![accuracy](./curves.svg)

## Limits

- What it was not trained on it cannot do: longer puzzles, other wordings, other languages. It has no knowledge and makes none of it up well.
- Long chains fail by single slips: one wrong copy, and the rest follows from it.
- What reinforcement learning did not practise can suffer from it${fallen ? `: ${fallen}` : ""}.
- A run follows from its seed with the \`simd\` kernels, to the bit, on any number of threads: tested on short runs, killed and resumed.

Apache-2.0, like the library.
`;
}

function supervisedCard() {
  copyFileSync(join(run, "loss.svg"), join(folder, "loss.svg"));
  const scores = {
    sampled: evaluate("supervised"),
    greedy: evaluate("supervised", "--greedy"),
    "8-bit": evaluate("supervised", "--dtype", "q8"),
  };
  const plan = json("models/m1-puzzles.train.json");
  const tokens = metrics.reduce((sum, step) => sum + step.tokens, 0);
  const hours = metrics.reduce((sum, step) => sum + step.tokens / step.tokensPerSecond, 0) / 3600;
  const heldOut = metrics.filter((step) => step.heldOutLoss !== undefined);
  return `# m1-puzzles-supervised

[The model in the box](../m1-puzzles/README.md) before reinforcement learning, which begins with it: \`npm run train:model\` in the repository. The weights are in this folder of the repository, and not in the npm package.

Right answers in percent on ${PER_LEVEL} held-out puzzles for each level: sampled at temperature 1.0 with top-p 0.95; greedy; and sampled with 8-bit weights. Blind is guessing a well-formed answer; majority is always giving the most frequent one.
Thinking is the mean length of a response in tokens.

${table(scores)}

## How it came about

- **Architecture**: ${plan.model.num_hidden_layers} layers, seven of lightning attention and one of softmax attention; hidden ${plan.model.hidden_size}, ${plan.model.num_attention_heads} heads of ${plan.model.head_dim}; ${plan.model.num_local_experts} experts of ${plan.model.intermediate_size}, two per token; a byte-level vocabulary of ${plan.tokenizer.vocabSize}
  learned from ${n(plan.data.texts)} puzzles. Stored in bf16 in the published layout.
- **Data**: worked solutions of generated puzzles, all tasks and levels as often, prompts masked out. An eighth of all puzzles, by a hash, is never trained on.
- **Training**: supervised, ${n(metrics.length)} steps, ${n(metrics.at(-1).documents)} puzzles, ${(tokens / 1e6).toFixed(1)} million tokens, ${plan.run.batchTokens} a step; AdamW as in the report (β 0.9 and 0.95, ε 1e-15), learning rate ${plan.trainer.lr} with ${plan.run.schedule.warmup} steps of warm-up and a cosine to a tenth; gradient norm
  clipped to 1; load-balancing loss × ${plan.model.router_aux_loss_coef}. On two shared cores it took ${hours.toFixed(1)} hours of computing, on one of them.
- **Held-out loss**: ${heldOut[0].heldOutLoss.toFixed(3)} nats per token after ${heldOut[0].step} steps, ${heldOut.at(-1).heldOutLoss.toFixed(4)} at the end. Training loss at the end: ${mean(metrics.slice(-100), "crossEntropy").toFixed(4)}.

![loss](./loss.svg)

A run follows from its seed with the \`simd\` kernels, to the bit, on any number of threads: tested on short runs, killed and resumed. Of the training that made these weights the first 277 steps were repeated, on two threads: identical. The whole of it was not.

Apache-2.0, like the library.
`;
}

/** A row for each level of each task: accuracies by column, the first one bold, then guesses and length as the first one's. */
function table(columns) {
  const [first, ...others] = Object.values(columns);
  const rows = tasks.flatMap(({ name, levels }) =>
    Array.from({ length: levels }, (_, i) => {
      const { accuracy, blind, majority, tokens } = of(first, name, i + 1);
      const cells = [...others.map((scores) => of(scores, name, i + 1).accuracy), blind, majority].map(percent);
      return [i === 0 ? name : "", i + 1, `**${percent(accuracy)}**`, ...cells, tokens.toFixed(0)];
    }),
  );
  const means = others.map((scores) => (100 * scores.at(-1).mean).toFixed(1));
  const guesses = ["blind", "majority"].map((key) => percent(mean(first, key)));
  return [
    ["task", "level", ...Object.keys(columns), "blind", "majority", "tokens"],
    ["---", ...Array.from({ length: Object.keys(columns).length + 4 }, () => "---:")],
    ...rows,
    [`**mean of all ${rows.length}**`, "", `**${(100 * first.at(-1).mean).toFixed(1)}**`, ...means, ...guesses, ""],
  ]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** The lines of `lightning-m1 eval`: one for each level, and a last one for all. */
function evaluate(model, ...options) {
  const args = [join(root, "dist/node/cli.js"), "eval", folders[model], "--per-level", PER_LEVEL, "--build", "simd", "--json", ...options];
  return linesOf(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}

function of(scores, name, level) {
  return scores.find((score) => score.task === name && score.level === level);
}

function percent(share) {
  return (100 * share).toFixed(0);
}

function n(x) {
  return x.toLocaleString("en-US");
}

function mean(items, key) {
  const known = items.filter((item) => item[key] !== undefined);
  return known.reduce((sum, item) => sum + item[key], 0) / known.length;
}
