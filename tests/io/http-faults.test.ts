import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CheckpointError, InputError } from "../../src/base/errors.js";
import { inspectCheckpoint } from "../../src/checkpoint/inspect.js";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import type { Progress } from "../../src/checkpoint/load-options.js";
import { tinyM1 } from "../../src/model/presets.js";
import { rangeOf, serve, sharded, singleFile, withServer } from "../support/checkpoints.js";
import { cut, type Disturb, endless, expectLoaded, failure, faulty, isData, QUICK, text } from "../support/faulty-server.js";

const large = { ...tinyM1.source, vocab_size: 4500, hidden_size: 512, num_hidden_layers: 1, attn_type_list: [0] };

describe("one failed request", () => {
  const kinds: [string, Disturb][] = [
    ...[408, 425, 429, 500, 502, 503, 504].map((status): [string, Disturb] => [
      `${status}`,
      (_, response) => response.writeHead(status).end("busy"),
    ]),
    ["a page that says 503", (_, response) => response.writeHead(503, { "content-type": "text/html" }).end("<!doctype html>")],
    ["Retry-After in seconds", (_, response) => response.writeHead(429, { "retry-after": "0" }).end()],
    ["Retry-After as a date", (_, response) => response.writeHead(503, { "retry-after": new Date(0).toUTCString() }).end()],
    ["a Retry-After that says nothing", (_, response) => response.writeHead(503, { "retry-after": "soon" }).end()],
    ["reset", (request) => request.socket.destroy()],
    ["silence", () => true],
    ["cut at once", (request, response, _, bytes) => cut(request, response, bytes, 0, "reset")],
    ["cut in the middle", (request, response, _, bytes) => cut(request, response, bytes, 50, "reset")],
    ["silence in the middle", (request, response, _, bytes) => cut(request, response, bytes, 50, "stall")],
  ];

  test.each(kinds)("%s, wherever it is, ends no load", async (_, disturb) => {
    let requests = 0;
    await expectLoaded(text, () => void requests++);
    for (let at = 1; at <= requests; at += 3) {
      await expectLoaded(text, (request, response, count, bytes) => count === at && (disturb(request, response, count, bytes) || true));
    }
  });

  test("of a server that knows no ranges", async () => {
    for (const files of [text, singleFile(large)]) {
      for (const at of [1, 3, 5]) {
        const reset: Disturb = (_, response, count, bytes) => {
          if (count !== at || !bytes) return false;
          response.writeHead(200, { "content-length": bytes.byteLength });
          response.write(bytes.subarray(0, bytes.byteLength >> 1), () => response.socket?.resetAndDestroy());
          return true;
        };
        await expectLoaded(files, reset, QUICK, false);
      }
    }
  });

  test("of a server that neither tells the length with a range nor answers to HEAD", async () => {
    for (const status of [403, 405, 501]) {
      await expectLoaded(text, (request, response, _, bytes) => {
        const range = rangeOf(request);
        if (request.method === "HEAD") return response.writeHead(status).end();
        if (!bytes || !range) return false;
        const part = bytes.subarray(...range);
        return response.writeHead(206, { "content-range": `bytes ${range[0]}-${range[0] + part.byteLength - 1}/*` }).end(part);
      });
    }
  });

  test("what has arrived is not asked for again", async () => {
    const files = singleFile(large);
    const ranges: [number, number][] = [];
    await expectLoaded(files, (request, response, _, bytes) => {
      if (!isData(request)) return false;
      ranges.push(rangeOf(request)!);
      if (ranges.length > 1) return false;
      cut(request, response, bytes, 300_000, "reset");
      return true;
    });
    const [begin, end] = ranges[0]!;
    expect(ranges.some(([from, to]) => to === end && from > begin && from <= begin + 300_000)).toBe(true);
  });

  test("answers that are shorter than asked for are continued without a pause", async () => {
    const short: Disturb = (request, response, _, bytes) => {
      const [begin, end] = rangeOf(request)!;
      if (!bytes || end - begin < 1000) return false;
      const range = `bytes ${begin}-${begin + 999}/${bytes.byteLength}`;
      return response.writeHead(206, { "content-range": range }).end(bytes.subarray(begin, begin + 1000));
    };
    await expectLoaded(text, short, { retries: 0 });
  });

  test("tries are counted, bounded by retries, and start anew after a mebibyte", async () => {
    for (const retries of [0, 1, 3]) {
      let tries = 0;
      const busy: Disturb = (request, response) => {
        if (!isData(request)) return false;
        tries++;
        return response.writeHead(503).end();
      };
      const error = await failure(text, busy, { ...QUICK, retries });
      expect(error).toBeInstanceOf(CheckpointError);
      expect(error.message).toMatch(new RegExp(`HTTP status 503, tried ${retries ? `${retries + 1} times` : "once"}.*connection`));
      expect(tries).toBe(retries + 1);
    }
    await expectLoaded(
      singleFile(large),
      (request, response, _, bytes) => {
        const [begin, end] = rangeOf(request)!;
        if (!isData(request) || end - begin < 1_200_000) return false;
        cut(request, response, bytes, 1_200_000, "reset");
        return true;
      },
      { ...QUICK, retries: 1 },
    );
  });

  test("statuses that do not pass are not tried again", async () => {
    for (const status of [400, 401, 402, 405, 451]) {
      let tries = 0;
      const error = await failure(text, (_, response) => ++tries && response.writeHead(status).end());
      expect(error.message).toMatch(new RegExp(`config\\.json: cannot be read: HTTP status ${status} \\(`));
      expect(tries).toBe(1);
    }
  });
});

