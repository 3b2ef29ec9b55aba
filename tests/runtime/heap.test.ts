import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryError, ShapeError } from "../../src/base/errors.js";
import { embed } from "../../src/ops/embed.js";
import { KeyValueCache } from "../../src/ops/kv-cache.js";
import { lightning, lightningState } from "../../src/ops/lightning.js";
import { matmul } from "../../src/ops/matmul.js";
import { Heap, MAX_MEMORY_BYTES, recycleMemory } from "../../src/runtime/heap.js";
import { Runtime } from "../../src/runtime/runtime.js";
import type { Tensor } from "../../src/runtime/tensor.js";
import { ResidentWeights } from "../../src/weights/resident.js";
import { withPrefix } from "../../src/weights/weights.js";
import { evaluate, randomInput, randomMatrix } from "../conformance/harness.js";

describe("the heap", () => {
  test("hands out ranges that do not overlap, and has all of them back in the end", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ size: fc.integer({ min: 0, max: 300_000 }), keep: fc.boolean(), which: fc.nat() }), { maxLength: 60 }),
        (steps) => {
          const heap = new Heap();
          heap.reserve(1000);
          const held: { ptr: number; size: number }[] = [];
          for (const { size, keep, which } of steps) {
            if (!keep && held.length > 0) heap.release(held.splice(which % held.length, 1)[0]!.ptr);
            else held.push({ ptr: heap.allocate(size, "test"), size });
            const sorted = [...held].sort((a, b) => a.ptr - b.ptr);
            for (const [i, { ptr, size }] of sorted.entries()) {
              expect(ptr % 64).toBe(0);
              expect(ptr).toBeGreaterThanOrEqual(1000);
              expect(ptr + size).toBeLessThanOrEqual(sorted[i + 1]?.ptr ?? heap.memory.buffer.byteLength);
            }
          }
          for (const { ptr } of held) heap.release(ptr);
          expect(heap.used).toBe(0);
          // One free range again: all of the memory can be had in one piece without growing.
          const bytes = heap.memory.buffer.byteLength;
          heap.allocate(bytes - 1024, "test");
          expect(heap.memory.buffer.byteLength).toBe(bytes);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("refuses what does not fit, and goes on", () => {
    const heap = new Heap();
    heap.reserve(0);
    expect(() => heap.allocate(MAX_MEMORY_BYTES + 64, "too much")).toThrow(MemoryError);
    expect(() => heap.allocate(MAX_MEMORY_BYTES + 64, "too much")).toThrow(/too much: needs 4 GiB more/);
    expect(heap.used).toBe(0);
    heap.allocate(100, "enough");
    expect(() => heap.release(12)).toThrow(/not allocated/);
  });

  test("can be filled to the last page", () => {
    const heap = new Heap();
    heap.reserve(0);
    heap.allocate(MAX_MEMORY_BYTES - 1_000_000, "most");
    heap.allocate(900_000, "the rest");
    expect(heap.memory.buffer.byteLength).toBe(MAX_MEMORY_BYTES);
  });
});

