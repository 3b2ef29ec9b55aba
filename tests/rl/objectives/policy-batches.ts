import fc from "fast-check";
import type { PolicyBatch } from "../../../src/rl/objectives/index.js";
import * as objectives from "../../../src/rl/objectives/index.js";

const { cispo, dapo, dualClip, fromEpsilons, grpo, gspo, reinforce, unified } = objectives;

/** All objectives with representative options. `frozen`: the importance ratios are constants in the gradient. */
export const cases = [
  { name: "cispo", objective: cispo, options: {}, frozen: true },
  { name: "cispo within [0.8, 1.2]", objective: cispo, options: fromEpsilons(0.2, 0.2), frozen: true },
  { name: "reinforce", objective: reinforce, options: {}, frozen: true },
  { name: "unified", objective: unified, options: { maxWeight: 2, trust: fromEpsilons(0.2, 0.28) }, frozen: true },
  { name: "grpo", objective: grpo, options: {}, frozen: false },
  { name: "dapo", objective: dapo, options: {}, frozen: false },
  { name: "dualClip", objective: dualClip, options: {}, frozen: false },
  { name: "gspo", objective: gspo, options: fromEpsilons(0.2, 0.28), frozen: false },
] as const;

/** Groups of responses, some of them empty, with some tokens masked, and ratios from e^−3 to e^3. */
export const batches: fc.Arbitrary<Required<Omit<PolicyBatch, "minibatch">>> = fc
  .array(
    fc.record({
      tokens: fc.array(
        fc.record({
          old: fc.double({ min: -6, max: 0, noNaN: true }),
          d: fc.double({ min: -3, max: 3, noNaN: true }),
          ref: fc.double({ min: -6, max: 0, noNaN: true }),
          mask: fc.constantFrom(0, 1, 1, 1),
        }),
        { maxLength: 6 },
      ),
      advantage: fc.oneof(fc.constant(0), fc.double({ min: -3, max: 3, noNaN: true })),
      group: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((responses) => ({
    logp: responses.map(({ tokens }) => Float64Array.from(tokens, ({ old, d }) => old + d)),
    logpOld: responses.map(({ tokens }) => Float64Array.from(tokens, ({ old }) => old)),
    logpRef: responses.map(({ tokens }) => Float64Array.from(tokens, ({ ref }) => ref)),
    mask: responses.map(({ tokens }) => Float64Array.from(tokens, ({ mask }) => mask)),
    advantages: Float64Array.from(responses, ({ advantage }) => advantage),
    groups: responses.map(({ group }) => group),
  }));

/** All numbers of a ragged array, concatenated. */
export function flat(rows: readonly ArrayLike<number>[]): number[] {
  return rows.flatMap((row) => Array.from(row));
}
