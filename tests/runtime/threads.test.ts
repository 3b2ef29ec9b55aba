import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LightningError } from "../../src/base/errors.js";
import type { startThread } from "../../src/node/threads.js";
import { lightning, lightningState, matmul, ResidentWeights, type Tensor } from "../../src/ops/index.js";
import { DispatchWord, type KernelDispatch } from "../../src/runtime/kernel-dispatch.js";
import { Runtime } from "../../src/runtime/runtime.js";
import { facts } from "../support/facts.js";
import { randomTensor } from "../support/random.js";

/** What the next threads are started with in place of the real thing, which one is refused first, and how those that run are stopped from outside. */
const control = vi.hoisted(() => ({
  script: undefined as string | undefined,
  refuse: 0,
  late: false,
  share: true,
  cores: undefined as number | undefined,
  stop: [] as (() => void)[],
}));

vi.mock("#threads", async (original) => {
  const real = await original<{ startThread: typeof startThread; processors: number }>();
  return {
    ...real,
    get canShare() {
      return control.share;
    },
    cannotShareReason: "this is a test",
    get processors() {
      return control.cores ?? real.processors;
    },
    startThread(source: string, ...rest: Parameters<typeof startThread> extends [string, ...infer Rest] ? Rest : never) {
      if (control.refuse > 0 && control.stop.length + 1 >= control.refuse) throw new Error("no threads today");
      const late =
        control.late &&
        control.stop.length === 1 &&
        "setTimeout(() => { throw new Error('too late') }, 300); const worker = { serve() {} }";
      const thread = real.startThread(control.script ?? (late || source), ...rest);
      control.stop.push(() => thread.stop());
      return thread;
    },
  };
});

afterEach(() => {
  Object.assign(control, { script: undefined, refuse: 0, late: false, share: true, cores: undefined, stop: [] });
});

const [ROWS, WIDTH] = [64, 128];

function matrix(rt: Runtime): Tensor {
  const weights = new ResidentWeights(rt);
  const w = weights.add({ name: "w", shape: [WIDTH, WIDTH], dtype: "f32" }, "f32");
  weights.writeRows("w", 0, new Uint8Array(randomTensor(1, WIDTH * WIDTH).buffer));
  return w;
}

/** A matmul large enough for threads to share it. */
function largeMatmul(rt: Runtime): () => Float32Array {
  const w = matrix(rt);
  return () => rt.scope(() => rt.read(matmul(rt.from(randomTensor(2, ROWS * WIDTH), [ROWS, WIDTH]), w)));
}

test.each([2, 3, 5, 16])("%i threads give the bits of one", async (threads) => {
  const results = [];
  for (const count of [1, threads]) {
    using rt = await Runtime.create("simd", { threads: count });
    await rt.threadsReady();
    expect(rt.threads).toBe(count);
    const multiply = largeMatmul(rt);
    const heads = 16;
    const qkv = rt.from(randomTensor(3, 100 * heads * 3 * 16), [100, heads, 48]);
    const slopes = rt.from(Array.from({ length: heads }, (_, h) => h / heads));
    const state = lightningState(rt, heads, 16);
    const o = lightning(qkv, slopes, [{ begin: 0, end: 100 }], [state]);
    results.push([multiply(), rt.read(o), rt.read(state)]);
    const first = results[0]![0]!;
    for (let i = 0; i < 500; i++) expect(multiply().every((x, j) => x === first[j])).toBe(true);
  }
  expect(results[1]).toEqual(results[0]);
});

test.each([
  [1, 1, 1],
  [2, 2, 1],
  [4, 4, 3],
  [32, 8, 8],
])("of %i processors auto takes %i, and %i beside something that fills the memory", async (processors, alone, beside) => {
  control.cores = processors;
  using own = await Runtime.create("simd", { threads: "auto" });
  using shared = await Runtime.create("simd", { threads: "auto", shared: true });
  expect([own.threads, shared.threads]).toEqual([alone, beside]);
});

test("memory may grow while threads run", async () => {
  using rt = await Runtime.create("simd", { threads: 2 });
  await rt.threadsReady();
  const multiply = largeMatmul(rt);
  const before = multiply();
  const { reservedBytes } = rt.memory;
  for (let i = 0; i < 5; i++) {
    rt.keep([1 << 20]);
    expect(multiply()).toEqual(before);
  }
  expect(rt.memory.reservedBytes).toBeGreaterThan(reservedBytes);
});

test("small calls start no thread, and disposing ends those that run", async () => {
  const rt = await Runtime.create("simd", { threads: 2 });
  rt.scope(() => matmul(rt.from(randomTensor(2, WIDTH), [1, WIDTH]), matrix(rt)));
  expect(control.stop).toHaveLength(0);
  largeMatmul(rt)();
  expect(control.stop).toHaveLength(1);
  rt.dispose();
  expect(() => rt.kernels).toThrow(/used after dispose/);
});

test("threads sleep when there is nothing to do, and wake for work", async () => {
  using rt = await Runtime.create("simd", { threads: 2 });
  await rt.threadsReady();
  const { words } = (rt as unknown as { resources: { pool: { dispatch: KernelDispatch } } }).resources.pool.dispatch;
  const sleepers = () => Atomics.load(words, DispatchWord.sleepers);
  const multiply = largeMatmul(rt);
  await vi.waitFor(() => expect(sleepers()).toBe(1), 5000);
  let awake = false;
  for (const end = performance.now() + 5000; !awake && performance.now() < end; awake = sleepers() === 0) multiply();
  expect(awake).toBe(true);
});

