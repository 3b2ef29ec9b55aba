import { getEventListeners } from "node:events";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RemoteError } from "../../src/index.js";
import { parseRetryAfter } from "../../src/io/retry.js";
import { type ConnectOptions, RemoteModel } from "../../src/remote/index.js";
import { retryStream } from "../../src/remote/retry-stream.js";
import { collect, rejection } from "../generate/model.js";
import { json, OpenAiServer, type Reply, sse, stream } from "../support/openai-server.js";

const SECRET = "sk-very-secret";
const QUICK: ConnectOptions = { apiKey: SECRET, retryDelayMs: 1, retries: 2 };
/** Short limits, for servers that fall silent. */
const IMPATIENT: ConnectOptions = { ...QUICK, timeoutMs: 250, silenceMs: 250 };

let server: OpenAiServer;
let model: RemoteModel;
let impatient: RemoteModel;
/** The number of requests since `answering`, and the reply to each. */
let asked = 0;
let reply: (attempt: number) => Reply | undefined | Promise<Reply | undefined>;

beforeAll(async () => {
  server = await OpenAiServer.start(({ path }) => (path === "/v1/models" ? undefined : reply(asked++)));
  model = await RemoteModel.connect(server.url, QUICK);
  impatient = await RemoteModel.connect(server.url, IMPATIENT);
});
afterAll(() => server.stop());

function answering(next: typeof reply): void {
  [asked, reply] = [0, next];
}

const texts = async (signal?: AbortSignal, by = model) => (await collect(by.generate("x", { signal }))).map(({ text }) => text).join("");
/** The error of a generation. Checks that it does not show the key. */
async function failure(by = model): Promise<RemoteError> {
  const error = (await rejection(texts(undefined, by))) as RemoteError;
  expect(error).toBeInstanceOf(RemoteError);
  expect(`${error.message}${error.stack}`).not.toContain(SECRET);
  return error;
}

const end = { choices: [{ index: 0, text: "", finish_reason: "stop", stop_reason: null }] };
const say = (text: string) => ({ choices: [{ index: 0, text }] });
const good = stream([{ text: "é漢🙂" }, { text: "", finish_reason: "stop" }]);
const cutAt = (bytes: Uint8Array, cuts: readonly number[]) =>
  [0, ...cuts].map((begin, i) => bytes.subarray(begin, cuts[i] ?? bytes.length)).filter((piece) => piece.length > 0);

