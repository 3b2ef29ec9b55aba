import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright";
import { expect, test } from "vitest";
import { OpenAiServer, sse, stream } from "../support/openai-server.js";

const browser = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);

/** Runs in a page: a complete generation, one that is cut off, and one that is cancelled. */
const script = `(async () => {
  const { RemoteModel } = await import("/remote.js");
  const model = await RemoteModel.connect(location.origin + "/v1", { retryDelayMs: 1, retries: 1 });
  const read = async (input, signal) => {
    let text = "";
    for await (const token of model.generate(input, { signal })) {
      text += token.text;
      if (text === "stop me") break;
    }
    return text;
  };
  const whole = await read("whole");
  const cut = await read("cut").catch((error) => error.name + " " + error.retryable);
  const broken = await read("broken");
  const cancelled = await read("silent", AbortSignal.timeout(100)).catch((error) => error.name);
  return { whole, cut, broken, cancelled };
})()`;

test.runIf(browser)("a page reads the same streams", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../src/remote/index.ts", import.meta.url))],
    ...{ bundle: true, format: "esm", platform: "browser", write: false },
  });
  const bundle = outputFiles[0]!.text;
  expect(bundle).not.toMatch(/from\s*["']node:|WebAssembly/);
  const bytes = new TextEncoder().encode(stream([{ text: "é漢🙂" }, { text: "", finish_reason: "stop" }]).pieces.join(""));
  let attempts = 0;
  const server = await OpenAiServer.start(({ path, body }) => {
    if (path === "/") return { headers: { "content-type": "text/html" }, pieces: ["<!doctype html><title>remote</title>"] };
    if (path === "/remote.js") return { headers: { "content-type": "text/javascript" }, pieces: [bundle] };
    if (path !== "/v1/completions") return path === "/v1/models" ? undefined : { status: 404 };
    if (body.prompt === "whole") return { pieces: Array.from(bytes, (byte) => Uint8Array.of(byte)) };
    if (body.prompt === "cut") return { pieces: sse({ choices: [{ text: "a" }] }), ending: "cut" };
    if (body.prompt === "broken")
      return attempts++ === 0 ? { pieces: [":\n\n"], ending: "cut" } : { pieces: sse({ choices: [{ text: "stop me" }] }), ending: "stall" };
    return { ending: "stall" };
  });
  const instance = await chromium.launch({
    executablePath: browser!,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  try {
    const page = await instance.newPage();
    await page.goto(server.url.replace("/v1", "/"));
    const { left } = server;
    expect(await page.evaluate(script)).toEqual({ whole: "é漢🙂", cut: "RemoteError true", broken: "stop me", cancelled: "TimeoutError" });
    await expect.poll(() => server.left - left).toBeGreaterThanOrEqual(2);
  } finally {
    await instance.close();
    await server.stop();
  }
});
