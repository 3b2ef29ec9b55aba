import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CheckpointError, LightningError, MemoryError, WeightError } from "../../src/base/errors.js";
import { Runtime } from "../../src/runtime/runtime.js";
import type { BackgroundReader } from "../../src/weights/pending-reads.js";
import { ResidentWeights } from "../../src/weights/resident.js";
import { StreamedWeights } from "../../src/weights/streamed.js";
import { minBudgetBytes, type StreamedMatrix } from "../../src/weights/streamed-matrix.js";

/** Matrices of 32 × 16 float32: 2 KiB each, stored and held. */
const [ROWS, WIDTH, BYTES] = [32, 16, 2048];

/** A file in which every number is that of its matrix; reads are done when they are waited for, or told to be. */
class FileOfNumbers implements BackgroundReader {
  readonly milliseconds = 0;
  lost = false;
  /** Matrices whose reads were begun, in order. */
  readonly begun: number[] = [];
  /** Matrices that cannot be read. */
  readonly broken = new Set<number>();
  private readonly pending = new Map<number, { matrix: number; ptr: number; count: number }>();
  private next = 0;

  constructor(private readonly rt: Runtime) {}

  begin(_: string, begin: number, end: number, ptr: number): number {
    const matrix = Math.floor(begin / BYTES);
    this.begun.push(matrix);
    this.pending.set(this.next, { matrix, ptr, count: (end - begin) / 4 });
    return this.next++;
  }

  get underWay(): number {
    return this.pending.size;
  }

  isDone(read: number): boolean {
    return !this.pending.has(read);
  }

  wait(read: number): void {
    const request = this.pending.get(read);
    if (!request) return;
    if (this.lost) throw new CheckpointError("lost");
    this.pending.delete(read);
    const { matrix, ptr, count } = request;
    if (this.broken.has(matrix)) throw new CheckpointError(`matrix ${matrix} is broken`);
    new Float32Array(this.rt.bytes(ptr, 4 * count).buffer, ptr, count).fill(matrix);
  }

  dispose(): void {}
}

/** Two layers of two certain matrices (a, b) and four experts of three, and a vocabulary of four parts at the end. */
const NAMES = [0, 1].flatMap((layer) => [
  `${layer}.a`,
  `${layer}.b`,
  ...[0, 1, 2, 3].flatMap((e) => ["w1", "w3", "w2"].map((w) => `${layer}.experts.${e}.${w}.weight`)),
]);
const MATRICES: StreamedMatrix[] = [...NAMES, "vocabulary"].map((name, i) => ({
  spec: { name, shape: name === "vocabulary" ? [4 * ROWS, WIDTH] : [ROWS, WIDTH], dtype: "f32" },
  resident: "f32",
  file: "file",
  begin: i * BYTES,
  layer: name === "vocabulary" ? undefined : Number(name[0]),
  expert: name.includes("experts"),
}));
const LEAST = minBudgetBytes(MATRICES);
const number = (name: string) => NAMES.indexOf(name);
const expert = (layer: number, e: number) => ["w1", "w3", "w2"].map((w) => `${layer}.experts.${e}.${w}.weight`);

let rt: Runtime;
let file: FileOfNumbers;
let base: number;
beforeEach(async () => {
  rt = await Runtime.create("simd");
  file = new FileOfNumbers(rt);
  base = rt.memory.usedBytes;
});
afterEach(() => rt.dispose());

const weightsOf = (budgetBytes: number, checkNaN = false) =>
  new StreamedWeights(rt, file, MATRICES, new ResidentWeights(rt), budgetBytes, checkNaN);

/** What a layer asks for, in its order; each has its own numbers. */
function pass(weights: StreamedWeights, chosen: readonly (readonly number[])[]): void {
  for (const [layer, experts] of chosen.entries()) {
    rt.scope(() => {
      rt.scope(() => [`${layer}.a`, `${layer}.b`].map(check));
      for (const e of experts) for (const name of expert(layer, e)) weights.prefetch(name);
      for (const e of experts) rt.scope(() => expert(layer, e).map(check));
    });
  }
  function check(name: string): void {
    expect(new Set(rt.f32(weights.at(name)))).toEqual(new Set([number(name)]));
    expect(rt.memory.usedBytes - base).toBeLessThanOrEqual(weights.budgetBytes);
  }
}

