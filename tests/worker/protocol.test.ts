// Both sides of the protocol in one thread, over a channel that copies messages as a worker does.

import { expect, test } from "vitest";
import type { Endpoint } from "../../src/base/endpoint.js";
import * as errors from "../../src/base/errors.js";
import { Caller } from "../../src/worker/caller.js";
import type { ModelEvent } from "../../src/worker/protocol.js";
import { receiveError, sendError } from "../../src/worker/sent-error.js";
import { receiveSource, sendSource } from "../../src/worker/sent-source.js";
import { type Handlers, serveCalls } from "../../src/worker/serve-calls.js";

const { InputError, LightningError, RemoteError } = errors;

/** A caller, connected to handlers of the test. */
function connect(handlers: Partial<Handlers>, onEvent: (event: ModelEvent) => void = () => {}) {
  const { port1, port2 } = new MessageChannel();
  let end = (_: string) => {};
  const endpointOf = (port: MessagePort): Endpoint => ({
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    listen(receive, onEnd) {
      port.onmessage = ({ data }) => receive(data);
      end = onEnd;
    },
    keepAlive() {},
    close: () => port.close(),
  });
  const worker = endpointOf(port2);
  serveCalls(worker, handlers as Handlers);
  return { caller: new Caller(endpointOf(port1), onEvent), worker, die: (reason: string) => end(reason) };
}

const token = (id: number) => ({ token: { index: 0, id, text: "", logprob: 0 }, usage: {} });
const prompt = { inputs: [], options: {} };
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A generation without end, which counts its tokens. */
function endless() {
  const state = { computed: 0, ended: false };
  const generate: Handlers["generate"] = async function* (_, { signal }) {
    try {
      for (;;) {
        signal.throwIfAborted();
        yield token(state.computed++);
        await turn();
      }
    } finally {
      state.ended = true;
    }
  };
  return { state, ...connect({ generate }) };
}

test.each([0, 3])("a stream computes at most %i items before they are requested, and nothing before the first", async (ahead) => {
  const { caller, state } = endless();
  const stream = caller.stream("generate", prompt, { ahead });
  await turn();
  expect(state.computed).toBe(0);
  for (let i = 0; i < 3; i++) {
    expect((await stream.next()).value).toMatchObject({ token: { id: i } });
    for (let waits = 0; waits < 8; waits++) await turn();
    expect(state.computed).toBe(i + 1 + ahead);
  }
  await stream.return();
  expect(state.ended).toBe(true);
});

test("leaving the loop ends the call in the worker before the next line runs", async () => {
  const { caller, state } = endless();
  for await (const item of caller.stream("generate", prompt, { ahead: 4 })) if ("token" in item && item.token.id === 2) break;
  expect(state.ended).toBe(true);
});

test("an abort ends the call in the worker, and rejects with the signal's own reason", async () => {
  const { caller, state } = endless();
  const control = new AbortController();
  const reason = { any: "value" };
  const stream = caller.stream("generate", prompt, { signal: control.signal });
  await stream.next();
  const next = stream.next();
  control.abort(reason);
  await expect(next).rejects.toBe(reason);
  expect(state.ended).toBe(true);
  await expect(caller.call("statistics", undefined, { signal: control.signal })).rejects.toBe(reason);
});

test("items arrive before the error that follows them", async () => {
  const { caller } = connect({
    async *generate() {
      yield token(1);
      throw new errors.MemoryError("full");
    },
  });
  const stream = caller.stream("generate", prompt, { ahead: 4 });
  await turn();
  expect((await stream.next()).value).toMatchObject({ token: { id: 1 } });
  await expect(stream.next()).rejects.toThrow(errors.MemoryError);
});

test("calls begin in order, even those that nobody awaits, and overlap", async () => {
  const order: string[] = [];
  const { caller } = connect({
    createSession: ({ handle }) => void order.push(`create ${handle}`),
    rewind: ({ handle, length }) => void order.push(`rewind ${handle} to ${length}`),
    formatChat: async () => {
      await turn();
      order.push("formatted");
      return "a";
    },
    save: () => Uint8Array.of(order.length),
  });
  const text = caller.call("formatChat", { messages: [], options: {} });
  caller.send("createSession", { handle: 7, seed: 1 });
  caller.send("rewind", { handle: 7, length: 2 });
  expect(await caller.call("save", { handle: 7 })).toEqual(Uint8Array.of(2));
  expect(await text).toBe("a");
  expect(order).toEqual(["create 7", "rewind 7 to 2", "formatted"]);
});

