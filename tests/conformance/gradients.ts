import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attention } from "../../src/ops/attention.js";
import { embed } from "../../src/ops/embed.js";
import { joinHeads, scaleRows } from "../../src/ops/heads.js";
import { KeyValueCache } from "../../src/ops/kv-cache.js";
import { lightning, lightningState } from "../../src/ops/lightning.js";
import { groupedMatmuls, matmul } from "../../src/ops/matmul.js";
import { rmsNorm } from "../../src/ops/norm.js";
import { mix, residual, sigmoidGate, silu, siluGate } from "../../src/ops/pointwise.js";
import { rope, rotation } from "../../src/ops/rope.js";
import { gather, route, scatter, take, zerosLike } from "../../src/ops/route.js";
import { logSoftmax, softmax, targetLogprobs } from "../../src/ops/softmax.js";
import { readRows } from "../../src/runtime/rows.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { Tape } from "../../src/runtime/tape.js";
import { reshape, sizeOf, slice, type Tensor } from "../../src/runtime/tensor.js";
import { ResidentWeights } from "../../src/weights/resident.js";
import { softmaxAttention } from "../reference/attention.js";
import * as referenceHeads from "../reference/heads.js";
import { quadraticLightning, quadraticLightningBackward } from "../reference/lightning.js";
import * as reference from "../reference/linear.js";
import { routeWeights } from "../reference/moe.js";
import { rope as referenceRope } from "../reference/rope.js";
import { expectWithin } from "../support/expect-within.js";
import { facts } from "../support/facts.js";
import { random, randomTensor } from "../support/random.js";
import * as tolerance from "../support/tolerance.js";
import type { Suite } from "./harness.js";

/** An input of an op. */
interface Input {
  readonly shape: readonly number[];
  /** Whether the input is a matrix of weights, which is stored in panels. */
  readonly panels?: boolean;
  /**
   * Draws the elements (default: `randomTensor`). If the op has a kink or a jump, keep the elements further than {@link STEP} from it,
   * because central differences across it are wrong.
   */
  readonly values?: (seed: number, size: number) => Float32Array<ArrayBuffer>;
}

/** An op and the function that it computes. */
export interface Case {
  readonly inputs: readonly Input[];
  readonly op: (rt: Runtime, x: readonly Tensor[]) => Tensor;
  /** In float64. */
  readonly f: (x: readonly Float64Array[]) => Float64Array;
  /** Roundings on the way to a gradient. */
  readonly roundings: number;
}

/** Distance of central differences: their error, about its square, is far below float32's. */
const STEP = 1e-5;

/** The elements of an input that are moved one by one, and the distance between them where that is not each. */
const [MOST_ELEMENTS, STRIDE] = [120, 61];

const seed = fc.integer({ min: 1, max: 1 << 20 });
const dim = fc.integer({ min: 1, max: 19 });
const rows = fc.integer({ min: 1, max: 14 });

