// The bundled model in pages and workers: bundled by several tools, with their defaults, and without any.
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { browser, evaluateInPage, installPackage, NODE_IMPORT, scripts, serveFolders } from "../support/installed.js";

const project = installPackage();
const { folder } = project;
afterAll(() => project.remove());

const ANSWER = "<think>\n3 + 4 - 2\n= 7 - 2\n= 5\n</think>\n<answer>5</answer>";
const MODEL_BYTES = statSync(join(project.installed, "dist/standalone/model/model.safetensors")).size;

// Loads the bundled model and lets it answer.
project.write(
  "answer.js",
  `import { MiniMaxM1 } from "lightning-m1";
   export async function answer(source) {
     const fractions = [];
     const model = await MiniMaxM1.load(source, { build: "simd", threads: 1, onProgress: ({ fraction }) => fractions.push(fraction) });
     let text = "";
     for await (const token of model.generate([{ role: "user", content: "Compute 3 + 4 - 2" }])) text += token.text;
     model.dispose();
     return { text, ticks: fractions.length };
   }`,
);
project.write(
  "worker.js",
  `import { answer } from "./answer.js"; self.onmessage = async ({ data }) => postMessage(await answer(data).catch(String));`,
);
// Tries environments where the optional packages are not installed.
project.write(
  "tasks.js",
  `import { generateNeedles, goldLocations, repairTasks, runTests, scoreNeedles } from "lightning-m1/environments";
   const messageOf = (promise) => promise.then(() => "no error", ({ message }) => message);
   export async function tryTasks() {
     const needles = generateNeedles({ length: 1000, seed: 1 });
     const [task] = await repairTasks({ validate: false });
     return {
       score: scoreNeedles(needles, needles.answers.join(", ")),
       files: Object.keys(task.files),
       tests: await messageOf(runTests({ files: { "a.test.js": "" }, tests: ["a.test.js"] })),
       types: await messageOf(runTests({ files: { "a.test.ts": "" }, tests: ["a.test.ts"] })),
       syntax: await messageOf(goldLocations(task)),
     };
   }`,
);
project.write(
  "main.js",
  `import { answer } from "./answer.js";
   import { createWorkerModel } from "lightning-m1/worker";
   globalThis.tryTasks = async () => (await import("./tasks.js")).tryTasks();
   globalThis.answer = (source) => answer(source);
   // Bundled too, and called by nothing.
   globalThis.clients = () => Promise.all([import("lightning-m1/remote"), import("lightning-m1/ai-sdk")]);
   globalThis.answerOfWorkerModel = async (source, options) => {
     let ticks = 0;
     const model = await createWorkerModel(source, { build: "simd", threads: 1, onProgress: () => ticks++, ...options });
     const text = await model.generate([{ role: "user", content: "Compute 3 + 4 - 2" }]).text();
     model.dispose();
     return { text, ticks };
   };
   globalThis.answerInWorker = (source) => {
     const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
     worker.postMessage(source);
     return new Promise((resolve, reject) => {
       worker.onmessage = ({ data }) => resolve(data);
       worker.onerror = ({ message }) => reject(new Error(message));
     });
   };`,
);
project.write("index.html", `<!doctype html><script type="module" src="/main.js"></script>`);

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** A script that waits until main.js has run. */
const untilLoaded = `(async () => { while (!globalThis.answer) await new Promise((resolve) => setTimeout(resolve, 10)); })()`;

/**
 * What a page, its own worker and the package's worker answer; a development server may reload the page while it finds out what there is to
 * bundle.
 */
async function answers(url: string): Promise<unknown> {
  const all = "({ page: await answer(), worker: await answerInWorker(), workerModel: await answerOfWorkerModel() })";
  return evaluateInPage(url, `${untilLoaded}.then(async () => ${all})`);
}

/** What works without the optional packages, and which packages the errors of the rest ask for. */
const tried = {
  score: 1,
  files: expect.arrayContaining(["src/rule.js"]),
  tests: expect.stringMatching(/npm i quickjs-emscripten-core @jitl\/quickjs-wasmfile-release-sync$/),
  types: expect.stringMatching(/npm i sucrase$/),
  syntax: expect.stringMatching(/npm i @babel\/parser/),
};

