// Measures a pretrained model's checkpoint in Chromium: a server of static files, and a page that loads the checkpoint by its URL.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TYPES = { js: "text/javascript", mjs: "text/javascript", html: "text/html", json: "application/json", wasm: "application/wasm" };
const PAGE = "<!doctype html><title>benchmark</title>";

/** Serves the repository at `/` and the checkpoint at `/checkpoint/`, with the headers of an isolated page. */
async function serve(checkpoint) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const headers = {
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "accept-ranges": "bytes",
    };
    if (path === "/") return response.writeHead(200, { ...headers, "content-type": TYPES.html }).end(PAGE);
    const file = path.startsWith("/checkpoint/") ? join(checkpoint, path.slice(12)) : join(root, path);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return response.writeHead(404, headers).end();
    headers["content-type"] = TYPES[file.split(".").at(-1)] ?? "application/octet-stream";
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const [start, end] = [Number(from ?? 0), to ? Math.min(Number(to), size - 1) : size - 1];
    headers["content-length"] = end - start + 1;
    if (from !== undefined) headers["content-range"] = `bytes ${start}-${end}/${size}`;
    response.writeHead(from === undefined ? 200 : 206, headers);
    if (request.method === "HEAD") return response.end();
    createReadStream(file, { start, end })
      .on("error", () => response.destroy())
      .pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** @returns what `measurePretrained` measures in a new page, and the name of the browser */
export async function measureInChromium({ folder, executable, ...task }) {
  const server = await serve(folder);
  const browser = await chromium.launch({ executablePath: executable, args: ["--js-flags=--max-old-space-size=8192"] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`http://localhost:${server.address().port}/`);
    const measured = await page.evaluate(async (task) => {
      const { MiniMaxM1 } = await import("/dist/standalone/lightning-m1.js");
      const { measurePretrained } = await import("/bench/ours/pretrained-run.mjs");
      return measurePretrained(MiniMaxM1, "/checkpoint/", task);
    }, task);
    return { ...measured, engine: `Chromium ${browser.version().split(".")[0]}` };
  } finally {
    await browser.close();
    server.close();
  }
}
