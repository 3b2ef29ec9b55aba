import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  browser,
  evaluateInPage,
  installPackage,
  manifest,
  NODE_IMPORT,
  type Project,
  root,
  scripts,
  serveFolders,
} from "../support/installed.js";

const golden = join(root, "tests/golden/m1-blocks");
const installation: Project = installPackage();
const { folder: project, installed } = installation;

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

beforeAll(async () => {
  expected = await (await import(pathToFileURL(installation.write("entry.js", entry)).href)).run(checkpoint());
}, 120_000);

afterAll(() => installation.remove());

test("the tarball holds what is exported and nothing of the sources", () => {
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  expect(files).toContain("LICENSE");
  expect(files.filter((file) => /^(src|tests|assembly|build)\b/.test(file))).toEqual([]);
  // One model, which is fetched or read by who asks for it.
  expect(files.filter((file) => file.endsWith(".safetensors"))).toEqual(["dist/standalone/model/model.safetensors"]);
  expect(readFileSync(installation.tarball).length).toBeLessThan(7_500_000);
  // The script with all dependencies inside has a bound of its own.
  const standalone = "dist/standalone/lightning-m1.js";
  expect(readFileSync(join(installed, standalone)).length).toBeLessThan(515_000);
  const size = files
    .filter((file) => !file.endsWith(".safetensors") && file !== standalone)
    .map((file) => join(installed, file))
    .filter((file) => extname(file))
    .reduce((sum, file) => sum + readFileSync(file).length, 0);
  // 1.2 MB of it are the SynLogic tasks in two languages, for Node and for pages; half a megabyte are the parts of other packages that are bundled; 0.4 MB are the repair tasks, also twice; tests/package/install.test.ts bounds the whole installation.
  expect(size).toBeLessThan(5_600_000);
});

