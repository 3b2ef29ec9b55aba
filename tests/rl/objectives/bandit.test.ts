// A bandit with a fork (one logit). The useful branch succeeds in 9 of 10 cases instead of 1 and starts with a probability of 0.02.
// The test counts the batches of rollouts until 95 % of the best success rate is reached. Each batch has 16 updates, all but the first
// off-policy. The expected numbers are means over 8 seeds of another implementation with another random generator.

import { describe, expect, test } from "vitest";
import { groupAdvantages } from "../../../src/rl/objectives/advantages.js";
import { cispo, dapo, grpo, reinforce } from "../../../src/rl/objectives/index.js";
import { type Random, random } from "../../support/random.js";
import { BANDIT } from "../../support/tolerance.js";

const [GROUPS, RESPONSES, UPDATES, MOST] = [128, 8, 16, 150];
const REACHED = 0.855;
const ADAM = { beta1: 0.9, beta2: 0.95, eps: 1e-15 };

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const logOf = (fork: boolean, z: number) => Math.log(fork ? sigmoid(z) : sigmoid(-z));

interface Draw {
  readonly fork: boolean;
  readonly advantage: number;
}

/** Draws groups with both successes and failures. */
function rollouts(p: number, { uniform }: Random): Draw[][] {
  const kept: Draw[][] = [];
  while (kept.length < GROUPS) {
    const forks = Array.from({ length: RESPONSES }, () => uniform() < p);
    const rewards = forks.map((fork) => Number(uniform() < (fork ? 0.9 : 0.1)));
    if (new Set(rewards).size === 1) continue;
    const advantages = groupAdvantages(rewards, { ddof: 1, eps: 1e-6 });
    kept.push(forks.map((fork, i) => ({ fork, advantage: advantages[i]! })));
  }
  return kept;
}

/** Number of batches until the success rate is reached, and the share of tokens clipped until then. */
function learn(objective: typeof dapo, lr: number, seed: number): { batches: number; clipped: number } {
  const source = random(seed);
  let z = Math.log(0.02 / 0.98);
  let [m, v, t, clipped] = [0, 0, 0, 0];
  for (let batches = 0; ; batches++) {
    const p = sigmoid(z);
    if (0.9 * p + 0.1 * (1 - p) >= REACHED || batches === MOST) return { batches, clipped: clipped / Math.max(1, t) };
    const [old, groups] = [z, rollouts(p, source)];
    for (let update = 0; update < UPDATES; update++) {
      const draws = groups.slice((update * GROUPS) / UPDATES, ((update + 1) * GROUPS) / UPDATES).flat();
      const { dLogp, stats } = objective({
        logp: draws.map(({ fork }) => [logOf(fork, z)]),
        logpOld: draws.map(({ fork }) => [logOf(fork, old)]),
        mask: draws.map(() => [1]),
        advantages: draws.map(({ advantage }) => advantage),
      });
      const g = draws.reduce((sum, { fork }, i) => sum + dLogp[i]![0]! * (fork ? sigmoid(-z) : -sigmoid(z)), 0);
      t++;
      m = ADAM.beta1 * m + (1 - ADAM.beta1) * g;
      v = ADAM.beta2 * v + (1 - ADAM.beta2) * g * g;
      z -= (lr * (m / (1 - ADAM.beta1 ** t))) / (Math.sqrt(v / (1 - ADAM.beta2 ** t)) + ADAM.eps);
      clipped += stats.clipFraction.all;
    }
  }
}

function mean(objective: typeof dapo, lr: number, seeds: number): { batches: number; clipped: number } {
  const runs = Array.from({ length: seeds }, (_, seed) => learn(objective, lr, seed + 1));
  const over = (of: (run: (typeof runs)[number]) => number) => runs.reduce((sum, run) => sum + of(run), 0) / seeds;
  return { batches: over(({ batches }) => batches), clipped: over((run) => run.clipped) };
}

describe("batches until the fork is taken, by learning rate", () => {
  test.each([
    { lr: 0.01, seeds: 2, expected: { grpo: 44, dapo: 44, cispo: 44, reinforce: 44 }, clipped: 0 },
    { lr: 0.03, seeds: 8, expected: { grpo: 17.8, dapo: 17, cispo: 15, reinforce: 15 }, clipped: 0.04 },
    { lr: 0.1, seeds: 8, expected: { grpo: 8, dapo: 7.4, cispo: 5, reinforce: 5 }, clipped: 0.19 },
    { lr: 0.3, seeds: 8, expected: { grpo: 4.8, dapo: 4.1, cispo: 2, reinforce: 2 }, clipped: 0.35 },
  ])("lr $lr", ({ lr, seeds, expected, clipped }) => {
    const objectives = { grpo, dapo, cispo, reinforce };
    const got = Object.entries(objectives).map(([name, objective]) => [name, mean(objective, lr, seeds)] as const);
    for (const [name, { batches }] of got) {
      const wanted = expected[name as keyof typeof expected];
      expect(Math.abs(batches - wanted), `${name}: ${batches}`).toBeLessThanOrEqual(BANDIT.relative * wanted);
    }
    expect(Math.abs(Object.fromEntries(got).dapo!.clipped - clipped)).toBeLessThanOrEqual(BANDIT.clipped);
  });
});
