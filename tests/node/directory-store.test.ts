import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { deleteDownload, listDownloads, MiniMaxM1, measureDownloads } from "../../src/index.js";
import { DirectoryStore } from "../../src/node/directory-store.js";
import { type Files, rangeOf, serve, withServer } from "../support/checkpoints.js";
import { streamedFiles } from "../support/streaming.js";

let cacheHome: string;

beforeEach(() => {
  cacheHome = mkdtempSync(join(tmpdir(), "lightning-m1-"));
  vi.stubEnv("XDG_CACHE_HOME", cacheHome);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cacheHome, { recursive: true });
});

function withFiles<T>(files: Files, body: (url: string, sent: { bytes: number }) => Promise<T>): Promise<T> {
  const sent = { bytes: 0 };
  return withServer(
    (request, response) => {
      const [begin, end] = rangeOf(request) ?? [0, 0];
      if (end > begin + 1) sent.bytes += end - begin;
      response.setHeader("etag", '"1"');
      serve(files, request, response);
    },
    (url) => body(url, sent),
  );
}

test("a directory keeps downloads for resident and streamed models", async () => {
  const files = streamedFiles();
  await withFiles(files, async (url, sent) => {
    const logits: Float32Array[] = [];
    for (const residency of ["resident", "streamed", "streamed"] as const) {
      using model = await MiniMaxM1.load(url, { retryDelayMs: 1, cache: true, residency, threads: 1 });
      logits.push(model.forward([[1, 2, 3]]).logits.slice());
    }
    expect(logits[1]).toEqual(logits[0]);
    expect(logits[2]).toEqual(logits[0]);
    const weights = [...files].filter(([name]) => name.endsWith(".safetensors")).map(([, { byteLength }]) => byteLength);
    const texts = [...files].filter(([name]) => name.endsWith(".json")).map(([, { byteLength }]) => byteLength);
    expect(sent.bytes).toBe([...weights, ...texts].reduce((a, b) => a + b));
    expect(readdirSync(cacheHome)).toEqual(["lightning-m1"]);
    const downloads = await listDownloads();
    expect(downloads).toMatchObject([{ source: `${url}/`, complete: true, storedBytes: sent.bytes }]);
    expect((await measureDownloads()).freeBytes).toBeGreaterThan(0);
    expect(await listDownloads({ name: "other" })).toEqual([]);
    expect(await deleteDownload(downloads[0]!.id)).toBe(sent.bytes);
    expect(await listDownloads()).toEqual([]);
  });
});

test("a file that is truncated while it is streamed ends the pass with an error, and the next load repairs it", async () => {
  const files = streamedFiles();
  await withFiles(files, async (url) => {
    const load = () => MiniMaxM1.load(url, { retryDelayMs: 1, cache: true, residency: "streamed", threads: 1 });
    const directory = join(cacheHome, "lightning-m1", "downloads", "default");
    {
      using model = await load();
      for (const name of readdirSync(directory)) if (statSync(join(directory, name)).size > 5000) writeFileSync(join(directory, name), "");
      expect(() => model.forward([[1, 2, 3]])).toThrow(/safetensors: cannot be read: the file ended at byte/);
    }
    using model = await load();
    expect(model.forward([[1, 2, 3]]).logits.every(Number.isFinite)).toBe(true);
  });
});

test("the store answers as the interface says", async () => {
  const store = new DirectoryStore(join(cacheHome, "a", "b"));
  expect(await store.list()).toEqual([]);
  expect(await store.read("x")).toBeUndefined();
  await store.delete("x");
  await store.write("x", Uint8Array.of(1, 2));
  await store.write("x", Uint8Array.of(3));
  expect([...(await store.read("x"))!]).toEqual([3]);
  expect(await store.list()).toEqual(["x"]);
  await store.delete("x");
  expect(await store.list()).toEqual([]);
});
