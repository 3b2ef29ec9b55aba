import { describe, expect, test } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import { BlobSource } from "../../src/io/blob-source.js";
import { HttpSource } from "../../src/io/http-source.js";
import { openByteSource } from "../../src/io/open-byte-source.js";
import { platform as browser } from "../../src/io/platform.js";
import { parseConfig } from "../../src/model/config.js";
import { tinyM1 } from "../../src/model/presets.js";
import { expectSaved, type Files, json, rangeOf, SMALL, serve, sharded, singleFile, withServer } from "../support/checkpoints.js";

describe("files by name, picked files, bytes", () => {
  const files = sharded();

  test("a Map, a record, ArrayBuffers, Blobs, Files and other views of memory", async () => {
    const views = new Map(
      [...files].map(([name, bytes]) => [name, new Uint8Array(new Uint8Array([0, ...bytes, 0]).buffer, 1, bytes.byteLength)]),
    );
    const sources = [
      files,
      Object.fromEntries(files),
      views,
      new Map([...files].map(([name, bytes]) => [name, bytes.slice().buffer])),
      new Map([...files].map(([name, bytes]) => [name, new Blob([bytes as BlobPart])])),
      [...files].map(([name, bytes]) => new File([bytes as BlobPart], name)),
      new Set([...files].map(([name, bytes]) => new File([bytes as BlobPart], name))),
      new Map([...files].map(([name, bytes]) => [`some/folder/${name}`, bytes])),
      new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes)])),
    ];
    for (const source of sources) {
      const checkpoint = await loadCheckpoint(source);
      await expectSaved(checkpoint, files);
      checkpoint.rt.dispose();
    }
  });

  test("a picked folder: the outermost files count", async () => {
    const picked = [...files].map(([name, bytes]) => at(`tiny/${name}`, bytes));
    const checkpoint = await loadCheckpoint([...picked, at("tiny/original/config.json", json({}))]);
    await expectSaved(checkpoint, files);
    checkpoint.rt.dispose();
    expect(() => BlobSource.from([at("a/config.json", json({})), at("b/config.json", json({}))])).toThrow(/config\.json:.*file/);
  });

  function at(path: string, bytes: Uint8Array): File {
    const file = new File([bytes as BlobPart], path.split("/").at(-1)!);
    Object.defineProperty(file, "webkitRelativePath", { value: path });
    return file;
  }

  test("one picked file of any name, with its configuration", async () => {
    const bytes = singleFile().get("model.safetensors")!;
    const checkpoint = await loadCheckpoint(new File([bytes as BlobPart], "mine.safetensors"), { config: SMALL });
    await expectSaved(checkpoint, singleFile());
    checkpoint.rt.dispose();
    await expect(loadCheckpoint(bytes)).rejects.toThrow(/config\.json: missing .*config option/);
  });

  test("anything else is named", async () => {
    for (const source of [undefined, null, 7, true, () => {}, new Map([["config.json", 1]]), [1], { "config.json": "{}" }]) {
      await expect(openByteSource(source as never)).rejects.toThrow(/path.*URL.*hub id.*files/);
    }
  });

  test("a configuration is told from a checkpoint, and goes with bytes", async () => {
    await expect(loadCheckpoint(tinyM1 as never)).rejects.toThrow(/^source:.*configuration/);
    const bytes = singleFile().get("model.safetensors")!;
    const checkpoint = await loadCheckpoint(bytes, { config: parseConfig(SMALL) });
    await expectSaved(checkpoint, singleFile());
    checkpoint.rt.dispose();
    const rounded = await loadCheckpoint(bytes, { config: parseConfig(SMALL), dtype: "bf16" });
    expect(rounded.config).toEqual(parseConfig({ ...SMALL, torch_dtype: "bfloat16" }));
    rounded.rt.dispose();
  });

  test("reading from memory lets others run", async () => {
    const config = { ...tinyM1.source, vocab_size: 20_000, hidden_size: 256, num_hidden_layers: 1, attn_type_list: [0] };
    const controller = new AbortController();
    setTimeout(() => controller.abort("meanwhile"), 0);
    const loading = loadCheckpoint(singleFile(config), {
      signal: controller.signal,
      onProgress: () => {
        for (const until = performance.now() + 40; performance.now() < until; );
      },
    });
    await expect(loading).rejects.toBe("meanwhile");
  });
});

