import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import type { Objective } from "../../src/train/objective.js";
import { Trainer } from "../../src/train/trainer.js";
import { facts } from "../support/facts.js";
import { randomIds } from "../support/random.js";
import { GRADIENTS, maxAbsDiff, normDistance } from "../support/tolerance.js";
import { shift } from "../support/training-state.js";

const config = {
  ...{ model_type: "minimax_m1", torch_dtype: "float32", vocab_size: 37, hidden_size: 24, intermediate_size: 20, num_hidden_layers: 2 },
  ...{ num_attention_heads: 3, num_key_value_heads: 1, head_dim: 10, rotary_dim: 4, num_local_experts: 4, num_experts_per_tok: 4 },
  ...{ attn_type_list: [0, 1], postnorm: true, initializer_range: 0.2 },
};
/** Three documents; the first ten tokens of each are no targets. */
const batch = [randomIds(1, 40, 37), randomIds(2, 25, 37), randomIds(3, 10, 37)].map((ids) => ({
  ids,
  weights: ids.map((_, t) => Number(t >= 10)),
}));
const targets = 30 + 15;

let model: MiniMaxM1;
beforeEach(async () => {
  model = await MiniMaxM1.create(config, { seed: 5, threads: 1, build: "simd" });
});
afterEach(() => model.dispose());

/** The mean of −log p, as an objective. */
const mean: Objective = (logp) => ({
  loss: -logp.flatMap((row) => [...row]).reduce((sum, l) => sum + l, 0) / targets,
  dLogp: logp.map((row) => row.map(() => -1 / targets)),
});

describe("an objective in place of the cross-entropy", () => {
  test("that is the cross-entropy changes nothing", () => {
    const trainer = new Trainer(model, { auxLossCoef: 0.1 });
    const [own, given] = [trainer.gradients(batch), trainer.gradients(batch, mean)];
    expect(maxAbsDiff([own.loss, own.crossEntropy], [given.loss, given.crossEntropy])).toBeLessThan(1e-12);
    for (const [name, gradient] of own.gradients) expect(normDistance(given.gradients.get(name)!, gradient), name).toBeLessThan(1e-6);
  });

  test("is asked for part by part, each document under its number", () => {
    const seen: [first: number, lengths: number[]][] = [];
    const objective: Objective = (logp, first) => {
      seen.push([first, logp.map(({ length }) => length)]);
      // What a document weighs depends on its number.
      return {
        loss: logp.reduce((sum, row, i) => sum - (first + i + 1) * row.reduce((own, l) => own + l, 0), 0),
        dLogp: logp.map((row, i) => row.map(() => -(first + i + 1))),
      };
    };
    const whole = new Trainer(model, { auxLossCoef: 0 }).gradients(batch, objective);
    const parts = new Trainer(model, { auxLossCoef: 0, microBatchTokens: 30 }).gradients(batch, objective);
    expect(seen).toEqual(
      [
        [0, [30, 15, 0]],
        [0, [30]],
        [1, [15]],
        [2, [0]],
      ].filter(([, lengths]) => (lengths as number[]).some(Boolean)),
    );
    expect(Math.abs(parts.loss / whole.loss - 1)).toBeLessThan(1e-6);
    for (const [name, gradient] of parts.gradients) expect(normDistance(gradient, whole.gradients.get(name)!), name).toBeLessThan(1e-5);
  });

  test("with other gradients than one finite number for each log-probability is refused, and nothing moves", () => {
    const trainer = new Trainer(model);
    const before = trainer.save();
    const wrong = (dLogp: unknown) => () => trainer.step(batch, 1e-3, () => ({ loss: 0, dLogp }) as never);
    expect(wrong(undefined)).toThrow(facts("objective: dLogp: …3…undefined"));
    expect(wrong([[], [], []])).toThrow("objective: dLogp[0]: expected 30 numbers, got 0");
    expect(wrong([new Float64Array(30), new Float64Array(15).fill(Number.NaN), []])).toThrow(
      facts("objective: dLogp[1][0]: …finite number…NaN"),
    );
    expect(trainer.save()).toEqual(before);
  });
});

describe.each([1, 0.7, 2.5])("at temperature %f", (temperature) => {
  test("likelihoods are those of the softmax of logits divided by it, whatever the parts", () => {
    const measured = new Trainer(model, { temperature }).likelihoods(batch);
    expect(new Trainer(model, { temperature, microBatchTokens: 30 }).likelihoods(batch)).toEqual(measured);
    for (const [i, { ids }] of batch.entries()) {
      const { logits } = model.forward([ids]);
      const rows = ids.slice(0, -1).map((_, t) => Float64Array.from(logits.slice(37 * t, 37 * (t + 1)), (l) => l / temperature));
      const expected = rows.map((row, t) => {
        const z = Math.log(row.reduce((sum, l) => sum + Math.exp(l), 0));
        return { logp: row[ids[t + 1]!]! - z, entropy: row.reduce((sum, l) => sum - Math.exp(l - z) * (l - z), 0) };
      });
      const counted = expected.slice(9);
      expect(
        maxAbsDiff(
          measured[i]!.logp,
          counted.map(({ logp }) => logp),
        ),
      ).toBeLessThan(GRADIENTS.loss);
      expect(
        maxAbsDiff(
          measured[i]!.entropy,
          counted.map(({ entropy }) => entropy),
        ),
      ).toBeLessThan(GRADIENTS.loss);
    }
  });

  test("gradients are those of central differences", () => {
    const trainer = new Trainer(model, { temperature, auxLossCoef: 0 });
    const { gradients } = trainer.gradients(batch);
    // In the direction of the gradient itself the loss changes by its squared norm.
    const squares = [...gradients.values()].reduce((sum, g) => sum + g.reduce((own, x) => own + x * x, 0), 0);
    const h = 1e-3 / Math.sqrt(squares);
    const before = trainer.save();
    const at = (step: number) => {
      const moved = before.slice();
      shift(moved, gradients, step);
      trainer.restore(moved);
      return trainer.evaluate(batch).loss;
    };
    const slope = (at(h) - at(-h)) / (2 * h);
    expect(Math.abs(slope / squares - 1)).toBeLessThan(1e-3);
  });
});
