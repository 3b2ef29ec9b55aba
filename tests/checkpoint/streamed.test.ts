import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { InputError, MemoryError, WeightError } from "../../src/base/errors.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { LoadOptions } from "../../src/checkpoint/load-options.js";
import type { MiniMaxM1 } from "../../src/minimax-m1.js";
import { Runtime } from "../../src/runtime/runtime.js";
import { type Files, storedAs } from "../support/checkpoints.js";
import { startFileServer } from "../support/file-server.js";
import { encode } from "../support/number-formats.js";
import { randomIds } from "../support/random.js";
import {
  greedyIds,
  leastBudget,
  load,
  loadStreamed,
  put,
  STREAMED,
  STREAMED_HF,
  STREAMED_HYPENET,
  streamedFiles,
} from "../support/streaming.js";
import { threadEveryCall } from "../support/threads.js";

const [prompt, other] = [randomIds(1, 12, 70), randomIds(2, 12, 70)];

/** Everything that a model computes from two prompts, by every way that there is. */
async function everything(model: MiniMaxM1) {
  const whole = model.forward([prompt, other], { states: true, hiddenStates: true, routerLogits: true });
  const cache = [model.newCache()];
  const single = prompt.slice(0, 3).map((id) => model.forward([[id]], { cache }).logits);
  cache[0]!.dispose();
  const inLayers = await model.forwardAsync([prompt], { logits: "last" });
  const [a, b] = await Promise.all([greedyIds(model, prompt, 4), greedyIds(model, other, 4)]);
  const session = model.session({ seed: 1 });
  await session.append(prompt);
  const saved = session.save();
  const restored = model.restore(saved);
  const turn: number[] = [];
  for await (const { id } of restored.generate([3, 4], { maxTokens: 3, temperature: 1 })) turn.push(id);
  return { whole, single, inLayers, a, b, saved, turn };
}

const configs: [string, Record<string, unknown>][] = [
  ["MiniMax's dialect", STREAMED],
  ["transformers' dialect", STREAMED_HF],
  ["a shared expert", { ...STREAMED, shared_intermediate_size: 10 }],
  ["experts larger than all else of a layer", { ...STREAMED, intermediate_size: 90 }],
  ["HypeNet", STREAMED_HYPENET],
  ["HypeNet with an MLP larger than all else of a layer", { ...STREAMED_HYPENET, intermediate_size: 90, tie_word_embeddings: false }],
  ["the head is the embedding", { ...STREAMED_HF, tie_word_embeddings: true }],
];

describe("streamed weights compute what resident ones do, to the bit", () => {
  describe.each(configs)("%s", (_, config) => {
    test.each([
      ["float32", [undefined, "bf16"]],
      ["bfloat16", [undefined, "f32"]],
      ["float16", [undefined, "q8", "q4"]],
    ] as const)("stored in %s", async (stored, dtypes) => {
      const directory = put(streamedFiles(storedAs(stored, config)));
      // Conversion while reading is the same for every kind of layer.
      for (const dtype of config === STREAMED || config === STREAMED_HYPENET ? dtypes : [undefined]) {
        const expected = await everything(await load(directory, { dtype }));
        for (const budgetBytes of [await leastBudget(directory, { dtype }), 1 << 24]) {
          const model = await loadStreamed(directory, { dtype, budgetBytes });
          expect(await everything(model), `${dtype}, ${budgetBytes}`).toEqual(expected);
        }
      }
    });
  });

  test("on two threads, and with narrow keys and values", async () => {
    const threading = threadEveryCall();
    try {
      const directory = put(streamedFiles(storedAs("bfloat16", STREAMED)));
      const budgetBytes = await leastBudget(directory);
      for (const kv of ["bf16", "q8"] as const) {
        const expected = await everything(await load(directory, { kv }));
        expect(await everything(await loadStreamed(directory, { kv, threads: 2, budgetBytes }))).toEqual(expected);
      }
    } finally {
      threading.restore();
    }
  });

  test("whatever the budget, wherever the prompt is cut", async () => {
    const directory = put(streamedFiles());
    const resident = await load(directory);
    const least = await leastBudget(directory);
    const cuts = fc.array(fc.integer({ min: 1, max: prompt.length - 1 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 100_000 }), cuts, async (more, cuts) => {
        const ends = [...new Set(cuts), prompt.length].sort((a, b) => a - b);
        const inPieces = (model: MiniMaxM1) => {
          using cache = model.newCache();
          return ends.map((end, i) => model.forward([prompt.slice(ends[i - 1] ?? 0, end)], { cache: [cache], states: true }));
        };
        const model = await loadStreamed(directory, { budgetBytes: least + more });
        expect(inPieces(model)).toEqual(inPieces(resident));
        model.dispose();
      }),
      { numRuns: 10 },
    );
  });

  test("two generations that take turns, layer by layer", async () => {
    const directory = put(streamedFiles());
    const model = await loadStreamed(directory, { budgetBytes: await leastBudget(directory) });
    const resident = await load(directory);
    const passes = [prompt, other, prompt.slice(0, 9)].map((ids) => model.forwardAsync([ids], { states: true }));
    const all = await Promise.all([...passes, greedyIds(model, other, 4)]);
    const expected = [prompt, other, prompt.slice(0, 9)].map((ids) => resident.forward([ids], { states: true }));
    expect(all).toEqual([...expected, await greedyIds(resident, other, 4)]);
  });

  test("from a server, from one file by path, and from bytes in memory", async () => {
    const files = streamedFiles(storedAs("bfloat16", STREAMED));
    const expected = await everything(await load(files));
    const { url } = await startFileServer(files);
    for (const source of [files, url]) expect(await everything(await loadStreamed(source))).toEqual(expected);
    const single = (await (await load(files)).save(undefined, { maxShardBytes: 1e9 })).get("model.safetensors")!;
    const directory = put(
      new Map([
        ["any.safetensors", single],
        ["config.json", files.get("config.json")!],
      ]),
    );
    expect(await everything(await loadStreamed(join(directory, "any.safetensors")))).toEqual(expected);
  });

  test("Blobs are for browsers", async () => {
    const files = [...streamedFiles()].map(([name, bytes]) => new File([bytes as BlobPart], name));
    await expect(loadStreamed(files)).rejects.toThrow(/thread.*Blobs.*path/);
  });
});

