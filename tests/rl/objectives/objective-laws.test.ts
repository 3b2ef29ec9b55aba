import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { responseWeights } from "../../../src/rl/objectives/aggregation.js";
import {
  type Aggregation,
  type AggregationOptions,
  cispo,
  dapo,
  dualClip,
  grpo,
  gspo,
  type PolicyBatch,
  reinforce,
  unified,
} from "../../../src/rl/objectives/index.js";
import { centralDifference, maxAbsDiff, OBJECTIVES } from "../../support/tolerance.js";
import { batches, cases, flat } from "./policy-batches.js";

const aggregations: Aggregation[] = ["token", "sequence", { constant: 8 }, { mix: 0.3 }];
const aggregationOptions: fc.Arbitrary<AggregationOptions & { aggregation: Aggregation }> = fc.record({
  aggregation: fc.constantFrom(...aggregations),
  scope: fc.constantFrom("minibatch", "group"),
  empty: fc.constantFrom("count", "skip"),
});

/** Responses `begin` to `end` as a micro-batch. */
function part(batch: PolicyBatch, begin: number, end: number): PolicyBatch {
  const { logp, logpOld, logpRef, mask, advantages } = batch;
  return {
    logp: logp.slice(begin, end),
    logpOld: logpOld.slice(begin, end),
    logpRef: logpRef?.slice(begin, end),
    mask: mask.slice(begin, end),
    advantages: Array.from(advantages).slice(begin, end),
  };
}

