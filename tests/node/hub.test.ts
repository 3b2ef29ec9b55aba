import { createHash } from "node:crypto";
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { loadCheckpoint, type Progress } from "../../src/io/checkpoint.js";
import { expectSaved, type Files, json, serve, sharded, singleFile, withServer } from "../support/checkpoints.js";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const NAME = "org/tiny-m1";

let cache: string;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "lightning-m1-hub-"));
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_HOME", join(cache, "home"));
  vi.stubEnv("HF_HUB_OFFLINE", "");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

const etag = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const snapshot = () => join(cache, "models--org--tiny-m1", "snapshots", COMMIT);
const blobs = () => readdir(join(cache, "models--org--tiny-m1", "blobs")).catch(() => []);

interface Hub {
  /** Paths of the files that were fetched whole. */
  readonly fetched: string[];
  readonly tokens: Set<string | undefined>;
  /** Answers in place of the hub; returns whether it did. */
  disturb?: (request: IncomingMessage, response: ServerResponse, path: string) => boolean;
}

/** A hub with one repository, for the time of `body`. */
async function withHub(files: Files, body: (hub: Hub) => Promise<void>): Promise<void> {
  const hub: Hub = { fetched: [], tokens: new Set() };
  const listing = [...files].map(([path, bytes]) => ({
    type: "file",
    path,
    size: bytes.byteLength,
    oid: etag(bytes).slice(0, 40),
    lfs: { oid: etag(bytes), size: bytes.byteLength, pointerSize: 130 },
  }));
  await withServer(
    (request, response) => {
      hub.tokens.add(request.headers.authorization);
      const { pathname } = new URL(request.url!, "http://localhost");
      const root = `/${NAME}/resolve/${COMMIT}/`;
      if (hub.disturb?.(request, response, pathname)) return;
      const answer = (value: unknown) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
      if (new RegExp(`^/api/models/${NAME}/revision/(main|v1|${COMMIT})$`).test(pathname))
        return answer({ _id: "1", id: NAME, sha: COMMIT });
      if (pathname === `/api/models/${NAME}/tree/${COMMIT}`)
        return answer([...listing, { type: "directory", path: "original", size: 0, oid: "0" }]);
      if (!pathname.startsWith(root))
        return response.writeHead(404, { "content-type": "application/json" }).end('{"error":"Repository not found"}');
      if (!request.headers.range) hub.fetched.push(pathname.slice(root.length));
      response.setHeader("etag", `"${etag(files.get(pathname.slice(root.length)) ?? new Uint8Array())}"`);
      serve(files, request, response, root);
    },
    async (url) => {
      vi.stubEnv("HF_ENDPOINT", `${url}/`);
      await body(hub);
    },
  );
}

