import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attention } from "../../src/ops/attention.js";
import { embed } from "../../src/ops/embed.js";
import { slice, type Tensor } from "../../src/ops/index.js";
import { KeyValueCache } from "../../src/ops/kv-cache.js";
import { lightning, lightningState } from "../../src/ops/lightning.js";
import { groupedMatmuls, matmul, matmuls } from "../../src/ops/matmul.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { opCases, taped } from "./gradients.js";
import { randomInput, randomMatrix } from "./harness.js";

const residents = ["f32", "bf16", "q8", "q4", "synthetic"] as const;

/**
 * What an op gives on several threads, to the bit what it gives on one. That this is right, the other suites show.
 * Each call is split into as many parts as it has, with `minThreadedWork: 0`.
 */
export function threadsSuite(one: () => Runtime, several: () => Runtime): void {
  function expectSame(run: (rt: Runtime) => unknown): void {
    const expected = run(one());
    expect(run(several())).toEqual(expected);
  }

  test.each(opCases)("$name and its backward", ({ make }) => {
    for (const [seed, instance] of fc.sample(make, { numRuns: 6, seed: 1 }).entries()) {
      expectSame((rt) => {
        const { y, gradients } = taped(rt, 1 + seed, instance);
        return [y, ...gradients];
      });
    }
  });

  describe.each(residents)("%s weights", (resident) => {
    test.each([1, 3, 7, 99])("matmul of %i rows, alone and with others of the same rows", (rows) => {
      expectSame((rt) => {
        const weights = [randomMatrix(rt, 1, 125, 519, resident), randomMatrix(rt, 2, 33, 519, resident)];
        const tensors = weights.map(({ tensor }) => tensor);
        const found = rt.scope(() => {
          const x = randomInput(rt, rows, [rows, 519]).tensor;
          return [matmul(x, tensors[0]!), ...matmuls(x, tensors)].map((y) => rt.read(y));
        });
        for (const w of weights) w.release();
        return found;
      });
    });

    test("groups of rows with weights of their own", () => {
      expectSame((rt) => {
        const offsets = [0, 3, 3, 4, 13, 70];
        const sets = [40, 17].map((out, i) => offsets.slice(1).map((_, g) => randomMatrix(rt, 10 * i + g, out, 130, resident)));
        const found = rt.scope(() => {
          const x = randomInput(rt, 3, [70, 130]).tensor;
          const ys = groupedMatmuls(
            x,
            offsets,
            sets.map((set) => set.map(({ tensor }) => tensor)),
          );
          return ys.map((y) => rt.read(y));
        });
        for (const w of sets.flat()) w.release();
        return found;
      });
    });

    test("embedding", () => {
      expectSame((rt) => {
        const w = randomMatrix(rt, 1, 67, 33, resident);
        const found = rt.scope(() => {
          const ids = Array.from({ length: 40 }, (_, i) => (7 * i) % 67);
          return rt.read(embed(rt.from(ids, [40], "i32"), w.tensor));
        });
        w.release();
        return found;
      });
    });
  });

  test.each(["f32", "bf16", "q8"] as const)("softmax attention over %s keys and values, of several sequences", (kv) => {
    expectSame((rt) =>
      rt.scope(() => {
        const [heads, kvHeads, dim] = [6, 2, 20];
        const caches = [150, 40].map((positions, i) => {
          const cache = new KeyValueCache(rt, kvHeads, dim, kv);
          const [k, v] = [randomInput(rt, 2 + i, [positions, kvHeads, dim]), randomInput(rt, 4 + i, [positions, kvHeads, dim])];
          cache.append(k.tensor, v.tensor);
          return cache;
        });
        const q = randomInput(rt, 1, [71, heads, dim]).tensor;
        const segments = [
          { begin: 0, end: 70 },
          { begin: 70, end: 71 },
        ];
        const o = rt.read(attention(q, segments, caches));
        for (const cache of caches) cache.dispose();
        return o;
      }),
    );
  });

  test("lightning attention of a long sequence and of single tokens, with its states", () => {
    expectSame((rt) =>
      rt.scope(() => {
        const [heads, dim] = [5, 12];
        const slopes = rt.from([0.1, 0.5, 0.01, 2, 0]);
        const states = Array.from({ length: 3 }, () => {
          const state = lightningState(rt, heads, dim);
          rt.f32(state).fill(0.25);
          return state;
        });
        const qkv = randomInput(rt, 1, [303, heads, 3 * dim]).tensor;
        const outputs: Tensor[] = [
          lightning(slice(qkv, 0, 300), slopes, [{ begin: 0, end: 300 }], [states[0]!], 64),
          lightning(
            slice(qkv, 300, 303),
            slopes,
            [0, 1, 2].map((i) => ({ begin: i, end: i + 1 })),
            states,
          ),
          lightning(slice(qkv, 302, 303), slopes, [{ begin: 0, end: 1 }], [states[1]!]),
        ];
        const found = [...outputs, ...states].map((x) => rt.read(x));
        for (const state of states) rt.release(state);
        return found;
      }),
    );
  });
}
