import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CheckpointError, InputError, LightningError, MemoryError } from "../../src/base/errors.js";
import { Sha256 } from "../../src/base/sha256.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { Progress } from "../../src/checkpoint/load-options.js";
import { deleteDownload, listDownloads, measureDownloads } from "../../src/index.js";
import type { OpenOptions } from "../../src/io/byte-source.js";
import { openByteSource } from "../../src/io/open-byte-source.js";
import { file as encodeFile, expectSaved, type Files, json, rangeOf, singleFile, withServer } from "../support/checkpoints.js";
import { MemoryStore } from "../support/memory-store.js";

const MIB = 1 << 20;
const WEIGHTS = "model.safetensors";
const STOP = { retryDelayMs: 1, retries: 0 };

/** A safetensors file of this size with one tensor. */
function weights(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const header = (bytes: number) => JSON.stringify({ a: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } }).padEnd(120);
  const data = new Uint32Array(Math.ceil((size - 128) / 4));
  for (let i = 0; i < data.length; i++) data[i] = Math.imul(i + seed, 0x9e3779b1);
  return encodeFile(header(size - 128), new Uint8Array(data.buffer, 0, size - 128));
}

const sha256 = (bytes: Uint8Array) => new Sha256().update(bytes).hex();

/** A server whose files can be replaced, and which counts what it sends. */
class Origin {
  requests = 0;
  /** Bytes sent of files of weights, apart from requests for one byte. */
  sentBytes = 0;
  etag: string | undefined = '"1"';
  headers: Record<string, string> = {};
  ranges = true;
  /** Numbers of bytes after which the next responses break off. */
  breaks: number[] = [];
  /** Answers in place of the server if it returns true. */
  disturb: (request: IncomingMessage, response: ServerResponse) => unknown = () => false;

  constructor(public files: Files) {}

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    this.requests++;
    if (this.disturb(request, response)) return;
    const name = new URL(request.url!, "http://x").pathname.slice(1);
    const bytes = this.files.get(name);
    if (!bytes) return void response.writeHead(404).end();
    const range = this.ranges ? rangeOf(request) : undefined;
    const [begin, end] = range ?? [0, bytes.byteLength];
    const part = bytes.subarray(begin, end);
    response.writeHead(range ? 206 : 200, {
      "content-length": part.byteLength,
      ...(range && { "content-range": `bytes ${begin}-${begin + part.byteLength - 1}/${bytes.byteLength}` }),
      ...(this.etag && { etag: this.etag }),
      ...this.headers,
    });
    const isData = name.endsWith(".safetensors") && part.byteLength > 1 && !(request.headers.range === "bytes=0-0");
    const stop = isData ? this.breaks.shift() : undefined;
    if (isData) this.sentBytes += Math.min(part.byteLength, stop ?? part.byteLength);
    if (stop === undefined) response.end(part);
    else response.write(part.subarray(0, stop), () => response.socket?.destroySoon());
  };
}

/** Reads a whole file through a cache. */
async function read(url: string, options: OpenOptions, file = WEIGHTS): Promise<Uint8Array | undefined> {
  const source = await openByteSource(url, { ...STOP, ...options });
  try {
    const size = await source.size(file, options.signal);
    return size === undefined ? undefined : await source.read(file, 0, size, options.signal);
  } finally {
    await source.close();
  }
}

const same = (a: Uint8Array | undefined, b: Uint8Array) => a !== undefined && Buffer.compare(a, b) === 0;

afterEach(() => void vi.unstubAllGlobals());

