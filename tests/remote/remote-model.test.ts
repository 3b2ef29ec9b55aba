import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError, MiniMaxM1, type PromptOptions, RemoteError, type Token } from "../../src/index.js";
import { type ConnectOptions, RemoteModel } from "../../src/remote/index.js";
import { evaluateTasks, tasks } from "../../src/rl/index.js";
import { collect, rejection } from "../generate/model.js";
import { answers } from "../support/bundled-model.js";
import { json, models, OpenAiServer, type Reply, serving, sse, stream } from "../support/openai-server.js";
import { QUICK, replying, SECRET, server, textOf, withServer } from "./harness.js";

describe("a server that computes with a local model", () => {
  let local: MiniMaxM1;
  let remote: RemoteModel;
  let own: OpenAiServer;
  beforeAll(async () => {
    local = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
    own = await OpenAiServer.start(serving(local));
    remote = await RemoteModel.connect(own.url);
  });
  afterAll(async () => {
    await own.stop();
    local.dispose();
  });

  const conversation = [{ role: "user", content: answers[0]!.question }] as const;
  const sampled = { temperature: 1, topP: 0.95, seed: 7, maxTokens: 24 };

  test.each<[string, PromptOptions]>([
    ["greedy", { maxTokens: 24 }],
    ["sampled", sampled],
    ["sampled by top-k and min-p", { topK: 5, minP: 0.1, seed: 4294967295, maxTokens: 24 }],
    ["penalised", { repetitionPenalty: 20, maxTokens: 24 }],
    ["ended by a stop string", { stop: [" ]", "\n["], maxTokens: 40 }],
    ["with alternatives", { ...sampled, topLogprobs: 3, maxTokens: 5 }],
    ["only repeating itself", { repetition: { tokens: 3, probability: 0.5 }, maxTokens: 40 }],
    ["by another template", { ...sampled, template: "{{ messages[0].content }}" }],
    ["to its end", { maxTokens: Infinity }],
  ])("a conversation gives the same tokens: %s", async (_, options) => {
    expect(await collect(remote.generate(conversation, options))).toEqual(await collect(local.generate(conversation, options)));
  });

  test("text and ids give the same tokens, and so does a stop id", async () => {
    const text = await local.formatChat(conversation);
    const expected = await collect(local.generate(text, sampled));
    expect(await collect(remote.generate(text, sampled))).toEqual(expected);
    const ids = local.tokenizer!.encode(text);
    expect(await collect(remote.generate(Int32Array.from(ids), sampled))).toEqual(expected);
    const stopIds = [expected[3]!.id];
    expect(await collect(remote.generate(ids, { ...sampled, stopIds }))).toEqual(
      await collect(local.generate(ids, { ...sampled, stopIds })),
    );
  });

  test("each sequence of a batch equals one alone with its own seed", async () => {
    const prompts = [...answers.slice(0, 3).map(({ question }) => [{ role: "user", content: question }] as const), "Close"];
    const options = { ...sampled, seed: 4294967294 };
    const bySequence = (tokens: readonly Token[]) => prompts.map((_, i) => tokens.filter(({ index }) => index === i));
    const generation = remote.generateBatch(prompts, options);
    expect(bySequence(await collect(generation))).toEqual(bySequence(await collect(local.generateBatch(prompts, options))));
    expect(generation.seed).toBe(options.seed);
    const promptTokens = await Promise.all(
      prompts.map(async (prompt) => local.tokenizer!.encode(typeof prompt === "string" ? prompt : await local.formatChat(prompt)).length),
    );
    expect(generation.usage.promptTokens).toBe(promptTokens.reduce((a, b) => a + b));
  });

  test("evaluateTasks works with either model", async () => {
    const options = { tasks: tasks.filter(({ name }) => name === "dyck-completion"), perLevel: 2, seed: 5 };
    const scores = await collect(evaluateTasks(remote, options));
    expect(scores.length).toBeGreaterThan(1);
    expect(scores).toEqual(await collect(evaluateTasks(local, options)));
  });

  test("sessions: the same ids as a local one if every turn sets a seed", async () => {
    const [here, there] = [local.session({ seed: 3 }), remote.session({ seed: 3 })];
    const opening = await local.formatChat(conversation);
    // Log-probabilities differ in the last bits: the session's state was computed token by token.
    const texts = async (generation: AsyncIterable<Token>) => (await collect(generation)).map(({ id, text, stop }) => ({ id, text, stop }));
    for (const input of [opening, "\n", [5, 6]]) {
      const options = { ...sampled, maxTokens: 6 };
      expect(await texts(there.generate(input, options))).toEqual(await texts(here.generate(input, options)));
    }
    expect(there.ids).toEqual(here.ids);
    expect(there.length).toBe(here.length);
    const copy = there.fork();
    const restored = remote.restore(there.save());
    const unseeded = { temperature: 1, maxTokens: 6 };
    const expected = await collect(there.generate([], unseeded));
    expect(await collect(copy.generate([], unseeded))).toEqual(expected);
    expect(await collect(restored.generate([], unseeded))).toEqual(expected);
    expect(restored.seed).toBe(3);
    copy.rewind(here.length);
    expect(copy.ids).toEqual(here.ids);
    await copy.append("Close");
    expect(copy.ids.slice(here.length)).toEqual(local.tokenizer!.encode("Close"));
  });
});

