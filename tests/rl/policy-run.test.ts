// The loop as a whole, on a model of a few thousand parameters whose reward is the share of even tokens among those that it says.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { cispo, responseWeights } from "../../src/rl/objectives/index.js";
import type { PolicyMetrics } from "../../src/rl/policy-metrics.js";
import type { PolicyOptions } from "../../src/rl/policy-options.js";
import { trainPolicy } from "../../src/rl/policy-run.js";
import { documentOf } from "../../src/rl/policy-update.js";
import type { ProblemSource } from "../../src/rl/problem.js";
import { Trainer } from "../../src/train/trainer.js";
import { randomIds } from "../support/random.js";
import { GRADIENTS, normDistance } from "../support/tolerance.js";

const VOCABULARY = 24;
const config = {
  ...{ model_type: "minimax_m1", torch_dtype: "float32", vocab_size: VOCABULARY, hidden_size: 16, intermediate_size: 12 },
  ...{ num_hidden_layers: 2, attn_type_list: [0, 1], num_attention_heads: 2, num_key_value_heads: 1, head_dim: 8, rotary_dim: 4 },
  ...{ num_local_experts: 4, num_experts_per_tok: 2, postnorm: true, initializer_range: 0.2 },
};

const models: MiniMaxM1[] = [];
afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
});

async function fresh(threads = 1): Promise<MiniMaxM1> {
  const model = await MiniMaxM1.create(config, { seed: 3, threads, build: "simd" });
  models.push(model);
  return model;
}

/** Prompts of three tokens; right is a response that is even for more than half. */
function source(reward: (share: number) => number | null = (share) => share): ProblemSource {
  return {
    name: "even",
    problem: (index) => ({
      prompt: randomIds(index + 1, 3, VOCABULARY),
      judge({ ids }) {
        const share = ids.filter((id) => id % 2 === 0).length / ids.length;
        const total = reward(share);
        return { correct: share > 0.5, total, components: { even: total } };
      },
    }),
  };
}

const options: PolicyOptions = {
  batches: 4,
  groups: 4,
  groupSize: 4,
  minibatches: 2,
  maxTokens: 6,
  rounds: 0,
  seed: 5,
  schedule: { warmup: 0, decay: "constant" },
};
const settings = { lr: 3e-3, weightDecay: 0, auxLossCoef: 0 };

async function all(metrics: AsyncIterable<PolicyMetrics>): Promise<PolicyMetrics[]> {
  const found: PolicyMetrics[] = [];
  for await (const one of metrics) found.push(one);
  return found;
}

const timeless = (metrics: readonly PolicyMetrics[]) => metrics.map(({ seconds: _, tokensPerSecond: __, ...rest }) => rest);

