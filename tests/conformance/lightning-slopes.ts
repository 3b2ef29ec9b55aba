import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors.js";
import { lightning, readLightningState, stateShape } from "../../src/ops/lightning.js";
import { zerosLike } from "../../src/ops/route.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { zeros } from "../../src/runtime/tape.js";
import type { Tensor } from "../../src/runtime/tensor.js";
import { recurrentLightning, recurrentLightningBackward } from "../reference/lightning.js";
import type { Numbers } from "../reference/linear.js";
import { randomTensor } from "../support/random.js";
import * as tolerance from "../support/tolerance.js";
import type { Suite } from "./harness.js";

/** The kernels have no subnormal numbers: e^−88 is 0 to them. */
const SMALLEST = 2 ** -120;

export const slopesSuite: Suite = (runtime) => {
  describe("lightning attention for every slope from 0 to ∞", () => {
    test("outputs, states and gradients equal the recurrence in float64, from any state and towards any", () => {
      const rt = runtime();
      const slopes = Float32Array.of(0, 1e-8, 0.3, 1, 10, 50, 87, 88.7, 88.8, 90, 200, 1000, 3e38, Infinity);
      const heads = slopes.length;
      for (const [tokens, d, chunk] of [
        [1, 8, 1],
        [1, 5, 16],
        [2, 8, 1],
        [17, 8, 16],
        [33, 5, 3],
        [515, 4, 16],
      ] as const) {
        const [data, dO] = [randomTensor(tokens, tokens * heads * 3 * d), randomTensor(2, tokens * heads * d)];
        const [initial, dLast] = [randomTensor(3, heads * d * d), randomTensor(4, heads * d * d)];
        const found = rt.scope(() => {
          const [qkv, lambda] = [rt.from(data, [tokens, heads, 3 * d]), rt.from(slopes)];
          const [state, dState] = [panelsOf(rt, initial, heads, d), panelsOf(rt, dLast, heads, d)];
          const [before, dQkv] = [zerosLike(state), zerosLike(qkv)];
          rt.f32(before).set(rt.f32(state));
          const o = rt.read(lightning(qkv, lambda, [{ begin: 0, end: tokens }], [state], chunk));
          const last = readLightningState(state, d);
          const [piece, rows] = [Math.min(512, tokens), Math.min(chunk, tokens)];
          const workspace = rt.workspace(rt.kernels.lightningBackwardWorkspaceBytes(piece, rows, d));
          const pointers = [dQkv.ptr, dState.ptr, rt.from(dO, [tokens, heads * d]).ptr, before.ptr, qkv.ptr, lambda.ptr] as const;
          rt.runIn("lightningBackward", [...pointers, tokens, heads, d, piece, rows, workspace, 0, heads], 1);
          return { o, state: last, dQkv: Float64Array.from(rt.read(dQkv)), dState: readLightningState(dState, d) };
        });
        const [q, k, v] = [0, 1, 2].map((which) => part(Float64Array.from(data), d, which)) as [Float64Array, Float64Array, Float64Array];
        const forward = recurrentLightning(q, k, v, slopes, d, initial);
        const { dq, dk, dv, dState } = recurrentLightningBackward(q, k, v, dO, slopes, d, initial, dLast);
        const [aq, ak, av] = [0, 1, 2].map((which) => part(found.dQkv, d, which)) as [Float64Array, Float64Array, Float64Array];
        const compared = {
          o: [found.o, forward.o],
          state: [found.state, forward.state],
          dq: [aq, dq],
          dk: [ak, dk],
          dv: [av, dv],
          dState: [found.dState, dState],
        };
        // Head by head, because heads that hardly decay have far larger numbers.
        for (const [name, [actual, expected]] of Object.entries(compared)) {
          for (let h = 0; h < heads; h++) {
            const own = (x: Numbers) => {
              const row = name === "state" || name === "dState" ? heads * d * d : heads * d;
              const part = new Float64Array(x).filter((_, i) => Math.floor(((i % row) * heads) / row) === h);
              return part.map((value) => (Math.abs(value) < SMALLEST ? 0 : value));
            };
            const distance = tolerance.normDistance(own(actual!), own(expected!));
            expect(distance, `${tokens} tokens, slope ${slopes[h]}, ${name}`).toBeLessThanOrEqual(tolerance.rounding(d + 104, 1));
          }
        }
      }
    });

    test("a negative slope or NaN is refused", () => {
      const rt = runtime();
      rt.scope(() => {
        const state = panelsOf(rt, new Float32Array(16), 1, 4);
        const qkv = rt.from(new Float32Array(24), [2, 1, 12]);
        for (const slope of [-1, -1e-9, Number.NaN, -Infinity]) {
          const run = () => lightning(qkv, rt.from([slope], [1]), [{ begin: 0, end: 2 }], [state]);
          expect(run).toThrow(InputError);
          expect(run).toThrow(/lightning: slopes: .*numbers.*\[0, Infinity\]/);
        }
        lightning(qkv, rt.from([-0], [1]), [{ begin: 0, end: 2 }], [state]);
      });
    });
  });
};

/** Matrices `[heads, d, d]` as states in panels. */
function panelsOf(rt: Runtime, matrices: Float32Array, heads: number, d: number): Tensor {
  const state = zeros(rt, stateShape(heads, d));
  const [, panels = 0, padded = 0, width = 0] = state.shape;
  const to = rt.f32(state);
  for (let row = 0; row < heads * d; row++) {
    const [head, i] = [Math.floor(row / d), row % d];
    for (let j = 0; j < d; j++) to[((head * panels + Math.floor(j / width)) * padded + i) * width + (j % width)] = matrices[row * d + j]!;
  }
  return state;
}

/** One of q, k and v `[tokens, heads, d]` out of qkv `[tokens, heads, 3, d]`. */
function part(qkv: Float64Array, d: number, which: number): Float64Array {
  return qkv.filter((_, i) => Math.floor(i / d) % 3 === which);
}