const panels = (rt: Runtime, data: Float32Array, shape: readonly number[]): Tensor => {
  const weights = new ResidentWeights(rt);
  const w = weights.add({ name: "w", shape, dtype: "f32" }, "f32");
  weights.writeRows("w", 0, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return w;
};

/** An op of random inputs under a tape: its result, and the gradients of Σ dy ⊙ op(x) for a random dy. */
export function taped(rt: Runtime, seed: number, { inputs, op }: Case) {
  const data = inputs.map(({ shape, values = randomTensor }, i) => values(seed + i, sizeOf(shape)));
  const kept: Tensor[] = [];
  const found = rt.scope(() => {
    const x = inputs.map(({ shape, panels: packed }, i) => {
      if (!packed) return rt.from(data[i]!, shape);
      kept.push(panels(rt, data[i]!, shape));
      return kept.at(-1)!;
    });
    const tape = new Tape(rt);
    const gradients = new Map<Tensor, Float32Array>();
    tape.recordBackward(x, () => {
      for (const tensor of x) gradients.set(tensor, readRows(tape.gradient(tensor)));
    });
    const result = tape.watch(() => op(rt, x));
    const y = rt.read(result);
    const dy = randomTensor(seed + 100, sizeOf(result.shape));
    tape.recordBackward([], () => rt.f32(tape.gradient(result)).set(dy));
    tape.backward();
    return { y, dy, gradients: x.map((tensor) => gradients.get(tensor)!) };
  });
  for (const w of kept) rt.release(w);
  return { data, ...found };
}

/** Compares the gradients by the tape with central differences of f, within what rounding may make of the difference. */
function check(rt: Runtime, seed: number, one: Case): void {
  const { f, roundings } = one;
  const { data, dy, gradients } = taped(rt, seed, one);
  const wide = data.map((x) => Float64Array.from(x));
  for (const [which, gradient] of gradients.entries()) {
    const x = wide[which]!;
    // Of a large input, elements of a stride that shares no factor with its dims: some of each row, others for another seed.
    const count = Math.min(x.length, MOST_ELEMENTS);
    const compared = Array.from({ length: count }, (_, n) => (count === x.length ? n : (seed + n * STRIDE) % x.length));
    let magnitude = tolerance.maxAbs(dy) * Math.max(...data.map(tolerance.maxAbs));
    const expected = compared.map((i) => {
      const value = x[i]!;
      x[i] = value + STEP;
      const above = f(wide);
      x[i] = value - STEP;
      const below = f(wide);
      x[i] = value;
      const terms = above.map((y, j) => (dy[j]! * (y - below[j]!)) / (2 * STEP));
      magnitude = Math.max(
        magnitude,
        terms.reduce((sum, term) => sum + Math.abs(term), 0),
      );
      return terms.reduce((sum, term) => sum + term, 0);
    });
    const found = compared.map((i) => gradient[i]!);
    expect(gradient.length, `input ${which}`).toBe(x.length);
    expectWithin(found, expected, tolerance.gradient(roundings, magnitude), `input ${which}`, (n) => compared[n]!);
  }
}

/** Different numbers in random order, further apart than {@link STEP}: moving one of them by a step never changes the order. */
function spaced(seed: number, size: number): Float32Array<ArrayBuffer> {
  const { integer } = random(seed);
  const numbers = Float32Array.from({ length: size }, (_, i) => (4 * i) / size - 2);
  for (let i = size - 1; i > 0; i--) {
    const other = integer(i + 1);
    [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
  }
  return numbers;
}

const property = (name: string, make: fc.Arbitrary<Case>, numRuns = 40) => ({ name, make, numRuns });

const properties = [
  property(
    "matmul",
    fc.tuple(rows, dim, fc.integer({ min: 1, max: 40 })).map(([m, k, n]) => ({
      inputs: [{ shape: [m, k] }, { shape: [n, k], panels: true }],
      op: (_, [x, w]) => matmul(x!, w!),
      f: ([x, w]) => reference.matmul(x!, w!, k),
      roundings: Math.max(m, n) + 4,
    })),
  ),
  property(
    "groupedMatmuls",
    fc.tuple(rows, rows, dim, dim).map(([a, b, k, n]) => ({
      inputs: [{ shape: [a + b, k] }, { shape: [n, k], panels: true }, { shape: [n, k], panels: true }],
      op: (_, [x, v, w]) => groupedMatmuls(x!, [0, a, a + b], [[v!, w!]])[0]!,
      f: ([x, v, w]) => Float64Array.of(...reference.matmul(x!.subarray(0, a * k), v!, k), ...reference.matmul(x!.subarray(a * k), w!, k)),
      roundings: Math.max(a + b, n) + 4,
    })),
  ),
  property(
    "rmsNorm",
    fc.tuple(rows, dim).map(([m, n]) => ({
      inputs: [{ shape: [m, n] }, { shape: [n] }],
      op: (_, [x, w]) => rmsNorm(x!, w!, 0.01),
      f: ([x, w]) => reference.rmsNorm(x!, w!, 0.01),
      roundings: m + n + 16,
    })),
  ),
  property(
    "silu",
    dim.map((n) => ({ inputs: [{ shape: [n] }], op: (_, [x]) => silu(x!), f: ([x]) => x!.map(reference.silu), roundings: 16 })),
  ),
  property(
    "siluGate",
    dim.map((n) => ({
      inputs: [{ shape: [n] }, { shape: [n] }],
      op: (_, [a, b]) => siluGate(a!, b!),
      f: ([a, b]) => a!.map((x, i) => reference.silu(x) * b![i]!),
      roundings: 16,
    })),
  ),
  property(
    "sigmoidGate",
    dim.map((n) => ({
      inputs: [{ shape: [n] }, { shape: [n] }],
      op: (_, [g, x]) => sigmoidGate(g!, x!),
      f: ([g, x]) => g!.map((value, i) => reference.sigmoid(value) * x![i]!),
      roundings: 16,
    })),
  ),
  property(
    "residual",
    dim.map((n) => ({
      inputs: [{ shape: [n] }, { shape: [n] }],
      op: (_, [x, f]) => residual(x!, f!, { alpha: 1.5, beta: -0.25 }),
      f: ([x, f]) => x!.map((value, i) => 1.5 * value - 0.25 * f![i]!),
      roundings: 2,
    })),
  ),
  property(
    "mix",
    fc.tuple(rows, dim).map(([m, n]) => ({
      inputs: [{ shape: [m, n] }, { shape: [m, n] }, { shape: [m, 1] }],
      op: (_, [a, b, c]) => mix(a!, b!, c!),
      f: ([a, b, c]) =>
        a!.map((value, i) => {
          const s = reference.sigmoid(c![Math.floor(i / n)]!);
          return (1 - s) * value + s * b![i]!;
        }),
      roundings: n + 16,
    })),
  ),
  property(
    "rope",
    fc.tuple(rows, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 }), fc.nat({ max: 5 })).map(([m, heads, half, rest]) => ({
      inputs: [{ shape: [m, heads, 2 * half + rest] }],
      op: (rt, [x]) => rope(x!, rotation(rt, [...Array(m).keys()], 2 * half, 100)),
      f: ([x]) => referenceRope(x!, [...Array(m).keys()], heads, 2 * half + rest, 2 * half, 100),
      roundings: 8,
    })),
  ),
  property(
    "joinHeads",
    fc.tuple(rows, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), dim).map(([m, kvHeads, group, n]) => ({
      inputs: [{ shape: [m, kvHeads * group, n] }, { shape: [m, kvHeads, n] }, { shape: [m, kvHeads, n] }],
      op: (_, [q, k, v]) => joinHeads(q!, k!, v!, 0.3),
      f: ([q, k, v]) => referenceHeads.joinHeads(q!, k!, v!, kvHeads * group, kvHeads, n, 0.3),
      roundings: group + 4,
    })),
  ),
  property(
    "scaleRows",
    fc.tuple(rows, dim).map(([m, n]) => ({
      inputs: [{ shape: [m, n] }],
      op: (rt, [x]) => scaleRows(x!, rt.from(Array.from({ length: m }, (_, t) => 1 + t / 4))),
      f: ([x]) => x!.map((value, i) => (1 + Math.floor(i / n) / 4) * value),
      roundings: 4,
    })),
  ),
  property(
    "softmax",
    fc.tuple(rows, dim).map(([m, n]) => ({
      inputs: [{ shape: [m, n] }],
      op: (_, [x]) => softmax(x!),
      f: ([x]) => eachRow(x!, n, reference.softmax),
      roundings: 2 * n + 16,
    })),
  ),
  property(
    "logSoftmax",
    fc.tuple(rows, dim).map(([m, n]) => ({
      inputs: [{ shape: [m, n] }],
      op: (_, [x]) => logSoftmax(x!),
      f: ([x]) => eachRow(x!, n, reference.logSoftmax),
      roundings: 2 * n + 16,
    })),
  ),
  property(
    "targetLogprobs",
    fc.tuple(rows, dim, seed).map(([m, n, s]) => {
      const targets = Array.from({ length: m }, (_, r) => (s + 7 * r) % n);
      return {
        inputs: [{ shape: [m, n] }],
        op: (rt, [x]) => targetLogprobs(x!, rt.from(targets, [m], "i32")),
        f: ([x]) => Float64Array.from(targets, (target, r) => reference.logSoftmax(x!.subarray(r * n, (r + 1) * n))[target]!),
        roundings: 2 * n + 16,
      };
    }),
  ),
  property(
    "embed",
    fc.tuple(rows, fc.integer({ min: 1, max: 40 }), dim, seed).map(([m, vocab, n, s]) => {
      const ids = Array.from({ length: m }, (_, t) => (s + 3 * t * t) % vocab);
      return {
        inputs: [{ shape: [vocab, n], panels: true }],
        op: (rt, [w]) => embed(rt.from(ids, [m], "i32"), w!),
        f: ([w]) => Float64Array.from(ids.flatMap((id) => [...w!.subarray(id * n, (id + 1) * n)])),
        roundings: m,
      };
    }),
  ),
  property(
    "take",
    fc.tuple(rows, dim, seed).map(([m, n, s]) => {
      const indices = Array.from({ length: 5 }, (_, i) => (s + i * i) % m);
      return {
        inputs: [{ shape: [m, n] }],
        op: (_, [x]) => take(x!, indices),
        f: ([x]) => Float64Array.from(indices.flatMap((i) => [...x!.subarray(i * n, (i + 1) * n)])),
        roundings: 5,
      };
    }),
  ),
  // A mixture whose experts only scale their rows: every way through route, gather and scatter.
  property(
    "route, gather and scatter",
    fc.tuple(rows, fc.integer({ min: 1, max: 6 }), fc.nat({ max: 5 }), dim, fc.boolean()).map(([m, experts, k, n, together]) => {
      const topK = 1 + (k % experts);
      return {
        // The choice of experts jumps where two logits are equal.
        inputs: [{ shape: [m, experts], values: spaced }, { shape: [m, n] }],
        op: (rt, [logits, x]) => {
          const routing = route(logits!, topK);
          const y = zerosLike(x!);
          const groups = together ? [[0, experts] as const] : Array.from({ length: experts }, (_, e) => [e, e + 1] as const);
          for (const [first, end] of groups) {
            rt.scope(() => {
              const own = gather(x!, routing, first, end);
              scatter(y, residual(own, own, { alpha: 1, beta: together ? 0 : first }), routing, first, end);
            });
          }
          return y;
        },
        f: ([logits, x]) =>
          Float64Array.from(x!, (value, i) => {
            const t = Math.floor(i / n);
            const p = routeWeights(logits!.subarray(t * experts, (t + 1) * experts), topK);
            return p.reduce((sum, weight, e) => sum + weight * value * (together ? 1 : 1 + e), 0);
          }),
        roundings: 4 * n + 4 * experts + 16,
      };
    }),
  ),
];