test("results and items are transferred", async () => {
  const [input, output, routerLogits, logits] = Array.from({ length: 4 }, () => new Float32Array(4));
  const { caller } = connect({
    async forward(_, { emit }) {
      emit({ layer: 0, input: input!, output: output!, routerLogits: routerLogits! });
      return {
        output: { logits: logits!, hiddenStates: [logits!], routerLogits: undefined, lightningStates: undefined, attention: undefined },
        lengths: [1],
      };
    },
  });
  const layers: unknown[] = [];
  const request = { batch: [], options: {}, caches: undefined, layers: true };
  const result = await caller.call("forward", request, { onItem: (item) => layers.push(item) });
  expect(layers).toMatchObject([{ input: new Float32Array(4) }]);
  expect(result.output.hiddenStates![0]!.buffer).toBe(result.output.logits.buffer);
  expect([input, output, routerLogits, logits].map((array) => array!.length)).toEqual([0, 0, 0, 0]);
});

test("a callback that throws aborts its call; one for events ends the worker", async () => {
  let aborted = false;
  const { caller, worker } = connect(
    {
      async forward(_, { emit, signal }) {
        emit({ layer: 0 } as never);
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        aborted = true;
        return {} as never;
      },
    },
    () => {
      throw new RangeError("of the event");
    },
  );
  const request = { batch: [], options: {}, caches: undefined, layers: true };
  const onItem = () => {
    throw new RangeError("of the callback");
  };
  await expect(caller.call("forward", request, { onItem })).rejects.toThrow("of the callback");
  expect(aborted).toBe(true);
  const pending = caller.call("forward", request);
  worker.post({ event: { warning: "w" } });
  await expect(pending).rejects.toThrow("of the event");
  await expect(caller.call("statistics", undefined)).rejects.toThrow("of the event");
});

test("the end of the worker rejects everything that waits, and everything later", async () => {
  const { caller, die } = endless();
  const stream = caller.stream("generate", prompt);
  await stream.next();
  const waiting = [caller.call("statistics", undefined), stream.next()];
  die("exit code 1");
  for (const one of [...waiting, caller.call("save", { handle: 1 }), caller.stream("generate", prompt).next()]) {
    await expect(one).rejects.toThrow(new LightningError("worker: the worker has ended (exit code 1). Load the model again."));
  }
});

test.each(Object.entries(errors).filter(([name]) => name.endsWith("Error")))("%s keeps its class", (name, value) => {
  const error = receiveError(structuredClone(sendError(new (value as typeof LightningError)("a: b", { cause: new RangeError("c") }))));
  expect(error).toBeInstanceOf(value);
  expect(error).toMatchObject({ name, message: "a: b" });
  expect(error.cause).toBeInstanceOf(RangeError);
  expect(error.cause).toMatchObject({ message: "c" });
});

test("other errors and their fields", () => {
  const received = (error: unknown) => receiveError(structuredClone(sendError(error)));
  const remote = new RemoteError("r", { status: 429, retryable: true, retryAfterMs: 5 });
  expect(received(remote)).toMatchObject({ status: 429, retryable: true, retryAfterMs: 5 });
  expect(received(remote).stack).toBe(remote.stack);
  const abort = received(new DOMException("stop", "AbortError"));
  expect(abort).toBeInstanceOf(DOMException);
  expect(abort).toMatchObject({ name: "AbortError", message: "stop", code: 20 });
  expect(received(Object.assign(new Error("m"), { name: "OtherError", code: "E" }))).toMatchObject({ name: "OtherError", code: "E" });
  expect(received(Symbol("s"))).toMatchObject({ name: "Error", message: "Symbol(s)" });
  const circle = new Error("circle");
  circle.cause = circle;
  expect(received(circle)).toMatchObject({ message: "circle" });
  expect(received(new InputError("i"))).not.toHaveProperty("cause");
});

test("sources are sent without the buffers that they are views of, and arrive as they were", async () => {
  const whole = new Uint8Array(100).fill(1);
  const sent = (await sendSource(new Map<string, Uint8Array | URL>([["a", whole.subarray(2, 4)]]))) as Map<string, Uint8Array>;
  expect(sent.get("a")!.buffer.byteLength).toBe(2);
  const url = new URL("https://host/a?b");
  const mixed = await sendSource({ a: url, b: whole });
  expect(receiveSource(structuredClone(mixed))).toEqual(
    new Map<string, unknown>([
      ["a", url],
      ["b", whole],
    ]),
  );
  expect(await sendSource(url)).toBe(url.href);
  expect(await sendSource("./checkpoint")).toBe("./checkpoint");
  // Another thread of Node cannot read a Blob.
  expect(await sendSource([new File([whole], "config.json")])).toEqual(new Map([["config.json", whole]]));
  for (const none of [5, [null], { a: 1 }, { a: url, b: 1 }])
    await expect(sendSource(none as never)).rejects.toThrow(errors.CheckpointError);
});