const until = async (condition: () => boolean) => {
  for (let i = 0; i < 100 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
};

describe("event streams", () => {
  const whole = new TextEncoder().encode(
    [
      ": hello\n\n",
      ...sse(say("é")).map((text) => text.replaceAll("\n", "\r\n")),
      ":\r\n\r\n",
      "event: message\nid: 1\nretry: 5\n",
      ...sse(say("漢🙂"), end, "[DONE]"),
    ].join(""),
  );

  test("may be split anywhere, inside characters too", async () => {
    answering(() => ({
      pieces: cutAt(
        whole,
        Array.from({ length: whole.length - 1 }, (_, i) => i + 1),
      ),
    }));
    expect(await texts()).toBe("é漢🙂");
    for (let at = 1; at < whole.length; at += 7) {
      answering(() => ({ pieces: cutAt(whole, [at]) }));
      expect(await texts()).toBe("é漢🙂");
    }
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 8 }), async (cuts) => {
        answering(() => ({
          pieces: cutAt(
            whole,
            cuts.sort((a, b) => a - b),
          ),
        }));
        expect(await texts()).toBe("é漢🙂");
      }),
      { numRuns: 25 },
    );
  });

  test.each<[string, string[]]>([
    ["without [DONE]", sse(say("a"), end)],
    ["without the last empty line", [...sse(say("a")), sse(end)[0]!.trimEnd()]],
    [
      "with data over several lines",
      [...sse(say("a")), `data: {"choices":\ndata: [${JSON.stringify(end.choices[0])}]}\n\n`, "data: [DONE]\n\n"],
    ],
    ["with a byte order mark", ["\ufeff", ...sse(say("a"), end, "[DONE]")]],
    ["with errors after the end", [...sse(say("a"), end), "data: nonsense\n\n<html>"]],
    [
      "with usage without choices",
      [...sse(say("a"), { id: "x", usage: { prompt_tokens: 1 } }, end, { usage: { prompt_tokens: 1 } }, "[DONE]")],
    ],
    ["with choices of null", sse({ choices: null }, say("a"), { choices: null, usage: null }, end, "[DONE]")],
    ["with events that say nothing", sse({}, say("a"), { id: "x", object: "chunk" }, { type: "ping" }, { choices: [] }, end)],
    ["with empty data", ["data:\n\n", ...sse(say("a")), "data: \n\n", "data\n\n", "data:   \ndata:\n\n", ...sse(end, "[DONE]")]],
    [
      "with named events of the server's own",
      [
        'event: ping\ndata: {"type":"ping"}\n\n',
        ...sse(say("a")),
        "event: ping\ndata: ok\n\n",
        "event: ping\ndata: 1\n\nevent: ping\n\n",
        'event: usage\ndata: {"usage":{"prompt_tokens":1}}\n\n',
        ...sse(end, "[DONE]"),
      ],
    ],
    ["with a name for every event", [say("a"), end, "[DONE]"].map((event) => `event: chunk\n${sse(event)[0]}`)],
    ["with fields of the server's own", [`x-server: 1\n${sse(say("a"))[0]}`, ...sse(end)]],
    ["with an index as text", sse(...[say("a"), end].map(({ choices: [choice] }) => ({ choices: [{ ...choice, index: "0" }] })))],
    ["with errors of null", sse({ ...say("a"), error: null }, { ...end, error: null })],
    ["with counts that are none", sse({ ...say("a"), usage: { prompt_tokens: "many" } }, { ...end, usage: 5 })],
    ["with what follows the end", sse(say("a"), end, say("b"), "[DONE]", "more")],
  ])("are read %s", async (_, pieces) => {
    answering(() => ({ pieces }));
    expect(await texts()).toBe("a");
  });

  test.each<[string, Reply, RegExp]>([
    ["ends in the middle", { pieces: sse(say("a")) }, /broke off before a finish_reason/],
    ["ends in the middle with [DONE]", { pieces: sse(say("a"), "[DONE]") }, /broke off/],
    ["ends inside an event", { pieces: [...sse(say("a")), 'data: {"choices": [{"te'] }, /not JSON/],
    ["is cut", { pieces: sse(say("a")), ending: "cut" }, /next part of the answer: terminated/],
    ["falls silent", { pieces: sse(say("a")), ending: "stall" }, /250 ms for the next part of the answer \(silenceMs/],
    ["is no JSON", { pieces: sse(say("a"), "hello") }, /not JSON: "hello"/],
    ["is no event stream", { pieces: [...sse(say("a")), "<html>\n\n"] }, /not an event stream.*"<html>"/],
    ["is no UTF-8", { pieces: [...sse(say("a")), Uint8Array.of(0x64, 0xff, 0xfe)] }, /not UTF-8/],
    ["is something else", { pieces: sse(say("a"), { choices: 5 }) }, /completions: choices: expected Array, got 5/],
    ["is nothing", { pieces: sse(say("a"), "null") }, /expected Object, got null/],
    ["has an endless line", { pieces: endless() }, /more than 16777216 characters/],
    [
      "reports an error",
      { pieces: sse(say("a"), { error: { message: `out of memory, ${SECRET}`, code: 500 } }) },
      /the server reports: out of memory, \*\*\*/,
    ],
    [
      "reports an error in the older form",
      { pieces: sse(say("a"), { object: "error", message: "out of memory" }) },
      /reports: out of memory/,
    ],
    [
      "reports an error by another name",
      { pieces: [...sse(say("a")), `event: failure\n${sse({ error: "out of memory" })[0]}`] },
      /reports: out of memory/,
    ],
    [
      "says nothing more",
      { pieces: [...sse(say("a"), { usage: {} }, { choices: null }), "data:\n\n", "event: ping\ndata: {}\n\n"] },
      /broke off/,
    ],
    ["says nothing more but [DONE]", { pieces: sse(say("a"), { usage: {} }, "[DONE]") }, /broke off/],
    ["is JSON without data:", { pieces: [...sse(say("a")), `${JSON.stringify(end)}\n\n`] }, /not an event stream/],
    ["reports an error by its event", { pieces: [...sse(say("a")), "event: error\ndata: out of memory\n\n"] }, /reports: out of memory/],
  ])("a stream that %s fails after its first token and is not retried", async (_, answer, message) => {
    answering(() => answer);
    expect((await failure(answer.ending === "stall" ? impatient : model)).message).toMatch(message);
    expect(asked).toBe(1);
  });

  async function* endless(): AsyncGenerator<string> {
    yield* sse(say("a"));
    yield "data: ";
    for (let i = 0; i < 40; i++) yield "x".repeat(1 << 19);
  }

  test("another content type is an error", async () => {
    answering(() => json({ error: "no streams here" }));
    expect((await failure()).message).toMatch(/not a stream .*got application\/json\): no streams here/);
  });

  test("a whole answer, from a server that does not stream", async () => {
    answering(() => json({ choices: [{ index: 0, text: "a", finish_reason: "stop" }], usage: { prompt_tokens: 1, completion_tokens: 1 } }));
    const generation = model.generate("x");
    expect((await collect(generation)).map(({ text, stop }) => [text, stop])).toEqual([["a", "eos"]]);
    expect(generation.usage).toEqual({ promptTokens: 1, completionTokens: 1 });
    answering(() => json({ choices: [{ index: 0, text: "a" }] }));
    expect((await failure()).message).toMatch(/broke off/);
  });

  test.each(["cut", "stall"] as const)("a complete stream may be %s", async (ending) => {
    answering(() => ({ pieces: sse(say("a"), end), ending }));
    expect(await texts()).toBe("a");
    answering(() => ({ pieces: sse(say("a"), end, "[DONE]"), ending }));
    expect(await texts()).toBe("a");
  });

  test("the connection is reused", async () => {
    answering(() => good);
    await texts();
    const { connections } = server;
    for (let i = 0; i < 3; i++) await texts();
    // Connections of earlier tests may close meanwhile.
    expect(server.connections).toBeLessThanOrEqual(connections);
  });
});