test("the least budget: three matrices of an expert and one as stored; two parts of a vocabulary and one as held", () => {
  expect(LEAST).toBe(4 * BYTES);
  expect(minBudgetBytes(MATRICES.slice(-1))).toBe(3 * BYTES);
  expect(minBudgetBytes([])).toBe(0);
});

describe("passes", () => {
  test.each([4, 5, 6, 8, 12, 20, 100])("with a budget of %i matrices", (count) => {
    const weights = weightsOf(count * BYTES);
    for (let i = 0; i < 12; i++) {
      pass(weights, [
        [i % 4, (i + 1) % 4],
        [(i * i) % 4, 3 - ((i * i) % 4)],
      ]);
    }
    expect(rt.memory.usedBytes - base).toBeLessThanOrEqual(count * BYTES);
  });

  test("with room for all, each is read once", () => {
    const weights = weightsOf(100 * BYTES);
    for (let i = 0; i < 3; i++)
      pass(weights, [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
      ]);
    expect([...file.begun].sort((a, b) => a - b)).toEqual(NAMES.map((_, i) => i));
    const { hits, misses, readBytes } = weights.statistics;
    expect([hits + misses, readBytes]).toEqual([3 * NAMES.length, NAMES.length * BYTES]);
  });

  test("what is certain is read ahead in its order, and experts before the next layer", () => {
    const weights = weightsOf(100 * BYTES);
    rt.scope(() => {
      weights.at("0.a");
      expect(file.begun).toEqual(["0.a", "0.b"].map(number));
      weights.at("0.b");
      for (const name of [...expert(0, 2), ...expert(0, 3)]) weights.prefetch(name);
      weights.at(expert(0, 2)[0]!);
      expect(file.begun.slice(2)).toEqual([...expert(0, 2), ...expert(0, 3), "1.a", "1.b"].map(number));
    });
  });

  test("experts make room before what is certain, the longest unused first", () => {
    const weights = weightsOf(16 * BYTES);
    pass(weights, [[0], [0]]);
    pass(weights, [[1], [1]]);
    const before = file.begun.length;
    pass(weights, [[1], [1]]);
    // Nothing that was used last has gone.
    expect(file.begun.length).toBe(before);
    pass(weights, [[0], [0]]);
    const again = file.begun.slice(before);
    expect(again[0]).toBe(number(expert(0, 0)[0]!));
    expect([...expert(0, 0), ...expert(1, 0)].map(number)).toEqual(expect.arrayContaining(again));
  });

  test("of what is certain the last used makes room: a part of it survives every pass", () => {
    const weights = weightsOf(6 * BYTES);
    for (let i = 0; i < 3; i++) pass(weights, [[], []]);
    const before = file.begun.length;
    pass(weights, [[], []]);
    expect(file.begun.length - before).toBeLessThan(4);
  });
});

