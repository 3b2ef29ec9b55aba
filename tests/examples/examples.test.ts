// The examples, as a user runs them: copied to an empty folder, with the packed package and the tools of their package.json. Installed
// tools stay in build/examples/.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluateInPage, root, serveFolders } from "../support/installed.js";

const build = join(root, "build/examples");
const tarball = join(build, "lightning-m1.tgz");
const names = readdirSync(join(root, "examples")).filter((name) => statSync(join(root, "examples", name)).isDirectory());
const run = promisify(execFile);

const environment = { ...process.env, NO_COLOR: "1", NEXT_TELEMETRY_DISABLED: "1" };

/** Runs a command in the folder of an example, and returns what it prints. */
async function runIn(name: string, command: string, ...args: string[]): Promise<string> {
  const bin = join(build, name, "node_modules/.bin");
  const env = { ...environment, PATH: `${bin}:${process.env.PATH}` };
  return (await run(command, args, { cwd: join(build, name), env })).stdout;
}

const running: ChildProcess[] = [];
const servers: { close(): void }[] = [];

/** Starts a server in the folder of an example. @returns its origin, when it has printed one */
function start(name: string, bin: string, ...args: string[]): Promise<string> {
  const child = spawn(join(build, name, "node_modules/.bin", bin), args, { cwd: join(build, name), env: environment });
  running.push(child);
  return new Promise((resolve, reject) => {
    let printed = "";
    const read = (chunk: Buffer) => {
      printed += chunk;
      const [, port] = /https?:\/\/[\w.]+:(\d+)/.exec(printed) ?? [];
      if (port) resolve(`http://localhost:${port}`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", (code) => reject(new Error(`${bin} ${args.join(" ")}: exit code ${code}\n${printed}`)));
  });
}

async function serve(folder: string, headers: Record<string, string> = {}): Promise<string> {
  const { server, url } = await serveFolders({ "/": folder }, headers);
  servers.push(server);
  return url;
}

/** Submits a form of a page, and returns the text of an element of it when an answer is complete. */
const ask = (form: number, selector: string, element: number) => `(async () => {
  const form = document.forms[${form}];
  const text = () => document.querySelectorAll(${JSON.stringify(selector)})[${element}]?.textContent ?? "";
  const until = async (done) => { while (!done()) await new Promise((resolve) => setTimeout(resolve, 20)); };
  // The form of Next.js works when React has taken it over.
  await until(() => !form.querySelector("button")?.disabled);
  form.requestSubmit();
  await until(() => /<\\/answer>|Error/.test(text()));
  return text();
})()`;

/** Copies an example to its folder, and installs the package and the tools there. */
async function install(name: string): Promise<void> {
  const folder = join(build, name);
  mkdirSync(folder, { recursive: true });
  for (const entry of readdirSync(folder)) if (entry !== "node_modules") rmSync(join(folder, entry), { recursive: true });
  cpSync(join(root, "examples", name), folder, { recursive: true });
  // Without it, npm installs into a folder above.
  if (!existsSync(join(folder, "package.json"))) writeFileSync(join(folder, "package.json"), "{}");
  await run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline", tarball], { cwd: folder });
}

/** What Node answers to the question of all examples. */
let expected: string;

beforeAll(async () => {
  mkdirSync(build, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", build], { cwd: root });
  cpSync(join(build, JSON.parse(stdout)[0].filename), tarball);
  await Promise.all(names.map(install));
  const script = `
    import { MiniMaxM1 } from "lightning-m1";
    const model = await MiniMaxM1.load();
    const messages = [{ role: "user", content: "Compute 6 + 6 + 3 - 2 + 3" }];
    console.log(await model.generate(messages, { temperature: 1, topP: 0.95, seed: 2 }).text());
    model.dispose();`;
  expected = (await runIn("plain", process.execPath, "--input-type=module", "-e", script)).trim();
  expect(expected).toMatch(/^<think>.*<answer>16<\/answer>$/s);
});

afterAll(() => {
  for (const child of running) child.kill();
  for (const server of servers) server.close();
});

test.each(names)("%s has fewer than 100 lines", (name) => {
  const files = readdirSync(join(root, "examples", name), { recursive: true, encoding: "utf8" });
  const code = files.filter((file) => [".html", ".js", ".jsx", ".ts", ".css"].includes(extname(file)));
  const lines = code.map((file) => readFileSync(join(root, "examples", name, file), "utf8").split("\n").length - 1);
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.reduce((a, b) => a + b)).toBeLessThan(100);
});

test.concurrent("Next.js: a client component, and a route handler", async () => {
  await runIn("next", "npm", "run", "build");
  const origin = await start("next", "next", "start", "--port", "0");
  expect(await evaluateInPage(origin, ask(0, "output", 0))).toBe(expected);
  expect(await evaluateInPage(origin, ask(1, "output", 1))).toBe(expected);
});

test.concurrent("Vite", async () => {
  await runIn("vite", "npm", "run", "build");
  expect(await evaluateInPage(await serve(join(build, "vite/dist")).then((url) => `${url}index.html`), ask(0, "output", 0))).toBe(expected);
});

test.concurrent("a page without a bundler", async () => {
  const folder = join(build, "plain");
  cpSync(join(folder, "node_modules/lightning-m1/dist/standalone"), join(folder, "lightning-m1"), { recursive: true });
  expect(await evaluateInPage(`${await serve(folder)}index.html`, ask(0, "output", 0))).toBe(expected);
});

test.concurrent("a page that imports the library from another origin, such as a CDN, with a cache of its own", async () => {
  const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const shared = { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" };
  const library = await serve(join(build, "vite/node_modules/lightning-m1/dist/standalone"), { ...isolated, ...shared });
  const page = await serve(join(build, "plain"), isolated);
  const answers = await evaluateInPage(
    page,
    `import("${library}lightning-m1.js").then(async ({ createWorkerModel, listDownloads }) => {
      const answers = [];
      for (const options of [{}, { localFilesOnly: true }]) {
        const model = await createWorkerModel("${library}model/", { threads: 2, cache: { key: "m1" }, ...options });
        const messages = [{ role: "user", content: "Compute 6 + 6 + 3 - 2 + 3" }];
        const text = await model.generate(messages, { temperature: 1, topP: 0.95, seed: 2 }).text();
        answers.push({ text, threads: (await model.statistics()).threads, downloads: (await listDownloads()).map(({ complete }) => complete) });
        model.dispose();
      }
      return answers;
    })`,
  );
  const answer = { text: expected, threads: 2, downloads: [true] };
  expect(answers).toEqual([answer, answer]);
});

test.concurrent("a chat over lightning-m1 serve", async () => {
  await runIn("chat", "npm", "run", "build");
  const page = await serve(join(build, "chat/dist"));
  const server = await start("chat", "lightning-m1", "serve", "--port", "0", "--cors", new URL(page).origin);
  const [, reasoning, content] = /^<think>(.*)<\/think>(.*)$/s.exec(expected)!;
  expect(await evaluateInPage(`${page}index.html?server=${server}/v1`, ask(0, "li", 1))).toBe(`Thinking${reasoning}${content}`);
});

describe.concurrent.each([
  { name: "deno", ask: ["run", "--allow-read"], serve: ["run", "--allow-read", "--allow-net"] },
  { name: "bun", ask: [], serve: [] },
])("$name", ({ name, ask, serve }) => {
  test("a script", async () => {
    expect((await runIn(name, name, ...ask, "ask.ts")).trim()).toBe(expected);
  });

  test("a server", async () => {
    const origin = await start(name, name, ...serve, "serve.ts", "0");
    const response = await fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        ...{ model: "lightning-m1", messages: [{ role: "user", content: "Compute 6 + 6 + 3 - 2 + 3" }] },
        ...{ temperature: 1, top_p: 0.95, seed: 2 },
      }),
    });
    const { message } = ((await response.json()) as { choices: { message: Record<string, string> }[] }).choices[0]!;
    expect(`<think>${message.reasoning_content}</think>${message.content}`).toBe(expected);
  });
});