describe("a checkpoint", () => {
  const files = new Map([...singleFile(), ["tokenizer_config.json", json({})]]);

  test("is downloaded once, loads from the cache, and without the server", async () => {
    const store = new MemoryStore();
    const origin = new Origin(files);
    const load = async (url: string, options: OpenOptions = {}) => {
      const progress: Progress[] = [];
      const checkpoint = await loadCheckpoint(url, { ...STOP, cache: { store }, onProgress: (p) => progress.push(p), ...options });
      await expectSaved(checkpoint, files);
      checkpoint.rt.dispose();
      expect(progress.at(-1)).toMatchObject({ fraction: 1, loadedBytes: progress.at(-1)!.totalBytes });
      return new Set(progress.slice(1).map(({ phase }) => phase));
    };
    const address = await withServer(origin.handle, async (url) => {
      expect(await load(url)).toEqual(new Set(["download", "load"]));
      expect(origin.sentBytes).toBe(files.get(WEIGHTS)!.byteLength);
      expect(await load(url)).toEqual(new Set(["load"]));
      expect(origin.sentBytes).toBe(files.get(WEIGHTS)!.byteLength);
      const { requests } = origin;
      await load(url, { localFilesOnly: true });
      expect(origin.requests).toBe(requests);
      return url;
    });
    const warnings: string[] = [];
    await load(address, { onWarning: (warning) => warnings.push(warning) });
    expect(warnings).toEqual([expect.stringMatching(/127\.0\.0\.1.*the copy of \d{4}-.* in the cache is used/)]);
    await expect(loadCheckpoint(`${address}/other`, { localFilesOnly: true, cache: { store } })).rejects.toThrow(
      /other\/config\.json: expected a complete copy in the cache, got none \(localFilesOnly is set: load once/,
    );
  });

  test("of two states of the server is never mixed", async () => {
    const store = new MemoryStore();
    const origin = new Origin(new Map([...files, ["vocab.json", json({ a: 0 })]]));
    await withServer(origin.handle, async (url) => {
      const options = { ...STOP, cache: { store }, config: Object.fromEntries(Object.entries(JSON.parse(text(files, "config.json")))) };
      (await loadCheckpoint(url, { ...STOP, cache: { store } })).rt.dispose();
      // Only the weights are replaced, and their download fails.
      origin.etag = '"2"';
      origin.breaks = [10];
      await expect(loadCheckpoint(url, options)).rejects.toThrow(/ended|terminated|closed|reset/);
      await expect(loadCheckpoint(url, { ...options, localFilesOnly: true })).rejects.toThrow(/expected a complete copy/);
      (await loadCheckpoint(url, options)).rt.dispose();
      (await loadCheckpoint(url, { ...options, localFilesOnly: true })).rt.dispose();
      // A server that breaks down after its first answer does not lead to the cache either.
      origin.disturb = (request, response) => request.url!.includes("safetensors") && response.writeHead(503).end();
      await expect(loadCheckpoint(url, { ...STOP, cache: { store } })).rejects.toThrow(/HTTP status 503/);
    });
  });
});

function text(files: Files, name: string): string {
  return new TextDecoder().decode(files.get(name));
}

describe("a download", () => {
  test("that breaks off twice is resumed with exactly the missing bytes", async () => {
    const [store, bytes] = [new MemoryStore(), weights(10 * MIB)];
    const origin = new Origin(new Map([[WEIGHTS, bytes]]));
    origin.breaks = [3 * MIB + 5, 4 * MIB];
    await withServer(origin.handle, async (url) => {
      for (const done of [3 * MIB + 5, 7 * MIB + 5]) {
        await expect(read(url, { cache: { store } })).rejects.toThrow(CheckpointError);
        const [download] = await listDownloads({ store });
        expect(download).toMatchObject({ complete: false, files: [{ file: WEIGHTS, bytes: bytes.byteLength, complete: false }] });
        expect(download!.storedBytes).toBe(origin.sentBytes);
        expect(origin.sentBytes).toBe(done);
      }
      expect(same(await read(url, { cache: { store } }), bytes)).toBe(true);
      expect(origin.sentBytes).toBe(bytes.byteLength);
      expect(same(await read(url, { cache: { store } }), bytes)).toBe(true);
      expect(origin.sentBytes).toBe(bytes.byteLength);
    });
  });

  test("that is cancelled keeps what has arrived", async () => {
    const [store, bytes] = [new MemoryStore(), weights(6 * MIB)];
    const origin = new Origin(new Map([[WEIGHTS, bytes]]));
    const controller = new AbortController();
    await withServer(origin.handle, async (url) => {
      const source = await openByteSource(url, { ...STOP, cache: { store } });
      const count = () => controller.abort("enough");
      await source.size(WEIGHTS);
      await expect(source.downloader!.fetch([WEIGHTS], count, controller.signal)).rejects.toBe("enough");
      const kept = (await measureDownloads({ store })).storedBytes;
      expect(kept).toBeGreaterThan(0);
      await source.close();
      const again = await openByteSource(url, { ...STOP, cache: { store } });
      let arrived = 0;
      expect(await again.downloader!.missingBytes([WEIGHTS])).toBe(bytes.byteLength - kept);
      await again.downloader!.fetch([WEIGHTS], (more) => {
        arrived += more;
      });
      expect(arrived).toBe(bytes.byteLength - kept);
      expect(same(await again.read(WEIGHTS, 0, bytes.byteLength), bytes)).toBe(true);
    });
  });

  test("runs twice at the same time without harm, with locks and without", async () => {
    const bytes = weights(5 * MIB);
    for (const locks of [undefined, fakeLocks()]) {
      if (locks) vi.stubGlobal("navigator", { locks });
      const [store, origin, warnings] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, bytes]])), [] as string[]];
      await withServer(origin.handle, async (url) => {
        const options = { cache: { store }, onWarning: (warning: string) => void warnings.push(warning) };
        const both = await Promise.all([read(url, options), read(url, options)]);
        expect(both.every((one) => same(one, bytes))).toBe(true);
        expect(same(await read(url, { ...options, localFilesOnly: true }), bytes)).toBe(true);
        expect(origin.sentBytes).toBe(locks ? bytes.byteLength : 2 * bytes.byteLength);
        expect(warnings).toEqual(locks ? [expect.stringMatching(/waits for another tab or thread/)] : []);
        expect((await measureDownloads({ store })).storedBytes).toBe(bytes.byteLength);
      });
    }
  });
});

