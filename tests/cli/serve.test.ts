// The built command as a process of its own. `npm test` builds it first.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { facts } from "../support/facts.js";
import { run } from "./harness.js";

const cli = fileURLToPath(new URL("../../dist/node/cli.js", import.meta.url));

async function launch(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, "serve", "--port", "0", "--json", "--threads", "1", ...args], {
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [line] = await once(createInterface(child.stdout), "line");
  const { url } = JSON.parse(line) as { url: string };
  const ask = (body: object, headers: Record<string, string> = {}) =>
    fetch(`${url}/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  return { child, url, ask, stderr: () => stderr, ended: once(child, "close") };
}

test("serves until SIGTERM, lets what runs end, and ends with 0", async () => {
  const { child, url, ask, ended, stderr } = await launch(["--name", "puzzles"]);
  expect(((await (await fetch(`${url}/models`)).json()) as { data: { id: string }[] }).data[0]!.id).toBe("puzzles");
  const [, port] = /:(\d+)\//.exec(url)!;
  expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200);
  const status = new Promise((resolve) =>
    request({ port, path: "/health", headers: { host: "evil.example" } }, ({ statusCode }) => resolve(statusCode)).end(),
  );
  expect(await status).toBe(403);
  const stream = await ask({ model: "puzzles", prompt: "Compute 3", seed: 1, stream: true, max_tokens: 300 });
  const reader = stream.body!.getReader();
  await reader.read();
  child.kill("SIGTERM");
  let text = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) text += new TextDecoder().decode(read.value);
  expect(text).toMatch(/data: \[DONE\]\n\n$/);
  expect(await ended).toEqual([0, null]);
  expect(stderr()).not.toMatch(/error|warning|\n {4}at /);
});

test("what does not end in time is ended, with exit code 0; a key from the environment; a warning for an open address", async () => {
  const { child, ask, ended, stderr } = await launch(["--host", "0.0.0.0", "--grace", "0.05"], { LIGHTNING_M1_API_KEY: "k" });
  expect((await ask({ prompt: "x" })).status).toBe(401);
  const stream = await ask({ prompt: "x", temperature: 5, stream: true, max_tokens: 4000 }, { authorization: "Bearer k" });
  const text = stream.text().catch(() => "");
  child.kill("SIGINT");
  await text;
  expect(await ended).toEqual([0, null]);
  expect(stderr()).not.toContain("warning");
  const { child: open, ended: openEnded, stderr: warned } = await launch(["--host", "0.0.0.0"]);
  open.kill("SIGTERM");
  expect(await openEnded).toEqual([0, null]);
  expect(warned()).toContain("warning: 0.0.0.0");
});

test("origins of --cors, once, twice or in a list; a refused one is told once", async () => {
  const page = "http://127.0.0.1:5163";
  for (const cors of [
    ["--cors", page],
    ["--cors", page, "--cors", "http://b.example"],
    ["--cors", `http://b.example, ${page}/`],
  ]) {
    const { child, url, ended, stderr } = await launch(cors);
    const health = url.replace("/v1", "/health");
    const allowed = async (origin: string) => (await fetch(health, { headers: { origin } })).headers.get("access-control-allow-origin");
    expect([await allowed(page), await allowed("http://evil.example"), await allowed("http://evil.example")]).toEqual([page, null, null]);
    child.kill("SIGTERM");
    await ended;
    expect(
      stderr().match(/warning: a page of http:\/\/evil\.example was refused \(--cors http:\/\/evil\.example allows it\)/g),
    ).toHaveLength(1);
  }
});

test("started by npx, it ends when the shell between them has gone", async () => {
  const args = ["-c", '"$@"; true', "sh", process.execPath, cli, "serve", "--port", "0", "--json", "--threads", "1"];
  const shell = spawn("sh", args, { env: { ...process.env, npm_command: "exec", npm_lifecycle_event: "npx" } });
  const [line] = await once(createInterface(shell.stdout), "line");
  const { url } = JSON.parse(line) as { url: string };
  const closed = once(shell, "close");
  shell.kill("SIGTERM");
  await closed;
  await expect(fetch(`${url}/models`)).rejects.toThrow();
});

test("a port that is taken, and options that are none", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  const { port } = other.address() as { port: number };
  const taken = await run(["serve", "--port", `${port}`]);
  expect([taken.exitCode, taken.stderr]).toEqual([1, expect.stringMatching(/error: serve: 127\.0\.0\.1:\d+: .*expected a free port/)]);
  for (const [args, message] of [
    [["--port", "70000"], '--port: …integer…[0, 65535]…"70000"'],
    [["--max-batch", "0"], '--max-batch: …integer…1…"0"'],
    [["--cors", "127.0.0.1:5163"], '--cors: …https://example.com…http://127.0.0.1:5173…"127.0.0.1:5163"'],
    [["--cors", "https://a.example", "--cors", "https://b.example/x"], "--cors: …origin"],
    [["--api-key", "a b"], "--api-key: …characters"],
    [["--timeout", "soon"], '--timeout: …number…0…"soon"'],
  ] as const) {
    const { exitCode, stderr } = await run(["serve", ...args]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(facts(message))]);
  }
});