describe("temporary failures are retried before the first token", () => {
  test.each<[string, Reply | undefined]>([
    ["408", json({}, 408)],
    ["409", json({}, 409)],
    ["429 with Retry-After", json({ error: { message: "full" } }, 429, { "retry-after": "0" })],
    ["500", json({}, 500)],
    ["503 without JSON", { status: 503, pieces: ["<html>busy</html>"] }],
    ["a connection that is closed", undefined],
    ["a stream that is cut before its first token", { pieces: sse({ choices: [{ delta: { role: "assistant" } }] }), ending: "cut" }],
    ["a stream that ends before its first token", { pieces: [": wait\n\n"] }],
    ["a stream that is silent", { ending: "stall" }],
    ["a stream that reports an error", { pieces: sse({ error: { message: "busy", code: 503 } }) }],
  ])("%s", async (_, first) => {
    const by = first?.ending === "stall" ? impatient : model;
    answering((attempt) => (attempt < 2 ? first : good));
    expect(await texts(undefined, by)).toBe("é漢🙂");
    expect(asked).toBe(3);
    // No more often than `retries`.
    answering(() => first);
    await failure(by);
    expect(asked).toBe(3);
  });

  test.each([400, 401, 403, 404, 413, 422, 501])("not %i", async (status) => {
    answering(() => json({ error: { message: "no" } }, status));
    const error = await failure();
    expect(error).toMatchObject({ status, retryable: false });
    expect(error.message).toMatch(
      new RegExp(`POST http://127\\.0\\.0\\.1:\\d+/v1/completions: the server answered ${status}: no \\(.+\\)`),
    );
    expect(asked).toBe(1);
  });

  test("an answer that does not start in time", async () => {
    answering(async (attempt) => {
      if (attempt === 0) await new Promise((resolve) => setTimeout(resolve, 500));
      return good;
    });
    expect(await texts(undefined, impatient)).toBe("é漢🙂");
    expect(asked).toBe(2);
  });

  test("Retry-After is obeyed, unless it is too long", async () => {
    answering((attempt) => (attempt === 0 ? json({}, 429, { "retry-after": "0.2" }) : good));
    const begin = performance.now();
    await texts();
    expect(performance.now() - begin).toBeGreaterThan(190);
    answering(() => json({ detail: "come back later" }, 429, { "retry-after": "3600" }));
    expect(await failure()).toMatchObject({ status: 429, retryAfterMs: 3_600_000 });
    expect(asked).toBe(1);
  });

  test("Retry-After is seconds or a date", () => {
    const now = Date.UTC(2026, 0, 1);
    expect(parseRetryAfter("2", now)).toBe(2000);
    expect(parseRetryAfter("Thu, 01 Jan 2026 00:00:05 GMT", now)).toBe(5000);
    expect(parseRetryAfter("Thu, 01 Jan 2025 00:00:00 GMT", now)).toBe(0);
    for (const text of ["soon", "", "-5", "in a while, 2099", "1e9"]) expect(parseRetryAfter(text, now)).toBeUndefined();
    expect(parseRetryAfter(null)).toBeUndefined();
  });

  test("pauses double, half of them at random, and a signal ends them", async () => {
    const failing = async function* () {
      times.push(performance.now());
      yield* [] as string[];
      throw new RemoteError("no", { retryable: true });
    };
    const times: number[] = [];
    await rejection(collect(retryStream(failing, { retries: 3, retryDelayMs: 20 }, new AbortController().signal)));
    const pauses = times.slice(1).map((time, i) => time - times[i]!);
    for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThan(0.5 * 20 * 2 ** i - 2);
    expect(pauses).toHaveLength(3);
    const reason = new Error("enough");
    const signal = AbortSignal.timeout(20);
    expect(await rejection(collect(retryStream(failing, { retries: 3, retryDelayMs: 10_000 }, signal)))).toBe(signal.reason);
    expect(await rejection(collect(retryStream(failing, { retries: 3, retryDelayMs: 10_000 }, AbortSignal.abort(reason))))).toBe(reason);
  });
});

