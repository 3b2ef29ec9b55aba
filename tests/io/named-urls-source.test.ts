import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Writable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { constants, createGzip, gzipSync } from "node:zlib";
import { files as bundled } from "lightning-m1/model";
import { expect, onTestFinished, test } from "vitest";
import { CheckpointError, inspectCheckpoint, MiniMaxM1 } from "../../src/index.js";

const folder = fileURLToPath(new URL("../golden/m1-tiny/", import.meta.url));
const bytesOf = (name: string) => readFileSync(folder + name);
const names = ["config.json", "model.safetensors"];
const weights = bytesOf("model.safetensors");

/** A server of the golden model under other names, as a bundler gives them; `answer` takes over the weights. */
async function serve(answer?: (response: ServerResponse) => void): Promise<{ files: Map<string, URL>; requests: string[] }> {
  const requests: string[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(request.url!);
    const name = /([^/]+)-hash(\.\w+)/.exec(request.url!)!.slice(1).join("");
    if (answer && name === "model.safetensors") return answer(response);
    const bytes = bytesOf(name);
    response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/assets/`;
  return { files: new Map(names.map((name) => [name, new URL(`${name.replace(".", "-hash.")}?v=1`, base)])), requests };
}

async function logitsOf(model: MiniMaxM1): Promise<number[]> {
  const { logits } = model.forward([[1, 2, 3]], { logits: "last" });
  model.dispose();
  return [...logits];
}
const expected = await MiniMaxM1.load(folder, { build: "simd", threads: 1 }).then(logitsOf);
const load = (files: Parameters<typeof MiniMaxM1.load>[0], options: object = {}) =>
  MiniMaxM1.load(files, { build: "simd", threads: 1, ...options });

test("every file is requested once, as a whole, under whatever name it has there", async () => {
  const { files, requests } = await serve();
  expect(await load(files).then(logitsOf)).toEqual(expected);
  expect(requests.sort()).toEqual(["/assets/config-hash.json?v=1", "/assets/model-hash.safetensors?v=1"]);
});

const half = weights.length >> 1;

test.each<[string, (response: ServerResponse) => Writable]>([
  ["with their length", (response) => response.writeHead(200, { "content-length": weights.length })],
  ["without", (response) => response.writeHead(200)],
  [
    "compressed",
    (response) => {
      const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
      gzip.pipe(response.writeHead(200, { "content-encoding": "gzip" }));
      return gzip;
    },
  ],
])("progress is told while the weights arrive, %s", async (_, open) => {
  let go = () => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  // The second half is not sent before progress has come half way.
  const { files } = await serve(async (response) => {
    const body = open(response);
    body.write(weights.subarray(0, half));
    await gone;
    body.end(weights.subarray(half));
  });
  const fractions: number[] = [];
  const onProgress = ({ fraction }: { fraction: number }) => {
    fractions.push(fraction);
    if (fraction > 0.3) go();
  };
  expect(await load(files, { onProgress }).then(logitsOf)).toEqual(expected);
  expect(fractions.at(-1)).toBe(1);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
});

test("compressed files, files without a length, data: and file: URLs, blob: URLs, and bytes beside them", async () => {
  const compressed = await serve((response) => {
    const body = gzipSync(weights);
    response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length }).end(body);
  });
  const endless = await serve((response) => {
    response.write(weights.subarray(0, 1000));
    response.end(weights.subarray(1000));
  });
  const blob = new URL(URL.createObjectURL(new Blob([weights])));
  const data = (type: string, name: string) => new URL(`data:${type};base64,${bytesOf(name).toString("base64")}`);
  const sources = [
    compressed.files,
    endless.files,
    { "config.json": data("application/json", "config.json"), "model.safetensors": data("application/octet-stream", "model.safetensors") },
    {
      "config.json": new URL(`data:,${encodeURIComponent(bytesOf("config.json").toString())}`),
      "model.safetensors": pathToFileURL(`${folder}model.safetensors`),
    },
    { "config.json": bytesOf("config.json"), "model.safetensors": blob },
    { "config.json": new Blob([bytesOf("config.json")]), "model.safetensors": pathToFileURL(`${folder}model.safetensors`) },
  ];
  for (const source of sources) expect(await load(source).then(logitsOf)).toEqual(expected);
});

test.each<[string, (response: ServerResponse) => void, RegExp]>([
  ["a status", (response) => response.writeHead(404).end(), /HTTP status 404 \(check the address.*dist\/standalone\/model\)/],
  ["a page in its place", (response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>"), /sent a web page/],
  ["a connection that breaks off", (response) => response.writeHead(200, { "content-length": 10_000 }).destroy(), /cannot be read/],
  [
    "an answer that is too short",
    (response) => response.writeHead(200).end(weights.subarray(0, half)),
    new RegExp(`ended after ${half} of ${weights.length} bytes`),
  ],
  [
    "a server that falls silent",
    (response) => {
      response.writeHead(200, { "content-length": weights.length }).write(weights.subarray(0, 5000));
    },
    /no byte for 0.05 s, tried 2 times/,
  ],
])("%s is an error that names file and address", async (_, answer, reason) => {
  const { files } = await serve(answer);
  const error = await load(files, { retries: 2, retryDelayMs: 1, stallMs: 50 }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(CheckpointError);
  expect((error as Error).message).toMatch(reason);
  expect((error as Error).message).toMatch(
    /^model\.safetensors: cannot be read from http:\/\/127\.0\.0\.1:\d+\/assets\/model-hash\.safetensors: /,
  );
});

test("a file whose answers break off is asked for again, and what is here already is skipped", async () => {
  let answers = 0;
  const { files, requests } = await serve((response) => {
    const end = (weights.length * ++answers) / 3;
    response.writeHead(200, { "content-length": weights.length }).write(weights.subarray(0, end), () => {
      if (answers < 3) setTimeout(() => response.destroy(), 20);
      else response.end();
    });
  });
  const fractions: number[] = [];
  const options = { retryDelayMs: 1, onProgress: ({ fraction }: { fraction: number }) => fractions.push(fraction) };
  expect(await load(files, options).then(logitsOf)).toEqual(expected);
  expect(requests.filter((path) => path.includes("model"))).toHaveLength(3);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
});

test("a signal ends it with its own reason, while nothing arrives", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const { files } = await serve(() => controller.abort(reason));
  await expect(load(files, { signal: controller.signal })).rejects.toBe(reason);
});

test("localFilesOnly forbids addresses of other machines, and only these", async () => {
  const { files, requests } = await serve();
  await expect(load(files, { localFilesOnly: true })).rejects.toThrow(/localFilesOnly/);
  expect(requests).toEqual([]);
  const local = new Map(names.map((name) => [name, pathToFileURL(folder + name)]));
  expect(await load(local, { localFilesOnly: true }).then(logitsOf)).toEqual(expected);
});

test("streamed weights come from files at addresses too", async () => {
  const { files } = await serve();
  expect(await load(files, { residency: "streamed" }).then(logitsOf)).toEqual(expected);
});

test("an answer without end is broken off after the bytes that the header promises", async () => {
  let closed = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const { files } = await serve((response) => {
    const more = () => {
      while (response.write(weights));
    };
    response.on("drain", more).on("close", closed);
    more();
  });
  expect(await load(files).then(logitsOf)).toEqual(expected);
  await gone;
});

test.each<[string, string, Buffer[], RegExp]>([
  ["weights without a header", "model.safetensors", [Buffer.alloc(1 << 16, 255)], /^model\.safetensors: header:.*safetensors/],
  [
    "weights whose header is no JSON",
    "model.safetensors",
    [Buffer.from([100, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(1 << 16, 32)],
    /^model\.safetensors: header: line 1/,
  ],
  ["a configuration", "config.json", [Buffer.alloc(1 << 24, 32)], /^config\.json: .*server.*268435456 bytes/],
])("%s without end is refused, and the connection closed", async (_, name, parts, reason) => {
  let closed = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const { files } = await serve((response) => {
    for (const part of parts) response.write(part);
    const more = () => {
      while (!response.destroyed && response.write(parts.at(-1)!));
    };
    response.on("drain", more).on("close", closed);
    more();
  });
  const endless = new Map(names.map((file) => [file, file === name ? files.get("model.safetensors")! : bytesOf(file)]));
  await expect(load(endless)).rejects.toThrow(reason);
  await gone;
});

test("a file that changes between two tries is refused instead of being put together from both", async () => {
  let answers = 0;
  const { files } = await serve((response) => {
    response.writeHead(200, { "content-length": weights.length, etag: `"${++answers}"` });
    if (answers === 1) response.write(weights.subarray(0, half), () => setTimeout(() => response.destroy(), 20));
    else response.end(weights.map((byte, i) => (i < half ? byte : 0)));
  });
  await expect(load(files, { retryDelayMs: 1 })).rejects.toThrow(/^model\.safetensors:.*changed.*model/);
});

test("a file that is no safetensors file is told apart as it is from disk", async () => {
  const { files } = await serve((response) => response.end("version https://git-lfs.github.com/spec/v1"));
  await expect(load(files)).rejects.toThrow(/^model\.safetensors: .*git-lfs pointer/);
});

test("files of other kinds are refused", async () => {
  const source = { "config.json": new URL("data:,{}"), "model.safetensors": 5 } as never;
  await expect(load(source)).rejects.toThrow(/^source: model\.safetensors: expected .* URL.* got number$/);
});

test("lightning-m1/model names the files of the bundled model, which load and can be inspected", async () => {
  expect([...bundled.keys()]).toEqual(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
  using model = await load(bundled);
  expect(model.tokenizer).toBeDefined();
  expect((await inspectCheckpoint(bundled)).graph.parameterCount).toBe(model.parameters);
});