/** Web Locks, which Node has from version 24 on. */
function fakeLocks() {
  const queues = new Map<string, Promise<unknown>>();
  return {
    async request(name: string, options: { ifAvailable?: boolean }, body: (lock: object | null) => Promise<unknown>) {
      const before = queues.get(name);
      if (before && options.ifAvailable) return body(null);
      const held = (before ?? Promise.resolve()).then(() => body({}));
      const settled = held.catch(() => {}).then(() => void (queues.get(name) === settled && queues.delete(name)));
      queues.set(name, settled);
      return held;
    },
  };
}

describe("an entry that is damaged", () => {
  const bytes = weights(9 * MIB);

  /** Damages a complete entry. @returns the bytes that are sent to repair it */
  async function repair(damage: (store: MemoryStore) => void, bytes = weights(9 * MIB)): Promise<number> {
    const store = new MemoryStore();
    const origin = new Origin(new Map([[WEIGHTS, bytes]]));
    return withServer(origin.handle, async (url) => {
      await read(url, { cache: { store } });
      damage(store);
      origin.sentBytes = 0;
      expect(same(await read(url, { cache: { store } }), bytes)).toBe(true);
      expect(same(await read(url, { cache: { store }, localFilesOnly: true }), bytes)).toBe(true);
      return origin.sentBytes;
    });
  }

  test("gets new pieces in place of the damaged ones only", async () => {
    expect(await repair(({ files, pieces }) => files.delete(pieces[1]!))).toBe(4 * MIB);
    const poison = ({ files, pieces }: MemoryStore) => {
      files.get(pieces[0]!)!.fill(1, 100, 104);
      files.set(pieces[2]!, files.get(pieces[2]!)!.slice(0, -1));
    };
    expect(await repair(poison)).toBe(5 * MIB);
    expect(await repair(({ files, pieces }) => files.set(pieces[0]!, new Uint8Array()), weights(MIB))).toBe(MIB);
  });

  test("loses its record without losing its pieces", async () => {
    const record = (files: MemoryStore["files"]) => [...files.keys()].find((name) => name.endsWith(".json"))!;
    const small = weights(MIB);
    expect(await repair(({ files }) => files.delete(record(files)), small)).toBe(0);
    for (const garbage of ["", "{", "[]", '{"files": {"model.safetensors": {"size": -1}}}', "\u0000"]) {
      expect(await repair(({ files }) => files.set(record(files), new TextEncoder().encode(garbage)), small)).toBe(0);
    }
  });

  test("is not used without a connection", async () => {
    const store = new MemoryStore();
    const origin = new Origin(new Map([[WEIGHTS, bytes]]));
    const url = await withServer(origin.handle, async (url) => {
      await read(url, { cache: { store } });
      return url;
    });
    store.files.get(store.pieces[0]!)![0]! ^= 1;
    await expect(read(url, { cache: { store } })).rejects.toThrow(
      /model\.safetensors: its copy in the cache is damaged: 4 MiB of 9 MiB are missing \(load once with a connection\)/,
    );
  });

  test("by other files of the same names is not harmed", async () => {
    const store = new MemoryStore();
    for (const name of ["x", "0123456789abcdef.txt", "0123456789abcdef.json", `${"0123456789abcdef.".repeat(3)}5-1.${"0".repeat(64)}`])
      store.files.set(name, new Uint8Array(3));
    await withServer(new Origin(new Map([[WEIGHTS, bytes]])).handle, async (url) => {
      expect(same(await read(url, { cache: { store } }), bytes)).toBe(true);
    });
    expect((await listDownloads({ store })).find(({ id }) => id === "0123456789abcdef")).toMatchObject({ source: undefined, files: [] });
  });
});