describe("connecting", () => {
  test("connects to the only model, or to the one named", async () => {
    expect((await withServer(() => models("one"))).name).toBe("one");
    expect((await withServer(() => models("one", "two"), { model: "two" })).name).toBe("two");
    const model = await withServer(() => json({ data: [{ id: "one", max_model_len: 4096 }] }));
    expect(model.contextLength).toBe(4096);
  });

  test.each<[string, Reply]>([
    ...[403, 404, 405, 500, 501].map((status): [string, Reply] => [`answers ${status}`, json({ error: "no" }, status)]),
    ["answers HTML", { headers: { "content-type": "text/html" }, pieces: ["<html>"] }],
    ["answers HTML with 404", { status: 404, headers: { "content-type": "text/html" }, pieces: ["<html>"] }],
    ["answers nothing", { pieces: [] }],
    ["lists none", models()],
    ["lists null", json({ data: null })],
    ["lists something else", json({ models: ["one"] })],
  ])("accepts the name of a model if the server %s", async (_, reply) => {
    const model = await withServer(({ path }) => (path === "/v1/models" ? reply : stream([{ text: "a", finish_reason: "stop" }])), {
      model: "unlisted",
    });
    expect(model.name).toBe("unlisted");
    expect(model.contextLength).toBeUndefined();
    expect(textOf(await collect(model.generate("x")))).toBe("a");
    expect(server!.received[0]!.body.model).toBe("unlisted");
    expect(await rejection(withServer(() => reply))).toBeInstanceOf(RemoteError);
  });

  test("but not if the key is wrong, the server is unreachable, or it lists other models", async () => {
    expect(await rejection(withServer(() => json({}, 401), { model: "one" }))).toMatchObject({ status: 401 });
    expect(await rejection(withServer(() => models("two"), { model: "one" }))).toMatchObject({
      message: expect.stringMatching(/no model "one".*two/),
    });
    const { url } = server!;
    await server!.stop();
    expect(await rejection(RemoteModel.connect(url, { ...QUICK, model: "one" }))).toMatchObject({ retryable: true });
  });

  test("an invalid context length is left out", async () => {
    expect((await withServer(() => json({ data: [{ id: "one", max_model_len: "4096" }] }))).contextLength).toBeUndefined();
  });

  test.each<[string, Reply, ConnectOptions, RegExp]>([
    ["several and no name", models("one", "two"), {}, /several models \(one, two\)/],
    ["another name", models("one"), { model: "two" }, /no model "two" \(it lists one\)/],
    ["none", models(), {}, /lists no models/],
    ["no list", json({ hello: 1 }), {}, /not a list of models/],
    ["no JSON", { pieces: ["<html>"] }, {}, /not JSON: "<html>"/],
    [
      "a wrong key",
      json({ error: { message: `no such key: ${SECRET}` } }, 401),
      { apiKey: SECRET },
      /answered 401: no such key: \*\*\* \(.*apiKey/,
    ],
    [
      "a wrong address",
      json({ detail: "Not Found" }, 404),
      {},
      /GET http:\/\/127\.0\.0\.1:\d+\/v1\/models: the server answered 404: Not Found \(.*address/,
    ],
  ])("the error says what is wrong: %s", async (_, reply, options, message) => {
    const error = (await rejection(withServer(() => reply, options))) as Error;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.message).toMatch(message);
    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain(SECRET);
  });

  test.each<[string, ConnectOptions]>([
    ["not an address", {}],
    ["ftp://host/v1", {}],
    ["http://user:pass@host/v1", {}],
    ["http://host/v1", { apiKey: `${SECRET}\n` }],
    ["http://host/v1", { apiKey: "" }],
    ["http://host/v1", { timeoutMs: 0 }],
    ["http://host/v1", { headers: { "x-key": `${SECRET}\n\n.` } }],
    ["http://user:pass@", {}],
    ["http://host/v1", { retries: -1 }],
    ["http://host/v1", { key: SECRET } as ConnectOptions],
  ])("refuses %s with %j", async (url, options) => {
    const error = (await rejection(RemoteModel.connect(url, options))) as Error;
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).not.toContain(SECRET);
    expect(error.message).not.toContain("pass@");
  });

  test("fails if nothing listens at the address", async () => {
    const stopped = await OpenAiServer.start(() => undefined);
    const { url } = stopped;
    await stopped.stop();
    const error = (await rejection(RemoteModel.connect(url, QUICK))) as Error;
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.message).toMatch(/an answer: fetch failed.*is the server running/);
  });
});