describe("waiting", () => {
  test("a server that stays silent ends the load after two tries", async () => {
    for (const disturb of [(request) => isData(request), (_, __, count) => count > 2] as Disturb[]) {
      const error = await failure(text, disturb);
      expect(error.message).toMatch(/no byte for 0\.3 s, tried 2 times \(/);
    }
    const stalled: Disturb = (request, response, _, bytes) => isData(request) && cut(request, response, bytes, 10, "stall");
    expect((await failure(text, stalled)).message).toMatch(/no byte for 0\.3 s, tried 2 times/);
  });

  test("a pause of more than a minute is not waited for, and named", async () => {
    for (const header of ["3600", new Date(Date.now() + 3_600_000).toUTCString()]) {
      let tries = 0;
      const error = await failure(text, (_, response) => ++tries && response.writeHead(429, { "retry-after": header }).end());
      expect(error.message).toMatch(/HTTP status 429, tried once \(the server asks to wait \d{4} s: load again then\)$/);
      expect(tries).toBe(1);
    }
  });

  test("a signal ends a pause, with its own reason, and no request follows", async () => {
    const controller = new AbortController();
    let tries = 0;
    const busy: Disturb = (_, response) => {
      tries++;
      setTimeout(() => controller.abort("enough"), 50);
      return response.writeHead(503, { "retry-after": "50" }).end();
    };
    await withServer(faulty(text, busy), async (url) => {
      await expect(loadCheckpoint(url, { signal: controller.signal })).rejects.toBe("enough");
    });
    expect(tries).toBe(1);
  });

  test("options are checked", async () => {
    for (const options of [
      { retries: -1 },
      { retries: 0.5 },
      { stallMs: 0 },
      { stallMs: 2 ** 31 },
      { stallMs: Number.NaN },
      { retryDelayMs: -1 },
    ]) {
      await expect(loadCheckpoint(text, options)).rejects.toThrow(InputError);
      await expect(inspectCheckpoint("http://127.0.0.1:9/", options)).rejects.toThrow(InputError);
    }
  });
});

describe("a file that changes between two requests is no mixture", () => {
  const versions: [string, (changed: boolean) => Record<string, string>][] = [
    ["ETag", (changed) => ({ etag: changed ? '"2"' : '"1"' })],
    ["Last-Modified", (changed) => ({ "last-modified": new Date(changed ? 1e12 : 0).toUTCString() })],
  ];
  test.each(versions)("by %s", async (_, version) => {
    const error = await failure(text, (request, response) => {
      for (const [name, value] of Object.entries(version(isData(request)))) response.setHeader(name, value);
    });
    expect(error.message).toMatch(/changed.*load/);
  });

  test("in the middle of a range", async () => {
    let tries = 0;
    const error = await failure(singleFile(large), (request, response, _, bytes) => {
      if (!isData(request)) return void response.setHeader("etag", '"1"');
      response.setHeader("etag", ++tries === 1 ? '"1"' : '"2"');
      if (tries === 1) cut(request, response, bytes, 1000, "reset");
      return tries === 1;
    });
    expect(error.message).toMatch(/changed/);
  });

  test("of a server that knows no ranges: another length", async () => {
    const files = singleFile(large);
    const changed = new Map(files).set("model.safetensors", new Uint8Array(files.get("model.safetensors")!.byteLength + 8));
    let served = 0;
    const answer: Parameters<typeof withServer>[0] = (request, response) => {
      delete request.headers.range;
      serve(request.url === "/model.safetensors" && ++served > 1 ? changed : files, request, response);
    };
    await withServer(answer, async (url) => {
      await expect(loadCheckpoint(url, QUICK)).rejects.toThrow(/changed/);
    });
  });

  test("weak and strong ETags of one value are the same version", async () => {
    await expectLoaded(text, (_, response, count) => void response.setHeader("etag", count % 2 ? '"1"' : 'W/"1"'));
  });
});

describe("bodies without end", () => {
  test("an answer to a range is left as soon as it is too long", async () => {
    const sent = { bytes: 0 };
    const error = await failure(text, (request, response, _, bytes) => {
      const [begin, end] = rangeOf(request)!;
      if (!bytes || end - begin === 1) return false;
      response.writeHead(206, { "content-range": `bytes ${begin}-${end - 1}/${bytes.byteLength}` });
      endless(response, sent);
      return true;
    });
    expect(error.message).toMatch(/config\.json: bytes 0 to \d+: .*server.*\d+ bytes/);
    expect(sent.bytes).toBeLessThan(32 << 20);
  });

  test("a file without length may be as long as its kind: text", async () => {
    const sent = { bytes: 0 };
    const error = await failure(text, (_, response) => {
      response.writeHead(200);
      endless(response, sent);
      return true;
    });
    expect(error.message).toMatch(/config\.json: .*server.*268435456 bytes/);
    expect(sent.bytes).toBeLessThan(320 << 20);
  });

  test("weights are as long as their header says", async () => {
    for (const files of [singleFile(), singleFile(large)]) {
      const sent = { bytes: 0 };
      const error = await failure(files, (request, response, _, bytes) => {
        if (request.url !== "/model.safetensors") return false;
        response.writeHead(200).write(bytes);
        endless(response, sent);
        return true;
      });
      expect(error.message).toMatch(/model\.safetensors: .*server.*more.*\d+ bytes/);
      expect(sent.bytes).toBeLessThan(64 << 20);
    }
  });

  test("a compressed answer to a range is refused by name; whole files may be compressed", async () => {
    const zipped: Disturb = (request, response, _, bytes) => {
      const [begin, end] = rangeOf(request)!;
      if (!bytes) return false;
      const range = `bytes ${begin}-${end - 1}/${bytes.byteLength}`;
      return response.writeHead(206, { "content-range": range, "content-encoding": "gzip" }).end(gzipSync(bytes.subarray(begin, end)));
    };
    expect((await failure(text, zipped)).message).toMatch(/server compresses.*Range.*Content-Encoding: gzip.*without compression/);
    for (const files of [text, sharded({ ...large, vocab_size: 3000 }, 2)]) {
      // Once each: every request is answered with a whole file.
      const answers = new Map<Uint8Array, Uint8Array>();
      const compressed = (bytes: Uint8Array) => {
        if (!answers.has(bytes)) answers.set(bytes, gzipSync(bytes, { level: 1 }));
        return answers.get(bytes)!;
      };
      await expectLoaded(
        files,
        (_, response, __, bytes) => bytes && response.writeHead(200, { "content-encoding": "gzip" }).end(compressed(bytes)),
        { retries: 0 },
      );
    }
  });
});

describe("reading ahead", () => {
  test("the next range is asked for before this one has come", async () => {
    let held: (() => void) | undefined;
    const files = singleFile(large);
    const ranges = new Set<number>();
    await expectLoaded(files, (request, response) => {
      if (!isData(request)) return false;
      ranges.add(rangeOf(request)![0]);
      held?.();
      held = undefined;
      // The first range comes when the second one is asked for.
      if (ranges.size === 1) held = () => serve(files, request, response);
      return ranges.size === 1;
    });
    expect(ranges.size).toBeGreaterThan(2);
  });

  test("progress is told as bytes arrive, never more than there is", async () => {
    const files = singleFile(large);
    const seen: Progress[] = [];
    const { byteLength } = files.get("model.safetensors")!;
    const reset: Disturb = (request, response, count, bytes) =>
      isData(request) &&
      count % 2 === 0 &&
      rangeOf(request)![1] - rangeOf(request)![0] > 400_000 &&
      cut(request, response, bytes, 300_000, "reset");
    await expectLoaded(files, reset, { ...QUICK, retries: 100, onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(byteLength / (1 << 20));
    expect(seen.every(({ loadedBytes }, i) => loadedBytes >= (seen[i - 1]?.loadedBytes ?? 0))).toBe(true);
    expect(seen.at(-1)).toEqual({ loadedBytes: byteLength, totalBytes: byteLength, fraction: 1, phase: "load" });
  });

  test("a failed read leaves no other one under way", async () => {
    let open = 0;
    const files = singleFile(large);
    const ranges = new Set<number>();
    const error = await failure(files, (request, response, _, bytes) => {
      if (!isData(request)) return false;
      ranges.add(rangeOf(request)![0]);
      open++;
      response.on("close", () => open--);
      // The first one is too long, the second one stays silent.
      if (ranges.size === 1) response.writeHead(206).end(bytes);
      return true;
    });
    expect(error.message).toMatch(/the server sent more than/);
    await expect.poll(() => open).toBe(0);
  });
});