describe("when threads fail", () => {
  test("none can be started: one hint, and one thread computes", async () => {
    control.refuse = 1;
    const warnings: string[] = [];
    using rt = await Runtime.create("simd", { threads: 4, onWarning: (message) => warnings.push(message) });
    const multiply = largeMatmul(rt);
    expect(multiply()).toEqual(multiply());
    expect(warnings).toEqual([expect.stringMatching(facts("threads: …4…no threads today"))]);
    expect(rt.threads).toBe(1);
  });

  test("some cannot be started: one hint, and the others compute", async () => {
    control.refuse = 2;
    const warnings: string[] = [];
    using rt = await Runtime.create("simd", { threads: 4, onWarning: (message) => warnings.push(message) });
    const multiply = largeMatmul(rt);
    const behind = rt.keep([1 << 16]);
    rt.fill(behind, 7);
    await rt.threadsReady();
    expect(warnings).toEqual([expect.stringMatching(facts("threads: …4…no threads today"))]);
    expect(rt.threads).toBe(2);
    const first = multiply();
    for (let i = 0; i < 100; i++) expect(multiply().every((x, j) => x === first[j])).toBe(true);
    expect(rt.f32(behind).every((x) => x === 7)).toBe(true);
    using alone = await Runtime.create("simd");
    expect(first).toEqual(largeMatmul(alone)());
  });

  test("one that fails to come up late, while others compute, is done without", async () => {
    const warnings: string[] = [];
    using rt = await Runtime.create("simd", { threads: 3, onWarning: (message) => warnings.push(message) });
    control.late = true;
    const multiply = largeMatmul(rt);
    const first = multiply();
    await vi.waitFor(() => expect(warnings).toHaveLength(1), 5000);
    expect(warnings[0]).toContain("too late");
    await rt.threadsReady();
    expect(rt.threads).toBe(2);
    for (let i = 0; i < 100; i++) expect(multiply()).toEqual(first);
  });

  test("memory cannot be shared: likewise, and it is not", async () => {
    control.share = false;
    const warnings: string[] = [];
    using rt = await Runtime.create("simd", { threads: 2, onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringMatching(facts("threads: …one…this is a test"))]);
    expect(rt.f32(rt.keep([1])).buffer).toBeInstanceOf(ArrayBuffer);
    expect(largeMatmul(rt)()).toHaveLength(ROWS * WIDTH);
  });

  test("a script that ends before it is up: likewise", async () => {
    control.script = 'throw new Error("broken"); var worker';
    const warnings: string[] = [];
    using rt = await Runtime.create("simd", { threads: 2, onWarning: (message) => warnings.push(message) });
    await rt.threadsReady();
    expect(warnings).toEqual([expect.stringContaining("broken")]);
    expect(largeMatmul(rt)()).toHaveLength(ROWS * WIDTH);
  });

  test("one that dies between calls ends in an error", async () => {
    using rt = await Runtime.create("simd", { threads: 2 });
    await rt.threadsReady();
    const multiply = largeMatmul(rt);
    multiply();
    control.stop[0]!();
    await vi.waitFor(() => expect(multiply).toThrow(/thread.*exit code 1.*[Ll]oad.*threads: 1/), 5000);
    expect(multiply).toThrow(LightningError);
  });

  test("one that dies at work ends in an error, not in a hang", async () => {
    // It comes up, takes one piece and is never heard of again.
    control.script = `const worker = { serve({ memory, at }) {
      const words = new Int32Array(memory.buffer, at);
      Atomics.store(words, 49, 1);
      for (;;) { const claim = Atomics.load(words, 0); if (claim & 63 && Atomics.compareExchange(words, 0, claim, claim - 1) === claim) return; }
    } }`;
    using rt = await Runtime.create("simd", { threads: 2, threadTimeoutMs: 200 });
    await rt.threadsReady();
    const multiply = largeMatmul(rt);
    expect(() => {
      for (let i = 0; i < 10_000; i++) multiply();
    }).toThrow(/a thread has ended \(no answer for 0\.\d s during matmulF32\)/);
    expect(multiply).toThrow(LightningError);
  });

  test("a kernel that fails on any of them", async () => {
    using rt = await Runtime.create("simd", { threads: 2 });
    await rt.threadsReady();
    const outside = 2 ** 32 - 64;
    expect(() => rt.run("silu", [outside, outside, 0, 1 << 20], 1e9)).toThrow(/silu: .*2 threads/);
    expect(largeMatmul(rt)()).toHaveLength(ROWS * WIDTH);
  });
});

test("threads keep no finished program alive, disposed or not", async () => {
  const script = `
    import { Runtime } from ${JSON.stringify(new URL("../../dist/node/ops.js", import.meta.url).href)};
    const rt = await Runtime.create("simd", { threads: 2 });
    await rt.threadsReady();
    console.log("done");`;
  const begin = performance.now();
  const stdout = await new Promise<string>((resolve, reject) => {
    const args = ["--input-type=module", "--eval", script];
    execFile(process.execPath, args, { timeout: 20_000, cwd: fileURLToPath(new URL("../..", import.meta.url)) }, (error, out) =>
      error ? reject(error) : resolve(out),
    );
  });
  expect(stdout).toBe("done\n");
  expect(performance.now() - begin).toBeLessThan(10_000);
});
