import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright";
import { afterAll } from "vitest";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

export const browser = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);

/** A project in which the package is installed. */
export interface Project {
  readonly folder: string;
  /** Directory of the package. */
  readonly installed: string;
  readonly tarball: string;
  write(file: string, text: string): string;
  remove(): void;
}

/** Creates the result of "npm install" of the tarball without a registry: the packed files, and the dependencies of this checkout. */
export function installPackage(): Project {
  const folder = mkdtempSync(join(tmpdir(), "lightning-m1-"));
  const installed = join(folder, "node_modules/lightning-m1");
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }),
  );
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"]);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "dir");
  }
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  };
  write("package.json", JSON.stringify({ name: "empty", private: true, type: "module" }));
  return { folder, installed, tarball: join(folder, filename), write, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** An import of one of Node's modules. */
export const NODE_IMPORT = /from\s*["']node:|require\(["'](?:node:)?fs["']\)|import\(["']node:/;

/** The text of all scripts in a folder. */
export function scripts(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
  return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
}

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".json": "application/json" };

/** Serves static files, from the folder that is mapped to the longest prefix of the path. */
export async function serveFolders(
  folders: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (path === "/") return void response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>");
    const prefix = Object.keys(folders)
      .filter((prefix) => path.startsWith(prefix))
      .sort((a, b) => b.length - a.length)[0];
    const file = prefix === undefined ? undefined : join(folders[prefix]!, path.slice(prefix.length));
    if (!file || !existsSync(file) || !statSync(file).isFile()) return void response.writeHead(404).end();
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream").end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

let started: Promise<Browser> | undefined;

/**
 * Evaluates a script in a page of Chromium, and returns its value. The page has its own cache and workers. The script is text, so that the
 * test runner does not rewrite it. All pages of a test file share one Chromium, which ends with the file.
 */
export async function evaluateInPage(url: string, script: string): Promise<unknown> {
  started ??= chromium.launch({ executablePath: browser!, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
  const context = await (await started).newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    return await page.evaluate(script);
  } finally {
    await context.close();
  }
}

afterAll(async () => {
  await (await started)?.close();
  // The next test file of this process starts its own.
  started = undefined;
});
