import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const golden = join(root, "tests/golden/m1-blocks");
const browser = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);

const project = mkdtempSync(join(tmpdir(), "lightning-m1-"));
const installed = join(project, "node_modules/lightning-m1");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Runs one forward pass in whatever bundler or engine it finds itself; the same numbers are expected from all. */
const entry = `
  import { graph, MiniMaxM1, minimaxM1 } from "lightning-m1";
  export { lightningM1 } from "lightning-m1/ai-sdk";
  export { RemoteModel } from "lightning-m1/remote";
  export async function run(files) {
    const model = await MiniMaxM1.load(new Map(Object.entries(files)), { build: "simd" });
    const { logits } = model.forward([[1, 2, 3]], { logits: "last" });
    const ids = [];
    for await (const { id } of model.generate([1, 2, 3], { maxTokens: 4 })) ids.push(id);
    model.dispose();
    return { parameters: graph(minimaxM1).parameterCount, logits: [...logits.slice(0, 8)], ids };
  }
`;

type Result = { parameters: number; logits: number[]; ids: number[] };

function checkpoint(): Record<string, Uint8Array> {
  return Object.fromEntries(["config.json", "model.safetensors"].map((name) => [name, new Uint8Array(readFileSync(join(golden, name)))]));
}

let expected: Result;

// What "npm install" of the tarball leaves behind, without a registry: the packed files, and the dependencies of this checkout.
beforeAll(async () => {
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }),
  );
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(project, filename), "-C", installed, "--strip-components=1"]);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(project, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name), "dir");
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  writeFileSync(join(project, "entry.js"), entry);
  expected = await (await import(pathToFileURL(join(project, "entry.js")).href)).run(checkpoint());
}, 120_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

test("the tarball holds what is exported and nothing of the sources", () => {
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  expect(files).toContain("LICENSE");
  expect(files.filter((file) => /^(src|tests|assembly|build)\b/.test(file))).toEqual([]);
  // Besides two models, which only who asks for them reads: the one in the box, and the one that reinforcement learning begins with.
  expect(files).toContain("dist/model.js");
  expect(readFileSync(join(installed, "dist/model.js")).length).toBeLessThan(11_000_000);
  const size = files
    .filter((file) => file !== "dist/model.js" && !file.endsWith(".safetensors"))
    .map((file) => join(installed, file))
    .filter((file) => extname(file))
    .reduce((sum, file) => sum + readFileSync(file).length, 0);
  expect(size).toBeLessThan(2_700_000);
});

test("what the example of reinforcement learning begins with is in the tarball", () => {
  const example = join(installed, "examples/cispo-tiny.json");
  const { model } = JSON.parse(readFileSync(example, "utf8"));
  expect(readdirSync(join(dirname(example), model))).toEqual(
    expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]),
  );
});

test("links of the pages in the tarball lead into the tarball", () => {
  const pages = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".md"));
  expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/ops.md", "bench/RESULTS.md"]));
  const links = pages.flatMap((page) =>
    [...readFileSync(join(installed, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, target]) =>
      join(dirname(page), target!),
    ),
  );
  expect(links.filter((target) => !existsSync(join(installed, target)))).toEqual([]);
});

test("every subpath can be imported in Node, and importing does no work", () => {
  const subpaths = Object.keys(manifest.exports).filter((path) => !/wasm|package\.json/.test(path));
  const script = subpaths.map((path) => `await import(${JSON.stringify(path.replace(/^\./, "lightning-m1"))});`).join("\n");
  writeFileSync(
    join(project, "subpaths.js"),
    `${script}\nconsole.log(Object.keys(globalThis).length, process._getActiveHandles().filter((h) => !h.fd).length);`,
  );
  const printed = execFileSync(process.execPath, [join(project, "subpaths.js")], { encoding: "utf8" });
  expect(printed.trim()).toMatch(/^\d+ 0$/);
});

test("the raw modules are exported files", () => {
  for (const name of ["simd", "relaxed", "debug"]) {
    const file = fileURLToPath(import.meta.resolve(`lightning-m1/wasm/${name}.wasm`, pathToFileURL(join(project, "entry.js")).href));
    expect(
      WebAssembly.validate(readFileSync(existsSync(file) ? file : join(installed, `dist/wasm/${name}.wasm`))) || name === "relaxed",
    ).toBe(true);
  }
});

test("Node runs a forward pass", () => {
  expect(expected.parameters).toBe(456_089_655_296);
  expect(expected.logits).toHaveLength(8);
  expect(expected.logits.every(Number.isFinite)).toBe(true);
  expect(expected.ids).toHaveLength(4);
});

