// Evaluates models and writes their model cards (README.md and curves) from the directories of their runs:
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
  const [sampled, greedy] = [evaluate("policy"), evaluate("policy", "--greedy")];
  const [q8, q4] = ["q8", "q4"].map((dtype) => evaluate("policy", "--dtype", dtype));
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

This is the bundled model. It has MiniMax-M1's architecture, with ${n(parameterCount)} parameters, ${n(activatedParameterCount)} of them active per
token, and was trained only with this library. It solves [eight kinds of puzzles](../../docs/compact-tasks.md): it reasons
in \`<think>\` and answers in \`<answer>\`. To any other question, it answers as if the question were one of these puzzles.

\`\`\`sh
npx lightning-m1 chat          # chat with it
npx lightning-m1 eval --per-level ${PER_LEVEL} --build simd     # the table below, column "sampled"
\`\`\`

## Accuracy

The table gives the percentage of right answers to ${PER_LEVEL} held-out puzzles of each level. Held-out puzzles are not in any
training data.

| column | meaning |
| --- | --- |
| sampled | temperature 1.0 with top-p 0.95, as MiniMax recommends |
| before RL | sampled in the same way from [the supervised model](../m1-puzzles-supervised/README.md), before reinforcement learning |
| greedy | greedy decoding |
| 8-bit | sampled in the same way, with 8-bit weights |
| 4-bit | sampled in the same way, with 4-bit weights (embedding and head in 8 bits) |
| blind | a random answer in the right form, as a baseline |
| majority | always the most frequent answer, as a baseline |
| tokens | mean length of a response |

${table({ sampled, "before RL": before, greedy, "8-bit": q8, "4-bit": q4 })}

${perplexities("policy")}

${solved.length} of ${tasks.length} tasks reach 90 % on their easiest level:
${solved.map(({ name }) => name).join(", ")}.

## Training

The model was first trained [on worked solutions](../m1-puzzles-supervised/README.md). Then it was trained with CISPO on the
tasks that it had not mastered. The command is \`lightning-m1 rl run examples/cispo-tiny.json\`.

| | |
| --- | --- |
| batches | ${batches.length}, of ${plan.run.groups} groups of ${plan.run.groupSize} answers, with ${plan.run.minibatches} updates each |
| upper bound of the importance weights | ${plan.objective.maxWeight} |
| AdamW | learning rate ${plan.trainer.lr} with a cosine to ${100 * plan.run.schedule.floor} %, ε ${plan.trainer.eps} |
| sampled | ${n(totals.groups * plan.run.groupSize)} answers to ${n(totals.groups)} puzzles, ${(totals.tokens / 1e6).toFixed(1)} million tokens |
| computing time | ${(totals.seconds / 60).toFixed(0)} minutes on two cores |

![accuracy](./curves.svg)

## Limits

- It cannot solve puzzles that differ from its training data, for example longer ones, or puzzles in other words or
  languages. It has no general knowledge.
- A single error makes a long solution wrong: if one line is copied wrongly, all later lines are wrong too.
- Reinforcement learning can reduce the accuracy on tasks that it does not include${fallen ? `: ${fallen}` : ""}.
- With the build \`simd\`, the same seed gives bit-identical weights on any number of threads. Tests check this for short
  runs. The whole run was made twice, once killed and resumed, and once on one thread without interruption. Both gave the
  same weights.

Apache-2.0, like the library.
`;
}

