// Clients that violate the protocol, on a raw socket.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { alone, endless, endlessly, expectMemoryFreed, start, until } from "./harness.js";

await expectMemoryFreed();

interface Peer {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<unknown>;
}

async function open(port: number): Promise<Peer> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => {});
  const closed = once(socket, "close");
  await once(socket, "connect");
  return { socket, text: () => text, closed };
}

function request(body: object, headers = ""): string {
  const json = JSON.stringify(body);
  return `POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n${headers}\r\n${json}`;
}

/** Expects the server to answer other clients as before. */
async function isAlive(url: string): Promise<void> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "Compute 3", seed: 1, max_tokens: 8 }),
  });
  const { choices } = (await response.json()) as { choices: { text: string }[] };
  expect(choices[0]!.text).toBe((await alone("Compute 3", { temperature: 1, seed: 1, maxTokens: 8 })).text);
}

const impatient = { headersTimeout: 150, requestTimeout: 300 };

describe("invalid requests", () => {
  test.each([
    ["garbage", "\u0000\u0001\u0002 not http at all\r\n\r\n", /^HTTP\/1\.1 400/],
    ["a huge header", `GET /health HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431/],
    [
      "a huge content-length",
      "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
      /^HTTP\/1\.1 413/,
    ],
    [
      "content-length and chunked encoding",
      "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      /^HTTP\/1\.1 400/,
    ],
    ["an invalid host", "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n", /^HTTP\/1\.1 400/],
  ])("%s", async (_, bytes, answer) => {
    const { port, url } = await start({}, impatient);
    const peer = await open(port);
    peer.socket.write(bytes);
    await until(() => peer.text().includes("\r\n\r\n"));
    expect(peer.text()).toMatch(answer);
    expect(peer.text()).not.toMatch(/ at .*:\d+/);
    await isAlive(url);
  });

  test("a huge body without a content-length", async () => {
    const { port, url } = await start({ maxBodyBytes: 10_000 });
    const peer = await open(port);
    peer.socket.write("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = `1000\r\n${"a".repeat(4096)}\r\n`;
    for (let i = 0; i < 8; i++) peer.socket.write(chunk);
    await until(() => peer.text().includes("too_large"));
    expect(peer.text()).toMatch(/^HTTP\/1\.1 413/);
    await isAlive(url);
  });

  test.each([
    ["half a header", "POST /v1/completions HTTP/1.1\r\nHo"],
    ["half a body", "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"],
  ])("%s, then silence: the server closes the connection", async (_, bytes) => {
    const { port, server, url } = await start({}, impatient);
    const peer = await open(port);
    peer.socket.write(bytes);
    await peer.closed;
    await until(() => server.active === 0);
    await isAlive(url);
  });

  test("a header sent one character at a time", async () => {
    const { port, url } = await start({}, impatient);
    const peer = await open(port);
    const drip = setInterval(() => peer.socket.write("a"), 20);
    peer.socket.write("GET /health HTTP/1.1\r\nX: ");
    await peer.closed;
    clearInterval(drip);
    await isAlive(url);
  });

  test("half a body, then a disconnect", async () => {
    const { port, server, url } = await start();
    const peer = await open(port);
    peer.socket.write(request({ prompt: "x" }).slice(0, -3));
    await until(() => server.active === 1);
    peer.socket.destroy();
    await until(() => server.active === 0);
    await isAlive(url);
  });
});

test.each([
  [{}, "timeout=75"],
  [{ keepAliveTimeout: 2000 }, "timeout=2"],
])("an idle connection stays open longer than proxies keep theirs: %j", async (limits, announced) => {
  const { url } = await start({}, limits);
  expect((await fetch(`${url}/health`)).headers.get("keep-alive")).toBe(announced);
});

test("pipelined requests on one connection are answered in order", async () => {
  const { port } = await start();
  const peer = await open(port);
  const seeds = [1, 2, 3];
  peer.socket.write(seeds.map((seed) => request({ prompt: "Compute 3", seed, max_tokens: 8 })).join(""));
  const expected = await Promise.all(seeds.map((seed) => alone("Compute 3", { temperature: 1, seed, maxTokens: 8 })));
  await until(() => peer.text().split('"usage"').length === 4);
  const texts = [...peer.text().matchAll(/"text":("(?:[^"\\]|\\.)*")/g)].map(([, text]) => JSON.parse(text!));
  expect(texts).toEqual(expected.map(({ text }) => text));
});

const streaming = { ...endlessly, logprobs: 20, return_tokens_as_token_ids: true, stream: true };

test("a client that disconnects in the middle of a stream", async () => {
  const { port, server } = await start({}, {}, endless);
  const peer = await open(port);
  peer.socket.write(request(streaming));
  await until(() => peer.text().includes("data: "));
  peer.socket.destroy();
  await until(() => server.active === 0);
});

test("a client that never reads: its generation pauses, others continue, and its connection is closed after stallMs", async () => {
  const { port, server, url, client } = await start({ stallMs: 500 }, {}, endless);
  const peer = await open(port);
  peer.socket.pause();
  peer.socket.write(request({ ...streaming, n: 8 }));
  await until(() => server.active === 1);
  const tokens = async () => Number(/generated_tokens_total (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())![1]);
  // Generation stops when the socket's buffers are full.
  for (let [before, now] = [-1, 0]; now === 0 || now !== before; [before, now] = [now, await tokens()]) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(server.active).toBe(1);
  expect((await client.completions.create({ model: "lightning-m1", prompt: [1], max_tokens: 8 })).usage!.completion_tokens).toBe(8);
  expect(server.active).toBe(1);
  await until(() => server.active === 0);
  peer.socket.resume();
  await peer.closed;
  expect(peer.text()).not.toContain("[DONE]");
});
