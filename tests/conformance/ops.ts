import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { embed } from "../../src/ops/embed.js";
import { joinHeads, scaleRows } from "../../src/ops/heads.js";
import { groupedMatmuls, matmul, matmuls } from "../../src/ops/matmul.js";
import { rmsNorm } from "../../src/ops/norm.js";
import { mix, residual, sigmoidGate, silu, siluGate } from "../../src/ops/pointwise.js";
import { rope, rotation } from "../../src/ops/rope.js";
import { gather, route, scatter, take, zerosLike } from "../../src/ops/route.js";
import { argmax, logSoftmax, softmax } from "../../src/ops/softmax.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { slice, type Tensor } from "../../src/runtime/tensor.js";
import { ResidentWeights } from "../../src/weights/resident.js";
import { SyntheticWeights, seedOfName } from "../../src/weights/synthetic.js";
import * as fourBits from "../reference/four-bits.js";
import * as referenceHeads from "../reference/heads.js";
import * as reference from "../reference/linear.js";
import { routeWeights } from "../reference/moe.js";
import * as quantized from "../reference/quantized.js";
import { rope as referenceRope } from "../reference/rope.js";
import { syntheticMatrix, syntheticValue, toBf16 } from "../reference/synthetic.js";
import * as tolerance from "../support/tolerance.js";
import { evaluate, randomInput, randomMatrix, type Suite } from "./harness.js";

/** Every tail of the vector loops, and some beyond. */
const LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 100];

const seed = fc.integer({ min: 1, max: 1 << 20 });
const dim = fc.integer({ min: 1, max: 70 });