function supervisedCard() {
  copyFileSync(join(run, "loss.svg"), join(folder, "loss.svg"));
  const scores = {
    sampled: evaluate("supervised"),
    greedy: evaluate("supervised", "--greedy"),
    "8-bit": evaluate("supervised", "--dtype", "q8"),
    "4-bit": evaluate("supervised", "--dtype", "q4"),
  };
  const plan = json("models/m1-puzzles.train.json");
  const tokens = metrics.reduce((sum, step) => sum + step.tokens, 0);
  const hours = metrics.reduce((sum, step) => sum + step.tokens / step.tokensPerSecond, 0) / 3600;
  const heldOut = metrics.filter((step) => step.heldOutLoss !== undefined);
  return `# m1-puzzles-supervised

These are the weights from which the reinforcement learning of [the bundled model](../m1-puzzles/README.md) starts. In the
repository, \`npm run train:model\` trains them. The npm package does not contain them.

## Accuracy

The table gives the percentage of right answers to ${PER_LEVEL} held-out puzzles of each level.

| column | meaning |
| --- | --- |
| sampled | temperature 1.0 with top-p 0.95 |
| greedy | greedy decoding |
| 8-bit | sampled in the same way, with 8-bit weights |
| 4-bit | sampled in the same way, with 4-bit weights (embedding and head in 8 bits) |
| blind | a random answer in the right form, as a baseline |
| majority | always the most frequent answer, as a baseline |
| tokens | mean length of a response |

${table(scores)}

## Training

| | |
| --- | --- |
| architecture | ${plan.model.num_hidden_layers} layers: seven of lightning attention and one of softmax attention; hidden size ${plan.model.hidden_size}; ${plan.model.num_attention_heads} heads of ${plan.model.head_dim}; ${plan.model.num_local_experts} experts of ${plan.model.intermediate_size}, two per token |
| vocabulary | byte-level BPE of ${plan.tokenizer.vocabSize} tokens, trained on ${n(plan.data.texts)} puzzles |
| format of the weights | bf16, with the names and layout of the published checkpoint |
| data | worked solutions of generated puzzles, with all tasks and levels equally often; the loss counts only the solutions; an eighth of all puzzles, selected by a hash, is held out |
| steps | ${n(metrics.length)} steps of ${n(plan.run.batchTokens)} tokens: ${n(metrics.at(-1).documents)} puzzles, ${(tokens / 1e6).toFixed(1)} million tokens |
| AdamW, as in the report | β 0.9 and 0.95, ε 1e-15; learning rate ${plan.trainer.lr} with ${plan.run.schedule.warmup} steps of warm-up and a cosine to a tenth; gradient norm clipped to 1 |
| coefficient of the load-balancing loss | ${plan.model.router_aux_loss_coef} |
| computing time | ${hours.toFixed(1)} hours on one of two shared cores |
| held-out loss | ${heldOut[0].heldOutLoss.toFixed(3)} nats per token after ${heldOut[0].step} steps, ${heldOut.at(-1).heldOutLoss.toFixed(4)} at the end |
| training loss at the end | ${mean(metrics.slice(-100), "crossEntropy").toFixed(4)} |

![loss](./loss.svg)

With the build \`simd\`, the same seed gives bit-identical weights on any number of threads. This was tested on short runs,
which were killed and resumed. Of the run that made these weights, the first 277 steps were repeated on two threads, with
identical results. The whole run was not repeated.

Apache-2.0, like the library.
`;
}

/**
 * Returns a table with a row for each level of each task: accuracies by column, with the first one in bold, then guesses and lengths of the
 * first column.
 */
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

/** Returns the lines of `lightning-m1 eval`: one for each level, and a last one for all. */
function evaluate(model, ...options) {
  const args = [join(root, "dist/node/cli.js"), "eval", folders[model], "--per-level", PER_LEVEL, "--build", "simd", "--json", ...options];
  return linesOf(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}

/** Returns a sentence with the perplexity of the stored and of rounded weights. */
function perplexities(model) {
  const args = [join(root, "dist/node/cli.js"), "inspect", folders[model], "--accuracy", "--json"];
  const { accuracy } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  const [q8, q4] = ["q8", "q4"].map((dtype) =>
    accuracy.precisions.find(({ precision }) => precision.dtype === dtype).perplexity.toFixed(3),
  );
  return `On ${accuracy.tokens} tokens that the model samples itself, its perplexity is ${accuracy.perplexity.toFixed(3)} as stored, ${q8} in 8 bits
and ${q4} in 4 bits (\`lightning-m1 inspect m1-puzzles --accuracy\`).`;
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