/** `f` of each row of n numbers. */
function eachRow(x: Float64Array, n: number, f: (row: Float64Array) => Float64Array): Float64Array {
  const y = new Float64Array(x.length);
  for (let r = 0; r < x.length; r += n) y.set(f(x.subarray(r, r + n)), r);
  return y;
}

/** q, k or v out of the fused `[tokens, heads, 3, dim]`. */
function part(qkv: Float64Array, dim: number, which: number): Float64Array {
  return qkv.filter((_, i) => Math.floor(i / dim) % 3 === which);
}

const lightningCases = fc
  .tuple(
    fc.integer({ min: 1, max: 24 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 10 }),
    fc.constantFrom(1, 3, 8, 16),
    fc.array(fc.nat({ max: 23 }), { maxLength: 3 }),
    fc.array(fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.constantFrom(0, 1e-8, 10, 88.8, 3e38, Infinity)), {
      minLength: 3,
      maxLength: 3,
    }),
  )
  .map(([tokens, heads, d, chunk, cuts, all]): Case => {
    const slopes = Float32Array.from(all.slice(0, heads));
    const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < tokens), tokens])].sort((a, b) => a - b);
    return {
      inputs: [{ shape: [tokens, heads, 3 * d] }],
      op: (rt, [qkv]) => {
        const [lambda, state] = [rt.from(slopes), rt.empty(lightningStateShape(rt, heads, d))];
        rt.fill(state, 0);
        const y = zerosLike(reshape(rt.empty([tokens, heads * d]), [tokens, heads * d]));
        let begin = 0;
        for (const end of ends) {
          const o = lightning(slice(qkv!, begin, end), lambda, [{ begin: 0, end: end - begin }], [state], chunk);
          copyRows(y, o, begin);
          begin = end;
        }
        return y;
      },
      f: ([qkv]) => quadraticLightning(part(qkv!, d, 0), part(qkv!, d, 1), part(qkv!, d, 2), slopes, d),
      roundings: 2 * d + 3 * tokens + 104,
    };
  });