describe("hub ids", () => {
  test("a model is fetched once into the usual cache, and opened from it afterwards", async () => {
    for (const files of [singleFile(), sharded()]) {
      files.set("tokenizer.json", json({})).set("README.md", json("not needed")).set("pytorch_model.bin", new Uint8Array(99));
      const kept = new Map([...files].filter(([name]) => !["README.md", "pytorch_model.bin"].includes(name)));
      await withHub(files, async (hub) => {
        const first = await loadCheckpoint(NAME);
        await expectSaved(first, kept);
        first.rt.dispose();
        expect(hub.fetched.sort()).toEqual([...kept.keys()].sort());
        expect((await readdir(snapshot())).sort()).toEqual([...kept.keys()].sort());
        expect((await lstat(join(snapshot(), "config.json"))).isSymbolicLink()).toBe(true);
        expect(await readFile(join(cache, "models--org--tiny-m1", "refs", "main"), "utf8")).toBe(COMMIT);
        expect((await blobs()).sort()).toEqual([...kept.values()].map(etag).sort());

        hub.fetched.length = 0;
        (await loadCheckpoint(NAME)).rt.dispose();
        expect(hub.fetched).toEqual([]);
      });
      const offline = await loadCheckpoint(NAME, { localFilesOnly: true });
      await expectSaved(offline, kept);
      offline.rt.dispose();
      await rm(join(cache, "models--org--tiny-m1"), { recursive: true });
    }
  });

  test("revisions: a branch, a tag, a commit", async () => {
    await withHub(singleFile(), async () => {
      for (const revision of ["main", "v1", COMMIT]) (await loadCheckpoint(NAME, { revision })).rt.dispose();
      await expect(loadCheckpoint(NAME, { revision: "gone" })).rejects.toThrow(/Repository not found.*check the id and the revision/);
      await expect(loadCheckpoint(NAME, { revision: "../../x" })).rejects.toThrow(/revision: expected a branch/);
    });
    for (const revision of ["main", "v1", COMMIT]) (await loadCheckpoint(NAME, { revision, localFilesOnly: true })).rt.dispose();
    await expect(loadCheckpoint(NAME, { revision: "v2", localFilesOnly: true })).rejects.toThrow(/revision v2 is not in the cache/);
  });

  test("localFilesOnly and HF_HUB_OFFLINE ask nobody", async () => {
    await withHub(singleFile(), async (hub) => {
      hub.disturb = () => {
        throw new Error("asked");
      };
      await expect(loadCheckpoint(NAME, { localFilesOnly: true })).rejects.toThrow(
        /not in the cache .* \(load once without localFilesOnly\)/,
      );
      vi.stubEnv("HF_HUB_OFFLINE", "1");
      await expect(loadCheckpoint(NAME)).rejects.toThrow(/not in the cache/);
    });
  });

  test("one progress over download and load", async () => {
    const files = sharded();
    const weights = [...files].filter(([name]) => name.endsWith(".safetensors")).reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
    await withHub(files, async () => {
      for (const total of [2 * weights, weights]) {
        const seen: Progress[] = [];
        (await loadCheckpoint(NAME, { onProgress: (progress) => seen.push(progress) })).rt.dispose();
        expect(seen[0]).toMatchObject({ loadedBytes: 0, totalBytes: total });
        expect(seen.at(-1)).toEqual({ loadedBytes: total, totalBytes: total, fraction: 1, phase: "load" });
        expect(seen.every(({ loadedBytes, totalBytes }, i) => totalBytes === total && loadedBytes >= (seen[i - 1]?.loadedBytes ?? 0))).toBe(
          true,
        );
      }
    });
  });

  test("the token goes to the hub", async () => {
    vi.stubEnv("HF_TOKEN", "hf_secret");
    await withHub(singleFile(), async (hub) => {
      (await loadCheckpoint(NAME)).rt.dispose();
      expect([...hub.tokens]).toEqual(["Bearer hf_secret"]);
      hub.disturb = (_, response) => Boolean(response.writeHead(401, { "content-type": "application/json" }).end('{"error":"gated"}'));
      await expect(loadCheckpoint(NAME)).rejects.toThrow(/gated.*set HF_TOKEN/);
    });
  });

  test("an interrupted download leaves no file behind, and the next load completes it", async () => {
    const files = sharded();
    const cut = (bytes: Uint8Array, response: ServerResponse, how: string) => {
      response.writeHead(200, how === "silently short" ? {} : { "content-length": bytes.byteLength });
      if (how === "silently short") return response.end(bytes.subarray(0, 500));
      return response.write(bytes.subarray(0, 500), () => how === "reset" && response.socket?.resetAndDestroy());
    };
    await withHub(files, async (hub) => {
      for (const how of ["reset", "silently short", "aborted"]) {
        const controller = new AbortController();
        hub.disturb = (request, response, path) => {
          if (!path.endsWith("model-00002-of-00003.safetensors") || request.headers.range) return false;
          cut(files.get("model-00002-of-00003.safetensors")!, response, how);
          if (how === "aborted") setTimeout(() => controller.abort("enough"), 20);
          return true;
        };
        const loading = loadCheckpoint(NAME, { signal: controller.signal });
        if (how === "aborted") await expect(loading).rejects.toBe("enough");
        else await expect(loading).rejects.toThrow(/org\/tiny-m1: model-00002-of-00003\.safetensors: the hub did not deliver/);
        expect(await readdir(snapshot())).not.toContain("model-00002-of-00003.safetensors");
        expect((await blobs()).filter((name) => name.includes("incomplete"))).toEqual([]);
        await expect(loadCheckpoint(NAME, { localFilesOnly: true })).rejects.toThrow(/model-00002-of-00003\.safetensors: missing/);
      }
      hub.disturb = undefined;
      hub.fetched.length = 0;
      const checkpoint = await loadCheckpoint(NAME);
      await expectSaved(checkpoint, files);
      checkpoint.rt.dispose();
      expect(hub.fetched.sort()).toEqual(["model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"]);
    });
  });

  test("a cached file that someone cut off is fetched again", async () => {
    const files = singleFile();
    await withHub(files, async () => {
      (await loadCheckpoint(NAME)).rt.dispose();
      await writeFile(join(cache, "models--org--tiny-m1", "blobs", etag(files.get("model.safetensors")!)), "half");
      const checkpoint = await loadCheckpoint(NAME);
      await expectSaved(checkpoint, files);
      checkpoint.rt.dispose();
    });
  });

  test("no hub there", async () => {
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    await expect(loadCheckpoint(NAME)).rejects.toThrow(
      /org\/tiny-m1 \(no such path, so a hub id\): the hub did not deliver: .*\(check the connection, or use localFilesOnly\)/,
    );
  });

  test("a signal ends the first question", async () => {
    await withHub(singleFile(), async (hub) => {
      const controller = new AbortController();
      hub.disturb = () => {
        controller.abort("enough");
        return true;
      };
      await expect(loadCheckpoint(NAME, { signal: controller.signal })).rejects.toBe("enough");
    });
  });
});