test("the folder that pages are told to copy is whole: script, model, licences", () => {
  const files = readdirSync(join(installed, "dist/standalone"), { recursive: true, encoding: "utf8" });
  const model = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"].map((name) => `model/${name}`);
  expect(files).toEqual(expect.arrayContaining(["lightning-m1.js", "lightning-m1-worker.js", "LICENSES.txt", "model/index.js", ...model]));
  const licences = readFileSync(join(installed, "dist/standalone/LICENSES.txt"), "utf8");
  for (const name of ["valibot", "@huggingface/jinja", "@huggingface/tokenizers", "pure-rand", "hono"])
    expect(licences).toContain(`${name}\n\n`);
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

// tests/package/pages.test.ts bundles pages with other tools.
describe("bundled by esbuild, with its defaults", () => {
  const out = join(project, "out-esbuild");

  beforeAll(async () => {
    const { build } = await import("esbuild");
    mkdirSync(out);
    const options = { bundle: true, format: "esm", logLevel: "error" } as const;
    await build({ entryPoints: [join(project, "entry.js")], outfile: join(out, "entry.js"), ...options });
    writeFileSync(join(out, "package.json"), '{ "type": "module" }');
  }, 120_000);

  test("no Node module gets into the bundle", () => expect(scripts(out)).not.toMatch(NODE_IMPORT));

  test("runs in Node", async () => {
    expect(await (await import(pathToFileURL(join(out, "entry.js")).href)).run(checkpoint())).toEqual(expected);
  });

  test.runIf(browser)("runs in Chromium", async () => {
    const { server, url } = await serveFolders({ "/": out, "/golden/": golden });
    try {
      const result = await evaluateInPage(
        url,
        `(async () => {
          const { run } = await import("/entry.js");
          const names = ["config.json", "model.safetensors"];
          const files = await Promise.all(names.map(async (name) => [name, await (await fetch("/golden/" + name)).blob()]));
          return run(Object.fromEntries(files));
        })()`,
      );
      expect(result).toEqual(expected);
    } finally {
      server.close();
    }
  });
});

/** Minified and bundled by esbuild, the most that an import may cost, in bytes; what is loaded later, when it is needed, does not count. */
const BUDGETS: [names: string, from: string, bytes: number][] = [
  ["graph", "lightning-m1", 34_000],
  ["ReasoningSplitter", "lightning-m1", 20_000],
  ["RemoteModel", "lightning-m1/remote", 60_000],
  ["createWorkerModel", "lightning-m1/worker", 65_000],
  ["MiniMaxM1", "lightning-m1", 200_000],
];

test.each(BUDGETS)("import { %s } from %s costs less than %i bytes", async (names, from, bytes) => {
  const { build } = await import("esbuild");
  const contents = `import { ${names} } from "${from}"; console.log(${names});`;
  const options = { bundle: true, minify: true, splitting: true, write: false, format: "esm", logLevel: "error" } as const;
  const { outputFiles } = await build({ stdin: { contents, resolveDir: project }, outdir: join(project, "budget"), ...options });
  const entry = outputFiles.find(({ path }) => path.endsWith("stdin.js"))!;
  expect(entry.contents.length).toBeLessThan(bytes);
});

test("errors keep their names in minified code", async () => {
  const { build } = await import("esbuild");
  const contents = `import * as library from "lightning-m1"; export const names = Object.entries(library)
    .filter(([name]) => name.endsWith("Error")).map(([name, Class]) => [name, new Class("").name]);`;
  const outfile = join(project, "errors.js");
  await build({ stdin: { contents, resolveDir: project }, bundle: true, minify: true, format: "esm", platform: "node", outfile });
  const { names } = await import(pathToFileURL(outfile).href);
  expect(names.length).toBeGreaterThan(7);
  for (const [exported, own] of names) expect(own).toBe(exported);
});

const optionEntries = ["ops", "train", "rl", "environments", "analysis", "serve", "remote", "worker"];

/** The exported types of options, as `entry.Name`. */
function optionTypes(): string[] {
  return ["main", ...optionEntries].flatMap((entry) => {
    const declared = readFileSync(join(installed, `dist/node/${entry === "main" ? "index" : entry}.d.ts`), "utf8");
    const exported = declared.slice(declared.lastIndexOf("export {"));
    return [...new Set([...exported.matchAll(/\b[A-Z]\w*Options\b/g)].map(([name]) => `${entry}.${name}`))];
  });
}

describe("the types, with nothing skipped, in a strict project", () => {
  const code = `
    import { MiniMaxM1, graph, minimaxM1, type LanguageModel, type TokenIds } from "lightning-m1";
    import { Runtime, matmul } from "lightning-m1/ops";
    import { RemoteModel } from "lightning-m1/remote";
    ${optionEntries.map((name) => `import * as ${name} from "lightning-m1/${name}";`).join(" ")}
    import * as main from "lightning-m1";
    declare function startOwnWorker(): OwnWorker;
    const models: LanguageModel[] = [await RemoteModel.connect("http://host/v1"), await MiniMaxM1.load()];
    const model = await MiniMaxM1.load("./checkpoint");
    const hidden: Float32Array[] = model.forward([[1]], { hiddenStates: true }).hiddenStates;
    const perhaps: Float32Array[] | undefined = model.forward([[1]]).hiddenStates;
    const ids: TokenIds = Int32Array.of(1);
    const threaded: LanguageModel = await worker.createWorkerModel(undefined, { worker: () => startOwnWorker() });
    await RemoteModel.connect("http://worker/v1", { fetch: (await worker.createWorkerModel()).fetch });
    for await (const { id, text, logprob } of model.generate(ids)) console.log(id, text, logprob, hidden, perhaps);
    console.log(graph(minimaxM1).parameterCount, Runtime, matmul, models, threaded);

    export async function pass(signal?: AbortSignal, maxTokens?: number) {
      using model = await MiniMaxM1.load(undefined, { signal, threads: undefined });
      for await (const { text } of model.generate("x", { signal, maxTokens, repetition: { tokens: maxTokens } })) console.log(text);
      await using remote = await RemoteModel.connect("http://host/v1", { signal });
      return remote;
    }
    type Optional<T> = { [Key in keyof T as {} extends Pick<T, Key> ? Key : never]: undefined };
    /** Every optional property of T may be undefined. */
    type Explicit<T> = Optional<T> extends Partial<T> ? true : false;
    export const explicit: true[] = [${optionTypes()
      .map((name) => `true satisfies Explicit<${name}>`)
      .join(", ")}];
    export { ${optionEntries.join(", ")} };
  `;
  const projects = {
    "Node without DOM": { module: "nodenext", lib: ["es2023"], types: ["node"], typeRoots: [join(root, "node_modules/@types")] },
    "a page, with exact optional properties": {
      module: "esnext",
      moduleResolution: "bundler",
      lib: ["es2022", "dom"],
      types: [],
      exactOptionalPropertyTypes: true,
    },
  };

  test.each(Object.entries(projects))(
    "%s",
    (name, options) => {
      const folder = join(project, `types-${name.replaceAll(/\W+/g, "-")}`);
      mkdirSync(folder);
      const compilerOptions = { noEmit: true, strict: true, target: "es2022", skipLibCheck: false, ...options };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
      const own = name.startsWith("Node") ? 'import type { Worker as OwnWorker } from "node:worker_threads";' : "type OwnWorker = Worker;";
      writeFileSync(join(folder, "main.ts"), own + code);
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
  run("publint", ["run", installation.tarball, "--strict"]);
  run("attw", [installation.tarball, "--profile", "esm-only", "--exclude-entrypoints", "./wasm/*.wasm", "--no-color"]);
}, 120_000);