describe("memory", () => {
  /** What a streamed model takes beside its streamed matrices: vectors, routers, slopes. */
  function beside(model: MiniMaxM1): number {
    expect(model.streaming).toEqual({ readBytes: 0, readMs: 0, waitMs: 0, hits: 0, misses: 0 });
    return model.memory.usedBytes;
  }

  test.each(["float32", "bfloat16", "float16"])("stays within the budget at every layer, stored in %s", async (stored) => {
    const directory = put(streamedFiles(storedAs(stored, STREAMED)));
    const least = await leastBudget(directory);
    for (const budgetBytes of [least, least + 5000, 2 * least]) {
      const model = await loadStreamed(directory, { budgetBytes });
      const resident = await load(directory);
      const before = beside(model);
      const base = resident.memory.usedBytes;
      for (let pass = 0; pass < 3; pass++) {
        const scratch: number[] = [];
        resident.forward([prompt], { onLayer: () => scratch.push(resident.memory.usedBytes - base) });
        const used: number[] = [];
        model.forward([prompt], { onLayer: () => used.push(model.memory.usedBytes - before) });
        expect(used).toHaveLength(3);
        // Scratch is the same; what is left are matrices and what is being read.
        for (const [layer, bytes] of used.entries()) expect(bytes - scratch[layer]!).toBeLessThanOrEqual(budgetBytes);
        expect(model.memory.usedBytes - before).toBeLessThanOrEqual(budgetBytes + resident.memory.usedBytes - base);
      }
    }
  });

  test("nothing is left behind by passes: alone, in layers, given up, failed", async () => {
    const directory = put(streamedFiles());
    const model = await loadStreamed(directory);
    model.forward([prompt, other]);
    await model.forwardAsync([prompt]);
    const { usedBytes } = model.memory;
    const controller = new AbortController();
    for (let i = 0; i < 10; i++) {
      model.forward([prompt]);
      await model.forwardAsync([other]);
      const failing = () => {
        throw new Error("enough");
      };
      expect(() => model.forward([prompt], { onLayer: failing })).toThrow("enough");
      await expect(model.forwardAsync([prompt], { onLayer: failing })).rejects.toThrow("enough");
      await expect(model.forwardAsync([prompt], { signal: controller.signal, onLayer: () => controller.abort("stop") })).rejects.toBe(
        "stop",
      );
    }
    model.forward([prompt, other]);
    expect(model.memory.usedBytes).toBe(usedBytes);
  });

  test("with room for everything, the second pass reads of the vocabulary only", async () => {
    const config = storedAs("bfloat16", STREAMED);
    const model = await loadStreamed(put(streamedFiles(config)));
    // Every expert is asked for.
    for (let i = 0; i < 8; i++) model.forward([randomIds(i, 200, 70)]);
    const before = model.streaming!;
    expect(before.misses + before.hits).toBeGreaterThan(0);
    model.forward([prompt]);
    const after = model.streaming!;
    const rowBytes = 2 * 26;
    expect(after.readBytes - before.readBytes).toBe((prompt.length + 70) * rowBytes);
    expect(after.misses).toBe(before.misses);
    expect(after.hits).toBeGreaterThan(before.hits);
  });

  test("with the least budget, matrices are read again, and their bytes are counted", async () => {
    const directory = put(streamedFiles());
    const model = await loadStreamed(directory, { budgetBytes: await leastBudget(directory) });
    model.forward([prompt]);
    const first = model.streaming!;
    model.forward([prompt]);
    const second = model.streaming!;
    expect(second.readBytes - first.readBytes).toBeGreaterThan(first.readBytes / 2);
    expect(second.readMs).toBeGreaterThan(first.readMs);
    expect(second.waitMs).toBeGreaterThan(first.waitMs);
  });

  test("resident weights have no statistics", async () => {
    expect((await load(put(streamedFiles()))).streaming).toBeUndefined();
  });
});

