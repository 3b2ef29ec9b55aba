// The server of environments over WebSockets, on real sockets.

import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { defineWebSocketHelper, WSContext } from "hono/ws";
import { describe, expect, onTestFinished, test } from "vitest";
import { OpenEnvServer } from "../../../src/serve/index.js";
import { served } from "../../support/counting-environment.js";
import { add, connect, start } from "./harness.js";

const step = (action: object) => ({ type: "step", data: action });
const at = (data: unknown) => (data as { observation: { metrics: { at: number } } }).observation.metrics.at;

test("an episode: reset, steps, state, the reward of the server, and the next episode on the same connection", async () => {
  const { url, log, server } = await start();
  const { ask, send, closed } = await connect(url);
  expect(await ask({ type: "state" })).toEqual({ type: "state", data: { episode_id: null, step_count: 0 } });
  expect(await ask({ type: "reset", data: { index: 1, seed: 1 } })).toMatchObject({
    type: "observation",
    data: { observation: { messages: [{ content: "Count to 2." }], tools: [{ type: "function" }] }, reward: null, done: false },
  });
  expect(await ask(step(add(2)))).toMatchObject({ type: "observation", data: { reward: null, done: false } });
  expect(await ask({ type: "state" })).toMatchObject({ data: { step_count: 1, index: 1, done: false } });
  expect(await ask(step({ content: "done", metadata: {} }))).toMatchObject({ data: { reward: 2, done: true } });
  expect(await ask(step({ content: "more" }))).toMatchObject({ type: "error", data: { code: "SESSION_ERROR" } });
  // A reset in the middle of an episode throws it away.
  expect(await ask({ type: "reset" })).toMatchObject({ type: "observation" });
  expect(await ask({ type: "reset", data: { index: 0 } })).toMatchObject({
    data: { observation: { messages: [{ content: "Count to 1." }] } },
  });
  expect(log).toEqual({ started: 3, disposed: 2 });
  // The form of a step over HTTP.
  expect(await ask(step({ action: add(1), timeout_s: 5, request_id: "a" }))).toMatchObject({ type: "observation" });
  send({ type: "close" });
  expect(await closed).toBe(1000);
  while (server.active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(log.disposed).toBe(3);
});

test("each connection has its own episode, though all have the same id", async () => {
  const { url } = await start();
  const clients = await Promise.all([1, 2, 3, 4].map(() => connect(url)));
  await Promise.all(clients.map(({ ask }, i) => ask({ type: "reset", data: { index: i, episode_id: "same" } })));
  for (const n of [1, 2]) await Promise.all(clients.map(({ ask }, i) => ask(step(add(100 * (i + 1) + n)))));
  const ends = await Promise.all(clients.map(({ ask }) => ask(step({ content: "done" }))));
  expect(ends.map(({ data }) => at(data))).toEqual([203, 403, 603, 803]);
});

test("messages that do not wait for answers are answered in their order; a flood closes the connection", async () => {
  const { url } = await start();
  const { send, next, ask } = await connect(url);
  await ask({ type: "reset", data: { index: 0 } });
  for (const n of [17, 1, 2]) send(step(add(n)));
  const answers = [await next(), await next(), await next()];
  expect(answers.map(({ data }) => (data.observation as { messages: { content: string }[] }).messages[0]!.content)).toEqual([
    "17",
    "18",
    "20",
  ]);
  const flood = await connect(url);
  await flood.ask({ type: "reset", data: { index: 0 } });
  flood.send(step(add(16)));
  for (let i = 0; i < 40; i++) flood.send({ type: "state" });
  expect(await flood.next()).toMatchObject({ type: "error", data: { code: "SESSION_ERROR" } });
  expect(await flood.closed).toBe(1008);
});

describe("invalid messages are answered, and the episode goes on", () => {
  test("all of them", async () => {
    const { url } = await start();
    const { ask, socket, next } = await connect(url);
    await ask({ type: "reset", data: { index: 0 } });
    for (const [message, code, text] of [
      ["{", "INVALID_JSON", "expected JSON"],
      ["[1]", "VALIDATION_ERROR", "expected an object"],
      [{ type: "restart" }, "UNKNOWN_TYPE", 'expected reset, step, state, close, got "restart"'],
      [{ type: "__proto__" }, "UNKNOWN_TYPE", "type"],
      [{}, "UNKNOWN_TYPE", "got none"],
      [{ type: "state", data: {} }, "VALIDATION_ERROR", "data: unknown field"],
      [{ type: "step" }, "VALIDATION_ERROR", "action: expected an object"],
      [step({ content: "x", score: 1 }), "VALIDATION_ERROR", "action: score: unknown field"],
      [step({ action: { content: "x" }, timeout: 1 }), "VALIDATION_ERROR", "step: timeout: unknown field"],
      [{ type: "reset", data: { index: 99 } }, "VALIDATION_ERROR", "index"],
    ] as const) {
      const answer = await ask(message);
      expect(answer).toMatchObject({ type: "error", data: { code, message: expect.stringContaining(text) } });
    }
    (socket as unknown as { send(data: Buffer): void }).send(Buffer.from([1, 2, 3]));
    expect(await next()).toMatchObject({ type: "error", data: { code: "INVALID_JSON", message: expect.stringContaining("binary") } });
    await ask(step(add(1)));
    expect(await ask(step({ content: "done" }))).toMatchObject({ data: { reward: 2 } });
  });

  test("a step before a reset; a message that is too large closes the connection", async () => {
    const { url, server } = await start({ maxBodyBytes: 1000 });
    const { ask, send, closed } = await connect(url);
    expect(await ask(step(add(1)))).toMatchObject({
      type: "error",
      data: { code: "SESSION_ERROR", message: expect.stringContaining("reset") },
    });
    send(step({ content: "x".repeat(2000) }));
    expect(await closed).toBe(1009);
    while (server.active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

test("a client that disconnects during a slow step: the step is aborted and the episode thrown away", async () => {
  const { url, log, server } = await start();
  for (const n of [15, 16]) {
    const { ask, send, socket } = await connect(url);
    await ask({ type: "reset" });
    send(step(add(n)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.terminate();
  }
  while (log.disposed < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(server.active).toBe(0);
});

test("an environment that fails: the connection goes on with the next episode", async () => {
  const errors: unknown[] = [];
  const { url } = await start({ onError: (error) => errors.push(error), stepTimeoutMs: 30 });
  const { ask } = await connect(url);
  for (const [n, text] of [
    [13, "the environment failed"],
    [16, "longer than 0.03 s"],
  ] as const) {
    await ask({ type: "reset", data: { index: 0 } });
    const answer = await ask(step(add(n)));
    expect(answer).toMatchObject({ type: "error", data: { code: "EXECUTION_ERROR", message: expect.stringContaining(text) } });
    expect(JSON.stringify(answer)).not.toContain("shadow");
  }
  await ask({ type: "reset", data: { index: 0 } });
  expect(await ask(step(add(1)))).toMatchObject({ type: "observation" });
  expect(errors).toHaveLength(1);
});

test("capacity: a further connection is told so and closed; plain HTTP shares it", async () => {
  const { url } = await start({ maxEpisodes: 2 });
  const [first] = await Promise.all([connect(url), connect(url)]);
  const refused = await connect(url);
  expect(await refused.next()).toMatchObject({ type: "error", data: { code: "CAPACITY_REACHED", active_sessions: 2, max_sessions: 2 } });
  expect(await refused.closed).toBe(1008);
  expect((await fetch(`${url}/reset`, { method: "POST" })).status).toBe(503);
  first.send({ type: "close" });
  await first.closed;
  expect((await fetch(`${url}/reset`, { method: "POST" })).status).toBe(200);
});

test("a silent connection is closed, but not during a step", async () => {
  const { url, server } = await start({ idleMs: 300 });
  const { ask, closed, next } = await connect(url);
  await ask({ type: "reset" });
  expect(await ask(step(add(18)))).toMatchObject({ type: "observation" });
  expect(await next()).toMatchObject({ type: "error", data: { code: "SESSION_ERROR", message: expect.stringContaining("0.3 s") } });
  expect(await closed).toBe(1008);
  expect(server.active).toBe(0);
});

test("keys, and pages of other origins", async () => {
  const { url } = await start({ apiKey: "k", cors: "https://page.example" });
  const authorization = "Bearer k";
  await expect(connect(url)).rejects.toThrow("401");
  await expect(connect(url, { authorization: "Bearer x" })).rejects.toThrow("401");
  await expect(connect(url, { authorization, origin: "https://evil.example" })).rejects.toThrow("403");
  for (const origin of ["https://page.example", url]) {
    const { ask } = await connect(url, { authorization, origin });
    expect(await ask({ type: "reset" })).toMatchObject({ type: "observation" });
  }
});

test("a server that stops: idle connections are closed at once, running episodes may end", async () => {
  const { url, close, log } = await start();
  const [idle, running, stuck] = await Promise.all([connect(url), connect(url), connect(url)]);
  for (const { ask } of [running, stuck]) await ask({ type: "reset", data: { index: 0 } });
  const stopped = close(200);
  expect(await idle.closed).toBe(1000);
  expect(await running.ask({ type: "reset" })).toMatchObject({
    type: "error",
    data: { message: expect.stringContaining("shutting down") },
  });
  await running.ask(step(add(1)));
  expect(await running.ask(step({ content: "done" }))).toMatchObject({ data: { reward: 2 } });
  await running.closed;
  await stuck.closed;
  await stopped;
  expect(log).toEqual({ started: 2, disposed: 2 });
});

test("an invalid frame sent along with the request for the connection does not end the process", async () => {
  const { url, port } = await start();
  const socket = connectSocket(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  const head =
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  // A frame with reserved bits and without a mask.
  socket.write(Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0x7f, 1, 2, 3, 4])]));
  await once(socket, "close");
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

test("another platform's WebSockets, by Hono's adapter for it", async () => {
  const sent: string[] = [];
  const socket = new WSContext({ send: (text) => void sent.push(String(text)), close: () => {}, readyState: 1 });
  let receive = (_: string) => {};
  // The smallest adapter: a connection that is open at once.
  const upgradeWebSocket = defineWebSocketHelper((_, events) => {
    events.onOpen?.(new Event("open"), socket);
    receive = (data) => events.onMessage?.(new MessageEvent("message", { data }), socket);
    return new Response(null, { status: 204 });
  });
  const server = new OpenEnvServer([served()], { upgradeWebSocket });
  onTestFinished(() => server.drain(0));
  const response = await server.fetch(new Request("http://localhost/ws", { headers: { upgrade: "websocket" } }));
  expect(response.status).toBe(204);
  receive(JSON.stringify({ type: "reset", data: { index: 0 } }));
  while (sent.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(JSON.parse(sent[0]!)).toMatchObject({ type: "observation", data: { done: false } });
});