describe("shared memory that nobody uses any more", () => {
  /** A heap that has grown to so many bytes, all of them set. */
  function written(bytes: number): Heap {
    const heap = new Heap(true, bytes);
    heap.reserve(0);
    heap.allocate(bytes, "test");
    new Uint8Array(heap.memory.buffer).fill(255);
    return heap;
  }

  test("is used again, all zero, by one heap", () => {
    const { memory } = written(1 << 20);
    recycleMemory(memory);
    const [next, other] = [new Heap(true), new Heap(true)];
    expect(next.memory).toBe(memory);
    expect(other.memory).not.toBe(memory);
    next.reserve(1000);
    const size = memory.buffer.byteLength;
    const ptr = next.allocate(size - 2048, "all of it");
    expect(memory.buffer.byteLength).toBe(size);
    expect(new Uint8Array(memory.buffer, ptr, size - 2048).every((byte) => byte === 0)).toBe(true);
  });

  test("is left alone if it is much larger than what is needed", () => {
    const { memory } = written(200 << 20);
    recycleMemory(memory);
    expect(new Heap(true).memory).not.toBe(memory);
    expect(new Heap(true, 50 << 20).memory).not.toBe(memory);
    expect(new Heap(true, 150 << 20).memory).toBe(memory);
  });

  test("is never used for memory that is not shared, nor the other way round", () => {
    const alone = new Heap();
    recycleMemory(alone.memory);
    expect(new Heap(true).memory).not.toBe(alone.memory);
    const { memory } = written(1 << 20);
    recycleMemory(memory);
    expect(new Heap().memory).not.toBe(memory);
    expect(new Heap(true).memory).toBe(memory);
  });

  test("is not used before the threads of its runtime have ended", async () => {
    const first = await Runtime.create("simd", { threads: 2 });
    await first.threadsReady();
    const { sharedMemory } = first;
    first.dispose();
    const others = [await Runtime.create("simd", { threads: 2 })];
    expect(others[0]!.sharedMemory).not.toBe(sharedMemory);
    await expect
      .poll(async () => {
        others.push(await Runtime.create("simd", { threads: 2 }));
        return others.at(-1)!.sharedMemory === sharedMemory;
      })
      .toBe(true);
    for (const rt of others) rt.dispose();
  });
});

describe("operands that end where memory ends", () => {
  /** A copy of `x` in the last bytes that memory can have. */
  function atTheEnd(rt: Runtime, x: Tensor, bytes: number): Tensor {
    rt.keep([(MAX_MEMORY_BYTES - rt.memory.usedBytes - 400_000) / 4]);
    const last = { ...x, ptr: MAX_MEMORY_BYTES - bytes };
    while (rt.memory.reservedBytes < MAX_MEMORY_BYTES) rt.keep([4096]);
    rt.bytes(last.ptr, bytes).set(rt.bytes(x.ptr, bytes));
    return last;
  }

  // One row, tiles, and tiles that fetch the weights ahead.
  test.each([1, 5, 30])("weights of a product of %i rows", async (rows) => {
    using rt = await Runtime.create("auto");
    const [inputs, out] = [64, 64];
    const w = randomMatrix(rt, 1, out, inputs, "f32").tensor;
    const x = randomInput(rt, 2, [rows, inputs]).tensor;
    const [y, packed] = [rt.empty([rows, out]), rt.empty(x.shape)];
    const expected = evaluate(rt, () => matmul(x, w));
    const workspace = rt.workspace(rt.kernels.matmulWorkspaceBytes);
    const last = atTheEnd(rt, w, 4 * inputs * out);
    rt.kernels.packRows(packed.ptr, x.ptr, rows, inputs, 0, rt.kernels.rowTiles(rows));
    rt.kernels.matmulF32(y.ptr, x.ptr, packed.ptr, last.ptr, rows, out, inputs, workspace, 0, out / 32);
    expect(rt.read(y)).toEqual(expected);
  });

  test("queries, keys and values of lightning attention", async () => {
    using rt = await Runtime.create("auto");
    const [tokens, heads, dim] = [48, 8, 16];
    const qkv = randomInput(rt, 1, [tokens, heads, 3 * dim]).tensor;
    const slopes = rt.from(Array.from({ length: heads }, (_, h) => h / heads));
    const attend = (qkv: Tensor) => lightning(qkv, slopes, [{ begin: 0, end: tokens }], [lightningState(rt, heads, dim)]);
    const expected = evaluate(rt, () => attend(qkv));
    const last = atTheEnd(rt, qkv, 4 * tokens * heads * 3 * dim);
    expect(evaluate(rt, () => attend(last))).toEqual(expected);
  });
});

test("weights under a prefix: a stable tensor is looked up once, others every time", async () => {
  using rt = await Runtime.create("simd");
  for (const stable of [true, false]) {
    const asked: string[] = [];
    const at = (name: string) => {
      asked.push(name);
      return rt.keep([1]);
    };
    const own = withPrefix(withPrefix({ stable, at }, "a."), "b.");
    const [once, again] = [own.at("c"), own.at("c")];
    expect(once === again).toBe(stable);
    expect(asked).toEqual(stable ? ["a.b.c"] : ["a.b.c", "a.b.c"]);
  }
});