describe("a file that changes on the server", () => {
  test("is downloaded again, and its old pieces are deleted", async () => {
    const changes: [string, (origin: Origin) => void][] = [
      ["ETag", (origin) => Object.assign(origin, { etag: '"2"' })],
      ["Last-Modified", (origin) => Object.assign(origin, { headers: { "last-modified": "Tue, 01 Jan 2030 00:00:00 GMT" } })],
      ["size", (origin) => void origin.files.set(WEIGHTS, weights(2 * MIB + 64, 2))],
    ];
    for (const [what, change] of changes) {
      const [store, origin] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, weights(2 * MIB)]]))];
      if (what === "Last-Modified") {
        origin.etag = undefined;
        origin.headers = { "last-modified": "Mon, 01 Jan 2029 00:00:00 GMT" };
      }
      await withServer(origin.handle, async (url) => {
        await read(url, { cache: { store } });
        origin.files.set(WEIGHTS, weights(2 * MIB, 2));
        change(origin);
        const latest = origin.files.get(WEIGHTS)!;
        expect(same(await read(url, { cache: { store } }), latest), what).toBe(true);
        expect(store.pieces).toHaveLength(1);
        expect(same(await read(url, { cache: { store }, localFilesOnly: true }), latest), what).toBe(true);
      });
    }
  });

  test("between two pieces is an error, and the next load gets the new file", async () => {
    const [store, origin] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, weights(6 * MIB)]]))];
    origin.breaks = [5 * MIB];
    await withServer(origin.handle, async (url) => {
      let data = 0;
      origin.disturb = (request) => {
        if (request.headers.range === "bytes=0-0" || ++data < 2) return false;
        origin.etag = '"2"';
        origin.files.set(WEIGHTS, weights(6 * MIB, 2));
        return false;
      };
      await expect(read(url, { ...STOP, retries: 4, cache: { store } })).rejects.toThrow(/has changed since it was opened/);
      expect(same(await read(url, { cache: { store } }), weights(6 * MIB, 2))).toBe(true);
      expect(store.pieces).toHaveLength(2);
    });
  });

  test("cannot be cached if the server sends no version, unless its hash or a key is given", async () => {
    const [store, bytes, warnings] = [new MemoryStore(), weights(MIB), [] as string[]];
    const origin = new Origin(new Map([[WEIGHTS, bytes]]));
    origin.etag = undefined;
    await withServer(origin.handle, async (url) => {
      const onWarning = (warning: string) => void warnings.push(warning);
      expect(same(await read(url, { cache: { store }, onWarning }), bytes)).toBe(true);
      expect(warnings).toEqual([expect.stringMatching(/model\.safetensors: not cached: the server sends neither ETag nor Last-Modified/)]);
      expect(store.pieces).toEqual([]);
      for (const given of [{ key: "org/name@1" }, { sha256: { [WEIGHTS]: sha256(bytes) } }]) {
        origin.sentBytes = 0;
        for (let i = 0; i < 2; i++) expect(same(await read(url, { cache: { store, ...given } }), bytes)).toBe(true);
        expect(origin.sentBytes).toBe(MIB);
      }
    });
  });
});

