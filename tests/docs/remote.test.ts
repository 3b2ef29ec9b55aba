import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { OpenAiServer, serving } from "../support/openai-server.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/remote.md"), "utf8");
const examples = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!);

/** An empty project into which the package and the AI SDK have been installed, and a server with the model in the box. */
const project = mkdtempSync(join(tmpdir(), "lightning-m1-remote-"));
let model: MiniMaxM1;
let server: OpenAiServer;
beforeAll(async () => {
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules/lightning-m1"), "dir");
  symlinkSync(join(root, "node_modules/ai"), join(project, "node_modules/ai"), "dir");
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  model = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
  server = await OpenAiServer.start(serving(model));
});
afterAll(async () => {
  await server.stop();
  model.dispose();
  rmSync(project, { recursive: true, force: true });
});

test.each(examples.map((code, i) => [i + 1, code] as const))("docs/remote.md, example %i runs against a server", async (_, code) => {
  writeFileSync(join(project, "example.js"), code.replaceAll("http://127.0.0.1:8000/v1", server.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["example.js"], { cwd: project });
  expect(stdout.trim()).not.toBe("");
});

test("there are some", () => expect(examples.length).toBeGreaterThan(3));