describe("the runtime", async () => {
  const rt = await Runtime.create("debug");

  test("a scope frees what it does not return", () => {
    const { usedBytes } = rt.memory;
    rt.scope(() => {
      const kept = rt.scope(() => {
        rt.empty([1000]);
        return { nested: [rt.empty([10])] };
      });
      expect(rt.memory.usedBytes - usedBytes).toBe(64);
      expect(kept.nested[0]!.shape).toEqual([10]);
    });
    expect(rt.memory.usedBytes).toBe(usedBytes);
  });

  test("a scope that throws frees all", () => {
    const { usedBytes } = rt.memory;
    const fail = () =>
      rt.scope(() => {
        rt.empty([1000]);
        throw new RangeError("body");
      });
    expect(fail).toThrow(RangeError);
    expect(rt.memory.usedBytes).toBe(usedBytes);
  });

  test("data must fill its shape", () => {
    expect(() => rt.from([1, 2], [4])).toThrow(ShapeError);
    expect(() => rt.from([1, 2, 3], [2])).toThrow(ShapeError);
  });

  test("what an op cannot take is told with what makes it, or with its shape", () => {
    rt.scope(() => {
      const [ids, x] = [rt.from([0], [1], "i32"), rt.from([1, 2], [1, 2])];
      expect(() => matmul(x, x)).toThrow(/panels.*\[1, 2\] f32.*rows.*ResidentWeights/);
      expect(() => embed(ids, x)).toThrow(/ResidentWeights/);
      expect(() => lightning(x, x, [], [])).toThrow(/qkv.*\[tokens, heads, 3 · headDim\]/);
    });
  });

  test("tensors of two runtimes do not meet", async () => {
    const other = await Runtime.create("simd");
    const w = randomMatrix(other, 1, 8, 4, "f32");
    rt.scope(() => expect(() => matmul(rt.from([1, 2, 3, 4], [1, 4]), w.tensor)).toThrow(/one runtime/));
    other.dispose();
  });
});

test("what no memory can hold is refused by name", async () => {
  using rt = await Runtime.create("simd");
  expect(() => rt.empty([-1, 4])).toThrow(/tensor:.*f32.*bf16.*q8.*i32.*\[-1,.*4\] f32/);
  expect(() => rt.empty([4], "f64" as never)).toThrow(/got \[4\] f64/);
  expect(() => new KeyValueCache(rt, 1, 8, "int4" as never)).toThrow(/KeyValueCache: .*f32, bf16, q8.*got 1, 8 and int4/);
  expect(() => new KeyValueCache(rt, 0, 8)).toThrow(ShapeError);
  const cache = new KeyValueCache(rt, 1, 8);
  expect(cache.kv).toBe("f32");
  for (const length of [-1, 1.5, Number.NaN]) expect(() => cache.resize(length)).toThrow(/resize: length:.*integer.*0/);
});

test("numbers that bf16 cannot hold are counted when they are narrowed", async () => {
  using rt = await Runtime.create("simd");
  const weights = new ResidentWeights(rt);
  weights.add({ name: "w", shape: [1, 4], dtype: "f32" }, "bf16");
  const bytes = new Uint8Array(Float32Array.of(3.4e38, 3.38e38, Number.NaN, 1).buffer);
  expect(weights.writeRows("w", 0, bytes)).toBe(2);
});

test("a number that is not finite is counted wherever it stands", async () => {
  using rt = await Runtime.create("simd");
  const weights = new ResidentWeights(rt);
  weights.add({ name: "w", shape: [1, 7], dtype: "f32" }, "f32");
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (let place = 0; place < 7; place++) {
      const row = Float32Array.from({ length: 7 }, (_, i) => (i === place ? wrong : i));
      expect(weights.writeRows("w", 0, new Uint8Array(row.buffer))).toBe(1);
    }
  }
});
