// Teaches the small supervised model to use tools, in a clone of the repository:
//
//   npm run train:tools                     builds the library and runs this program (-- --help lists its options)
//
// 1. An environment whose questions need a price list and a calculator.
// 2. Supervised training on demonstrations of whole episodes.
// 3. CISPO over whole episodes, which the model plays itself.
//
// After an interruption, even a kill -9, the same command continues from the last save. The results are those of an uninterrupted run.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MiniMaxM1 } from "lightning-m1";
import { encodeTrace, episodeSource, playEpisode, playScript, ToolError, toolEnvironment, totalReward } from "lightning-m1/environments";
import { runInDirectory } from "lightning-m1/node";
import { cispo, trainPolicy } from "lightning-m1/rl";
import { exampleDataset, run, streamOf, Trainer } from "lightning-m1/train";

const HELP = `node examples/tool-use.mjs [OPTION …]

  --out DIR      directory of the run, which resumes there (default: tool-use-run)
  --threads N    number of threads (default: all processors); the results do not depend on it
  --quick        a few seconds of each part: checks that everything runs; its results are meaningless`;
const { values } = parseArgs({
  options: {
    out: { type: "string", default: "tool-use-run" },
    threads: { type: "string" },
    quick: { type: "boolean" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

// ── The environment ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Both tools take one text. A tool of `row.busy` refuses the first call of an episode; `row.broken` tools refuse every call. */
const tool = (name, description, run) => ({
  ...{ name, description },
  parameters: { type: "object", properties: { of: { type: "string" } }, required: ["of"] },
  run(state, { of }) {
    if (state.broken) throw new ToolError("no connection"); // the model sees "error: no connection", and the episode goes on
    if (state.busy.delete(name)) throw new ToolError("busy");
    return run(of, state);
  },
});

const shop = toolEnvironment({
  name: "shop",
  tools: [
    tool("price", "Price of a fruit", (of, { prices }) => {
      if (!Object.hasOwn(prices, of)) throw new ToolError("unknown fruit");
      return prices[of];
    }),
    tool("calc", "Product of two numbers, such as 2 * 3", (of) => {
      const [, a, b] = /^(\d+) \* (\d+)$/.exec(of) ?? [];
      if (a === undefined) throw new ToolError("expected a * b");
      return Number(a) * Number(b);
    }),
  ],
  // The training teaches the tools, which saves the 537 tokens of their description in every episode.
  describeTools: false,
  start: ({ prices, busy, broken }) => ({ prices, busy: new Set(busy), broken }), // the state of an episode
  messages: ({ question }) => [{ role: "user", content: question }],
  score: ({ answer }, _, { final, calls }) => ({
    rewards: { right: Number(final?.content === `<answer>${answer}</answer>`) },
    metrics: { calls: calls.length },
  }),
});

// ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const settings = {
  ...(values.quick
    ? { demonstrations: 8, steps: 2, batches: 2, groups: 2, heldOut: 4, every: 2, maxTokens: 16 }
    : { demonstrations: 400, steps: 450, batches: 40, groups: 16, heldOut: 200, every: 8, maxTokens: 320 }),
  ...{ maxTurns: 6, busy: 0.7, patience: 0.4 }, // probabilities that a tool refuses its first call, and that the demonstrator repeats it
};
const { maxTurns, maxTokens } = settings;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// ── Questions ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const FRUIT = ["pears", "figs", "limes", "plums", "dates", "nuts"];
/** Counts, factors and prices that occur only in held-out questions, never in training. */
const isHeldOut = (n) => n % 7 === 3;

/**
 * Creates question `index` of a stream: a third each need the calculator, the price list, or one after the other. Each question has its
 * own prices.
 */
function createRow(stream, index, heldOut = false) {
  const random = streamOf(stream, index);
  const draw = (from, to) => {
    for (;;) {
      const n = from + Math.floor((to - from) * random.next());
      if (isHeldOut(n) === heldOut) return n;
    }
  };
  const prices = Object.fromEntries(FRUIT.map((name) => [name, draw(100, 1000)]));
  const fruit = FRUIT[Math.floor(FRUIT.length * random.next())];
  const [count, factor] = [draw(11, 100), draw(100, 1000)];
  const kind = [
    { kind: "calculate", needs: ["calc"], question: `${count} * ${factor} = ?`, answer: count * factor },
    { kind: "look up", needs: ["price"], question: `Price of ${fruit}?`, answer: prices[fruit] },
    { kind: "both", needs: ["price", "calc"], question: `Price of ${count} ${fruit}?`, answer: count * prices[fruit] },
  ][index % 3];
  return { id: `${stream}/${index}`, ...kind, fruit, count, factor, prices, busy: kind.needs.filter(() => random.next() < settings.busy) };
}
const createRows = (stream, count, heldOut) => Array.from({ length: count }, (_, i) => createRow(stream, i, heldOut));

// ── Measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Streams of random numbers. */
const [DEMONSTRATIONS, TRAINING, HELD_OUT, PATIENCE] = [1, 2, 3, 4];
const heldOut = createRows(HELD_OUT, settings.heldOut, true);

/** Plays questions, all at once, at temperature 1 and top-p 0.95. All results are shares or means over the episodes. */
async function measure(model, rows = heldOut) {
  const traces = await Promise.all(rows.map((row, seed) => playEpisode(model, shop, row, { seed, topP: 0.95, maxTurns, maxTokens })));
  const isRight = (trace) => totalReward(trace) === 1;
  const isBusy = ({ task }) => task.data.busy.length > 0;
  const share = (some, holds) => some.filter(holds).length / Math.max(1, some.length);
  const mean = (name) => traces.reduce((sum, { metrics }) => sum + metrics[name], 0) / traces.length;
  return {
    success: share(traces, isRight),
    successWhenFree: share(
      traces.filter((trace) => !isBusy(trace)),
      isRight,
    ),
    successWhenBusy: share(traces.filter(isBusy), isRight),
    successWithoutCalls: share(traces, (trace) => isRight(trace) && trace.metrics.calls === 0),
    withCalls: share(traces, ({ metrics }) => metrics.calls > 0),
    ...{ calls: mean("calls"), turns: mean("turns"), tokens: mean("tokens") },
  };
}

// ── Demonstrations ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Writes a call as MiniMax-M1 does. */
const call = (name, of) => `<tool_calls>\n{"name": "${name}", "arguments": {"of": "${of}"}}\n</tool_calls>`;

/**
 * The demonstrator makes the calls that a question needs, one after the other, and answers. It is impatient: if a tool is busy, it gives
 * up in most cases. A model that only imitates it gives up too.
 */
const demonstrator =
  ({ needs, fruit, count, factor }, random) =>
  (messages) => {
    const results = messages.filter(({ role, content }) => role === "tool" && !content.startsWith("error")).map(({ content }) => content);
    const next = needs[results.length];
    const refused = messages.at(-1).content === "error: busy";
    if (refused && random.next() >= settings.patience) return "<answer>none</answer>";
    if (next === "price") return call("price", fruit);
    if (next === "calc") return call("calc", `${count} * ${results[0] ?? factor}`);
    return `<answer>${results.at(-1)}</answer>`;
  };

/** Plays the demonstrations, and encodes them. Only the tokens of the demonstrator's messages are targets. */
async function demonstrate(model) {
  const traces = [];
  for (const [i, row] of createRows(DEMONSTRATIONS, settings.demonstrations).entries()) {
    traces.push(await playScript(shop, row, demonstrator(row, streamOf(PATIENCE, i))));
  }
  const examples = await Promise.all(traces.map((trace) => encodeTrace(trace, model)));
  return { examples: examples.flat(), success: traces.filter((trace) => totalReward(trace) === 1).length / traces.length };
}

// ── Training ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const path = fileURLToPath(new URL("../models/m1-puzzles-supervised", import.meta.url));
const threads = values.threads === undefined ? "auto" : Number(values.threads);
// Training needs float32. With this build, the results do not depend on the number of threads.
const model = await MiniMaxM1.load(path, { dtype: "f32", build: "simd", threads });

/** Supervised training on the demonstrations. Line 0 measures the model before it. */
async function* imitate(trainer) {
  if (trainer.steps === 0) yield { step: 0, ...(await measure(model)) };
  const { examples, success } = await demonstrate(model);
  console.log(`demonstrations: ${percent(success)} of the demonstrator's answers are right`);
  const data = exampleDataset(examples, { seed: 1 });
  yield* run(trainer, data, { steps: settings.steps, batchTokens: 1024, schedule: { warmup: 10 } });
}

/** CISPO over whole episodes. Line 0 measures the model after the demonstrations. */
async function* reinforce(trainer) {
  const { batches, groups, every } = settings;
  if (trainer.progress === undefined) yield { batch: 0, ...(await measure(model)) };
  const source = episodeSource(shop, createRows(TRAINING, 20 * groups * batches), { maxTurns });
  const objective = (minibatch) => cispo(minibatch, { maxWeight: 5 });
  const options = {
    ...{ batches, groups, groupSize: 8, minibatches: 2, rounds: 1, maxTokens, seed: 1, objective },
    schedule: { warmup: 4 },
  };
  for await (const metrics of trainPolicy(model, trainer, [source], options)) {
    const due = metrics.batch % every === 0 || metrics.batch === batches;
    yield { ...metrics, ...(due && (await measure(model))) };
  }
}

// ── The run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Trains the model in a directory, from the last save on. Prints ten lines. */
async function train(name, options, { unit, total, saveEvery, lines }) {
  const trainer = new Trainer(model, options);
  const identity = { example: "tool-use", settings, options };
  for await (const line of runInDirectory(join(values.out, name), trainer, { identity, unit, saveEvery, train: lines })) {
    const { success, loss, accuracy } = line;
    if (success === undefined && line[unit] % Math.ceil(total / 10) > 0) continue;
    const parts = [
      ...(loss === undefined ? [] : [`loss ${loss.toFixed(3)}`]),
      ...(accuracy === undefined ? [] : [`${percent(accuracy)} of the sampled episodes right`]),
      ...(success === undefined ? [] : [`${percent(success)} of the held-out questions right`]),
    ];
    console.log(`${name}: ${unit} ${line[unit]} of ${total}: ${parts.join(", ")}`);
  }
  trainer.dispose();
}

await train("demonstrations", { lr: 4e-3 }, { unit: "step", total: settings.steps, saveEvery: 10, lines: imitate });
const policy = { lr: 6e-4, eps: 1e-4, weightDecay: 0, auxLossCoef: 0 };
await train("cispo", policy, { unit: "batch", total: settings.batches, saveEvery: 1, lines: reinforce });
await model.save(join(values.out, "model"));
const ablation = await measure(
  model,
  heldOut.map((row) => ({ ...row, broken: true })),
);
model.dispose();

// ── Results ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Wilson's 95 % interval of a share of the held-out questions. */
function interval(share) {
  const [n, z] = [settings.heldOut, 1.96];
  const middle = share + z ** 2 / (2 * n);
  const half = z * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return [middle - half, middle + half].map((x) => x / (1 + z ** 2 / n));
}

const linesOf = (name) => {
  const text = readFileSync(join(values.out, name, "metrics.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
};
const batches = linesOf("cispo");
const stages = {
  before: linesOf("demonstrations")[0],
  "after demonstrations": batches[0],
  "after CISPO": batches.at(-1),
  "tools answer an error": ablation,
};
console.log(`\n${settings.heldOut} held-out questions        success        interval   with a call   turns   success without calls`);
for (const [name, { success, withCalls, turns, successWithoutCalls }] of Object.entries(stages)) {
  const cells = [success, withCalls, successWithoutCalls].map(percent);
  const range = interval(success).map(percent).join("–");
  const widths = [7, 16, 14, 8, 24];
  const row = [cells[0], range, cells[1], turns.toFixed(2), cells[2]].map((cell, i) => cell.padStart(widths[i]));
  console.log(`${name.padEnd(26)}${row.join("")}`);
}
const { user, system } = process.cpuUsage();
console.log(`\nmodel: ${join(values.out, "model")}; processor time of this call: ${Math.round((user + system) / 1e6)} s`);

// For scripts/tool-use-figure.mjs: the table, and success over batches.
const shown = ["success", "successWhenFree", "successWhenBusy", "successWithoutCalls", "withCalls", "calls", "turns", "tokens"];
const pick = (line, names) => Object.fromEntries(names.flatMap((name) => (line[name] === undefined ? [] : [[name, line[name]]])));
const results = {
  settings,
  stages: Object.entries(stages).map(([stage, line]) => ({ stage, ...pick(line, shown), interval: interval(line.success) })),
  curve: batches.map((line) => ({
    ...pick(line, ["batch", "accuracy", "success", "successWhenFree", "successWhenBusy"]),
    ...(line.success !== undefined && { interval: interval(line.success) }),
  })),
};
writeFileSync(join(values.out, "results.json"), `${JSON.stringify(results, null, 1)}\n`);