describe("cancelling", () => {
  const stalled: Reply = { pieces: sse(say("a"), say("b")), ending: "stall" };

  test("before, while waiting and in the middle: throws the signal's reason and closes the connection", async () => {
    const reason = new Error("enough");
    answering(() => stalled);
    expect(await rejection(texts(AbortSignal.abort(reason)))).toBe(reason);
    expect(asked).toBe(0);
    const { left } = server;
    const controller = new AbortController();
    const seen: string[] = [];
    const loop = async () => {
      for await (const { text } of model.generate("x", { signal: controller.signal })) {
        seen.push(text);
        if (text === "b") controller.abort(reason);
      }
    };
    expect(await rejection(loop())).toBe(reason);
    expect(seen).toEqual(["a", "b"]);
    await until(() => server.left === left + 1);
    answering(() => new Promise(() => {}));
    expect(((await rejection(texts(AbortSignal.timeout(50)))) as Error).name).toBe("TimeoutError");
    await until(() => server.left === left + 2);
  });

  test("break closes the connections of a whole batch", async () => {
    answering(() => stalled);
    const { left } = server;
    for await (const _ of model.generateBatch(["x", "y", "z"])) break;
    await until(() => server.left === left + 3);
  });

  test("one failure of a batch ends the others", async () => {
    answering((attempt) => (attempt === 1 ? json({}, 400) : stalled));
    const { left } = server;
    expect(await rejection(collect(model.generateBatch(["x", "y", "z"])))).toMatchObject({ status: 400 });
    await until(() => server.left === left + 2);
  });

  test("a signal keeps no listeners of ended generations, however they end", async () => {
    const { signal } = new AbortController();
    for (const answer of [good, json({}, 400), stream([{ text: "a" }])]) {
      answering(() => answer);
      await texts(signal).catch(() => {});
    }
    answering(() => stalled);
    for await (const _ of model.generateBatch(["x", "y"], { signal })) break;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("a disposed model ends its generations", async () => {
    answering(() => stalled);
    const other = await RemoteModel.connect(server.url, QUICK);
    const loop = async () => {
      for await (const { text } of other.generate("x")) if (text === "b") other.dispose();
    };
    expect(((await rejection(loop())) as Error).message).toMatch(/disposed/);
  });
});

describe("the option fetch", () => {
  const url = "http://model.invalid/v1";
  const models = () => Response.json({ data: [{ id: "m1" }] });
  const streamOf = (...pieces: string[]) => new Response(pieces.join(""), { headers: { "content-type": "text/event-stream" } });
  const by = (fetch: ConnectOptions["fetch"]) => RemoteModel.connect(url, { ...IMPATIENT, fetch });

  test("makes every request, with the headers and the key", async () => {
    const seen: unknown[] = [];
    const own = await by(async (url, { method, headers, body, signal }) => {
      seen.push([method, url, headers.authorization, body && JSON.parse(body).prompt, signal.aborted]);
      return method === "GET" ? models() : streamOf(...good.pieces);
    });
    expect(await texts(undefined, own)).toBe("é漢🙂");
    expect(seen).toEqual([
      ["GET", `${url}/models`, `Bearer ${SECRET}`, undefined, false],
      ["POST", `${url}/completions`, `Bearer ${SECRET}`, "x", false],
    ]);
  });

  test("may be the global fetch, or return only a part of a Response", async () => {
    const { fetch } = globalThis;
    expect((await RemoteModel.connect(server.url, { ...QUICK, fetch })).name).toBe("m1");
    const bytes = new TextEncoder().encode('{"data": [{"id": "m1"}]}');
    const body = { getReader: () => ({ read: async () => ({ done: left-- === 0, value: bytes }), cancel: async () => {} }) };
    let left = 1;
    expect((await by(async () => ({ ok: true, status: 200, headers: { get: () => "application/json" }, body }))).name).toBe("m1");
  });

  test.each<[string, ConnectOptions["fetch"], RegExp]>([
    ["fails", () => Promise.reject(new Error(`no proxy for ${SECRET}`)), /an answer: no proxy for \*\*\*/],
    ["throws", () => expect.fail("no network"), /an answer: no network/],
    ["gives something else", async () => "ok" as never, /expected a Response from the option fetch/],
    ["never answers", () => new Promise(() => {}), /250 ms for an answer \(timeoutMs/],
  ])("that %s is a RemoteError", async (_, broken, message) => {
    const own = await by(async (url, init) => (init.method === "GET" ? models() : broken!(url, init)));
    expect((await failure(own)).message).toMatch(message);
  });

  test("may ignore signals: generation ends all the same, and the body is cancelled", async () => {
    let cancelled = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (sink) => sink.enqueue(new TextEncoder().encode(sse(say("a"))[0])),
        cancel: () => void cancelled++,
      });
    const own = await by(async (_, { method }) =>
      method === "GET" ? models() : new Response(endless(), { headers: { "content-type": "text/event-stream" } }),
    );
    for await (const _ of own.generate("x")) break;
    await until(() => cancelled === 1);
    const silent = await by(async (_, { method }) =>
      method === "GET" ? models() : new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } }),
    );
    const reason = new Error("enough");
    const controller = new AbortController();
    const rest = rejection(texts(controller.signal, silent));
    setTimeout(() => controller.abort(reason), 20);
    expect(await rest).toBe(reason);
  });

  test("must be a function", async () => {
    expect(await rejection(by("fetch" as never))).toMatchObject({ message: expect.stringMatching(/connect: fetch: .*function/) });
  });
});