export const opsSuite: Suite = (runtime, runs) => {
  describe("product", () => {
    const shapes: [number, number, number][] = [
      [1, 1, 1],
      [3, 5, 7],
      [4, 513, 9],
      [7, 1025, 33],
      [99, 17, 40],
      [101, 600, 24],
      [6, 64, 8],
      [2, 511, 8],
      [5, 512, 65],
      [3, 1023, 32],
      [12, 1024, 47],
      [8, 1, 35],
      // Several blocks of rows, sixes and fours in the last one.
      [411, 40, 70],
    ];
    const residents = ["f32", "bf16", "q8", "q4", "synthetic"] as const;

    test.each(residents)("x·wᵀ with %s weights equals the float64 product", (resident) => {
      const rt = runtime();
      const bound = { q8: tolerance.q8Product, q4: tolerance.q4Product }[resident as string] ?? tolerance.product;
      const check = (rows: number, inputs: number, out: number, seed: number) => {
        const w = randomMatrix(rt, seed, out, inputs, resident);
        rt.scope(() => {
          const x = randomInput(rt, seed + 1, [rows, inputs]);
          const y = evaluate(rt, () => matmul(x.tensor, w.tensor));
          const expected = reference.matmul(x.data, w.data, inputs);
          expect(tolerance.maxAbsDiff(y, expected)).toBeLessThanOrEqual(bound(x.data, w.data, inputs));
        });
        w.release();
      };
      for (const [i, [rows, inputs, out]] of shapes.entries()) check(rows, inputs, out, i);
      fc.assert(fc.property(fc.integer({ min: 1, max: 13 }), dim, dim, seed, check), { numRuns: runs(60) });
    });

    test.each(residents)("a row's bits do not depend on the rows beside it (%s weights)", (resident) => {
      const rt = runtime();
      for (const [rows, inputs, out] of [...shapes, [200, 530, 20]] as const) {
        const w = randomMatrix(rt, rows, out, inputs, resident);
        rt.scope(() => {
          const x = randomInput(rt, inputs, [rows, inputs]);
          const all = evaluate(rt, () => matmul(x.tensor, w.tensor));
          for (let row = 0; row < rows; row += Math.ceil(rows / 9)) {
            const alone = evaluate(rt, () => matmul(rt.from(x.data.subarray(row * inputs, (row + 1) * inputs), [1, inputs]), w.tensor));
            expect(alone).toEqual(all.slice(row * out, (row + 1) * out));
          }
        });
        w.release();
      }
    });
  });

  describe("synthetic weights", () => {
    test("are those of the definition: seeds, matrices, embeddings, routers, norms", () => {
      const rt = runtime();
      const weights = new SyntheticWeights(rt);
      const published = "model.layers.3.self_attn.qkv_proj.weight";
      expect(seedOfName(published)).toBe(3718197103);
      weights.add({ name: published, shape: [24576, 6144], dtype: "bf16" }, "matrix");
      const first = new Uint16Array(weights.readRows(published, 0, 1).buffer).slice(0, 8);
      expect(Array.from(new Float32Array(Uint32Array.from(first, (half) => half << 16).buffer))).toEqual([
        -0.015869140625, -0.010986328125, -0.0177001953125, -0.01611328125, 0.01116943359375, 0.0186767578125, 0.00787353515625,
        -0.01904296875,
      ]);
      weights.add({ name: "m", shape: [70, 37], dtype: "f32" }, "matrix");
      expect(new Float32Array(weights.readRows("m", 32, 70).buffer)).toEqual(syntheticMatrix("m", 70, 37).subarray(32 * 37));
      const u = (name: string, size: number) => Float64Array.from({ length: size }, (_, i) => syntheticValue(name, i));
      weights.add({ name: "e", shape: [5, 30], dtype: "f32" }, "embedding");
      const root = Math.fround(Math.sqrt(3));
      expect(new Float32Array(weights.readRows("e", 0, 5).buffer)).toEqual(
        Float32Array.from(u("e", 150), (u) => toBf16(Math.fround(u * root))),
      );
      weights.add({ name: "r", shape: [4, 50], dtype: "f32" }, "router");
      const scale = Math.fround((2 * Math.sqrt(3)) / Math.sqrt(50));
      expect(new Float32Array(weights.readRows("r", 0, 4).buffer)).toEqual(Float32Array.from(u("r", 200), (u) => u * scale));
      weights.add({ name: "n", shape: [77], dtype: "f32" }, "norm");
      expect(new Float32Array(weights.readRows("n", 0, 1).buffer)).toEqual(Float32Array.from(u("n", 77), (u) => toBf16(1 + u / 8)));
      expect(() => weights.add({ name: "n", shape: [77], dtype: "f32" }, "norm")).toThrow("got it twice");
      expect(() => weights.add({ name: "h", shape: [77], dtype: "f16" }, "norm")).toThrow("float16");
      expect(() => weights.at("x")).toThrow("x: missing");
    });

    test("give the bits that the same weights give as bf16", () => {
      const rt = runtime();
      for (const [rows, inputs, out] of [
        [1, 600, 70],
        [3, 300, 33],
        [13, 513, 65],
        [40, 64, 200],
      ] as const) {
        const synthetic = randomMatrix(rt, rows, out, inputs, "synthetic");
        const resident = new ResidentWeights(rt);
        const held = resident.add({ name: "w", shape: [out, inputs], dtype: "f32" }, "bf16");
        const step = resident.pieceRows("w");
        for (let row = 0; row < out; row += step) {
          const piece = synthetic.data.slice(row * inputs, Math.min(out, row + step) * inputs);
          resident.writeRows("w", row, new Uint8Array(piece.buffer));
        }
        rt.scope(() => {
          const x = randomInput(rt, inputs, [rows, inputs]).tensor;
          expect(evaluate(rt, () => matmul(x, synthetic.tensor))).toEqual(evaluate(rt, () => matmul(x, held)));
        });
        synthetic.release();
        rt.release(held);
      }
    });
  });

  describe.each([
    ["q8", quantized.matmul, quantized.dequantized, tolerance.q8Product, 127],
    ["q4", fourBits.matmul, fourBits.dequantized, tolerance.q4Product, 7],
  ] as const)("%s", (resident, specification, dequantized, product, levels) => {
    /** The matrix `[data.length / inputs, inputs]` of these weights, and how many of them are not finite. */
    function matrix(rt: Runtime, data: Float32Array, inputs: number) {
      const weights = new ResidentWeights(rt);
      const tensor = weights.add({ name: "w", shape: [data.length / inputs, inputs], dtype: "f32" }, resident);
      return { tensor, notFinite: weights.writeRows("w", 0, new Uint8Array(data.buffer)) };
    }

    test("gives the specification's bits on every build", () => {
      const rt = runtime();
      for (const [rows, inputs, out] of [
        [1, 1, 1],
        [1, 513, 40],
        [3, 1537, 33],
        [4, 512, 9],
        [13, 1023, 71],
      ] as const) {
        const w = randomInput(rt, rows, [out, inputs], 0.1).data;
        const x = randomInput(rt, out, [rows, inputs], 100).data;
        const y = evaluate(rt, () => matmul(rt.from(x, [rows, inputs]), matrix(rt, w, inputs).tensor));
        expect(y).toEqual(specification(x, w, inputs));
      }
    });

    test("sums of the largest values do not overflow", () => {
      const rt = runtime();
      for (const rows of [1, 4]) {
        const x = new Float32Array(rows * 512).fill(-3);
        const w = new Float32Array(40 * 512).fill(2);
        const y = evaluate(rt, () => matmul(rt.from(x, [rows, 512]), matrix(rt, w, 512).tensor));
        const expected = new Float32Array(rows * 40).fill(-3072);
        expect(tolerance.maxAbsDiff(y, expected)).toBeLessThanOrEqual(product(x, w, 512));
      }
    });

    test("numbers near the ends of float32 keep their precision", () => {
      const rt = runtime();
      for (const rows of [1, 6]) {
        for (const [small, large] of [
          [1e-36, 1e36],
          [1e36, 1e-36],
          [1e-37, 1e37],
        ] as const) {
          const [x, w] = [
            randomInput(rt, 1, [rows, 40]).data.map((v) => v * small),
            randomInput(rt, 2, [9, 40]).data.map((v) => v * large),
          ];
          const y = evaluate(rt, () => matmul(rt.from(x, [rows, 40]), matrix(rt, w, 40).tensor));
          const held = dequantized(w, 40);
          expect(tolerance.maxAbsDiff(held, w)).toBeLessThanOrEqual(tolerance.quantization(levels, tolerance.maxAbs(w)));
          expect(y).toEqual(specification(x, w, 40));
          expect(tolerance.maxAbsDiff(y, reference.matmul(x, held, 40))).toBeLessThanOrEqual(product(x, held, 40));
        }
      }
    });

    test("what is not finite stays so, and stays in its rows", () => {
      const rt = runtime();
      for (const rows of [1, 6]) {
        const [inputs, out] = [600, 40];
        const w = randomInput(rt, 1, [out, inputs]).data;
        const x = randomInput(rt, 2, [rows, inputs]).data;
        w[3 * inputs + 7] = Number.NaN;
        w[5 * inputs + 599] = Number.POSITIVE_INFINITY;
        w.fill(0, 8 * inputs, 9 * inputs);
        x[(rows - 1) * inputs + 1] = Number.NaN;
        const { tensor, notFinite } = matrix(rt, w, inputs);
        const y = evaluate(rt, () => matmul(rt.from(x, [rows, inputs]), tensor));
        expect(notFinite).toBe(2);
        for (let i = 0; i < y.length; i++) {
          const wrong = [3, 5].includes(i % out) || i >= (rows - 1) * out;
          expect(Number.isNaN(y[i]), `row ${Math.floor(i / out)}, output ${i % out}`).toBe(wrong);
          if (!wrong && i % out === 8) expect(y[i]).toBe(0);
        }
      }
    });

    test("rows of zeros and of the smallest numbers give zeros", () => {
      const rt = runtime();
      const w = randomInput(rt, 1, [8, 20]).data;
      for (const value of [0, -0, 1e-45, -1e-40]) {
        const y = evaluate(rt, () => matmul(rt.from(new Float32Array(20).fill(value), [1, 20]), matrix(rt, w, 20).tensor));
        expect([...y].map(Math.abs).every((v) => v < 1e-36)).toBe(true);
      }
    });
  });

  test("several products of the same rows are the products one by one", () => {
    const rt = runtime();
    for (const rows of [1, 9, 110]) {
      const weights = [
        randomMatrix(rt, 1, 17, 530, "f32"),
        randomMatrix(rt, 2, 40, 530, "bf16"),
        randomMatrix(rt, 3, 9, 530, "q8"),
        randomMatrix(rt, 4, 50, 530, "q4"),
      ];
      rt.scope(() => {
        const x = randomInput(rt, 3, [rows, 530]).tensor;
        const together = matmuls(
          x,
          weights.map(({ tensor }) => tensor),
        );
        for (const [i, w] of weights.entries()) expect(rt.read(together[i]!)).toEqual(evaluate(rt, () => matmul(x, w.tensor)));
      });
      for (const w of weights) w.release();
    }
  });

  test.each(["f32", "bf16", "q8", "q4", "synthetic"] as const)("groups of rows meet weights of their own: %s", (resident) => {
    const rt = runtime();
    const [inputs, counts] = [530, [3, 3, 0, 1, 1, 9, 0, 9, 70]];
    const offsets = [0, ...counts.map((_, g) => counts.slice(0, g + 1).reduce((sum, count) => sum + count, 0))];
    const sets = [17, 40].map((out, i) => counts.map((_, g) => randomMatrix(rt, 10 * i + g, out, inputs, resident)));
    rt.scope(() => {
      const x = randomInput(rt, 3, [offsets.at(-1)!, inputs]).tensor;
      const ys = groupedMatmuls(
        x,
        offsets,
        sets.map((set) => set.map(({ tensor }) => tensor)),
      );
      for (const [i, set] of sets.entries()) {
        const apart = set.flatMap(({ tensor }, g) =>
          counts[g] === 0 ? [] : [...evaluate(rt, () => matmul(slice(x, offsets[g]!, offsets[g + 1]!), tensor))],
        );
        expect([...rt.read(ys[i]!)]).toEqual(apart);
      }
      const w = sets[0]![0]!.tensor;
      expect(() => groupedMatmuls(x, [0, 99, 96], [[w, w]])).toThrow(/offsets: expected 0 to 96, ascending, got 0, 99, 96/);
      expect(() => groupedMatmuls(x, [0, 96], [[w, w]])).toThrow(/w:.*1.*2/);
      expect(() => groupedMatmuls(x, [0, 80, 96], [[w, sets[1]![0]!.tensor]])).toThrow(/w: expected \[17, 530\]/);
    });
    for (const w of sets.flat()) w.release();
  });

  test.each(["f32", "bf16", "q8", "q4", "synthetic"] as const)("embedding copies rows of %s weights exactly", (resident) => {
    const rt = runtime();
    for (const [vocab, hidden] of [
      [1, 1],
      [9, 5],
      [67, 33],
      [320, 64],
    ] as const) {
      const w = randomMatrix(rt, vocab, vocab, hidden, resident);
      rt.scope(() => {
        const ids = Array.from({ length: vocab }, (_, i) => vocab - 1 - i);
        const y = evaluate(rt, () => embed(rt.from(ids, [vocab], "i32"), w.tensor));
        expect(y).toEqual(Float32Array.from(ids.flatMap((id) => [...w.data.subarray(id * hidden, (id + 1) * hidden)])));
      });
      w.release();
    }
  });

  test("e^x is exact to 2^-23 relative, 0 below the normal numbers, infinite above, and NaN of NaN", () => {
    const rt = runtime();
    rt.scope(() => {
      const count = 1 << 16;
      const inputs = Float32Array.from({ length: count }, (_, i) => -87.33 + (176.05 * i) / (count - 1));
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 89, -88, 0, -0, 1e-30];
      const x = rt.from([...inputs, ...special]);
      const y = rt.empty(x.shape);
      rt.kernels.exponential(y.ptr, x.ptr, 0, x.shape[0]!);
      const values = rt.read(y);
      let worst = 0;
      for (let i = 0; i < count; i++) worst = Math.max(worst, Math.abs(values[i]! / Math.exp(inputs[i]!) - 1));
      expect(worst).toBeLessThanOrEqual(tolerance.EPSILON);
      expect([...values.subarray(count)]).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY, 0, 1, 1, 1]);
    });
  });

  test("for x ≤ 0 in half the work: the same bits, NaN included", () => {
    const rt = runtime();
    const bits = new Uint32Array([0xffffffff, 0x7f800001, 0xff800000, 0x80000000, 0, 0x80000001, 0x7fc00001, 0xffc00000]);
    const special = new Float32Array(bits.buffer);
    const inputs = Float32Array.from({ length: 40_000 }, (_, i) => (i < 8 ? special[i]! : -(i - 8) / 400));
    rt.scope(() => {
      const [x, y, z] = [rt.from(inputs), rt.empty([inputs.length]), rt.empty([inputs.length])];
      rt.i32(x).set(new Int32Array(bits.buffer));
      rt.kernels.exponential(y.ptr, x.ptr, 0, inputs.length);
      rt.kernels.exponentialNegative(z.ptr, x.ptr, 0, inputs.length);
      expect(rt.read(z)).toEqual(rt.read(y));
      expect([...rt.read(z).subarray(0, 8)]).toEqual([NaN, NaN, 0, 1, 1, 1, NaN, NaN]);
    });
  });

  describe("elementwise", () => {
    const operations: Record<string, { op: (a: Tensor, b: Tensor) => Tensor; exact: (a: number, b: number) => number }> = {
      silu: { op: (a) => silu(a), exact: (a) => reference.silu(a) },
      siluGate: { op: siluGate, exact: (a, b) => reference.silu(a) * b },
      sigmoidGate: { op: sigmoidGate, exact: (a, b) => reference.sigmoid(a) * b },
      residual: { op: (a, b) => residual(a, b, { alpha: 3.5, beta: -0.25 }), exact: (a, b) => 3.5 * a - 0.25 * b },
    };

    test.each(Object.entries(operations))("%s at every length", (_, { op, exact }) => {
      const rt = runtime();
      for (const length of LENGTHS) {
        rt.scope(() => {
          const [a, b] = [randomInput(rt, length, [length], 8), randomInput(rt, length + 1, [length], 3)];
          const y = evaluate(rt, () => op(a.tensor, b.tensor));
          const expected = reference.zip(a.data, b.data, exact);
          for (let i = 0; i < length; i++) {
            const magnitude = Math.max(Math.abs(expected[i]!), Math.abs(3.5 * a.data[i]!) * Number(op === operations.residual!.op));
            const where = `element ${i} of ${length}: expected ${expected[i]}, got ${y[i]}`;
            expect(Math.abs(y[i]! - expected[i]!), where).toBeLessThanOrEqual(tolerance.rounding(6, magnitude));
          }
        });
      }
    });

    test("saturated gates stay finite", () => {
      const rt = runtime();
      const y = evaluate(rt, () => silu(rt.from([-1000, -100, 100, 1000, -0, 0])));
      expect([...y].map(Math.abs)).toEqual([0, expect.closeTo(0, 30), 100, 1000, 0, 0]);
    });

    test("mix weighs two experts per row", () => {
      const rt = runtime();
      for (const width of LENGTHS) {
        rt.scope(() => {
          const [a, b, c] = [randomInput(rt, 1, [3, width]), randomInput(rt, 2, [3, width]), randomInput(rt, 3, [3, 1], 4)];
          const y = evaluate(rt, () => mix(a.tensor, b.tensor, c.tensor));
          const expected = a.data.map((_, i) => {
            const shared = reference.sigmoid(c.data[Math.floor(i / width)]!);
            return (1 - shared) * a.data[i]! + shared * b.data[i]!;
          });
          expect(tolerance.maxAbsDiff(y, expected)).toBeLessThanOrEqual(
            tolerance.rounding(8, tolerance.maxAbs(a.data) + tolerance.maxAbs(b.data)),
          );
        });
      }
    });
  });

  test("RMSNorm at every width", () => {
    const rt = runtime();
    for (const width of LENGTHS) {
      rt.scope(() => {
        const [x, w] = [randomInput(rt, width, [3, width], 10), randomInput(rt, width + 1, [width])];
        const y = evaluate(rt, () => rmsNorm(x.tensor, w.tensor, 1e-5));
        const expected = reference.rmsNorm(x.data, w.data, 1e-5);
        expect(tolerance.maxAbsDiff(y, expected)).toBeLessThanOrEqual(tolerance.rmsNorm(width, expected));
      });
    }
  });

  describe("softmax", () => {
    test("and its logarithm equal the float64 ones at every width", () => {
      const rt = runtime();
      for (const width of LENGTHS) {
        rt.scope(() => {
          const x = randomInput(rt, width, [2, width], 10);
          const rows = [x.data.subarray(0, width), x.data.subarray(width)];
          const p = evaluate(rt, () => softmax(x.tensor));
          const l = evaluate(rt, () => logSoftmax(x.tensor));
          const expected = rows.flatMap((row) => [...reference.logSoftmax(row)]);
          expect(tolerance.maxAbsDiff(p, expected.map(Math.exp))).toBeLessThanOrEqual(tolerance.softmax(width));
          expect(tolerance.maxAbsDiff(l, expected)).toBeLessThanOrEqual(tolerance.logSoftmax(width, tolerance.maxAbs(expected)));
        });
      }
    });

    test("argmax is the first of the largest", () => {
      const rt = runtime();
      rt.scope(() => {
        for (const width of LENGTHS) {
          const x = randomInput(rt, width, [1, width], 10);
          expect(argmax(x.tensor)).toBe(x.data.indexOf(Math.max(...x.data)));
          for (let i = 0; i < width; i++) {
            const ties = x.data.map((_, j) => (j >= i && (j - i) % 3 === 0 ? 7 : -j));
            expect(argmax(rt.from(ties))).toBe(i);
          }
        }
        expect(argmax(rt.from(new Float32Array(9).fill(Number.NEGATIVE_INFINITY)))).toBe(0);
      });
    });

    test("does not change when every score moves by the same power of two", () => {
      const rt = runtime();
      fc.assert(
        fc.property(seed, fc.integer({ min: 1, max: 40 }), (seed, width) => {
          rt.scope(() => {
            // Multiples of 1/64 below 2^10 keep every difference exact, so the shift must not change a bit.
            const data = randomInput(rt, seed, [1, width], 10).data.map((x) => Math.round(x * 64) / 64);
            const shifted = data.map((x) => x + 512);
            expect(evaluate(rt, () => softmax(rt.from(shifted, [1, width])))).toEqual(
              evaluate(rt, () => softmax(rt.from(data, [1, width]))),
            );
          });
        }),
        { numRuns: runs(40) },
      );
    });
  });

  describe("rotary embedding", () => {
    test("turns the first dims of each head and leaves the rest", () => {
      const rt = runtime();
      for (const [headDim, rotaryDim] of [
        [2, 2],
        [5, 4],
        [16, 8],
        [33, 14],
        [128, 64],
      ] as const) {
        rt.scope(() => {
          const positions = [0, 1, 77, 999_999];
          const x = randomInput(rt, headDim, [4, 3, headDim]);
          const y = evaluate(rt, () => rope(x.tensor, rotation(rt, positions, rotaryDim, 1e7)));
          const expected = referenceRope(x.data, positions, 3, headDim, rotaryDim, 1e7);
          expect(tolerance.maxAbsDiff(y, expected)).toBeLessThanOrEqual(tolerance.rounding(4, 2 * tolerance.maxAbs(x.data)));
        });
      }
    });

    test("scores depend on the difference of positions only", () => {
      const rt = runtime();
      const headDim = 32;
      fc.assert(
        fc.property(seed, fc.nat(500), fc.nat(500), fc.nat(500), (seed, p, q, shift) => {
          rt.scope(() => {
            const [a, b] = [randomInput(rt, seed, [1, 1, headDim]), randomInput(rt, seed + 1, [1, 1, headDim])];
            const score = (at: number, to: number) => {
              const u = evaluate(rt, () => rope(a.tensor, rotation(rt, [at], headDim, 10_000)));
              const v = evaluate(rt, () => rope(b.tensor, rotation(rt, [to], headDim, 10_000)));
              return u.reduce((sum, x, i) => sum + x * v[i]!, 0);
            };
            // An angle below 1,000 is rounded by up to 1,000 ε.
            const magnitude = tolerance.product(a.data, b.data, headDim) * 1000;
            expect(Math.abs(score(p, q) - score(p + shift, q + shift))).toBeLessThanOrEqual(magnitude);
          });
        }),
        { numRuns: runs(60) },
      );
    });
  });

  describe("heads", () => {
    test("joinHeads: scaled queries, each beside the keys and values of its group", () => {
      const rt = runtime();
      for (const width of LENGTHS) {
        for (const [heads, kvHeads] of [
          [1, 1],
          [6, 2],
          [4, 4],
          [3, 1],
        ] as const) {
          rt.scope(() => {
            const q = randomInput(rt, width, [3, heads, width]);
            const [k, v] = [randomInput(rt, width + 1, [3, kvHeads, width]), randomInput(rt, width + 2, [3, kvHeads, width])];
            const y = evaluate(rt, () => joinHeads(q.tensor, k.tensor, v.tensor, 0.25));
            // A quarter is exact in float32.
            expect([...y]).toEqual([...referenceHeads.joinHeads(q.data, k.data, v.data, heads, kvHeads, width, 0.25)]);
          });
        }
      }
    });

    test("scaleRows at every width", () => {
      const rt = runtime();
      for (const width of LENGTHS) {
        rt.scope(() => {
          const [x, scales] = [randomInput(rt, width, [4, width]), randomInput(rt, width + 1, [4])];
          const y = evaluate(rt, () => scaleRows(x.tensor, scales.tensor));
          expect([...y]).toEqual(Array.from(x.data, (value, i) => Math.fround(value * scales.data[Math.floor(i / width)]!)));
        });
      }
    });

    test("shapes that do not fit, and a scale that is no number, are refused", () => {
      const rt = runtime();
      rt.scope(() => {
        const x = (...shape: number[]) => rt.from(new Float32Array(shape.reduce((size, n) => size * n, 1)), shape);
        expect(() => joinHeads(x(2, 3, 4), x(2, 2, 4), x(2, 2, 4))).toThrow(/joinHeads: k: .*divides 3, got 2/);
        expect(() => joinHeads(x(2, 4, 4), x(2, 2, 5), x(2, 2, 5))).toThrow(/joinHeads: k: expected \[2, 2, 4\]/);
        expect(() => joinHeads(x(2, 4, 4), x(2, 2, 4), x(2, 1, 4))).toThrow(/joinHeads: v: expected \[2, 2, 4\]/);
        expect(() => joinHeads(x(2, 4, 4), x(2, 2, 4), x(2, 2, 4), Number.NaN)).toThrow(/joinHeads: scale: .*finite.*NaN/);
        expect(() => scaleRows(x(2, 3), x(3))).toThrow(/scaleRows: scales: expected \[2\]/);
      });
    });
  });

  describe("routing", () => {
    const shape = fc
      .integer({ min: 1, max: 33 })
      .chain((experts) => fc.tuple(fc.constant(experts), fc.integer({ min: 1, max: experts }), fc.integer({ min: 1, max: 20 }), seed));

    test("keeps the top-k, renormalised, and lists every slot once, by expert and token", () => {
      const rt = runtime();
      fc.assert(
        fc.property(shape, ([experts, topK, tokens, seed]) => {
          rt.scope(() => {
            const logits = randomInput(rt, seed, [tokens, experts], 2);
            const routing = route(logits.tensor, topK);
            const order = [...rt.i32(routing.order)];
            const weights = rt.read(routing.weights);
            expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, i) => i));
            expect(routing.offsets[0]).toBe(0);
            expect(routing.offsets.at(-1)).toBe(tokens * topK);
            const got = new Float64Array(tokens * experts);
            for (let e = 0; e < experts; e++) {
              const slots = order.slice(routing.offsets[e], routing.offsets[e + 1]);
              expect(slots).toEqual([...slots].sort((a, b) => a - b));
              for (const slot of slots) got[Math.floor(slot / topK) * experts + e]! += weights[slot]!;
            }
            const expected = Array.from({ length: tokens }, (_, t) => [
              ...routeWeights(logits.data.subarray(t * experts, (t + 1) * experts), topK),
            ]).flat();
            expect(tolerance.maxAbsDiff(got, expected)).toBeLessThanOrEqual(tolerance.softmax(experts));
          });
        }),
        { numRuns: runs(80) },
      );
    });

    test("of equal experts the first are taken, each once", () => {
      const rt = runtime();
      rt.scope(() => {
        expect(route(rt.from([1, 1, 1, 1, 0, 2, 2, 0], [2, 4]), 2).offsets).toEqual([0, 1, 3, 4, 4]);
        expect(route(rt.from([5, 5, 5, 5, 5], [1, 5]), 4).offsets).toEqual([0, 1, 2, 3, 4, 4]);
      });
    });

    test("NaN reaches the output instead of choosing an expert silently", () => {
      const rt = runtime();
      rt.scope(() => {
        const routing = route(rt.from([Number.NaN, 1, 2], [1, 3]), 2);
        expect([...rt.read(routing.weights)].every(Number.isNaN)).toBe(true);
        expect(routing.offsets.at(-1)).toBe(2);
      });
    });

    test("gather and scatter with weights of one give every token back k times", () => {
      const rt = runtime();
      fc.assert(
        fc.property(shape, dim, ([experts, topK, tokens, seed], width) => {
          rt.scope(() => {
            const x = randomInput(rt, seed, [tokens, width]);
            const routing = route(randomInput(rt, seed + 1, [tokens, experts]).tensor, topK);
            rt.f32(routing.weights).fill(1);
            const y = zerosLike(x.tensor);
            for (let e = 0; e < experts; e++)
              if (routing.offsets[e]! < routing.offsets[e + 1]!) scatter(y, gather(x.tensor, routing, e), routing, e);
            const expected = x.data.map((value) => topK * value);
            expect(tolerance.maxAbsDiff(rt.read(y), expected)).toBeLessThanOrEqual(tolerance.rounding(topK, tolerance.maxAbs(expected)));
          });
        }),
        { numRuns: runs(40) },
      );
    });

    test("take picks rows in any order", () => {
      const rt = runtime();
      rt.scope(() => {
        const x = randomInput(rt, 1, [5, 7]);
        expect(rt.read(take(x.tensor, [4, 0, 4]))).toEqual(
          Float32Array.from([4, 0, 4].flatMap((row) => [...x.data.subarray(row * 7, row * 7 + 7)])),
        );
      });
    });
  });
};