const softmaxCases = fc
  .tuple(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 10 }),
    fc.array(fc.nat({ max: 19 }), { maxLength: 3 }),
  )
  .map(([tokens, kvHeads, group, d, cuts]): Case => {
    const heads = kvHeads * group;
    const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < tokens), tokens])].sort((a, b) => a - b);
    return {
      inputs: [{ shape: [tokens, heads, d] }, { shape: [tokens, kvHeads, d] }, { shape: [tokens, kvHeads, d] }],
      op: (rt, [q, k, v]) => {
        const cache = new KeyValueCache(rt, kvHeads, d, "f32");
        rt.tape!.atEnd(() => cache.dispose());
        const y = zerosLike(rt.empty([tokens, heads * d]));
        let begin = 0;
        for (const end of ends) {
          cache.append(slice(k!, begin, end), slice(v!, begin, end));
          copyRows(y, attention(slice(q!, begin, end), [{ begin: 0, end: end - begin }], [cache]), begin);
          begin = end;
        }
        return y;
      },
      f: ([q, k, v]) => softmaxAttention(q!, k!, v!, heads, kvHeads, d),
      roundings: 4 * d + 4 * tokens + 32,
    };
  });
/** Every op that has a backward, at any small shape. */
export const opCases: { readonly name: string; readonly make: fc.Arbitrary<Case> }[] = [
  ...properties.map(({ name, make }) => ({ name, make: make as fc.Arbitrary<Case> })),
  { name: "lightning attention", make: lightningCases },
  { name: "softmax attention", make: softmaxCases },
];