describe("a policy", () => {
  let model: MiniMaxM1;
  beforeEach(async () => {
    model = await fresh();
  });

  test("learns what is rewarded, and samples from what it is trained as", async () => {
    const trainer = new Trainer(model, { ...settings, lr: 1e-2 });
    const metrics = await all(trainPolicy(model, trainer, [source()], { ...options, batches: 30, groups: 8, groupSize: 8 }));
    const mean = (some: readonly PolicyMetrics[]) => some.reduce((sum, { rewards }) => sum + rewards.total!, 0) / some.length;
    expect(mean(metrics.slice(0, 3))).toBeLessThan(0.65);
    expect(mean(metrics.slice(-3))).toBeGreaterThan(0.9);
    for (const { policy } of metrics) expect(policy!.agreement!.correlation).toBeGreaterThan(0.999);
    expect(metrics.at(-1)!.policy!.entropy).toBeLessThan(metrics[0]!.policy!.entropy);
    expect(metrics.map(({ batch }) => batch)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(metrics.at(-1)!).toMatchObject({ problems: 30 * 8, groups: { sampled: 8, kept: 8 }, length: { window: 6 } });
  });

  test("goes on after restore with the same numbers and weights; two threads are as one", async () => {
    const trainer = new Trainer(model, settings);
    let state: Uint8Array | undefined;
    const whole: PolicyMetrics[] = [];
    for await (const metrics of trainPolicy(model, trainer, [source()], options)) {
      whole.push(metrics);
      if (metrics.batch === 2) state = trainer.save();
    }
    const again = await fresh(2);
    const resumed = new Trainer(again, settings);
    resumed.restore(state!);
    expect(timeless(await all(trainPolicy(again, resumed, [source()], options)))).toEqual(timeless(whole.slice(2)));
    expect(Buffer.compare(resumed.save(), trainer.save())).toBe(0);
    const other = await fresh(2);
    const parallel = new Trainer(other, settings);
    expect(timeless(await all(trainPolicy(other, parallel, [source()], options)))).toEqual(timeless(whole));
    expect(Buffer.compare(parallel.save(), trainer.save())).toBe(0);
  });

  test.each<[string, (share: number) => number | null]>([
    ["the same for all", () => 1],
    ["null for all", () => null],
  ])("with rewards that are %s keeps its weights", async (_, reward) => {
    const trainer = new Trainer(model, settings);
    const before = trainer.gradients([randomIds(1, 8, VOCABULARY)]).gradients;
    const metrics = await all(trainPolicy(model, trainer, [source(reward)], options));
    expect(metrics.map(({ updates, step }) => [updates.length, step])).toEqual(metrics.map(() => [0, 0]));
    expect(trainer.gradients([randomIds(1, 8, VOCABULARY)]).gradients).toEqual(before);
    expect(metrics[0]!.rewards.total).toBe(reward(1) ?? undefined);
  });

  test("learns from the responses that have a reward, where others have none", async () => {
    const trainer = new Trainer(model, settings);
    const metrics = await all(trainPolicy(model, trainer, [source((share) => (share < 0.3 ? null : share))], options));
    expect(trainer.steps).toBeGreaterThan(0);
    expect(metrics.every(({ rewards }) => rewards.total! >= 0.3)).toBe(true);
  });

  test("is learned from to the end of a batch, however early the signal comes", async () => {
    const trainer = new Trainer(model, settings);
    const controller = new AbortController();
    const judged: ProblemSource = {
      name: "late",
      problem: (index) => {
        const problem = source().problem(index);
        return {
          prompt: problem.prompt,
          judge: (response) => {
            controller.abort(new Error("enough"));
            return problem.judge(response);
          },
        };
      },
    };
    const found: PolicyMetrics[] = [];
    const run = async () => {
      for await (const one of trainPolicy(model, trainer, [judged], { ...options, signal: controller.signal })) found.push(one);
    };
    await expect(run()).rejects.toThrow("enough");
    expect(found.map(({ batch, updates, step }) => [batch, updates.length, step])).toEqual([[1, 2, 2]]);
    expect(trainer.progress).toMatchObject({ batch: 1 });
  });

  test("ends with the error of a source, and stands where the last batch left it", async () => {
    const trainer = new Trainer(model, settings);
    const broken: ProblemSource = {
      name: "broken",
      problem: (index) => {
        if (index >= 6) throw new Error(`no problem ${index}`);
        return source().problem(index);
      },
    };
    await expect(all(trainPolicy(model, trainer, [broken], options))).rejects.toThrow("no problem 6");
    expect(trainer.progress).toMatchObject({ batch: 1, problems: 4 });
  });

  test("of a minibatch that goes through in parts has the gradient of the whole", () => {
    const samples = [9, 5, 7, 3].map((length, i) => ({ prompt: randomIds(i, 3, VOCABULARY), ids: randomIds(10 + i, length, VOCABULARY) }));
    const documents = samples.map(documentOf);
    const logpOld = new Trainer(model, settings).likelihoods(documents).map(({ logp }) => logp.map((l) => l - 0.3));
    const mask = samples.map(({ ids }) => ids.map(() => 1));
    const advantages = [1, -0.5, 0.25, -0.75];
    const weights = responseWeights({ mask }, { aggregation: "token" });
    const gradients = (microBatchTokens: number) =>
      new Trainer(model, { ...settings, microBatchTokens }).gradients(documents, (logp, first) => {
        const [from, to] = [first, first + logp.length];
        return cispo({
          ...{ logp, logpOld: logpOld.slice(from, to), mask: mask.slice(from, to) },
          ...{ advantages: advantages.slice(from, to), weights: weights.slice(from, to) },
        });
      }).gradients;
    const [whole, parts] = [gradients(1000), gradients(12)];
    for (const [name, gradient] of parts) expect(normDistance(gradient, whole.get(name)!), name).toBeLessThan(GRADIENTS.relative);
  });

  test("updated in parts ends where it ends in one", async () => {
    const once = new Trainer(model, settings);
    const [first] = await all(trainPolicy(model, once, [source()], { ...options, batches: 1 }));
    const other = await fresh();
    const parts = new Trainer(other, { ...settings, microBatchTokens: 20 });
    const [second] = await all(trainPolicy(other, parts, [source()], { ...options, batches: 1 }));
    for (const [i, { gradNorm, loss }] of first!.updates.entries()) {
      expect(Math.abs(second!.updates[i]!.gradNorm / gradNorm - 1)).toBeLessThan(GRADIENTS.relative);
      expect(Math.abs(second!.updates[i]!.loss - loss)).toBeLessThan(GRADIENTS.loss);
    }
  });
});

test.each<[Partial<PolicyOptions>, string]>([
  [{ batches: 0 }, "batches: expected an integer of at least 1, got 0"],
  [{ groupSize: 1 }, "groupSize: expected an integer of at least 2, got 1"],
  [{ minibatches: 5 }, "minibatches: expected at most groups, 4, got 5"],
  [{ overlong: 2 }, "overlong: expected a number within [0, 1], got 2"],
  [{ objective: "cispo" as never }, 'objective: expected a function, got "cispo"'],
  [{ maxTokens: { windows: [] } }, "maxTokens: nextWindow: windows: expected ascending numbers of tokens, got "],
  [{ maxTokens: { windows: undefined, near: 2 } as never }, "maxTokens: nextWindow: near: expected a number within (0, 1], got 2"],
  [{ advantages: { eps: -1 } }, "advantages: groupAdvantages: eps: expected a number within [0, 1e9], got -1"],
  [{ repetition: { probability: 2 } }, "repetition.probability: expected"],
  [{ temperature: 1 } as never, "temperature: unknown option"],
])("options that do not fit: %j", async (changes, message) => {
  const model = await fresh();
  const trainer = new Trainer(model, settings);
  await expect(all(trainPolicy(model, trainer, [source()], { ...options, ...changes }))).rejects.toThrow(`trainPolicy: ${message}`);
});

test.each<[readonly unknown[], string]>([
  [[], "sources: expected at least one, got none"],
  [[{ name: "a" }], "sources[0]: expected { name, problem(index) }, got something else"],
  [[source(), source()], 'sources[1]: expected a name of its own, got "even", as sources[0] has'],
])("sources that do not fit: %j", async (sources, message) => {
  const model = await fresh();
  await expect(all(trainPolicy(model, new Trainer(model, settings), sources as ProblemSource[], options))).rejects.toThrow(
    `trainPolicy: ${message}`,
  );
});
