import { afterEach, beforeAll, expect, test } from "vitest";
import { deleteDownload, graph, listDownloads, MiniMaxM1, measureDownloads, type Progress, parseConfig } from "../../src/index.js";
import { encodeSafetensorsHeader } from "../../src/io/safetensors.js";
import type { CacheRequest } from "./download-cache-worker.js";

const CHECKPOINTS = "/checkpoints/";
const MIB = 1 << 20;
const PIECE_BYTES = 4 * MIB;
const WEIGHTS = "model.safetensors";
const QUICK = { retryDelayMs: 1, threads: 1 };
/** For a machine that does many other things at the same time. Alone, each test takes a few seconds. */
const TIMEOUT_MS = 180_000;

/** Puts a checkpoint with a vocabulary of this size on the server. @returns its URL and the size of its weights */
async function serve(name: string, vocabulary: number, query = ""): Promise<{ url: string; size: number }> {
  const config = {
    ...{ model_type: "minimax_m1", architectures: ["MiniMaxM1ForCausalLM"], torch_dtype: "float32", attn_type_list: [0] },
    ...{ hidden_size: 512, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 32 },
    ...{ rotary_dim: 16, num_local_experts: 2, vocab_size: vocabulary, max_position_embeddings: 64 },
  };
  const tensors = graph(parseConfig(config)).tensors.map(({ name, shape, bytes }) => ({ name, dtype: "F32", shape, bytes }));
  const header = encodeSafetensorsHeader(tensors, {});
  const size = tensors.reduce((sum, { bytes }) => sum + bytes, header.byteLength);
  const url = new URL(`${CHECKPOINTS}${name}/`, location.href).href;
  await fetch(`${url}config.json`, { method: "PUT", body: JSON.stringify(config) });
  await fetch(`${url}${WEIGHTS}?size=${size}${query}`, { method: "PUT", body: header });
  return { url, size };
}

/** Returns the ranges of the weights that were requested since the last call. */
async function requests(url: string): Promise<[begin: number, end: number][]> {
  const ranges: string[] = await (await fetch(url + WEIGHTS, { method: "POST" })).json();
  return ranges.map((range) => range.split("-").map(Number) as [number, number]);
}

const within = (least: number, most: number) => (x: number) => x >= least && x <= most;

interface Answer {
  readonly phases?: Progress["phase"][];
  readonly logits?: Float32Array;
  readonly error?: string;
}

/** Loads in a worker. @param stopAt fraction of the progress at which the worker is killed */
async function loadInWorker(request: CacheRequest, stopAt = 2): Promise<Answer & { readonly loadedBytes: number }> {
  const worker = new Worker(new URL("./download-cache-worker.ts", import.meta.url), { type: "module" });
  let loadedBytes = 0;
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = ({ data }: MessageEvent<Answer & { progress?: Progress }>) => {
        if (!data.progress) return resolve(data);
        ({ loadedBytes } = data.progress);
        if (data.progress.fraction >= stopAt) resolve({});
      };
      worker.postMessage(request);
    });
    return { ...answer, loadedBytes };
  } finally {
    worker.terminate();
  }
}

async function clear(): Promise<void> {
  for (const { id } of await listDownloads()) await deleteDownload(id);
}
beforeAll(clear);
afterEach(clear);

test(
  "a worker keeps 100 MB of a server that breaks off twice, resumes after it was killed, and then loads from the cache",
  async () => {
    const { url, size } = await serve("large", 24_000, `&breaks=${10 * MIB + 1},${20 * MIB + 1}`);
    expect(size).toBeGreaterThan(98e6);
    const options = { ...QUICK, cache: true };
    const { loadedBytes: killedAt } = await loadInWorker({ url, options }, 0.25);
    const first = await requests(url);
    // A connection that breaks off may lose bytes that the server has sent.
    const begins = first.map(([begin]) => begin);
    expect(begins).toEqual([0, expect.toSatisfy(within(MIB, 10 * MIB + 1)), expect.toSatisfy(within(begins[1]! + MIB, 30 * MIB + 2))]);
    const [partial] = await listDownloads();
    expect(partial).toMatchObject({ source: url, complete: false });
    expect(partial!.storedBytes).toBeGreaterThan(killedAt - 2 * PIECE_BYTES);

    const resumed = await loadInWorker({ url, options });
    expect(resumed.error).toBeUndefined();
    expect(resumed.phases).toEqual(["download", "load"]);
    const second = await requests(url);
    expect(second[0]![0]).toBeGreaterThan(killedAt - 2 * PIECE_BYTES);
    expect(second.every(([begin, end], i) => end === size && begin >= (second[i - 1]?.[0] ?? 0))).toBe(true);

    const cached = await loadInWorker({ url, options });
    expect(cached.phases).toEqual(["load"]);
    expect(cached.logits).toEqual(resumed.logits);
    expect(await requests(url)).toEqual([]);
    const [complete] = await listDownloads();
    expect(complete).toMatchObject({ complete: true, files: expect.arrayContaining([{ file: WEIGHTS, bytes: size, complete: true }]) });
    const { storedBytes, freeBytes } = await measureDownloads();
    expect(storedBytes).toBeGreaterThanOrEqual(size);
    expect(freeBytes).toBeGreaterThan(0);
    expect(await deleteDownload(url)).toBe(storedBytes);
    expect(await listDownloads()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "a worker streams from the cache",
  async () => {
    const { url } = await serve("streamed", 500);
    const direct = await loadInWorker({ url, options: { ...QUICK, residency: "streamed" } });
    expect(direct.error).toBeUndefined();
    await requests(url);
    const cached = await loadInWorker({ url, options: { ...QUICK, residency: "streamed", cache: true, budgetBytes: 8 * MIB } });
    expect(cached.logits).toEqual(direct.logits);
    expect(await requests(url)).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test(
  "the main thread of a page cancels, resumes, repairs a poisoned piece, and waits for a worker that loads the same file",
  async () => {
    const { url, size } = await serve("small", 1200);
    const controller = new AbortController();
    const onProgress = ({ fraction }: Progress) => fraction > 0.3 && controller.abort(new Error("enough"));
    await expect(MiniMaxM1.load(url, { ...QUICK, cache: true, onProgress, signal: controller.signal })).rejects.toThrow("enough");
    const { storedBytes } = await measureDownloads();
    expect(storedBytes).toBeGreaterThan(0.1 * size);
    await requests(url);
    const both = [MiniMaxM1.load(url, { ...QUICK, cache: true }), loadInWorker({ url, options: { ...QUICK, cache: true } })] as const;
    (await both[0]).dispose();
    expect((await both[1]).error).toBeUndefined();
    const [begin] = (await requests(url)).map(([begin]) => begin);
    expect(begin).toBeGreaterThan(0.1 * size);

    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("lightning-m1-downloads");
    const folder = await root.getDirectoryHandle("default");
    let poisoned = "";
    for await (const name of folder.keys()) if (name.includes(`-${size}.`)) poisoned = name;
    const stream = await (await folder.getFileHandle(poisoned)).createWritable({ keepExistingData: true });
    await stream.write({ type: "write", position: 100, data: Uint8Array.of(1, 2, 3) });
    await stream.close();
    (await MiniMaxM1.load(url, { ...QUICK, cache: true })).dispose();
    const [, from, to] = /\.(\d+)-(\d+)\./.exec(poisoned)!.map(Number);
    expect(await requests(url)).toEqual([[from, to]]);
  },
  TIMEOUT_MS,
);