/** Each bundler with its defaults: no plugin, no loader, no configuration for this package. */
const bundlers: Record<string, (out: string) => Promise<void>> = {
  async esbuild(out) {
    const { build } = await import("esbuild");
    await build({
      entryPoints: [join(project, "entry.js")],
      bundle: true,
      format: "esm",
      outfile: join(out, "entry.js"),
      logLevel: "error",
    });
  },
  async vite(out) {
    const { build } = await import("vite");
    await build({
      root: project,
      configFile: false,
      logLevel: "error",
      build: { outDir: out, emptyOutDir: false, lib: { entry: join(project, "entry.js"), formats: ["es"], fileName: () => "entry.js" } },
    });
  },
  async webpack(out) {
    const { default: webpack } = await import("webpack");
    const compiler = webpack({
      mode: "production",
      context: project,
      entry: join(project, "entry.js"),
      experiments: { outputModule: true },
      output: { path: out, filename: "entry.js", library: { type: "module" } },
      performance: false,
    });
    await new Promise<void>((resolve, reject) => {
      compiler.run((error, stats) => {
        if (error || stats?.hasErrors()) reject(error ?? new Error(stats?.toString("errors-only")));
        else resolve();
      });
    });
  },
};

describe.each(Object.entries(bundlers))("bundled by %s", (name, bundle) => {
  const out = join(project, `out-${name}`);

  beforeAll(async () => {
    mkdirSync(out);
    await bundle(out);
    writeFileSync(join(out, "package.json"), '{ "type": "module" }');
  }, 120_000);

  test("no Node module gets into the bundle", () => {
    const code = readdirSync(out, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".js"))
      .map((file) => readFileSync(join(out, file), "utf8"));
    expect(code.join("\n")).not.toMatch(/from\s*["']node:|require\(["'](?:node:)?fs["']\)|import\(["']node:/);
  });

  test("runs in Node", async () => {
    expect(await (await import(pathToFileURL(join(out, "entry.js")).href)).run(checkpoint())).toEqual(expected);
  });

  test.runIf(browser)("runs in Chromium", async () => {
    const page = await serve(out);
    const instance = await chromium.launch({
      executablePath: browser!,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    });
    try {
      const tab = await instance.newPage();
      await tab.goto(page.url);
      // As text: the page gets it as it stands, not as the test runner would rewrite it.
      const result = await tab.evaluate(`(async () => {
        const { run } = await import("/entry.js");
        const names = ["config.json", "model.safetensors"];
        const files = await Promise.all(names.map(async (name) => [name, await (await fetch("/golden/" + name)).blob()]));
        return run(Object.fromEntries(files));
      })()`);
      expect(result).toEqual(expected);
    } finally {
      await instance.close();
      page.server.close();
    }
  });
});

async function serve(folder: string): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (path === "/") return void response.setHeader("content-type", "text/html").end("<!doctype html><title>bundle</title>");
    const file = path.startsWith("/golden/") ? join(golden, path.slice(8)) : join(folder, path);
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.setHeader("content-type", file.endsWith(".js") ? "text/javascript" : "application/octet-stream").end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

describe("the types, with nothing skipped, in a strict project", () => {
  const code = `
    import { MiniMaxM1, graph, minimaxM1, type LanguageModel, type TokenIds } from "lightning-m1";
    import { Runtime, matmul } from "lightning-m1/ops";
    import { RemoteModel } from "lightning-m1/remote";
    const models: LanguageModel[] = [await RemoteModel.connect("http://host/v1"), await MiniMaxM1.load()];
    const model = await MiniMaxM1.load("./checkpoint");
    const hidden: Float32Array[] = model.forward([[1]], { hiddenStates: true }).hiddenStates;
    const perhaps: Float32Array[] | undefined = model.forward([[1]]).hiddenStates;
    const ids: TokenIds = Int32Array.of(1);
    for await (const { id, text, logprob } of model.generate(ids)) console.log(id, text, logprob, hidden, perhaps);
    console.log(graph(minimaxM1).parameterCount, Runtime, matmul, models);
  `;
  const projects = {
    "Node without DOM": { module: "nodenext", lib: ["es2023"], types: ["node"], typeRoots: [join(root, "node_modules/@types")] },
    "a page": { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"], types: [] },
  };

  test.each(Object.entries(projects))(
    "%s",
    (name, options) => {
      const folder = join(project, `types-${name.replaceAll(" ", "-")}`);
      mkdirSync(folder);
      const compilerOptions = { noEmit: true, strict: true, target: "es2022", skipLibCheck: false, ...options };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
      writeFileSync(join(folder, "main.ts"), code);
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
      expect(stdout).toBe("");
    },
    60_000,
  );
});

test("publint and arethetypeswrong find nothing", () => {
  const run = (command: string, args: string[]) =>
    execFileSync(join(root, "node_modules/.bin", command), args, { cwd: root, encoding: "utf8", stdio: "pipe" });
  const tarball = readdirSync(project).find((file) => file.endsWith(".tgz"))!;
  run("publint", ["run", join(project, tarball), "--strict"]);
  run("attw", [join(project, tarball), "--profile", "esm-only", "--exclude-entrypoints", "./wasm/*.wasm", "--no-color"]);
}, 120_000);