describe("URLs", () => {
  const large = { ...tinyM1.source, vocab_size: 4500, hidden_size: 512, num_hidden_layers: 1, attn_type_list: [0] };

  /** Serves whole files whatever the request says. */
  function serveWhole(files: Files, lengths: boolean): Parameters<typeof withServer>[0] {
    return (request, response) => {
      const bytes = files.get(request.url!.slice(1));
      if (!bytes) return void response.writeHead(404).end();
      response.writeHead(200, lengths ? { "content-length": bytes.byteLength } : {});
      response.end(bytes);
    };
  }

  test("a directory, with and without a slash, as text and as URL; a file; with a query", async () => {
    const files = singleFile();
    const root = "/a%20model/v1/".replaceAll("%20", " ");
    await withServer(
      (request, response) => serve(files, request, response, root),
      async (base) => {
        const url = `${base}/a%20model/v1`;
        for (const source of [url, `${url}/`, new URL(url), `${url}/model.safetensors`, `${url}?token=1`]) {
          const checkpoint = await loadCheckpoint(source);
          await expectSaved(checkpoint, files);
          checkpoint.rt.dispose();
        }
      },
    );
  });

  test("a query goes along with every request, and into no message", async () => {
    const queries: string[] = [];
    await withServer(
      (request, response) => {
        queries.push(new URL(request.url!, "http://x").search);
        response.writeHead(404).end();
      },
      async (base) => {
        await expect(loadCheckpoint(`${base}/x?token=secret`)).rejects.toThrow(/^(?!.*secret).*config\.json: missing/);
      },
    );
    expect(queries).toEqual(["?token=secret"]);
  });

  test("ranges are requested, few and in order", async () => {
    const files = singleFile(large);
    const ranges: [number, number][] = [];
    await withServer(
      (request, response) => {
        if (request.url === "/model.safetensors") ranges.push(rangeOf(request)!);
        serve(files, request, response);
      },
      async (base) => {
        const checkpoint = await loadCheckpoint(base);
        await expectSaved(checkpoint, files);
        checkpoint.rt.dispose();
      },
    );
    const size = files.get("model.safetensors")!.byteLength;
    expect(ranges.length).toBeLessThanOrEqual(2 + Math.ceil(size / (7 << 20)));
    expect(ranges.at(-1)![1]).toBe(size);
  });

  test("servers that know no ranges: small and large files, with and without their length", async () => {
    for (const files of [singleFile(), sharded(), sharded(large, 2)]) {
      for (const lengths of [true, false]) {
        await withServer(serveWhole(files, lengths), async (base) => {
          const checkpoint = await loadCheckpoint(base);
          await expectSaved(checkpoint, files);
          checkpoint.rt.dispose();
        });
      }
    }
  });

  test("a large file without ranges is read as one stream", async () => {
    const files = singleFile(large);
    let requests = 0;
    await withServer(
      (request, response) => {
        if (request.url === "/model.safetensors") requests++;
        serveWhole(files, true)(request, response);
      },
      async (base) => {
        const checkpoint = await loadCheckpoint(base);
        await expectSaved(checkpoint, files);
        checkpoint.rt.dispose();
      },
    );
    // Its size, its header, its data.
    expect(requests).toBeLessThanOrEqual(3);
  });

  test("a page in place of a missing file is no file", async () => {
    const files = singleFile();
    for (const type of ["text/html", "Text/HTML; charset=utf-8"]) {
      await withServer(
        (request, response) => {
          if (files.has(request.url!.slice(1))) return serve(files, request, response);
          response.writeHead(200, { "content-type": type }).end("<!doctype html>");
        },
        async (base) => {
          const checkpoint = await loadCheckpoint(base);
          await expectSaved(checkpoint, files);
          checkpoint.rt.dispose();
          await expect(loadCheckpoint(`${base}/elsewhere`)).rejects.toThrow(/config\.json: missing/);
        },
      );
    }
  });

  test("a file that changes its size between requests", async () => {
    const files = singleFile();
    await withServer(
      (request, response) => {
        const bytes = files.get(request.url!.slice(1));
        const [begin, end] = rangeOf(request)!;
        if (!bytes || end - begin === 1) return serve(files, request, response);
        const range = `bytes ${begin}-${end - 1}/${bytes.byteLength + 8}`;
        response.writeHead(206, { "content-range": range }).end(bytes.subarray(begin, end));
      },
      async (base) => {
        const loading = loadCheckpoint(base);
        await expect(loading).rejects.toThrow(CheckpointError);
        await expect(loading).rejects.toThrow(/changed.*load/);
      },
    );
  });

  test("nothing there, a server error, no server", async () => {
    const answer = (status: number) =>
      withServer(
        (_, response) => void response.writeHead(status).end(),
        (base) => loadCheckpoint(base, { retryDelayMs: 1 }),
      );
    await expect(answer(404)).rejects.toThrow(/config\.json: missing/);
    await expect(answer(401)).rejects.toThrow(/config\.json: cannot be read: HTTP status 401/);
    await expect(answer(500)).rejects.toThrow(CheckpointError);
    const gone = await withServer(
      () => {},
      async (base) => base,
    );
    await expect(loadCheckpoint(gone, { retryDelayMs: 1 })).rejects.toThrow(
      /cannot be read: fetch failed: .*ECONNREFUSED.*, tried 5 times \(check the address/,
    );
  });

  test("a connection that breaks: at the start, amid a range, amid a stream", async () => {
    const files = singleFile(large);
    for (const ranges of [true, false]) {
      for (const after of [0, 1000, 100_000]) {
        await withServer(
          (request, response) => {
            const [begin, end] = rangeOf(request)!;
            const data = request.url === "/model.safetensors" && end - begin > 1 && begin !== 0;
            const bytes = files.get(request.url!.slice(1));
            if (ranges && !data) return serve(files, request, response);
            if (!ranges && (!bytes || end - begin === 1)) return serveWhole(files, true)(request, response);
            const whole = ranges ? bytes!.subarray(begin, end) : bytes!;
            const range: Record<string, string> = ranges ? { "content-range": `bytes ${begin}-${end - 1}/${bytes!.byteLength}` } : {};
            response.writeHead(ranges ? 206 : 200, { "content-length": whole.byteLength, ...range });
            response.write(whole.subarray(0, after), () => response.socket?.resetAndDestroy());
          },
          async (base) => {
            await expect(loadCheckpoint(base, { retryDelayMs: 1 })).rejects.toThrow(
              /^http.*model\.safetensors: bytes \d+ to \d+: cannot be read: .*, tried 5 times \(.*load again\)$/,
            );
          },
        );
      }
    }
  });

  test("an answer that is too short, too long or of another range", async () => {
    const files = singleFile();
    const wrong: [reason: RegExp, change: (bytes: Uint8Array, begin: number) => [Uint8Array, number]][] = [
      [/server.*0 of \d+ bytes.*5 times/, (bytes, begin) => [bytes.subarray(0, 0), begin]],
      [/server.*more.*\d+ bytes/, (bytes, begin) => [new Uint8Array([...bytes, 0]), begin]],
      [/expected bytes \d+-\d+, the server sent bytes \d+-\d+\/\d+/, (bytes, begin) => [bytes, begin + 1]],
    ];
    for (const [reason, change] of wrong) {
      await withServer(
        (request, response) => {
          const whole = files.get(request.url!.slice(1));
          const [begin, end] = rangeOf(request)!;
          if (!whole || end - begin === 1) return serve(files, request, response);
          const [bytes, from] = change(whole.subarray(begin, end), begin);
          response.writeHead(206, { "content-range": `bytes ${from}-${from + end - begin - 1}/${whole.byteLength}` }).end(bytes);
        },
        async (base) => {
          await expect(loadCheckpoint(base, { retryDelayMs: 1 })).rejects.toThrow(reason);
        },
      );
    }
  });

  test("ranges whose total is hidden are asked for by HEAD; without it the remedy is named", async () => {
    const files = singleFile();
    for (const head of [true, false]) {
      await withServer(
        (request, response) => {
          const bytes = files.get(request.url!.slice(1));
          if (!bytes) return void response.writeHead(404).end();
          if (request.method === "HEAD") return void response.writeHead(head ? 200 : 405, { "content-length": bytes.byteLength }).end();
          const range = rangeOf(request);
          if (range) return void response.writeHead(206).end(bytes.subarray(...range));
          // In pieces, without a length.
          response.write(bytes);
          response.end();
        },
        async (base) => {
          if (!head) return void (await expect(loadCheckpoint(base)).rejects.toThrow(/Access-Control-Expose-Headers/));
          const checkpoint = await loadCheckpoint(base);
          await expectSaved(checkpoint, files);
          checkpoint.rt.dispose();
        },
      );
    }
  });

  test("a signal ends a request that is never answered, with its own reason", async () => {
    const controller = new AbortController();
    await withServer(
      () => controller.abort("no patience"),
      async (base) => {
        await expect(loadCheckpoint(base, { signal: controller.signal })).rejects.toBe("no patience");
      },
    );
  });

  test("a signal amid the data", async () => {
    const files = singleFile(large);
    const controller = new AbortController();
    await withServer(
      (request, response) => {
        const range = rangeOf(request)!;
        if (request.url !== "/model.safetensors" || range[0] === 0) return serve(files, request, response);
        response.writeHead(206, { "content-length": range[1] - range[0] });
        response.write(new Uint8Array(1000), () => controller.abort("enough"));
      },
      async (base) => {
        await expect(loadCheckpoint(base, { signal: controller.signal })).rejects.toBe("enough");
      },
    );
  });

  test("other schemes and damaged URLs", async () => {
    for (const url of ["ftp://x/y", "data:text/plain,x", "blob:http://x/1"]) {
      await expect(openByteSource(url)).rejects.toThrow(/http:.*https:.*file:/);
    }
    await expect(openByteSource("http://")).rejects.toThrow(CheckpointError);
    expect(() => HttpSource.fromUrl("http://[")).toThrow(/expected a URL/);
    for (const url of ["http://127.0.0.1/%zz.safetensors", "http://127.0.0.1/a/%E0%A4%A.safetensors"]) {
      await expect(openByteSource(url)).rejects.toThrow(CheckpointError);
    }
    await expect(openByteSource("https://127.0.0.1/x", { localFilesOnly: true })).rejects.toThrow(/localFilesOnly is set/);
  });
});

describe("the browser's half", () => {
  test("a hub id names both remedies", async () => {
    await expect(browser.openPath("org/name", {})).rejects.toThrow(
      /https:\/\/huggingface\.co\/org\/name\/resolve\/main\/, or \.\/org\/name\//,
    );
  });

  test("there are no files, and no place to save to", async () => {
    await expect(browser.openPath("file:///x", {})).rejects.toThrow(CheckpointError);
    await expect(browser.openDestination("x")).rejects.toThrow(/destination/);
    await expect(browser.openPath("./x", {})).rejects.toThrow(CheckpointError);
  });
});
