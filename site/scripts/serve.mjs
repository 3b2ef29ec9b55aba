// Serves the built site: `serve()` for tests, and as a program for `npm run site:preview`. Pages are cross-origin isolated, so that models
// can use threads, unless `isolated` is false (`--plain`).
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const types = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".jinja": "text/plain",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const compressed = new Set([".css", ".html", ".jinja", ".js", ".json", ".mjs", ".svg", ".wasm"]);
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Starts a server. Port 0 takes any free one. */
export async function serve({ port = 0, isolated = true, base = process.env.SITE_BASE ?? "/" } = {}) {
  const prefix = base.replace(/\/?$/, "/");
  const server = createServer((request, response) => {
    let path;
    try {
      path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    } catch {
      response.writeHead(400).end("Bad request");
      return;
    }
    let file = path.startsWith(prefix) ? join(dist, normalize(`/${path.slice(prefix.length)}`)) : undefined;
    if (file && existsSync(file) && statSync(file).isDirectory()) {
      if (!path.endsWith("/")) {
        response.writeHead(301, { Location: `${path}/` }).end();
        return;
      }
      file = join(file, "index.html");
    }
    const found = file !== undefined && existsSync(file);
    if (!found) file = join(dist, "404.html");
    const type = extname(file);
    const headers = { "Content-Type": types[type] ?? "application/octet-stream", ...(isolated && isolation) };
    const zip = compressed.has(type) && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    response.writeHead(found ? 200 : 404, zip ? { ...headers, "Content-Encoding": "gzip" } : headers);
    if (request.method === "HEAD") response.end();
    else if (zip) createReadStream(file).pipe(createGzip()).pipe(response);
    else createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}${prefix}`, close: () => server.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!existsSync(dist)) {
    console.error("site: site/dist: expected the built site, found none (npm run site)");
    process.exit(1);
  }
  const { url } = await serve({ port: Number(process.env.PORT ?? 4321), isolated: !process.argv.includes("--plain") });
  console.log(`The site is at ${url} (Ctrl-C stops)`);
}
