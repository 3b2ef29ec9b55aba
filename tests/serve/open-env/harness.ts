import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { StepResult } from "../../../src/environments/open-env/protocol.js";
import { listen } from "../../../src/node-entry/listen.js";
import { type OpenEnvOptions, OpenEnvServer, type ServedEnvironment } from "../../../src/serve/index.js";
import { type CountingLog, served } from "../../support/counting-environment.js";

/** A server without sockets, whose requests are calls. */
export function direct(options: OpenEnvOptions = {}, environments?: readonly ServedEnvironment[]) {
  const log: CountingLog = { started: 0, disposed: 0 };
  const server = new OpenEnvServer(environments ?? [served(log)], options);
  onTestFinished(() => server.drain(0));
  async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await server.fetch(
      new Request(`http://localhost${path}`, {
        method,
        headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    );
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
  }
  const post = (path: string, body?: unknown, headers?: Record<string, string>) => send("POST", path, body, headers);
  const get = (path: string, headers?: Record<string, string>) => send("GET", path, undefined, headers);
  return { server, log, post, get };
}

/** The body of a response: an answer or an error. */
export type Answer = StepResult & { readonly detail: string; readonly code: string };

/** A server on a free port. */
export async function start(options: OpenEnvOptions = {}) {
  const log: CountingLog = { started: 0, disposed: 0 };
  const server = new OpenEnvServer([served(log)], options);
  const listening = await listen(server, { port: 0 });
  let isClosed = false;
  const close = async (graceMs: number) => {
    isClosed = true;
    await listening.close(graceMs);
  };
  onTestFinished(async () => {
    if (!isClosed) await close(1);
  });
  return { server, log, ...listening, close };
}

/** A client that speaks the protocol by hand. */
export async function connect(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, {
    ...{ headers, maxPayload: 2 ** 24, perMessageDeflate: false, followRedirects: false },
  });
  onTestFinished(() => socket.terminate());
  const received: { type: string; data: Answer }[] = [];
  const waiting: ((message: { type: string; data: Answer }) => void)[] = [];
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString());
    const next = waiting.shift();
    if (next) next(message);
    else received.push(message);
  });
  const closed = new Promise<number>((resolve) => socket.on("close", (code) => resolve(code)));
  const opened = new Promise<void>((resolve, reject) => {
    socket.on("open", () => resolve());
    socket.on("unexpected-response", (_, { statusCode }) => reject(new Error(`status ${statusCode}`)));
    socket.on("error", reject);
  });
  await opened;
  const next = () =>
    new Promise<{ type: string; data: Answer }>((resolve) => {
      const message = received.shift();
      if (message) resolve(message);
      else waiting.push(resolve);
    });
  const send = (message: unknown) => socket.send(typeof message === "string" ? message : JSON.stringify(message));
  const ask = (message: unknown) => {
    send(message);
    return next();
  };
  return { socket, send, next, ask, closed };
}

/** An action that calls the tool of the environment. */
export const add = (n: number) => ({ content: "", tool_calls: [{ function: { name: "add", arguments: JSON.stringify({ n }) } }] });