describe("sessions", () => {
  test("need a server that sends token ids", async () => {
    const model = await replying(({ body }) =>
      body.stream ? stream([{ text: "a" }, { text: "", finish_reason: "stop" }]) : json({ choices: [{ text: "" }] }),
    );
    expect(await rejection(model.session().append("x"))).toBeInstanceOf(RemoteError);
    const session = model.session();
    expect(((await rejection(collect(session.generate([1])))) as Error).message).toMatch(/sends no token ids/);
    // Tokens from before the error stay.
    expect(session.ids).toEqual([1]);
  });

  test("use the next seed with every turn", async () => {
    const model = await replying(() =>
      stream([
        { text: "a", token_ids: [1] },
        { text: "", finish_reason: "stop" },
      ]),
    );
    const session = model.session({ seed: 4294967294 });
    const seeds = [];
    for (const seed of [undefined, undefined, undefined, 7, undefined]) {
      const generation = session.generate([2], { seed });
      seeds.push(generation.seed);
      await collect(generation);
    }
    expect(seeds).toEqual([4294967294, 4294967295, 0, 7, 8]);
    expect(server!.received.map(({ body }) => body.seed)).toEqual(seeds);
    expect(server!.received[1]!.body.prompt).toEqual([2, 1, 2]);
  });

  test("keep the tokens up to the last one received, and allow one call at a time", async () => {
    const model = await replying(() => ({ ...stream([1, 2, 3].map((id) => ({ text: "a", token_ids: [id] }))), ending: "stall" }));
    const session = model.session({ seed: 5 });
    const generation = session.generate([7]);
    await generation.next();
    expect(() => session.rewind(0)).toThrow(/another call on this session is running/);
    expect(await rejection(session.append([1]))).toBeInstanceOf(Error);
    await generation.return();
    expect(session.ids).toEqual([7, 1]);
    expect(() => session.rewind(9)).toThrow(InputError);
    session.rewind(1);
    expect(session.ids).toEqual([7]);
    session.dispose();
    expect(((await rejection(session.append([1]))) as Error).message).toMatch(/disposed/);
  });

  test("dispose ends a running generation", async () => {
    const model = await replying(() => ({ pieces: sse({ choices: [{ text: "a", token_ids: [1] }] }), ending: "stall" }));
    const session = model.session();
    const rest = rejection(collect(session.generate([7])));
    setTimeout(() => session.dispose(), 50);
    expect(((await rest) as Error).message).toMatch(/disposed/);
  });

  test("are restored only from bytes of a remote session of the same model", async () => {
    const model = await replying(() => stream([]));
    expect(() => model.restore(new Uint8Array(8))).toThrow(/expected a saved remote session/);
    const bytes = new TextDecoder().decode(model.session().save()).replace('"m1"', '"m2"');
    expect(() => model.restore(new TextEncoder().encode(bytes))).toThrow(/expected a session of the model m1, got a session of m2/);
    expect(() => model.session({ seed: -1 })).toThrow(InputError);
  });
});
