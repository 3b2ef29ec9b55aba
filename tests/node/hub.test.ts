import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LightningError } from "../../src/base/errors.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { Progress } from "../../src/checkpoint/load-options.js";
import type { SaveProgress } from "../../src/checkpoint/save-options.js";
import { exportGguf } from "../../src/export-gguf.js";
import { expectSaved, type Files, json, rangeOf, SMALL, serve, sharded, singleFile, withServer } from "../support/checkpoints.js";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const NAME = "org/tiny-m1";

let cache: string;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "lightning-m1-hub-"));
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_HOME", join(cache, "home"));
  for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"])
    vi.stubEnv(name, "");
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
  const TEMPLATES = "additional_chat_templates";
  const all = [...files].map(([path, bytes]) => ({
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
      if (pathname === `/api/models/${NAME}/tree/${COMMIT}/${TEMPLATES}`) return answer(all.filter(({ path }) => path.includes("/")));
      const listing = all.filter(({ path }) => !path.includes("/"));
      if (listing.length < all.length) listing.push({ ...all[0]!, type: "directory", path: TEMPLATES });
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

  test("a further chat template lies in a directory of its own", async () => {
    const template = "additional_chat_templates/tool_use.jinja";
    const files = singleFile().set(template, new TextEncoder().encode("tools"));
    await withHub(files, async (hub) => {
      const checkpoint = await loadCheckpoint(NAME);
      expect(checkpoint.files.get(template)).toEqual(files.get(template));
      checkpoint.rt.dispose();
      expect(hub.fetched).toContain(template);
    });
    const offline = await loadCheckpoint(NAME, { localFilesOnly: true });
    expect(offline.files.get(template)).toEqual(files.get(template));
    offline.rt.dispose();
  });

  test("revisions: a branch, a tag, a commit", async () => {
    await withHub(singleFile(), async () => {
      for (const revision of ["main", "v1", COMMIT]) (await loadCheckpoint(NAME, { revision })).rt.dispose();
      await expect(loadCheckpoint(NAME, { revision: "gone" })).rejects.toThrow(/Repository not found.*id.*revision/);
      await expect(loadCheckpoint(NAME, { revision: "../../x" })).rejects.toThrow(/revision:.*branch/);
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
      for (const value of ["1", "on", "ON", "yes", "True", "TRUE"]) {
        vi.stubEnv("HF_HUB_OFFLINE", value);
        await expect(loadCheckpoint(NAME)).rejects.toThrow(/not in the cache .* \(load once without HF_HUB_OFFLINE\)/);
        vi.stubEnv("HF_HUB_OFFLINE", "");
        vi.stubEnv("TRANSFORMERS_OFFLINE", value);
        await expect(loadCheckpoint(NAME)).rejects.toThrow(/not in the cache/);
        vi.stubEnv("TRANSFORMERS_OFFLINE", "");
      }
      hub.disturb = undefined;
      for (const value of ["0", "off", "no", "false", ""]) {
        vi.stubEnv("HF_HUB_OFFLINE", value);
        (await loadCheckpoint(NAME)).rt.dispose();
      }
      // The first one counts if both are set.
      vi.stubEnv("HF_HUB_OFFLINE", "0");
      vi.stubEnv("TRANSFORMERS_OFFLINE", "1");
      (await loadCheckpoint(NAME)).rt.dispose();
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

  /** Weights of three files, the second of which breaks off after 500 bytes. */
  const SECOND = "model-00002-of-00003.safetensors";
  const breaksOff =
    (files: Files, how: string, then?: () => void) => (request: IncomingMessage, response: ServerResponse, path: string) => {
      if (!path.endsWith(SECOND)) return false;
      const bytes = files.get(SECOND)!;
      const [begin, end] = rangeOf(request) ?? [0, bytes.byteLength];
      const range = { "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}` };
      response.writeHead(request.headers.range ? 206 : 200, {
        ...(how === "silently short" ? {} : { "content-length": end - begin }),
        ...(request.headers.range ? range : {}),
      });
      // An answer that keeps its length back would wait for the end of the connection.
      if (begin > 0 && how === "reset") response.write("", () => response.socket?.resetAndDestroy());
      else if (begin > 0) response.end();
      else if (how === "silently short") response.end(bytes.subarray(0, 500));
      else response.write(bytes.subarray(0, 500), () => how === "reset" && response.socket?.resetAndDestroy());
      then?.();
      return true;
    };

  test("a download that breaks off goes on from there, in this load", async () => {
    const files = sharded();
    for (const how of ["reset", "silently short", "stalled"]) {
      await withHub(files, async (hub) => {
        const ranges: (string | undefined)[] = [];
        const breaking = breaksOff(files, how);
        hub.disturb = (request, response, path) => {
          if (path.endsWith(SECOND)) ranges.push(request.headers.range);
          return ranges.length === 1 && breaking(request, response, path);
        };
        const seen: Progress[] = [];
        const checkpoint = await loadCheckpoint(NAME, { retryDelayMs: 1, stallMs: 200, onProgress: (progress) => seen.push(progress) });
        await expectSaved(checkpoint, files);
        checkpoint.rt.dispose();
        expect(ranges).toEqual([undefined, `bytes=500-${files.get(SECOND)!.byteLength - 1}`]);
        expect(seen.at(-1)!.fraction).toBe(1);
        expect(seen.every(({ loadedBytes }, i) => loadedBytes >= (seen[i - 1]?.loadedBytes ?? 0))).toBe(true);
      });
      await rm(join(cache, "models--org--tiny-m1"), { recursive: true });
    }
  });

  test("what a failed or cancelled download leaves has no name of a file, and the next load continues it", async () => {
    const files = sharded();
    for (const how of ["reset", "silently short", "aborted"]) {
      await withHub(files, async (hub) => {
        const controller = new AbortController();
        hub.disturb = breaksOff(files, how, () => how === "aborted" && setTimeout(() => controller.abort("enough"), 200));
        const loading = loadCheckpoint(NAME, { signal: controller.signal, retryDelayMs: 1 });
        if (how === "aborted") await expect(loading).rejects.toBe("enough");
        else await expect(loading).rejects.toThrow(/org\/tiny-m1: model-00002-of-00003\.safetensors: .*hub.*5 times/);
        expect(await readdir(snapshot())).not.toContain(SECOND);
        const parked = `${etag(files.get(SECOND)!)}.parked.incomplete`;
        expect((await blobs()).filter((name) => name.includes("incomplete"))).toEqual([parked]);
        await expect(loadCheckpoint(NAME, { localFilesOnly: true })).rejects.toThrow(/model-00002-of-00003\.safetensors: missing/);

        const ranges: (string | undefined)[] = [];
        hub.disturb = (request, _, path) => {
          if (path.endsWith(SECOND)) ranges.push(request.headers.range);
          return false;
        };
        hub.fetched.length = 0;
        const checkpoint = await loadCheckpoint(NAME);
        await expectSaved(checkpoint, files);
        checkpoint.rt.dispose();
        expect(ranges).toEqual([`bytes=500-${files.get(SECOND)!.byteLength - 1}`]);
        expect(hub.fetched).toEqual(["model-00003-of-00003.safetensors"]);
        expect((await blobs()).filter((name) => name.includes("incomplete"))).toEqual([]);
      });
      await rm(join(cache, "models--org--tiny-m1"), { recursive: true });
    }
  });

  test("a download that brings more than the list says, or another length, is thrown away", async () => {
    const files = sharded();
    const bytes = files.get(SECOND)!;
    for (const [length, reason] of [
      [undefined, /server.*more.*\d+ bytes/],
      [bytes.byteLength + 1, /changed/],
    ] as const) {
      await withHub(files, async (hub) => {
        hub.disturb = (_, response, path) => {
          if (!path.endsWith(SECOND)) return false;
          response.writeHead(200, length ? { "content-length": length } : {}).end(new Uint8Array(bytes.byteLength + 1));
          return true;
        };
        await expect(loadCheckpoint(NAME)).rejects.toThrow(reason);
        expect((await blobs()).filter((name) => name.includes("incomplete"))).toEqual([]);
      });
    }
  });

  test("answers of the hub's API are asked for again, and may have no end", async () => {
    const files = singleFile();
    await withHub(files, async (hub) => {
      let failures = 2;
      hub.disturb = (_, response, path) => {
        if (!path.startsWith("/api/") || failures === 0) return false;
        failures--;
        response.writeHead(503, { "retry-after": "0" }).end();
        return true;
      };
      (await loadCheckpoint(NAME, { retryDelayMs: 1 })).rt.dispose();
      expect(failures).toBe(0);
      let requests = 0;
      hub.disturb = (_, response, path) => {
        if (!path.includes("/tree/")) return false;
        requests++;
        const link = `<${process.env.HF_ENDPOINT!.slice(0, -1)}${path}?page=${requests}>; rel="next"`;
        response.writeHead(200, { "content-type": "application/json", link }).end("[]");
        return true;
      };
      await expect(loadCheckpoint(NAME)).rejects.toThrow(/files.*1000 pages/);
      hub.disturb = (_, response, path) => {
        if (!path.includes("/tree/")) return false;
        const chunk = Buffer.alloc(1 << 20, 32);
        const write = () => {
          while (!response.destroyed && response.write(chunk));
          response.once("drain", write);
        };
        response.writeHead(200, { "content-type": "application/json" });
        write();
        return true;
      };
      await expect(loadCheckpoint(NAME)).rejects.toThrow(/server.*67108864 bytes/);
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

  describe("tokens", () => {
    test("of any form, without the space around them, from each place", async () => {
      const file = join(cache, "secret");
      const home = join(cache, "home");
      await mkdir(home);
      await writeFile(file, "of-a-file\r\n");
      await writeFile(join(home, "token"), "of-home\n");
      const cases: [string, Record<string, string>][] = [
        ["Bearer jfrog.cmVmdGtu", { HF_TOKEN: " jfrog.cmVmdGtu\n" }],
        ["Bearer older", { HUGGING_FACE_HUB_TOKEN: "older" }],
        ["Bearer of-a-file", { HF_TOKEN_PATH: file }],
        ["Bearer of-home", {}],
      ];
      await withHub(singleFile(), async (hub) => {
        for (const [expected, env] of cases) {
          for (const name of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"]) vi.stubEnv(name, env[name] ?? "");
          hub.tokens.clear();
          (await loadCheckpoint(NAME)).rt.dispose();
          expect([...hub.tokens]).toEqual([expected]);
        }
        hub.tokens.clear();
        vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
        (await loadCheckpoint(NAME)).rt.dispose();
        expect([...hub.tokens]).toEqual([undefined]);
      });
    });

    test("one that no header can hold is refused, and not shown", async () => {
      const file = join(cache, "secret");
      await withHub(singleFile(), async (hub) => {
        for (const value of ["hf_S3cret\nhf_S3cret2", "hf_S3cret\r\nX: y", "hf_S3 cret", "hf_S3cret\u00e9"]) {
          await writeFile(file, value);
          for (const [name, given] of [
            ["HF_TOKEN", value],
            ["HF_TOKEN_PATH", file],
          ] as const) {
            vi.stubEnv("HF_TOKEN", "");
            vi.stubEnv(name, given);
            const error = await loadCheckpoint(NAME).then(
              () => undefined,
              (error: Error) => error,
            );
            expect(error).toBeInstanceOf(LightningError);
            expect(error!.message).toMatch(/token.*ASCII/);
            expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("S3");
          }
        }
        expect(hub.tokens.size).toBe(0);
      });
    });

    test("a token file without end is not read", async () => {
      vi.stubEnv("HF_TOKEN_PATH", "/dev/zero");
      await expect(loadCheckpoint(NAME)).rejects.toThrow(/\/dev\/zero: .*token.*file/);
    });

    test("no error shows the token, what the hub signs, or the password of HF_ENDPOINT", async () => {
      vi.stubEnv("HF_TOKEN", "S3cret-token");
      await withHub(singleFile(), async (hub) => {
        const { port } = new URL(process.env.HF_ENDPOINT!);
        vi.stubEnv("HF_ENDPOINT", `http://reader:S3cret-password@127.0.0.1:${port}`);
        for (const status of [401, 403, 404, 429, 500]) {
          for (const part of ["/api/", "/resolve/"]) {
            hub.disturb = (request, response, path) => {
              if (!path.includes(part)) return false;
              if (!request.url!.includes("Signature"))
                return Boolean(response.writeHead(302, { location: `${path}?X-Amz-Signature=S3cret-signature` }).end());
              const error = `no, ${request.headers.authorization} is not allowed`;
              return Boolean(response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error })));
            };
            const error = await loadCheckpoint(NAME, { retries: 0 }).then(
              () => undefined,
              (error: Error) => error,
            );
            expect(error).toBeInstanceOf(LightningError);
            expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("S3cret");
          }
        }
        expect([...hub.tokens]).toEqual(["Bearer S3cret-token"]);
      });
    });

    test("another server gets no token: a redirect, and the next page of a list", async () => {
      vi.stubEnv("HF_TOKEN", "S3cret");
      const files = singleFile();
      const seen: (string | undefined)[] = [];
      await withServer(
        (request, response) => {
          seen.push(request.headers.authorization);
          const path = new URL(request.url!, "http://x").pathname;
          if (path === "/page") return void response.writeHead(200, { "content-type": "application/json" }).end("[]");
          serve(files, request, response);
        },
        (elsewhere) =>
          withHub(files, async (hub) => {
            hub.disturb = (_, response, path) => {
              if (path.includes("/tree/")) response.setHeader("link", `<${elsewhere}/page>; rel="next"`);
              if (!path.includes("/resolve/")) return false;
              return Boolean(response.writeHead(302, { location: `${elsewhere}/${path.split("/").at(-1)}` }).end());
            };
            const checkpoint = await loadCheckpoint(NAME);
            await expectSaved(checkpoint, files);
            checkpoint.rt.dispose();
          }),
      );
      expect(seen.length).toBe(3);
      expect(new Set(seen)).toEqual(new Set([undefined]));
    });
  });

  test("HF_ENDPOINT: a path, user name and password, no URL", async () => {
    await withHub(singleFile(), async (hub) => {
      const { port } = new URL(process.env.HF_ENDPOINT!);
      vi.stubEnv("HF_ENDPOINT", `http://reader:p%40ss@127.0.0.1:${port}/`);
      (await loadCheckpoint(NAME)).rt.dispose();
      expect([...hub.tokens]).toEqual([`Basic ${btoa("reader:p@ss")}`]);
    });
    vi.stubEnv("HF_ENDPOINT", "reader:S3cret@host");
    await expect(loadCheckpoint(NAME)).rejects.toThrow(/^HF_ENDPOINT: .*http:.*https: URL(?!.*S3cret)/);
  });

  test("no hub there", async () => {
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    await expect(loadCheckpoint(NAME, { retryDelayMs: 1 })).rejects.toThrow(/org\/tiny-m1.*hub id.*localFilesOnly/);
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

test("an export downloads once, reports both phases, and equals the export of the same files", async () => {
  const config = { ...SMALL, postnorm: true, num_experts_per_tok: 1 };
  const files = sharded(config, 3);
  await withHub(files, async (hub) => {
    const seen: SaveProgress[] = [];
    await exportGguf(NAME, join(cache, "hub/model.gguf"), { onProgress: (progress) => seen.push(progress) });
    const last = (phase: string) => seen.filter((progress) => progress.phase === phase).at(-1)!;
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(new Set(["download", "write"]));
    expect([last("download").fraction, last("write").fraction]).toEqual([1, 1]);
    const fetched = hub.fetched.length;
    await exportGguf(NAME, join(cache, "again/model.gguf"), { localFilesOnly: true });
    expect(hub.fetched).toHaveLength(fetched);
    await exportGguf(files, join(cache, "files/model.gguf"));
    const [first, again, own] = await Promise.all(["hub", "again", "files"].map((folder) => readFile(join(cache, folder, "model.gguf"))));
    expect(Buffer.compare(first!, own!)).toBe(0);
    expect(Buffer.compare(first!, again!)).toBe(0);
  });
});

test("an export that llama.cpp cannot express is refused before weights are downloaded", async () => {
  const tokenizer = { normalizer: { type: "NFC" }, pre_tokenizer: null, model: { type: "BPE", vocab: { a: 0 }, merges: [] } };
  for (const [files, message] of [
    [sharded({ ...SMALL, shared_intermediate_size: 8, postnorm: true }, 3), /shared_intermediate_size/],
    [sharded({ ...SMALL, postnorm: true }, 3).set("tokenizer.json", json(tokenizer)), /tokenizer: normalizer/],
  ] as const) {
    await withHub(files, async (hub) => {
      await expect(exportGguf(NAME, join(cache, "model.gguf"))).rejects.toThrow(message);
      expect(hub.fetched.filter((file) => file.endsWith(".safetensors"))).toEqual([]);
    });
  }
});
