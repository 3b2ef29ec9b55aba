// Clients that disconnect: before their request is registered, while it waits, or while it is answered.

import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";
import { Server } from "../../src/serve/index.js";
import { endless, endlessly, expectMemoryFreed, start, until } from "./harness.js";

await expectMemoryFreed();

const post = (body: object, signal?: AbortSignal) =>
  new Request("http://x/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
const gauge = async (server: Server, name: string) =>
  Number(new RegExp(`^lightning_m1_${name} (\\S+)$`, "m").exec(await (await server.fetch(new Request("http://x/metrics"))).text())?.[1]);

describe("a request whose client disconnects before it is registered", () => {
  test("is not counted, and draining ends", async () => {
    const server = new Server(endless);
    for (let i = 0; i < 50; i++) await server.fetch(post({ ...endlessly, stream: i % 2 === 0 }, AbortSignal.abort()));
    expect(server.active).toBe(0);
    expect(await gauge(server, "active_requests")).toBe(0);
    expect(await gauge(server, "cancelled_requests_total")).toBe(50);
    await server.drain(1);
  });

  test("at any point of its way through the server", async () => {
    const server = new Server(endless, { maxBatch: 2, maxQueue: 4 });
    for (let turns = 0; turns < 24; turns++) {
      const controller = new AbortController();
      const answer = server.fetch(post({ ...endlessly, stream: turns % 2 === 0 }, controller.signal));
      for (let i = 0; i < turns; i++) await (turns < 12 ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve)));
      controller.abort();
      const { body } = await answer;
      await body?.cancel().catch(() => {});
    }
    await until(() => server.active === 0);
    for (const name of ["active_requests", "running_sequences", "waiting_requests", "cache_bytes"])
      expect(await gauge(server, name)).toBe(0);
    await server.drain(1);
  });

  test("sockets that are destroyed as soon as they have written", async () => {
    const { server, port } = await start({}, {}, endless);
    const { connect } = await import("node:net");
    const body = JSON.stringify(endlessly);
    const head = `POST /v1/completions HTTP/1.1\r\nHost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    for (let i = 0; i < 60; i++) {
      await new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () =>
          socket.write(head + body, () => (i % 2 ? socket.resetAndDestroy() : setImmediate(() => socket.destroy()))),
        );
        socket.on("error", () => {});
        socket.on("close", resolve);
      });
    }
    await until(() => server.active === 0);
    await server.drain(1);
  });
});

test("drain may be called twice", async () => {
  const { client, server } = await start({}, {}, endless);
  const refused = expect(client.completions.create({ ...endlessly, prompt: [1] })).rejects.toMatchObject({ code: "stopping" });
  await until(() => server.active === 1);
  await Promise.all([server.drain(20), server.drain(20)]);
  await refused;
});

describe("a stream that is cancelled", () => {
  test("by the request's signal: fails with the signal's reason, as fetch does", async () => {
    const server = new Server(endless);
    for (const reason of [undefined, new Error("enough")]) {
      const controller = new AbortController();
      const response = await server.fetch(post({ ...endlessly, stream: true, logprobs: 0 }, controller.signal));
      const reader = response.body!.getReader();
      await reader.read();
      controller.abort(reason);
      let text = "";
      const rest = async () => {
        for (let read = await reader.read(); !read.done; read = await reader.read()) text += new TextDecoder().decode(read.value);
      };
      await expect(rest()).rejects.toBe(controller.signal.reason);
      expect(text).not.toMatch(/error|DONE/);
    }
    await until(() => server.active === 0);
  });

  test("by its reader: ends without an error", async () => {
    const server = new Server(endless);
    const response = await server.fetch(post({ ...endlessly, stream: true, logprobs: 0 }));
    const reader = response.body!.getReader();
    await reader.read();
    const pending = reader.read();
    await reader.cancel();
    await pending;
    await until(() => server.active === 0);
  });

  test("by OpenAI's client, with the server as its fetch: ends the loop", async () => {
    const server = new Server(endless);
    const fetch = async (url: string | URL | Request, init?: RequestInit) => server.fetch(new Request(url, init));
    const client = new OpenAI({ baseURL: "http://x/v1", apiKey: "none", maxRetries: 0, fetch });
    const stream = await client.completions.create({ ...endlessly, prompt: [1], logprobs: 0, stream: true });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort();
    expect(chunks).toBeGreaterThanOrEqual(3);
    await until(() => server.active === 0);
  });
});

test("a stream that the server ends while nobody reads it ends with an error event", async () => {
  const server = new Server(endless, { timeoutMs: 300 });
  const response = await server.fetch(post({ ...endlessly, stream: true, logprobs: 0 }));
  await until(() => server.active === 0);
  const text = await response.text();
  expect(text).toContain('"code":"timeout"');
  expect(text).not.toContain("[DONE]");
});

test("a time limit that exceeds a timer's range is no limit", async () => {
  const warned: unknown[] = [];
  const note = ({ name }: Error) => warned.push(name);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  for (const timeoutMs of [2 ** 31, 1e15, Infinity]) {
    const server = new Server(endless, { timeoutMs, stallMs: timeoutMs });
    const response = await server.fetch(post({ prompt: [1, 2], max_tokens: 30, repetition: false }));
    expect(response.status).toBe(200);
    const stream = await server.fetch(post({ ...endlessly, max_tokens: 400, logprobs: 0, stream: true }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const drained = server.drain(timeoutMs);
    expect(await stream.text()).toContain("[DONE]");
    await drained;
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned).not.toContain("TimeoutOverflowWarning");
  for (const timeoutMs of [0, -1, Number.NaN, "1"]) {
    expect(() => new Server(endless, { timeoutMs } as never)).toThrow(/timeoutMs: .*milliseconds, at least 1/);
  }
  for (const graceMs of [-1, Number.NaN, undefined]) {
    await expect(new Server(endless).drain(graceMs as never)).rejects.toThrow(/drain: graceMs: /);
  }
});