describe("servers", () => {
  const bytes = weights(5 * MIB + 3);

  test("without ranges, with compression or redirects are read correctly", async () => {
    const zipped = gzipSync(bytes, { level: 1 });
    const kinds: Record<string, Origin["disturb"]> = {
      "without ranges": () => false,
      "with gzip": (_, response) => response.writeHead(200, { "content-encoding": "gzip", etag: '"1"' }).end(zipped),
      "without a length": (_, response) => response.writeHead(200, { etag: '"1"' }).end(bytes) && true,
      "with a redirect": (request, response) =>
        !request.url!.startsWith("/moved/") && response.writeHead(302, { location: `/moved${request.url}` }).end(),
    };
    for (const [kind, disturb] of Object.entries(kinds)) {
      const [store, origin] = [new MemoryStore(), new Origin(new Map([WEIGHTS, `moved/${WEIGHTS}`].map((name) => [name, bytes])))];
      origin.ranges = kind === "with a redirect";
      origin.disturb = disturb;
      await withServer(origin.handle, async (url) => {
        expect(same(await read(url, { cache: { store } }), bytes), kind).toBe(true);
        expect(same(await read(url, { cache: { store }, localFilesOnly: true }), bytes), kind).toBe(true);
      });
    }
  });

  test("without ranges resume by skipping", async () => {
    const large = weights(17 * MIB);
    const [store, origin] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, large]]))];
    origin.ranges = false;
    origin.breaks = [5 * MIB];
    await withServer(origin.handle, async (url) => {
      await expect(read(url, { cache: { store } })).rejects.toThrow(CheckpointError);
      expect((await measureDownloads({ store })).storedBytes).toBe(5 * MIB);
      expect(same(await read(url, { cache: { store } }), large)).toBe(true);
    });
  });

  test("that send other lengths than announced cause an error", async () => {
    const size = bytes.byteLength;
    const kinds: Record<string, Origin["disturb"]> = {
      "too few bytes": (_, response) =>
        response.writeHead(206, { "content-range": `bytes 0-${size - 1}/${size}` }).end(bytes.subarray(0, -9)),
      "too many bytes": (_, response) =>
        response.writeHead(206, { "content-range": `bytes 0-${size - 1}/${size}` }).end(Buffer.concat([bytes, bytes.subarray(0, 9)])),
      "another range": (_, response) => response.writeHead(206, { "content-range": `bytes 9-${size - 1}/${size}` }).end(bytes.subarray(9)),
    };
    for (const [kind, answer] of Object.entries(kinds)) {
      const [store, origin] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, bytes]]))];
      origin.disturb = (request, response) => request.headers.range !== "bytes=0-0" && answer(request, response);
      await withServer(origin.handle, async (url) => {
        await expect(read(url, { cache: { store } }), kind).rejects.toThrow(/ended after|sent more than|the server sent bytes 9/);
        origin.disturb = () => false;
        expect(same(await read(url, { cache: { store } }), bytes), kind).toBe(true);
      });
    }
  });
});

describe("SHA-256", () => {
  const [bytes, other] = [weights(2 * MIB), weights(2 * MIB, 2)];

  test("refuses other contents, of the server or of the cache", async () => {
    for (const linked of [false, true]) {
      const [store, origin] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, other]]))];
      const cache = linked ? { store } : { store, sha256: { [WEIGHTS]: sha256(bytes).toUpperCase() } };
      if (linked) origin.headers = { "x-linked-etag": `"${sha256(bytes)}"` };
      await withServer(origin.handle, async (url) => {
        await expect(read(url, { cache })).rejects.toThrow(
          new RegExp(`model\\.safetensors: expected SHA-256 ${sha256(bytes)}, got ${sha256(other)} \\(`),
        );
        expect(store.pieces).toEqual([]);
        // The wrong contents were cached before the hash was known.
        origin.headers = {};
        await read(url, { cache: { store } });
        origin.files.set(WEIGHTS, bytes);
        if (linked) origin.headers = { "x-linked-etag": `"${sha256(bytes)}"` };
        expect(same(await read(url, { cache }), bytes)).toBe(true);
        expect(same(await read(url, { cache, localFilesOnly: true }), bytes)).toBe(true);
      });
    }
  });
});

