import { afterEach, describe, expect, test } from "vitest";
import { Random } from "../../../src/base/random.js";
import { MiniMaxM1, tinyM1 } from "../../../src/index.js";
import { detectCollapse, newCollapseState } from "../../../src/rl/loop/collapse-detection.js";
import { trainPolicy } from "../../../src/rl/loop/train-policy.js";
import type { PolicyStats } from "../../../src/rl/objectives/index.js";
import { Trainer } from "../../../src/train/trainer.js";
import { facts } from "../../support/facts.js";

type Batch = Parameters<typeof detectCollapse>[1];
const updates = (share: number) => [{ effectiveSampleSize: 100 * share, tokens: 100 } as PolicyStats] as never as Batch["updates"];
const batch = (accuracy: number, entropy: number | undefined, share = 0.9): Batch => ({
  ...{
    accuracy,
    sources: { sums: { accuracy, responses: 256 } },
    groupSize: 8,
    lr: 3e-3,
    updates: entropy === undefined ? [] : updates(share),
  },
  ...(entropy !== undefined && { policy: { entropy, perplexity: 1 } }),
});
/** The new warnings of each batch. */
function warningsOf(batches: readonly Batch[]): (readonly string[])[] {
  let state = newCollapseState();
  return batches.map((one) => {
    const { warnings, state: next } = detectCollapse(state, one);
    // Saving a run writes the state as JSON.
    state = JSON.parse(JSON.stringify(next));
    return warnings;
  });
}

describe("collapse detection", () => {
  test("issues no warnings for a run that learns with small setbacks and ends confident in right answers", () => {
    const healthy = [0.1, 0.2, 0.5, 0.8, 0.7, 0.85, 0.95, 0.99].map((accuracy, i) => batch(accuracy, 2 * 0.6 ** i));
    expect(warningsOf(healthy).flat()).toEqual([]);
    expect(warningsOf([...healthy, batch(1, undefined), batch(1, undefined), batch(1, undefined)]).flat()).toEqual([]);
  });

  test("warns once if accuracy falls, and again after a recovery", () => {
    const shares = [0.1, 0.29, 0.29, 0.29, 0.2, 0.1, 0.03, 0.03, 0.03, 0.29, 0.4, 0.4, 0.4, 0.4, 0.05, 0.05, 0.05];
    const warnings = warningsOf(shares.map((accuracy) => batch(accuracy, 1)));
    expect(warnings.flatMap((own, i) => own.map(() => i))).toEqual([8, 16]);
    expect(warnings[8]![0]).toMatch(
      /^the accuracy on sums fell from at least 1\d\.\d % to \d\.\d %.*collaps.*learning rate.*0\.003.*minibatches/s,
    );
  });

  test("issues no warnings for chance fluctuations of a few groups", () => {
    const random = Random.seeded(4);
    const few = (groups: number): Batch => {
      const accuracy = Array.from({ length: groups }, () => Number(random.next() < 0.5)).reduce((sum, x) => sum + x, 0) / groups;
      return { ...batch(0.95, 1), sources: { sums: { accuracy, responses: 8 * groups } } };
    };
    for (const groups of [1, 2, 8, 32]) expect(warningsOf(Array.from({ length: 150 }, () => few(groups))).flat()).toEqual([]);
  });

  test("warns if entropy falls without high accuracy", () => {
    const warnings = warningsOf([batch(0.1, 2), batch(0.2, 1), batch(0.25, 0.05), batch(0.25, 0.04)]);
    expect(warnings.map((own) => own.length)).toEqual([0, 0, 1, 0]);
    expect(warnings[2]![0]).toMatch(/^the entropy fell from 2\.0 to 0\.050 nats per token at an accuracy of 25\.0 %.*lower learning rate/);
  });

  test("warns after three batches without an update", () => {
    const idle = (accuracy: number) => warningsOf(Array.from({ length: 5 }, () => batch(accuracy, undefined)));
    expect(idle(0.5).map((own) => own.length)).toEqual([0, 0, 1, 0, 0]);
    expect(idle(0.5)[2]![0]).toMatch(facts("all right or all wrong…50.0 %…larger groups"));
    expect(idle(0)[2]![0]).toMatch(facts("no answer is right…0.0 %…easier"));
    const [warning] = warningsOf([batch(0.56, 1), ...Array.from({ length: 3 }, () => batch(0, undefined))]).at(-1)!;
    expect(warning).toMatch(/no answer is right.*0\.0 %.*4\d\.\d %.*sums.*collapsed.*learning rate.*0\.003/s);
  });

  test("warns if a few tokens dominate the update", () => {
    const warnings = warningsOf([batch(0.2, 1, 0.9), batch(0.2, 1, 0.1)]);
    expect(warnings[1]![0]).toMatch(facts("effective sample size…10.0 %"));
  });
});

describe("a CISPO run on a new model", () => {
  const models: MiniMaxM1[] = [];
  afterEach(() => {
    for (const model of models.splice(0)) model.dispose();
  });
  /** The answer is the larger one of two digits. */
  const larger = {
    name: "larger",
    problem: (index: number) => {
      const prompt = [index % 10, Math.floor(index / 10) % 10];
      return {
        prompt,
        judge({ ids }: { ids: readonly number[] }) {
          const correct = ids[0] === Math.max(...prompt);
          return { correct, total: Number(correct), components: {} };
        },
      };
    },
  };
  async function warnings(lr: number, batches: number): Promise<string[]> {
    const config = { ...tinyM1.source, vocab_size: 11, bos_token_id: 10, eos_token_id: 10 };
    const model = await MiniMaxM1.create(config, { seed: 1, build: "simd" });
    models.push(model);
    const trainer = new Trainer(model, { lr, weightDecay: 0 });
    const received: string[] = [];
    const options = { batches, groups: 16, groupSize: 8, minibatches: 4, maxTokens: 1, rounds: 1 };
    for await (const metrics of trainPolicy(model, trainer, [larger], { ...options, onWarning: (warning) => received.push(warning) })) {
      expect(metrics.warnings.every((warning) => received.includes(warning))).toBe(true);
    }
    return received;
  }

  test("is reported if it collapses", { timeout: 120_000 }, async () => {
    const received = await warnings(3e-2, 20);
    expect(received.join("\n")).toMatch(/batch \d+: (the accuracy on|the entropy fell|\d+ consecutive batches)/);
    expect(received.join("\n")).toContain("lower learning rate");
  });

  test("has no warnings if it does not collapse", { timeout: 120_000 }, async () => {
    expect(await warnings(1e-3, 20)).toEqual([]);
  });
});