describe("failures", () => {
  test("a matrix that cannot be read fails every pass that needs it, and no other", () => {
    const weights = weightsOf(6 * BYTES);
    file.broken.add(number(expert(0, 1)[1]!));
    for (let i = 0; i < 5; i++) {
      expect(() => pass(weights, [[0, 1, 2], [0]])).toThrow(/is broken/);
      pass(weights, [
        [0, 3],
        [1, 2],
      ]);
      expect(rt.memory.usedBytes - base).toBeLessThanOrEqual(6 * BYTES);
    }
    file.broken.clear();
    pass(weights, [[0, 1, 2], [0]]);
  });

  test("what was read ahead in vain is read once more when it is needed", () => {
    const weights = weightsOf(100 * BYTES);
    file.broken.add(number("0.b"));
    rt.scope(() => {
      weights.at("0.a");
      file.broken.clear();
      weights.at("0.b");
    });
    pass(weights, [[0], [1]]);
  });

  test("experts that a pass announced and never asked for hinder nobody", () => {
    const weights = weightsOf(100 * BYTES);
    rt.scope(() => {
      weights.at("0.a");
      for (const e of [0, 1, 2, 3]) for (const name of expert(0, e)) weights.prefetch(name);
      weights.at(expert(0, 0)[0]!);
    });
    const before = file.begun.length;
    rt.scope(() => {
      weights.at("1.a");
      for (const name of expert(1, 2)) weights.prefetch(name);
      weights.at(expert(1, 2)[0]!);
      expect(file.begun.slice(before)).toEqual(expect.arrayContaining(expert(1, 2).map(number)));
    });
    const narrow = weightsOf(6 * BYTES);
    rt.scope(() => {
      narrow.at("0.a");
      for (const e of [0, 1, 2, 3]) for (const name of expert(0, e)) narrow.prefetch(name);
    });
    base = rt.memory.usedBytes;
    pass(weights, [[3], [3]]);
  });

  test("pins end with their scope, whether it throws or not", () => {
    const weights = weightsOf(LEAST);
    for (let i = 0; i < 10; i++) {
      expect(() =>
        rt.scope(() => {
          weights.at("0.a");
          throw new Error("enough");
        }),
      ).toThrow("enough");
    }
    pass(weights, [[0, 1], [2]]);
  });

  test("outside of a scope nothing is pinned, nor read", () => {
    const weights = weightsOf(LEAST);
    for (let i = 0; i < 10; i++) expect(() => weights.at("0.a")).toThrow(/scope/);
    expect(file.begun).toEqual([]);
    pass(weights, [[0, 1], [2]]);
  });

  test("more in one scope than the budget holds", () => {
    const weights = weightsOf(LEAST);
    expect(() => rt.scope(() => NAMES.slice(0, 6).map((name) => weights.at(name)))).toThrow(MemoryError);
    expect(() => rt.scope(() => NAMES.slice(0, 6).map((name) => weights.at(name)))).toThrow(
      /experts\.\d\.w\d\.weight:.*4 KiB.*\d KiB.*8 KiB.*budgetBytes/,
    );
    pass(weights, [[0, 1], [2]]);
  });

  test("while a lost read may still write, its memory is nobody's", () => {
    const weights = weightsOf(100 * BYTES);
    pass(weights, [[0], [0]]);
    file.lost = true;
    const { usedBytes } = rt.memory;
    expect(() => rt.scope(() => weights.at(expert(0, 1)[0]!))).toThrow("lost");
    expect(rt.memory.usedBytes).toBeGreaterThanOrEqual(usedBytes + BYTES);
  });
});

describe("the vocabulary", () => {
  const numbers = (weights: StreamedWeights) => {
    const seen: number[] = [];
    for (const { first, tensor } of weights.vocabulary.parts("vocabulary")) {
      expect(first).toBe(seen.length);
      for (let row = 0; row < tensor.shape[0]!; row++) seen.push(Math.round(rt.f32(tensor)[0]!) - NAMES.length);
    }
    return seen;
  };

  test("all rows in order, in parts within the budget", () => {
    const weights = weightsOf(LEAST);
    pass(weights, [[0], [1]]);
    expect(numbers(weights)).toEqual([0, 1, 2, 3].flatMap((part) => Array(ROWS).fill(part)));
    expect(rt.memory.usedBytes - base).toBeLessThanOrEqual(LEAST);
    expect(() => rt.scope(() => weights.at("vocabulary"))).toThrow(WeightError);
    expect(() => [...weights.vocabulary.rows("nothing", [1])]).toThrow(/nothing: missing/);
  });

  test("given up half-way, or with a part that cannot be read, it leaves nothing behind", () => {
    const weights = weightsOf(LEAST);
    for (let i = 0; i < 5; i++) {
      for (const { first } of weights.vocabulary.parts("vocabulary")) if (first > 0) break;
      for (const part of [0, 1, 3]) {
        file.broken.add(NAMES.length + part);
        expect(() => numbers(weights)).toThrow(/is broken/);
        file.broken.clear();
      }
      expect([rt.memory.usedBytes, file.underWay]).toEqual([base, 0]);
    }
    expect(numbers(weights)).toHaveLength(4 * ROWS);
  });
});

test("a runtime that is dropped or disposed ends its threads", async () => {
  let ended = 0;
  const other = await Runtime.create("simd");
  other.attachThreads({ dispose: () => void ended++ });
  other.dispose();
  other.dispose();
  expect(ended).toBe(1);
  expect(() => other.keep([1])).toThrow(LightningError);
});
