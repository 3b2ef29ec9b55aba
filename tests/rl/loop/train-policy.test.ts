// The whole loop, with a model of a few thousand parameters. The reward is the share of even tokens in the response.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Random } from "../../../src/base/random.js";
import type { GenerateOptions } from "../../../src/generate/index.js";
import { MiniMaxM1 } from "../../../src/index.js";
import type { ProblemSource } from "../../../src/rl/data/problem.js";
import { drawInstance } from "../../../src/rl/data/puzzle.js";
import type { PolicyMetrics } from "../../../src/rl/loop/policy-metrics.js";
import type { PolicyOptions } from "../../../src/rl/loop/policy-options.js";
import { type Rollout, rollouts, type Sampler } from "../../../src/rl/loop/rollout.js";
import { agreement } from "../../../src/rl/loop/sampler-agreement.js";
import { trainPolicy } from "../../../src/rl/loop/train-policy.js";
import { cispo, grpo, type PolicyBatch } from "../../../src/rl/objectives/index.js";
import { streamOf } from "../../../src/train/datasets.js";
import { Trainer } from "../../../src/train/trainer.js";
import { facts } from "../../support/facts.js";
import { randomIds } from "../../support/random.js";
import { GRADIENTS } from "../../support/tolerance.js";

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

/** A source with prompts of three tokens. A response is right if more than half of its tokens are even. */
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

  test("learns what is rewarded; sampling and training agree", async () => {
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

  test("resumes after a restore with the same numbers and weights; two threads give the results of one", async () => {
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
  ])("keeps its weights if rewards are %s", async (_, reward) => {
    const trainer = new Trainer(model, settings);
    const before = trainer.gradients([randomIds(1, 8, VOCABULARY)]).gradients;
    const metrics = await all(trainPolicy(model, trainer, [source(reward)], options));
    expect(metrics.map(({ updates, step }) => [updates.length, step])).toEqual(metrics.map(() => [0, 0]));
    expect(trainer.gradients([randomIds(1, 8, VOCABULARY)]).gradients).toEqual(before);
    expect(metrics[0]!.rewards.total).toBe(reward(1) ?? undefined);
  });

  test("learns from the responses with a reward, if others have none", async () => {
    const trainer = new Trainer(model, settings);
    const metrics = await all(trainPolicy(model, trainer, [source((share) => (share < 0.3 ? null : share))], options));
    expect(trainer.steps).toBeGreaterThan(0);
    expect(metrics.every(({ rewards }) => rewards.total! >= 0.3)).toBe(true);
  });

  test("completes the updates of a batch, even if the signal aborts", async () => {
    const trainer = new Trainer(model, settings);
    const controller = new AbortController();
    const late = (batch: PolicyBatch) => {
      controller.abort(new Error("enough"));
      return cispo(batch);
    };
    const found: PolicyMetrics[] = [];
    const run = async () => {
      const given = { ...options, objective: late, signal: controller.signal };
      for await (const one of trainPolicy(model, trainer, [source()], given)) found.push(one);
    };
    await expect(run()).rejects.toThrow("enough");
    expect(found.map(({ batch, updates, step }) => [batch, updates.length, step])).toEqual([[1, 2, 2]]);
    expect(trainer.progress).toMatchObject({ batch: 1 });
  });

  test("ends with the error of a source, in the state after the last batch", async () => {
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

  test.each([
    ["tokens", cispo],
    ["responses", grpo],
  ])("gives the same result if minibatches are split into parts, with the mean over %s", async (_, objective) => {
    const trained = async (microBatchTokens: number) => {
      const own = await fresh();
      const trainer = new Trainer(own, { ...settings, microBatchTokens });
      const [metrics] = await all(trainPolicy(own, trainer, [source()], { ...options, batches: 1, objective }));
      return metrics!.updates;
    };
    const [whole, parts] = [await trained(1000), await trained(20)];
    expect(whole).toHaveLength(2);
    for (const [i, { gradNorm, loss }] of whole.entries()) {
      expect(Math.abs(parts[i]!.gradNorm / gradNorm - 1)).toBeLessThan(GRADIENTS.relative);
      expect(Math.abs(parts[i]!.loss - loss)).toBeLessThan(GRADIENTS.loss);
    }
  });
});

test.each<[Partial<PolicyOptions>, string]>([
  [{ batches: 0 }, "batches: …integer…1…0"],
  [{ groupSize: 1 }, "groupSize: …integer…[2, 65,536]…1"],
  [{ groups: 65_536, groupSize: 65_536 }, "groups: …1,048,576…groupSize…4294967296"],
  [{ groups: 2 ** 53 - 1 }, "groups: …integer…[1, 65,536]"],
  [{ minibatches: 5 }, "minibatches: …4…5"],
  [{ overlong: 2 }, "overlong: …number…[0, 1]…2"],
  [{ objective: "cispo" as never }, 'objective: …function…"cispo"'],
  [{ maxTokens: { windows: [] } }, "maxTokens: nextWindow: windows: …ascending"],
  [{ maxTokens: { windows: undefined, near: 2 } as never }, "maxTokens: nextWindow: near: …number…(0, 1]…2"],
  [{ advantages: { eps: -1 } }, "advantages: groupAdvantages: eps: …number…[0, 1e9]…-1"],
  [{ repetition: { probability: 2 } }, "repetition.probability: expected"],
  [{ temperature: 1 } as never, "temperature: unknown option"],
])("invalid options: %j", async (changes, message) => {
  const model = await fresh();
  const trainer = new Trainer(model, settings);
  await expect(all(trainPolicy(model, trainer, [source()], { ...options, ...changes }))).rejects.toThrow(facts(`trainPolicy: ${message}`));
});

test.each<[readonly unknown[], string]>([
  [[], "sources:"],
  [[{ name: "a" }], "sources[0]: …{ name, problem(index) }"],
  [[source(), source()], 'sources[1]: …"even"…sources[0]'],
])("invalid sources: %j", async (sources, message) => {
  const model = await fresh();
  await expect(all(trainPolicy(model, new Trainer(model, settings), sources as ProblemSource[], options))).rejects.toThrow(
    facts(`trainPolicy: ${message}`),
  );
});

/** A source with another judge. */
const judgedBy = (judge: (response: Rollout) => unknown): ProblemSource => ({
  ...source(),
  problem: (index) => ({ ...source().problem(index), judge: judge as never }),
});

test.each<[string, unknown, string]>([
  ["nothing", undefined, "even: problem 0: judge: …{ correct, total, components }"],
  ["null", null, "trainPolicy: batch 1: …16 responses…null"],
  ["no components", { correct: true, total: 1 }, "{ correct, total, components }"],
  ["NaN", { correct: true, total: Number.NaN, components: {} }, "{ correct, total, components }"],
  ["a component called total", { correct: true, total: 1, components: { total: 1 } }, 'components.total: …number…±1e9…null…"total"'],
])("a judge that answers %s is refused before anything is learned", async (_, answer, message) => {
  const model = await fresh();
  const trainer = new Trainer(model, settings);
  await expect(all(trainPolicy(model, trainer, [judgedBy(() => answer)], options))).rejects.toThrow(facts(message));
  expect([trainer.steps, trainer.progress]).toEqual([0, undefined]);
});

test("a judge that never answers ends with the signal", async () => {
  const model = await fresh();
  const signal = AbortSignal.timeout(50);
  const waiting = judgedBy(() => new Promise(() => {}));
  await expect(all(trainPolicy(model, new Trainer(model, settings), [waiting], { ...options, signal }))).rejects.toThrow(/timeout/);
});

test("a signal has one listener, however many responses are judged at once", async () => {
  const model = await fresh();
  const { signal } = new AbortController();
  let [now, most] = [0, 0];
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    most = Math.max(most, ++now);
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    now--;
    remove(...args);
  };
  const slow = judgedBy(async () => ({ correct: true, total: 1, components: {} }));
  await all(trainPolicy(model, new Trainer(model, settings), [slow], { ...options, batches: 1, signal }));
  expect([most, now]).toEqual([1, 0]);
});

test("judges and objectives may modify their arrays without effect", async () => {
  const [plain, rough] = [await fresh(), await fresh()];
  // In parts, so that the statistics come from an additional call of the objective.
  const inParts = { ...settings, microBatchTokens: 20 };
  const expected = await all(trainPolicy(plain, new Trainer(plain, inParts), [source()], options));
  const destructive = judgedBy((response) => {
    const judged = source().problem(0).judge(response);
    (response.ids as number[]).length = 0;
    response.logp.fill(Number.NaN);
    return judged;
  });
  const objective = (batch: PolicyBatch) => {
    const value = cispo(batch);
    for (const rows of [batch.logp, batch.logpOld, batch.mask]) for (const row of rows) (row as Float64Array).fill(7);
    return value;
  };
  const found = await all(trainPolicy(rough, new Trainer(rough, inParts), [destructive], { ...options, objective }));
  expect(timeless(found)).toEqual(timeless(expected));
});

test("responses that cannot be scored do not make a group worth learning from", async () => {
  const model = await fresh();
  let calls = 0;
  const nulls = judgedBy(() =>
    calls++ % 4 === 0 ? { correct: false, total: null, components: {} } : { correct: true, total: 1, components: {} },
  );
  const [{ groups, updates }] = (await all(
    trainPolicy(model, new Trainer(model, settings), [nulls], { ...options, batches: 1, rounds: 1 }),
  )) as [PolicyMetrics];
  expect([groups.kept, groups.allRight, updates.length]).toEqual([0, 4, 0]);
});

describe("a judge that fails", () => {
  const once = { ...options, batches: 1, judging: { retries: 1, backoffMs: 0, concurrency: 2 } };
  const busy = (fails: (call: number) => boolean): ProblemSource => {
    let calls = 0;
    return judgedBy(async (response) => {
      if (fails(calls++)) throw new Error("503 busy");
      return source().problem(0).judge(response);
    });
  };

  test("is called again, with the same result", async () => {
    const [plain, retried] = [await fresh(), await fresh()];
    const expected = timeless(await all(trainPolicy(plain, new Trainer(plain, settings), [source()], once)));
    const found = timeless(await all(trainPolicy(retried, new Trainer(retried, settings), [busy((call) => call === 5)], once)));
    expect(found).toEqual(expected.map((metrics) => ({ ...metrics, judging: { failed: 0, retried: 1 } })));
  });

  test("permanently leaves responses unjudged: excluded from means, counted, and reported", async () => {
    const model = await fresh();
    const warned: string[] = [];
    const silent = new Set<string>();
    // Four responses, identified by their tokens, however often they are judged.
    const some = judgedBy((response) => {
      const key = response.ids.join();
      if (silent.size < 4) silent.add(key);
      if (silent.has(key)) throw new Error("503 busy");
      return { correct: true, total: 1, components: {} };
    });
    const [metrics] = await all(
      trainPolicy(model, new Trainer(model, settings), [some], { ...once, onWarning: (message) => warned.push(message) }),
    );
    const { failed } = metrics!.judging;
    expect(failed).toBeGreaterThanOrEqual(4);
    expect(metrics).toMatchObject({ accuracy: 1, rewards: { total: 1 }, sources: { even: { accuracy: 1, responses: 16 - failed } } });
    expect(metrics!.judging.retried).toBe(failed);
    expect(warned).toEqual([expect.stringMatching(facts(`batch 1: ${failed} of 16 responses…503 busy…judge`))]);
    expect(metrics!.warnings).toEqual(warned);
  });

  test("for every response ends the run, in the state after the last batch", async () => {
    const model = await fresh();
    const trainer = new Trainer(model, settings);
    await expect(all(trainPolicy(model, trainer, [busy(() => true)], once))).rejects.toThrow(
      facts("trainPolicy: batch 1: …16 responses…503 busy…judge"),
    );
    expect([trainer.steps, trainer.progress]).toEqual([0, undefined]);
  });

  test.each<[object, string]>([
    [{ concurrency: 0 }, "judging.concurrency: …integer…1…0"],
    [{ timeoutMs: 0 }, "judging.timeoutMs: …milliseconds…1…(Infinity…0"],
    [{ backoffMs: -1 }, "judging.backoffMs: …milliseconds…0…(Infinity…-1"],
    [{ retry: 1 }, "judging.retry: unknown option"],
  ])("refuses the options %j", async (judging, message) => {
    const model = await fresh();
    await expect(all(trainPolicy(model, new Trainer(model, settings), [source()], { ...once, judging }))).rejects.toThrow(facts(message));
  });
});

test("the schedule counts the updates of the run, not those of the trainer before it", async () => {
  const model = await fresh();
  const trainer = new Trainer(model, settings);
  for (let i = 0; i < 3; i++) trainer.step([[1, 2, 3, 4]]);
  const schedule = { warmup: 2, decay: "cosine", floor: 0 } as const;
  const metrics = await all(trainPolicy(model, trainer, [source()], { ...options, schedule }));
  const rates = metrics.flatMap(({ updates }) => updates.map(({ lr }) => lr / settings.lr));
  expect(rates.slice(0, 3)).toEqual([0.5, 1, 1]);
  expect(rates.at(-1)).toBeLessThan(0.2);
  expect(rates.at(-1)).toBeGreaterThan(0);
});

describe("a trainer", () => {
  test.each([[{ foo: 1 }], [5], ["x"], [{ batch: 0 }]])("with other progress, %j, is refused", async (progress) => {
    const model = await fresh();
    const trainer = new Trainer(model, settings);
    trainer.progress = progress;
    await expect(all(trainPolicy(model, trainer, [source()], options))).rejects.toThrow(facts("trainer: …state"));
  });

  test("with another window is refused", async () => {
    const model = await fresh();
    const trainer = new Trainer(model, settings);
    await all(trainPolicy(model, trainer, [source()], { ...options, batches: 1 }));
    const steps = trainer.steps;
    await expect(all(trainPolicy(model, trainer, [source()], { ...options, maxTokens: 7 }))).rejects.toThrow(
      facts("maxTokens: …windows…6…7"),
    );
    expect(trainer.steps).toBe(steps);
  });

  test("with a state of an earlier version, without collapse detection, resumes", async () => {
    const model = await fresh();
    const trainer = new Trainer(model, settings);
    await all(trainPolicy(model, trainer, [source()], { ...options, batches: 1 }));
    const { watch: _, ...earlier } = trainer.progress as { watch: unknown };
    trainer.progress = earlier;
    expect(await all(trainPolicy(model, trainer, [source()], { ...options, batches: 2 }))).toHaveLength(1);
  });

  test("that failed within a batch must be restored", async () => {
    const model = await fresh();
    const trainer = new Trainer(model, settings);
    await all(trainPolicy(model, trainer, [source()], { ...options, batches: 1 }));
    const saved = trainer.save();
    let calls = 0;
    const failing = (batch: PolicyBatch) => {
      if (calls++ === 1) throw new Error("no more");
      return cispo(batch);
    };
    await expect(all(trainPolicy(model, trainer, [source()], { ...options, objective: failing }))).rejects.toThrow("no more");
    await expect(all(trainPolicy(model, trainer, [source()], options))).rejects.toThrow(facts("batch…restore"));
    trainer.restore(saved);
    const whole = await fresh();
    const expected = await all(trainPolicy(whole, new Trainer(whole, settings), [source()], options));
    expect(timeless(await all(trainPolicy(model, trainer, [source()], options)))).toEqual(timeless(expected.slice(1)));
  });

  test("with an active run refuses a second one", async () => {
    const model = await fresh();
    const trainer = new Trainer(model, settings);
    const first = trainPolicy(model, trainer, [source()], options);
    await first.next();
    await expect(all(trainPolicy(model, trainer, [source()], options))).rejects.toThrow("run");
    await first.return(undefined);
    expect(await all(trainPolicy(model, trainer, [source()], options))).toHaveLength(3);
  });
});

test("rollouts: invalid group sizes and surplus tokens are errors", async () => {
  const model = await fresh();
  await expect(rollouts(model, [[1]], { groupSize: 2.5 })).rejects.toThrow(facts("groupSize: …integer…1…2.5"));
  const chatty = {
    async *generateBatch() {
      for (let i = 0; i < 3; i++) yield { index: 0, id: 1, text: "", logprob: -1 };
    },
  };
  await expect(rollouts(chatty, [[1]], { groupSize: 1, maxTokens: 2 })).rejects.toThrow("2 tokens");
});

test("tasks with too few instances are errors instead of endless loops", () => {
  const constant = { name: "constant", generate: () => 1, question: () => "?", verify: () => true };
  const [kept, other] = [true, false].map((held) => () => drawInstance(Random.seeded(1), constant as never, 1, held));
  expect(
    [kept, other].filter((draw) => {
      try {
        draw!();
        return false;
      } catch (error) {
        expect(String(error)).toMatch(/constant: level 1: .*held out.*10000/);
        return true;
      }
    }),
  ).toHaveLength(1);
});

test("agreement: correlation and largest difference of probabilities", () => {
  const logs = (...values: number[]) => Float64Array.from(values, Math.log);
  // Deviations from the mean of −0.3, 0, 0.3 and of −0.1, 0.2, −0.1: their products add up to 0.
  expect(agreement([logs(0.1, 0.4), logs(0.7)], [logs(0.3, 0.6), logs(0.3)]).correlation).toBeCloseTo(0, 12);
  const opposite = agreement([logs(0.1, 0.4), logs(0.7)], [logs(0.7, 0.4), logs(0.1)]);
  expect(opposite.correlation).toBeCloseTo(-1, 12);
  expect(opposite.largest).toBeCloseTo(0.6, 12);
});

test("agreement: elements must be log-probabilities", () => {
  const rows = (...values: number[]) => [Float64Array.from(values)];
  expect(agreement(rows(-1, -2), rows(-1, -2)).correlation).toBeCloseTo(1, 12);
  expect(() => agreement(rows(-1), rows(-1, -2))).toThrow("trained[0]: expected 1 numbers, got 2");
  expect(() => agreement(rows(-1), rows(Number.NaN))).toThrow(facts("trained[0][0]…log-probabilities…-1…NaN"));
});

test("the choice of a source is independent of its problems, whatever the seeds", async () => {
  const model = await fresh();
  for (const seed of [0, 1, 2]) {
    const drawn: [source: number, first: number][] = [];
    const sources = [0, 1].map((name): ProblemSource => {
      return {
        name: `${name}`,
        problem(index) {
          // The first number that a source with this seed draws.
          drawn.push([name, streamOf(seed, index).next()]);
          return source().problem(index);
        },
      };
    });
    for (const own of [0, 1, 2]) {
      const trainer = new Trainer(model, { ...settings, lr: 1e-9 });
      await all(trainPolicy(model, trainer, sources, { ...options, batches: 1, groups: 60, groupSize: 2, seed: own, maxTokens: 1 }));
    }
    const mean = (name: number) => {
      const values = drawn.filter(([of]) => of === name).map(([, first]) => first);
      return values.reduce((sum, x) => sum + x, 0) / values.length;
    };
    // A hundred uniform numbers. If one choice determined the other, the means would be 1/4 and 3/4.
    expect(Math.abs(mean(0) - mean(1))).toBeLessThan(0.25);
  }
});

describe("options take effect", () => {
  /** The model, recording the options of each call. */
  function watched(model: MiniMaxM1) {
    const calls: { sequences: number; options: GenerateOptions }[] = [];
    const sampler: Sampler = {
      generateBatch(inputs, options) {
        calls.push({ sequences: inputs.length, options });
        return model.generateBatch(inputs, options);
      },
    };
    return { calls, sampler };
  }

  test("temperature, maximum length and repetition are passed to the sampler", async () => {
    const model = await fresh();
    const { calls, sampler } = watched(model);
    const trainer = new Trainer(model, { ...settings, temperature: 0.7 });
    const repetition = { tokens: 5, probability: 0.5 };
    const [metrics] = await all(trainPolicy(sampler, trainer, [source()], { ...options, batches: 1, repetition }));
    expect(calls.map(({ options }) => options)).toMatchObject([{ temperature: 0.7, maxTokens: 6, repetition }]);
    // Samplers report log-probabilities at temperature 1 only.
    expect(metrics!.policy!.agreement).toBeUndefined();
  });

  test("later rounds sample as many groups as earlier ones suggest", async () => {
    const model = await fresh();
    const { calls, sampler } = watched(model);
    let problems = 0;
    const some: ProblemSource = {
      name: "some",
      problem(index) {
        const [mixed, calls] = [problems++ < 6, { count: 0 }];
        return {
          ...source().problem(index),
          judge: () => ({ correct: mixed && calls.count++ % 2 === 0, total: mixed ? calls.count % 2 : 0, components: {} }),
        };
      },
    };
    const [{ groups }] = (await all(
      trainPolicy(sampler, new Trainer(model, settings), [some], { ...options, batches: 1, groups: 8, rounds: 2 }),
    )) as [PolicyMetrics];
    // Six of eight groups were mixed: three more are sampled for the two missing ones.
    expect(calls.map(({ sequences }) => sequences / 4)).toEqual([8, 3]);
    expect(groups).toMatchObject({ sampled: 11, kept: 6 });
  });

  test("overlong responses are punished, and the window advances", async () => {
    const model = await fresh();
    const windows = { windows: [4, 6], batches: 1, tolerance: 1, near: 0.5 };
    const metrics = await all(
      trainPolicy(model, new Trainer(model, settings), [source()], { ...options, batches: 2, maxTokens: windows, overlong: 0.5 }),
    );
    // Every response fills its window and gets the full punishment.
    expect(metrics.map(({ length, rewards }) => [length.window, length.mean, rewards.overlong])).toEqual([
      [4, 4, -1],
      [6, 6, -1],
    ]);
  });

  test("solved sources are drawn less often, by the moving average of their pass rates", async () => {
    const solved = { ...judgedBy(() => ({ correct: true, total: 1, components: {} })), name: "solved" };
    const share = async (followPassRates: boolean) => {
      const model = await fresh();
      const trainer = new Trainer(model, settings);
      const metrics = await all(
        trainPolicy(model, trainer, [source(), solved], { ...options, batches: 5, groups: 20, groupSize: 2, followPassRates }),
      );
      const rates = metrics.map(({ sources }) => sources.even!.accuracy);
      const { even } = (trainer.progress as { passRates: Record<string, number> }).passRates;
      expect(even).toBeCloseTo(
        rates.slice(1).reduce((mean, rate) => mean + 0.3 * (rate - mean), rates[0]!),
        12,
      );
      return metrics.slice(1).reduce((sum, { sources }) => sum + (sources.solved?.responses ?? 0), 0) / 160;
    };
    // 1 / 2 by weight; 0.1 beside 4 p (1 − p) + 0.1 by what there is to learn.
    expect(await share(false)).toBeGreaterThan(0.35);
    expect(await share(true)).toBeLessThan(0.25);
  });
});