describe("room", () => {
  test("errors state the bytes that are needed and free, and what can be deleted", async () => {
    const store = new MemoryStore(7 * MIB);
    const origin = new Origin(new Map([WEIGHTS, `other/${WEIGHTS}`].map((name) => [name, weights(5 * MIB)])));
    await withServer(origin.handle, async (url) => {
      await read(`${url}/other/`, { cache: { store } });
      const expected =
        /model\.safetensors: expected room for 5 MiB in the cache, [12](\.\d+)? MiB are free \(delete other downloads with deleteDownload\(source\), such as http:\/\/127\.0\.0\.1:\d+\/other\/: 5 MiB; or load without the option cache\)/;
      await expect(read(url, { cache: { store } })).rejects.toThrow(expected);
      expect(origin.sentBytes).toBe(5 * MIB);
      // A store that does not know its free bytes fails while it is written.
      const blind = Object.assign(Object.create(store) as MemoryStore, { freeBytes: undefined });
      const error = await read(url, { cache: { store: blind } }).catch((error) => error);
      expect(error).toBeInstanceOf(MemoryError);
      expect(error.message).toMatch(/expected room for 5 MiB in the cache, it has no room left \(delete other downloads/);
      const other = (await listDownloads({ store })).find(({ complete }) => complete)!;
      expect(await deleteDownload(other.source!, { store })).toBe(5 * MIB);
      expect(same(await read(url, { cache: { store } }), weights(5 * MIB))).toBe(true);
    });
  });

  test("downloads are listed, measured and deleted", async () => {
    const store = new MemoryStore(100 * MIB);
    const origin = new Origin(new Map(["a", "b"].map((folder) => [`${folder}/${WEIGHTS}`, weights(MIB)])));
    await withServer(origin.handle, async (url) => {
      for (const folder of ["a", "b"]) await read(`${url}/${folder}/`, { cache: { store } });
      const downloads = await listDownloads({ store });
      expect(downloads.map(({ source, complete, storedBytes }) => [source, complete, storedBytes])).toEqual([
        [`${url}/a/`, true, MIB],
        [`${url}/b/`, true, MIB],
      ]);
      expect(await measureDownloads({ store })).toEqual({ storedBytes: 2 * MIB, freeBytes: 100 * MIB - store.storedBytes });
      expect(await deleteDownload("nothing of this name", { store })).toBe(0);
      expect(await deleteDownload(downloads[0]!.id, { store })).toBe(MIB);
      expect((await listDownloads({ store })).map(({ source }) => source)).toEqual([`${url}/b/`]);
      expect(await deleteDownload(`${url}/b/`, { store })).toBe(MIB);
      expect(store.files.size).toBe(0);
    });
  });

  test("a copy that is deleted while it is used is noticed", async () => {
    const [store, origin] = [new MemoryStore(), new Origin(new Map([[WEIGHTS, weights(MIB)]]))];
    await withServer(origin.handle, async (url) => {
      const source = await openByteSource(url, { ...STOP, cache: { store } });
      await source.read(WEIGHTS, 0, 8);
      store.files.clear();
      await expect(source.read(WEIGHTS, 0, 8)).rejects.toThrow(/model\.safetensors: its copy in the cache was deleted or changed/);
    });
  });
});

describe("secrets", () => {
  test("are neither stored nor in messages, and a key makes a changing query harmless", async () => {
    const [store, origin] = [new MemoryStore(7 * MIB), new Origin(new Map([[`m/${WEIGHTS}`, weights(5 * MIB)]]))];
    const secrets = ["firstsecret", "secondsecret", "somebody", "passw0rd", btoa("somebody:passw0rd")];
    const messages: string[] = [];
    await withServer(origin.handle, async (base) => {
      const signed = (secret: string) => `${base.replace("://", "://somebody:passw0rd@")}/m/?X-Signature=${secret}`;
      origin.breaks = [1000];
      const onWarning = (warning: string) => void messages.push(warning);
      const failed = await read(signed("firstsecret"), { cache: { store, key: "org/name@1" }, onWarning }).catch((error) => error);
      expect(failed).toBeInstanceOf(LightningError);
      messages.push(failed.message, failed.stack, String(failed.cause?.message));
      await read(signed("firstsecret"), { cache: { store, key: "org/name@1" }, onWarning });
      const { sentBytes } = origin;
      await read(signed("secondsecret"), { cache: { store, key: "org/name@1" }, onWarning });
      expect(origin.sentBytes).toBe(sentBytes);
      const full = await read(signed("secondsecret"), { cache: { store }, onWarning }).catch((error) => error);
      messages.push(full.message);
      expect(full.message).toMatch(/org\/name@1: 5 MiB/);
      expect((await listDownloads({ store })).map(({ source }) => source)).toEqual(["org/name@1", `${base}/m/`]);
    });
    const records = [...store.files].map(([name, bytes]) => name + (name.endsWith(".json") ? new TextDecoder().decode(bytes) : ""));
    for (const secret of secrets) expect([...records, ...messages].join("\n")).not.toContain(secret);
  });
});

describe("without a place to store files", () => {
  test("the files are downloaded, with a warning", async () => {
    const bytes = weights(MIB);
    await withServer(new Origin(new Map([[WEIGHTS, bytes]])).handle, async (url) => {
      vi.stubGlobal("crypto", {});
      const warnings: string[] = [];
      const store = new MemoryStore();
      const onWarning = (warning: string) => void warnings.push(warning);
      expect(same(await read(url, { cache: { store }, onWarning }), bytes)).toBe(true);
      expect(warnings).toEqual([
        expect.stringMatching(/downloaded without cache: the page is not a secure context \(serve it over https:/),
      ]);
      await expect(read(url, { cache: { store }, localFilesOnly: true })).rejects.toThrow(CheckpointError);
      await expect(read(url, { cache: { store, sha256: { [WEIGHTS]: sha256(bytes) } } })).rejects.toThrow(CheckpointError);
      await expect(listDownloads({ store })).rejects.toThrow(/secure context/);
    });
  });

  test("a store that fails causes errors with the file, the reason and a remedy", async () => {
    await withServer(new Origin(new Map([[WEIGHTS, weights(MIB)]])).handle, async (url) => {
      for (const [method, what] of Object.entries({ list: "listed", read: "read", write: "written" })) {
        const store = Object.assign(new MemoryStore(), { [method]: () => Promise.reject(new Error("no drive")) });
        await expect(read(url, { cache: { store } }), method).rejects.toThrow(
          new RegExp(`copy in the cache cannot be ${what}: no drive \\(load again, or without the option cache\\)`),
        );
      }
    });
  });
});

test("options are checked", async () => {
  const store = new MemoryStore();
  const wrong = [
    { nam: "a" },
    { name: "" },
    { name: "../a" },
    { name: 5 },
    { key: "" },
    { sha256: { a: "00" } },
    { sha256: 5 },
    { store: {} },
    { store: { ...store, list: 5 } },
  ];
  for (const cache of wrong) {
    await expect(read("http://127.0.0.1:9/", { cache } as unknown as OpenOptions), JSON.stringify(cache)).rejects.toThrow(InputError);
    await expect(listDownloads(cache as unknown as true)).rejects.toThrow(InputError);
  }
  for (const cache of [5, "a", null]) await expect(loadCheckpoint("http://127.0.0.1:9/", { cache } as never)).rejects.toThrow(InputError);
  for (const which of [undefined, "", 5, {}]) await expect(deleteDownload(which as string, { store })).rejects.toThrow(InputError);
});
