// What the pages say about servers, against one: the built `lightning-m1 serve` with the bundled model. `npm test` builds it first.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = ["README.md", "docs/remote.md", "docs/serving.md"].flatMap((page) => {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code], i) => ({ name: `${page}, example ${i + 1}`, code: code! }));
});

/** An empty project into which the package and the clients of the examples have been installed. */
const project = mkdtempSync(join(tmpdir(), "lightning-m1-remote-"));
let server: ChildProcess;
let url: string;

beforeAll(async () => {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules/lightning-m1"), "dir");
  for (const name of ["ai", "openai"]) symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name), "dir");
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  const args = [join(root, "dist/node/cli.js"), "serve", "--port", "0", "--json"];
  server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(createInterface(server.stdout!), "line");
  ({ url } = JSON.parse(line));
});
afterAll(() => {
  server.kill("SIGKILL");
  rmSync(project, { recursive: true, force: true });
});

async function printed(file: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, ...args], { cwd: project });
  expect(stderr).toBe("");
  return stdout;
}

describe("examples run against a server", () => {
  test("there are some", () => expect(examples.length).toBeGreaterThan(5));

  test.each(examples)("$name", async ({ code }) => {
    writeFileSync(join(project, "example.js"), code.replaceAll("http://127.0.0.1:8000/v1", url));
    expect((await printed("example.js")).trim()).not.toBe("");
  });
});

test("examples/local-or-remote.mjs prints the same here and from the server, byte for byte", async () => {
  const example = join(root, "examples/local-or-remote.mjs");
  const answered = async () => {
    const metrics = await (await fetch(new URL("/metrics", url))).text();
    return Number(/first_token_seconds_count (\d+)/.exec(metrics)![1]);
  };
  const before = await answered();
  const here = await printed(example);
  const answers = here.match(/<think>\n[^<]+<\/think>\n<answer>.+<\/answer>/g);
  expect(answers).toHaveLength(3);
  // Otherwise it would not show that seeds arrive.
  expect(new Set(answers).size).toBeGreaterThan(1);
  expect(await answered()).toBe(before);
  expect(await printed(example, url)).toBe(here);
  expect(await answered()).toBe(before + 3);
});