export const gradientsSuite: Suite = (runtime, runs) => {
  describe("gradients equal central differences of the float64 function", () => {
    test.each(properties)("$name", ({ make, numRuns }) => {
      const used = runtime().memory.usedBytes;
      fc.assert(
        fc.property(make, seed, (one, s) => check(runtime(), s, one as Case)),
        { numRuns: runs(numRuns) },
      );
      expect(runtime().memory.usedBytes - used).toBeLessThan(1 << 20);
    });

    test("lightning attention, for any length, chunk, slope and split", () => {
      fc.assert(
        fc.property(lightningCases, seed, (one, s) => check(runtime(), s, one)),
        { numRuns: runs(60) },
      );
    });

    test("inputs that are drawn off a kink pass, inputs at it do not, and the failure names element and values", () => {
      const leaky = (values: (seed: number, size: number) => Float32Array<ArrayBuffer>): Case => ({
        inputs: [{ shape: [7], values }],
        // y = x for x > 0, else 0.25 x, with a kink at 0.
        op: (rt, [x]) => {
          const y = rt.empty(x!.shape);
          rt.f32(y).set(rt.read(x!).map((value) => (value > 0 ? value : 0.25 * value)));
          rt.tape?.record(y, [x!], (dy, d) => {
            const [dx, own, dOut] = [d(x!), rt.read(x!), rt.read(dy)];
            rt.f32(dx).set(rt.read(dx).map((sum, i) => sum + dOut[i]! * (own[i]! > 0 ? 1 : 0.25)));
          });
          return y;
        },
        f: ([x]) => x!.map((value) => (value > 0 ? value : 0.25 * value)),
        roundings: 2,
      });
      check(runtime(), 3, leaky(spaced));
      const atKink = leaky((seed, size) => spaced(seed, size).fill(0, 4, 5));
      expect(() => check(runtime(), 3, atKink)).toThrow(facts("input 0, element 4: expected …, got …"));
    });

    test("lightning attention over many pieces equals the gradient of the quadratic form", () => {
      const rt = runtime();
      const cases = [
        [513, 3, 8, [513]],
        [1100, 2, 5, [1100]],
        [700, 2, 16, [1, 530, 700]],
      ] as const;
      for (const [tokens, heads, d, ends] of cases) {
        const slopes = Float32Array.from([0.001, 0.4, 3].slice(0, heads));
        const data = randomTensor(tokens, tokens * heads * 3 * d);
        const dO = randomTensor(7, tokens * heads * d);
        const gradient = rt.scope(() => {
          const [lambda, state] = [rt.from(slopes), rt.empty(lightningStateShape(rt, heads, d))];
          const qkv = rt.from(data, [tokens, heads, 3 * d]);
          rt.fill(state, 0);
          const tape = new Tape(rt);
          let found = new Float32Array();
          tape.recordBackward([qkv], () => {
            found = rt.read(tape.gradient(qkv));
          });
          tape.watch(() => {
            let begin = 0;
            for (const end of ends) {
              const o = lightning(slice(qkv, begin, end), lambda, [{ begin: 0, end: end - begin }], [state]);
              const [from, to] = [begin * heads * d, end * heads * d];
              tape.recordBackward([], () => rt.f32(tape.gradient(o)).set(dO.subarray(from, to)));
              begin = end;
            }
          });
          tape.backward();
          return found;
        });
        const wide = Float64Array.from(data);
        const [q, k, v] = [0, 1, 2].map((which) => part(wide, d, which)) as [Float64Array, Float64Array, Float64Array];
        const { dq, dk, dv } = quadraticLightningBackward(q, k, v, dO, slopes, d);
        for (const [which, expected] of [dq, dk, dv].entries()) {
          const actual = part(Float64Array.from(gradient), d, which);
          expect(tolerance.normDistance(actual, expected), `${tokens} tokens, part ${which}`).toBeLessThanOrEqual(
            tolerance.rounding(d + 104, 1),
          );
        }
      }
    });

    test("softmax attention, for any length, group and split", () => {
      fc.assert(
        fc.property(softmaxCases, seed, (one, s) => check(runtime(), s, one)),
        { numRuns: runs(25) },
      );
    });

    test("softmax attention in two passes, the second of which lists the cache's pages anew", () => {
      const rt = runtime();
      const [tokens, d] = [1100, 4];
      const data = [1, 2, 3].map((s) => randomTensor(s, tokens * d));
      const dO = randomTensor(4, tokens * d);
      const gradients = (ends: readonly number[]) =>
        rt.scope(() => {
          const x = data.map((values) => rt.from(values, [tokens, 1, d]));
          const [q, k, v] = x as [Tensor, Tensor, Tensor];
          const cache = new KeyValueCache(rt, 1, d, "f32");
          const tape = new Tape(rt);
          const found: Float32Array[] = [];
          tape.recordBackward(x, () => found.push(...x.map((tensor) => rt.read(tape.gradient(tensor)))));
          const kept: Tensor[] = [];
          tape.watch(() => {
            let begin = 0;
            for (const end of ends) {
              cache.append(slice(k, begin, end), slice(v, begin, end));
              const o = attention(slice(q, begin, end), [{ begin: 0, end: end - begin }], [cache]);
              const own = dO.subarray(begin * d, end * d);
              tape.recordBackward([], () => rt.f32(tape.gradient(o)).set(own));
              begin = end;
              // What was freed goes to somebody else.
              for (let i = 0; i < 20; i++) kept.push(rt.keep([16]));
            }
          });
          tape.backward();
          cache.dispose();
          for (const tensor of kept) rt.release(tensor);
          return found;
        });
      const [whole, cut] = [gradients([tokens]), gradients([1000, tokens])];
      for (const [i, gradient] of cut.entries()) {
        expect(tolerance.normDistance(gradient, whole[i]!), `input ${i}`).toBeLessThanOrEqual(tolerance.rounding(d + 104, 1));
      }
    });
  });
};

function lightningStateShape(rt: Runtime, heads: number, d: number): readonly number[] {
  const state = lightningState(rt, heads, d);
  rt.release(state);
  return state.shape;
}

/** Rows of `from` into those of `to` from `begin` on, by way of the ops. */
function copyRows(to: Tensor, from: Tensor, begin: number): void {
  const rows = slice(to, begin, begin + from.shape[0]!);
  const { rt } = to;
  rt.f32(rows).set(rt.f32(from));
  const { tape } = rt;
  tape?.recordBackward([], () => rt.run("addScaled", [tape.gradient(from).ptr, tape.gradient(rows).ptr, 1, 0, sizeOf(from.shape)], 1));
}
