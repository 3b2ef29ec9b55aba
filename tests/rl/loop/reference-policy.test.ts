// The reference policy of objectives with klCoef: its log-probabilities, its effect, and resumed runs.

import { afterEach, expect, test } from "vitest";
import { MiniMaxM1 } from "../../../src/index.js";
import type { ProblemSource } from "../../../src/rl/data/problem.js";
import type { PolicyMetrics } from "../../../src/rl/loop/policy-metrics.js";
import type { PolicyOptions } from "../../../src/rl/loop/policy-options.js";
import { referenceLogprobs } from "../../../src/rl/loop/reference-policy.js";
import { trainPolicy } from "../../../src/rl/loop/train-policy.js";
import * as objectives from "../../../src/rl/objectives/index.js";
import { Trainer } from "../../../src/train/trainer.js";
import { facts } from "../../support/facts.js";
import { randomIds } from "../../support/random.js";

const VOCABULARY = 24;
const config = {
  ...{ model_type: "minimax_m1", torch_dtype: "float32", vocab_size: VOCABULARY, hidden_size: 16, intermediate_size: 12 },
  ...{ num_hidden_layers: 2, attn_type_list: [0, 1], num_attention_heads: 2, num_key_value_heads: 1, head_dim: 8, rotary_dim: 4 },
  ...{ num_local_experts: 4, num_experts_per_tok: 2, postnorm: true, initializer_range: 0.2 },
};
const even: ProblemSource = {
  name: "even",
  problem: (index) => ({
    prompt: randomIds(index + 1, 3, VOCABULARY),
    judge({ ids }) {
      const total = ids.filter((id) => id % 2 === 0).length / ids.length;
      return { correct: total > 0.5, total, components: {} };
    },
  }),
};
const options: PolicyOptions = { batches: 4, groups: 4, groupSize: 4, minibatches: 2, maxTokens: 6, rounds: 0, seed: 5 };
const settings = { lr: 3e-3, weightDecay: 0, auxLossCoef: 0 };

const models: MiniMaxM1[] = [];
afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
});
async function fresh(): Promise<MiniMaxM1> {
  const model = await MiniMaxM1.create(config, { seed: 3, build: "simd" });
  models.push(model);
  return model;
}
async function all(metrics: AsyncIterable<PolicyMetrics>): Promise<PolicyMetrics[]> {
  const found: PolicyMetrics[] = [];
  for await (const one of metrics) found.push(one);
  return found;
}
const klRefs = (metrics: readonly PolicyMetrics[]) => metrics.flatMap(({ updates }) => updates.map(({ klRef }) => klRef!));
const { cispo, dapo, dualClip, grpo, gspo, reinforce, unified } = objectives;

test("referenceLogprobs equals the trainer's log-probabilities bit for bit, at its temperature and with any micro-batch size", async () => {
  const [model, reference] = [await fresh(), await fresh()];
  const batch = [1, 2, 3].map((seed) => ({ ids: randomIds(seed, 8, VOCABULARY), weights: [0, 0, 1, 1, 1, 1, 1, 1] }));
  const trainer = new Trainer(model, { ...settings, temperature: 0.7, microBatchTokens: 10 });
  expect(referenceLogprobs(reference, batch, trainer.options)).toEqual(trainer.likelihoods(batch).map(({ logp }) => logp));
});

test.each(Object.entries({ cispo, dapo, dualClip, grpo, gspo, reinforce, unified }))(
  "%s takes klCoef: 0 before the first update, and a strong one keeps the policy nearer",
  async (_, objective) => {
    const trained = async (klCoef: number) => {
      const model = await fresh();
      const given = { ...options, reference: await fresh(), objective: (batch: objectives.PolicyBatch) => objective(batch, { klCoef }) };
      return klRefs(await all(trainPolicy(model, new Trainer(model, settings), [even], given)));
    };
    const [free, bound] = [await trained(0), await trained(30)];
    expect([free[0], bound[0]]).toEqual([0, 0]);
    expect(free.at(-1)).toBeGreaterThan(0);
    expect(bound.at(-1)!).toBeLessThan(0.5 * free.at(-1)!);
  },
);

test("a run with a reference resumes bit for bit, given the initial weights; updates in parts use it too", async () => {
  const parts = { ...settings, microBatchTokens: 20 };
  const given = async () => ({
    ...options,
    reference: await fresh(),
    objective: (batch: objectives.PolicyBatch) => grpo(batch, { klCoef: 0.5 }),
  });
  const model = await fresh();
  const trainer = new Trainer(model, parts);
  let state: Uint8Array | undefined;
  for await (const { batch } of trainPolicy(model, trainer, [even], await given())) if (batch === 2) state = trainer.save();
  const again = await fresh();
  const resumed = new Trainer(again, parts);
  resumed.restore(state!);
  await all(trainPolicy(again, resumed, [even], await given()));
  expect(Buffer.compare(resumed.save(), trainer.save())).toBe(0);
  // A reference with other weights gives another run.
  const moved = await fresh();
  const other = new Trainer(moved, parts);
  other.restore(state!);
  const later = await fresh();
  new Trainer(later, parts).restore(state!);
  await all(trainPolicy(moved, other, [even], { ...(await given()), reference: later }));
  expect(Buffer.compare(other.save(), trainer.save())).not.toBe(0);
});

test("the reference must be a second model; klCoef without a reference is an error", async () => {
  const model = await fresh();
  const trainer = new Trainer(model, settings);
  const run = (changes: object) => all(trainPolicy(model, trainer, [even], { ...options, ...changes }));
  await expect(run({ reference: model })).rejects.toThrow(facts("reference: …model…trained"));
  await expect(run({ reference: {} })).rejects.toThrow(facts("trainPolicy: reference: …model"));
  const penalised = (batch: objectives.PolicyBatch) => grpo(batch, { klCoef: 0.1 });
  await expect(run({ objective: penalised })).rejects.toThrow(facts("klCoef…option reference…trainPolicy"));
});