describe("gradients agree with central differences", () => {
  const H = 1e-5;
  const KINKS = [0.8, 1.2, 1.28, 3];

  /** The loss with token t of response i shifted by h. If ratios are constants of the gradient, π_old shifts too to keep them. */
  function moved(batch: PolicyBatch, i: number, t: number, h: number, frozen: boolean): PolicyBatch {
    const shift = (rows: PolicyBatch["logp"]) => rows.map((row, j) => Float64Array.from(row, (l, s) => (j === i && s === t ? l + h : l)));
    return { ...batch, logp: shift(batch.logp), logpOld: frozen ? shift(batch.logpOld) : batch.logpOld };
  }

  /** Whether the ratio of a token or response is close to a bound, where a clipped surrogate has no derivative. */
  function onKink({ logp, logpOld, mask }: PolicyBatch): boolean {
    const d = logp.map((row, i) => Array.from(row, (l, t) => l - logpOld[i]![t]!).filter((_, t) => mask[i]![t] === 1));
    const means = d.filter((row) => row.length > 0).map((row) => row.reduce((sum, x) => sum + x, 0) / row.length);
    return [...d.flat(), ...means].some((x) => KINKS.some((kink) => Math.abs(Math.exp(x) - kink) < 1e-4));
  }

  test.each(cases)("$name", ({ objective, options, frozen }) => {
    fc.assert(
      fc.property(batches, aggregationOptions, fc.constantFrom(0, 0.1), (batch, aggregation, klCoef) => {
        fc.pre(!onKink(batch));
        const all = { ...options, ...aggregation, klCoef };
        const { dLogp, stats } = objective(batch, all);
        // Values are at most r A log π, and those of the penalty at most e^9; what tokens weigh adds up to at most 1.
        const tolerance = centralDifference(H, 27 * stats.ratio.max + klCoef * Math.exp(9));
        for (const [i, row] of dLogp.entries()) {
          for (const [t, d] of row.entries()) {
            const [above, below] = [H, -H].map((h) => objective(moved(batch, i, t, h, frozen), all).loss) as [number, number];
            expect(Math.abs((above - below) / (2 * H) - d)).toBeLessThanOrEqual(tolerance);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("laws", () => {
  const holds = (
    law: (batch: Required<Omit<PolicyBatch, "minibatch">>, options: AggregationOptions & { aggregation: Aggregation }) => void,
  ) => fc.assert(fc.property(batches, aggregationOptions, law), { numRuns: 60 });

  test("on-policy all gradients are −w A", () =>
    holds((batch, options) => {
      const onPolicy = { ...batch, logpOld: batch.logp };
      const weights = responseWeights(batch, options, "test");
      const expected = batch.mask.map((row, i) => Float64Array.from(row, (m) => -m * weights[i]! * batch.advantages[i]!));
      for (const { objective } of cases) {
        expect(maxAbsDiff(flat(objective(onPolicy, options).dLogp), flat(expected))).toBeLessThanOrEqual(OBJECTIVES);
      }
    }));

  test("unified without ratio bounds has DAPO's gradient, bit for bit; without a trust region it is CISPO", () =>
    holds((batch, options) => {
      const trust = { minWeight: 0.8, maxWeight: 1.28 };
      const masked = unified(batch, { ...options, maxWeight: Number.POSITIVE_INFINITY, trust });
      expect(maxAbsDiff(flat(masked.dLogp), flat(dapo(batch, options).dLogp))).toBe(0);
      expect(unified(batch, options)).toEqual(cispo(batch, options));
    }));

  test("CISPO without bounds is REINFORCE, and its gradient is that of the surrogate r A", () =>
    holds((batch, options) => {
      const unbounded = { ...options, minWeight: 0, maxWeight: Number.POSITIVE_INFINITY };
      const { loss, dLogp } = cispo(batch, unbounded);
      expect(loss).toBe(reinforce(batch, options).loss);
      expect(maxAbsDiff(flat(dLogp), flat(reinforce(batch, options).dLogp))).toBe(0);
      expect(maxAbsDiff(flat(dLogp), flat(grpo(batch, unbounded).dLogp))).toBe(0);
    }));

  test("dual clip with an unreachable cap is PPO", () =>
    holds((batch, options) => {
      const capped = dualClip(batch, { ...options, cap: 1e6 });
      expect(capped).toEqual(grpo(batch, options));
    }));

  test("GSPO weighs all tokens of a response the same", () =>
    holds((batch, options) => {
      for (const [i, row] of gspo(batch, options).dLogp.entries()) {
        expect(new Set(row.filter((_, t) => batch.mask[i]![t] === 1)).size).toBeLessThanOrEqual(1);
      }
    }));

  test("masked tokens have no effect, whatever their values and number", () =>
    holds((batch, options) => {
      const more = <T extends PolicyBatch["logp"]>(rows: T, value: number) => rows.map((row) => [...Array.from(row), value]);
      const longer = {
        ...batch,
        logp: more(batch.logp, -3),
        logpOld: more(batch.logpOld, -1),
        logpRef: more(batch.logpRef, 0),
        mask: more(batch.mask, 0),
      };
      for (const { objective, options: own } of cases) {
        const [a, b] = [objective(batch, { ...own, ...options }), objective(longer, { ...own, ...options })];
        expect(b.loss).toBe(a.loss);
        expect(maxAbsDiff(flat(b.dLogp.map((row) => row.slice(0, -1))), flat(a.dLogp))).toBe(0);
        expect(b.stats).toEqual(a.stats);
      }
    }));

  test("a minibatch in parts has the gradient of the whole, bit for bit", () =>
    holds((batch, options) => {
      const { mask, groups } = batch;
      const size = batch.logp.length;
      for (const { objective, options: own } of cases) {
        const whole = objective(batch, { ...own, ...options, klCoef: 0.1 });
        for (const chunks of [1, 2, 4]) {
          const parts = Array.from({ length: chunks }, (_, k) => {
            const [begin, end] = [k, k + 1].map((edge) => Math.floor((edge * size) / chunks)) as [number, number];
            return objective(
              { ...part(batch, begin, end), minibatch: { mask, groups, first: begin } },
              { ...own, ...options, klCoef: 0.1 },
            );
          });
          expect(maxAbsDiff(flat(parts.flatMap(({ dLogp }) => dLogp)), flat(whole.dLogp))).toBe(0);
          expect(Math.abs(parts.reduce((sum, { loss }) => sum + loss, 0) - whole.loss)).toBeLessThanOrEqual(
            OBJECTIVES * (27 * whole.stats.ratio.max + 0.1 * Math.exp(9)),
          );
        }
      }
    }));

  test('a loss with scope "group" is the mean of the groups\' losses', () =>
    holds((batch, { aggregation }) => {
      const groups = Array.from(batch.groups);
      const names = [...new Set(groups)];
      const alone = names.map((name) => {
        const members = groups.map((group, i) => (group === name ? i : -1)).filter((i) => i >= 0);
        const pick = <T>(rows: ArrayLike<T>) => members.map((i) => rows[i]!);
        const { logp, logpOld, mask, advantages } = batch;
        return cispo({ logp: pick(logp), logpOld: pick(logpOld), mask: pick(mask), advantages: pick(advantages) }, { aggregation });
      });
      const mean = alone.reduce((sum, { loss }) => sum + loss, 0) / names.length;
      const { loss, stats } = cispo(batch, { aggregation, scope: "group" });
      expect(Math.abs(loss - mean)).toBeLessThanOrEqual(OBJECTIVES * Math.max(1, 27 * stats.ratio.max));
    }));

  test("the token weights of { mix } are the mixture of both aggregations", () =>
    holds(({ mask, groups }, { scope, empty }) => {
      const [mixed, token, sequence] = [{ mix: 0.3 }, "token", "sequence"].map((aggregation) =>
        responseWeights({ mask, groups }, { aggregation: aggregation as Aggregation, scope, empty }, "test"),
      ) as [Float64Array, Float64Array, Float64Array];
      const expected = mixed.map((_, i) => 0.3 * sequence[i]! + 0.7 * token[i]!);
      expect(maxAbsDiff(mixed, expected)).toBeLessThanOrEqual(OBJECTIVES);
    }));
});