// Begin, bytes, end. A server on the same machine sends all bytes at once; tests/io/named-urls-source.test.ts holds progress against bytes that come slowly.
const answered = { text: ANSWER, ticks: expect.toSatisfy((ticks: number) => ticks >= 3) };

/** Removes the imports of tests in repair tasks, which are texts for a sandbox. */
const withoutTaskTexts = (text: string) => text.replaceAll(/from "node:(?:test|assert\/strict)"/g, "");

function filesOf(out: string): { name: string; bytes: number }[] {
  return readdirSync(out, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(out, name)).isFile())
    .map((name) => ({ name, bytes: statSync(join(out, name)).size }));
}

describe.runIf(browser)("in Chromium", { timeout: 300_000 }, () => {
  test("Vite's development server", async () => {
    const { createServer } = await import("vite");
    const server = await createServer({ root: folder, configFile: false, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
    try {
      await server.listen();
      expect(await answers(server.resolvedUrls!.local[0]!)).toEqual({ page: answered, worker: answered, workerModel: answered });
    } finally {
      await server.close();
    }
  });

  test.each(["iife", "es"] as const)("Vite's build, with workers as %s: no script has the model inside", async (format) => {
    const { build } = await import("vite");
    const out = join(folder, `vite-${format}`);
    await build({ root: folder, configFile: false, logLevel: "error", worker: { format }, build: { outDir: out } });
    const files = filesOf(out);
    expect(files.filter(({ bytes }) => bytes === MODEL_BYTES)).toHaveLength(1);
    expect(withoutTaskTexts(scripts(out))).not.toMatch(NODE_IMPORT);
    const worker = files.find(({ name }) => /^assets.worker-.*\.js$/.test(name))!;
    expect(worker.bytes).toBeLessThan(format === "iife" ? 455_000 : 220_000);
    expect(Math.max(...files.filter(({ name }) => name.endsWith(".js")).map(({ bytes }) => bytes))).toBeLessThan(500_000);
    const { server, url } = await serveFolders({ "/": out });
    try {
      expect(await answers(`${url}index.html`)).toEqual({ page: answered, worker: answered, workerModel: answered });
      expect(await evaluateInPage(`${url}index.html`, "tryTasks()")).toEqual(tried);
    } finally {
      server.close();
    }
  });

  test("webpack", async () => {
    const { default: webpack } = await import("webpack");
    const out = join(folder, "webpack");
    const compiler = webpack({
      mode: "production",
      context: folder,
      entry: "./main.js",
      output: { path: out, filename: "main.js" },
      performance: false,
      // Takes a minute, and Vite's and esbuild's scripts are minified.
      optimization: { minimize: false },
    });
    await new Promise<void>((resolve, reject) => {
      compiler.run((error, stats) =>
        error || stats?.hasErrors() ? reject(error ?? new Error(stats?.toString("errors-only"))) : resolve(),
      );
    });
    expect(withoutTaskTexts(scripts(out))).not.toMatch(NODE_IMPORT);
    const { server, url } = await serveFolders({ "/": out, "/page/": folder });
    try {
      expect(await answers(`${url}page/index.html`)).toEqual({ page: answered, worker: answered, workerModel: answered });
    } finally {
      server.close();
    }
  });

  test("esbuild, which copies no files: an error says what to copy, and then it works; so does the address of a folder", async () => {
    const { build } = await import("esbuild");
    const out = join(folder, "esbuild");
    const options = { bundle: true, splitting: true, format: "esm", outdir: out, logLevel: "error" } as const;
    await build({ entryPoints: [join(folder, "main.js"), join(folder, "worker.js")], ...options });
    const standalone = join(project.installed, "dist/standalone");
    const model = join(standalone, "model");
    const { server, url } = await serveFolders({ "/": out, "/page/": folder, "/m1-puzzles/": model, "/standalone/": standalone });
    try {
      const refusal = /config\.json:.*http.*HTTP.*404.*copy.*bundle.*dist\/standalone\/model/;
      await expect(evaluateInPage(url, `import("/main.js").then(() => answer())`)).rejects.toThrow(refusal);
      const elsewhere = await evaluateInPage(url, `import("/main.js").then(() => answer("/m1-puzzles/"))`);
      expect(elsewhere).toMatchObject({ text: ANSWER });
      const missing = /^.*LightningError: worker: .*script could not be loaded.*lightning-m1-worker\.js/;
      await expect(evaluateInPage(url, `import("/main.js").then(() => answerOfWorkerModel("/m1-puzzles/"))`)).rejects.toThrow(missing);
      const started = `{ worker: () => new Worker("/standalone/lightning-m1-worker.js", { type: "module" }) }`;
      const own = await evaluateInPage(url, `import("/main.js").then(() => answerOfWorkerModel("/m1-puzzles/", ${started}))`);
      expect(own).toMatchObject({ text: ANSWER });
      for (const name of ["lightning-m1-worker.js", "lightning-m1.js"]) cpSync(join(standalone, name), join(out, name));
      cpSync(model, out, { recursive: true });
      expect(await answers(`${url}page/index.html`)).toEqual({ page: answered, worker: answered, workerModel: answered });
      expect(await evaluateInPage(`${url}page/index.html`, "tryTasks()")).toEqual(tried);
    } finally {
      server.close();
    }
  });

  test("without a bundler: one script, in a page and in a module worker", async () => {
    const copied = join(folder, "static/lightning-m1");
    cpSync(join(project.installed, "dist/standalone"), copied, { recursive: true });
    for (const name of ["answer.js", "worker.js", "main.js"]) {
      const text = readFileSync(join(folder, name), "utf8")
        .replace('"lightning-m1"', '"./lightning-m1/lightning-m1.js"')
        .replace('"lightning-m1/worker"', '"./lightning-m1/lightning-m1.js"');
      project.write(`static/${name}`, text);
    }
    const { server, url } = await serveFolders({ "/some/where/": join(folder, "static"), "/": folder }, ISOLATED);
    try {
      project.write("static/index.html", `<!doctype html><script type="module" src="main.js"></script>`);
      expect(await answers(`${url}some/where/index.html`)).toEqual({ page: answered, worker: answered, workerModel: answered });
      const threads = await evaluateInPage(
        `${url}some/where/index.html`,
        `import("/some/where/lightning-m1/lightning-m1.js").then(({ MiniMaxM1 }) => MiniMaxM1.load(undefined, { threads: 2 })).then(({ threads }) => threads)`,
      );
      expect(threads).toBe(2);
    } finally {
      server.close();
    }
  });

  test("a policy that allows scripts and requests of its own origin only, and WebAssembly", async () => {
    const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
    const headers = { ...ISOLATED, "content-security-policy": policy };
    const { server, url } = await serveFolders({ "/": join(folder, "vite-es") }, headers);
    try {
      expect(await answers(`${url}index.html`)).toEqual({ page: answered, worker: answered, workerModel: answered });
      // Threads are made from Blobs, which this policy does not allow.
      const threads = `answerOfWorkerModel(undefined, { threads: 2, onWarning: (message) => (globalThis.hint = message) })`;
      const answer = await evaluateInPage(`${url}index.html`, `${untilLoaded}.then(() => ${threads}).then(({ text }) => [text, hint])`);
      expect(answer).toEqual([ANSWER, expect.stringMatching(/^threads: .*worker-src blob:.*fewer/)]);
    } finally {
      server.close();
    }
  });
});

test("a script that is no module says what helps, and loads the model by its path", async () => {
  const { build } = await import("esbuild");
  const outfile = join(folder, "script.cjs");
  await build({ entryPoints: [join(folder, "answer.js")], bundle: true, format: "cjs", platform: "node", outfile, logLevel: "error" });
  const { answer } = (await import(pathToFileURL(outfile).href)).default;
  await expect(answer()).rejects.toThrow(/import\.meta\.url.*copy.*dist\/standalone\/model/i);
  expect(await answer(join(project.installed, "dist/standalone/model"))).toMatchObject({ text: ANSWER });
});