describe("loading", () => {
  test("reads vectors and routers alone, reports a fraction of 1, and keeps the files", async () => {
    const files = streamedFiles();
    const fractions: number[] = [];
    const model = await loadStreamed(files, { onProgress: ({ fraction }) => fractions.push(fraction) });
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(model.streaming!.readBytes).toBe(0);
    expect(model.memory.usedBytes).toBeLessThan(60_000);
  });

  test("saving gives the stored bytes, whatever the precision in memory", async () => {
    for (const stored of ["float32", "bfloat16", "float16"]) {
      const files = streamedFiles(storedAs(stored, STREAMED));
      for (const dtype of [undefined, "q8"] as const) {
        const saved = await (await loadStreamed(put(files), { dtype })).save();
        expect([...saved.keys()].sort()).toEqual([...files.keys()].sort());
        for (const [name, bytes] of files) expect(Buffer.compare(saved.get(name)!, bytes), name).toBe(0);
      }
    }
  });

  test("saving over the files that are streamed", async () => {
    const files = streamedFiles();
    const directory = put(files);
    const model = await loadStreamed(directory);
    const { logits } = model.forward([prompt]);
    await model.save(directory);
    for (const [name, bytes] of files) expect(Buffer.compare(readFileSync(join(directory, name)), bytes), name).toBe(0);
    // The files that were opened are still those that are read.
    expect(model.forward([prompt]).logits).toEqual(logits);
  });

  test("a budget below the least is refused before anything is allocated", async () => {
    const directory = put(streamedFiles());
    const least = await leastBudget(directory);
    const create = vi.spyOn(Runtime, "create");
    try {
      const refused = loadCheckpoint(directory, { residency: "streamed", budgetBytes: least - 16 });
      await expect(refused).rejects.toThrow(MemoryError);
      await expect(refused).rejects.toThrow(/budgetBytes: .* KiB.* KiB.*"q8"/);
      const large = loadCheckpoint(directory, { residency: "streamed", budgetBytes: 2 ** 32 });
      await expect(large).rejects.toThrow(/budgetBytes:.*4 GiB.*wasm32.*4 GiB/);
      const limited = loadCheckpoint(directory, { residency: "streamed", budgetBytes: 2 ** 20, maxMemoryBytes: 2 ** 19 });
      await expect(limited).rejects.toThrow(/maxMemoryBytes.*got 1 MiB/);
      expect(create).not.toHaveBeenCalled();
    } finally {
      create.mockRestore();
    }
    (await loadStreamed(directory, { budgetBytes: undefined, maxMemoryBytes: 2 ** 20 })).forward([prompt]);
  });

  test.each<[LoadOptions, RegExp]>([
    [{ budgetBytes: 1 << 20 }, /budgetBytes:.*"streamed"/],
    [{ residency: "resident", budgetBytes: 1 << 20 }, /budgetBytes:.*"streamed"/],
    [{ residency: "streamed", budgetBytes: 0 }, /budgetBytes: expected a number of bytes above 0/],
    [{ residency: "streamed", budgetBytes: Number.NaN }, /budgetBytes: expected a number of bytes above 0/],
    [{ residency: "elsewhere" as never }, /residency: expected "resident" or "streamed"/],
  ])("%j is refused", async (options, message) => {
    const refused = loadCheckpoint(put(streamedFiles()), options);
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(message);
  });
});

describe("checkNaN", () => {
  const poisoned = (victim: string): Files =>
    streamedFiles(STREAMED, (tensor) =>
      tensor.name === victim ? { ...tensor, bytes: encode("F32", new Float64Array(tensor.bytes.length / 4).fill(Number.NaN)) } : tensor,
    );

  test.each(["model.layers.1.self_attn.o_proj.weight", "model.embed_tokens.weight", "lm_head.weight"])(
    "%s: named when it is read, and again",
    async (name) => {
      const model = await loadStreamed(put(poisoned(name)), { checkNaN: true });
      const { usedBytes } = model.memory;
      for (let i = 0; i < 2; i++) {
        expect(() => model.forward([prompt])).toThrow(WeightError);
        expect(() => model.forward([prompt])).toThrow(`${name} (`);
      }
      expect(model.memory.usedBytes - usedBytes).toBeLessThanOrEqual(1 << 20);
    },
  );

  test("a vector is named by load", async () => {
    await expect(loadStreamed(put(poisoned("model.norm.weight")), { checkNaN: true })).rejects.toThrow(/model\.norm\.weight \(26/);
  });

  test("sound weights pass", async () => {
    const directory = put(streamedFiles());
    const model = await loadStreamed(directory, { checkNaN: true });
    expect(model.forward([prompt])).toEqual((await load(directory)).forward([prompt]));
  });
});
