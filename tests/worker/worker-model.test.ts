// A model in a thread, compared with the same model in this thread.

import { Worker } from "node:worker_threads";
import { generateText } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lightningM1 } from "../../src/ai-sdk/index.js";
import * as library from "../../src/index.js";
import { RemoteModel } from "../../src/remote/index.js";
import { createWorkerModel, type WorkerModel } from "../../src/worker/index.js";
import { collect } from "../generate/model.js";
import { answers } from "../support/bundled-model.js";
import { SMALL, singleFile } from "../support/checkpoints.js";
import { startWorker } from "../support/worker-endpoint.js";

const { MiniMaxM1 } = library;
const options = { build: "simd", threads: 1 } as const;
const sampled = { temperature: 1, topP: 0.95, seed: 7 };

let local: library.MiniMaxM1;
let boxed: library.MiniMaxM1;
let model: WorkerModel;
let boxedModel: WorkerModel;
const fractions: number[] = [];
const kernels: string[] = [];

beforeAll(async () => {
  [local, boxed, model, boxedModel] = await Promise.all([
    MiniMaxM1.load(singleFile(), options),
    MiniMaxM1.load(undefined, options),
    createWorkerModel(singleFile(), {
      ...options,
      onProgress: ({ fraction }) => fractions.push(fraction),
      onKernel: ({ kernel }) => kernels.push(kernel),
    }),
    createWorkerModel(undefined, { ...options, tokenizer: true, serve: { trustTemplates: true } }),
  ]);
});
afterAll(() => {
  for (const one of [local, boxed, model, boxedModel]) one.dispose();
});

/** What a call ends with. */
const outcome = async (call: () => unknown): Promise<unknown> => {
  try {
    return await call();
  } catch (error) {
    return error;
  }
};

test("a model in a worker states the same facts, reports progress and kernels, and has a tokenizer if asked", async () => {
  expect(model).toMatchObject({ config: local.config, parameters: local.parameters, build: "simd", tokenizer: undefined });
  expect(fractions.at(-1)).toBe(1);
  expect(boxedModel.tokenizer!.encode("Compute 3 + 4")).toEqual(boxed.tokenizer!.encode("Compute 3 + 4"));
  expect(await model.statistics()).toMatchObject({ threads: 1, memory: { usedBytes: local.memory.usedBytes }, streaming: undefined });
  await model.generate([1, 2], { maxTokens: 1 }).text();
  expect(new Set(kernels).size).toBeGreaterThan(5);
});

test.each<[string, library.Prompt, library.PromptOptions]>([
  ["a conversation", [{ role: "user", content: answers[0]!.question }], { ...sampled, seed: answers[0]!.seed, maxTokens: 300 }],
  ["text and a stop string", "Compute 3 + 4 - 2", { stop: "=", seed: 1, topLogprobs: 2, maxTokens: 40 }],
  ["ids", Int32Array.of(5, 6, 7), { ...sampled, maxTokens: 20, repetitionPenalty: 2 }],
])("%s: the same tokens and counts", async (_, prompt, settings) => {
  const [here, there] = [boxed.generate(prompt, settings), boxedModel.generate(prompt, settings)];
  expect(await collect(there)).toEqual(await collect(here));
  expect([there.seed, there.usage, await there.text()]).toEqual([here.seed, here.usage, await here.text()]);
});

test("batches and chat formats", async () => {
  const prompts = [[1, 2, 3], [4], [5, 6]];
  const settings = { ...sampled, maxTokens: 6 };
  const byIndex = async (generation: library.Generation) => (await collect(generation)).sort((a, b) => a.index - b.index);
  expect(await byIndex(model.generateBatch(prompts, settings))).toEqual(await byIndex(local.generateBatch(prompts, settings)));
  const messages = [{ role: "user", content: "a" }] as const;
  expect(await boxedModel.formatChat(messages, { tools: [{ name: "t" }] })).toBe(
    await boxed.formatChat(messages, { tools: [{ name: "t" }] }),
  );
});

describe("sessions", () => {
  test("continue as in this thread, to the bit: append, generate, break, fork, rewind, save and restore", async () => {
    const [here, there] = [local.session({ seed: 3 }), model.session({ seed: 3 })];
    const expectSame = async () => {
      expect([there.ids, there.length, there.seed]).toEqual([here.ids, here.length, here.seed]);
      expect(await there.save()).toEqual(here.save());
    };
    const same = async (call: (session: library.LanguageSession) => unknown) => {
      expect(await call(there)).toEqual(await call(here));
      await expectSame();
    };
    await same((session) => session.append([1, 2, 3], { prefillChunk: 2 }));
    await same((session) => collect(session.generate([4], { maxTokens: 4, temperature: 1 })));
    await same(async (session) => {
      for await (const { id } of session.generate([5], { maxTokens: 20, temperature: 1 })) if (session.length > 11) return id;
    });
    await same((session) => session.rewind(session.length - 1));
    await same((session) => collect(session.generate([7], { maxTokens: 2, seed: 9, temperature: 1 })));
    const [ownFork, fork] = [here.fork(), there.fork()];
    expect(fork.ids).toEqual(ownFork.ids);
    expect(await collect(fork.generate([6], { maxTokens: 3 }))).toEqual(await collect(ownFork.generate([6], { maxTokens: 3 })));
    await expectSame();
    // Both directions.
    const bytes = await fork.save();
    using back = local.restore(bytes);
    using again = model.restore(ownFork.save());
    expect([again.ids, again.seed]).toEqual([back.ids, back.seed]);
    expect(await collect(again.generate([], { maxTokens: 3 }))).toEqual(await collect(back.generate([], { maxTokens: 3 })));
    for (const session of [here, there, ownFork, fork]) session.dispose();
  });

  test("an abort leaves the session as it was, ready for the next call", async () => {
    using session = model.session({ seed: 1 });
    const control = new AbortController();
    const reason = new Error("enough");
    const ids: number[] = [];
    await expect(async () => {
      for await (const { id } of session.generate([1, 2], { signal: control.signal, maxTokens: 30 })) {
        ids.push(id);
        if (ids.length === 3) control.abort(reason);
      }
    }).rejects.toBe(reason);
    expect(session.ids).toEqual([1, 2, ...ids]);
    await expect(session.append([3], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(session.ids).toEqual([1, 2, ...ids]);
    using other = local.session({ seed: 1 });
    await collect(other.generate([1, 2], { maxTokens: 3 }));
    expect(await session.save()).toEqual(other.save());
  });

  test("a fork of a session that is generating knows all tokens of its state", async () => {
    using session = model.session();
    const generation = session.generate([1], { maxTokens: 8 });
    await generation.next();
    const next = generation.next();
    using fork = session.fork();
    await next;
    await generation.return();
    expect(local.restore(await fork.save()).ids).toEqual(fork.ids);
  });

  test.each<[string, (session: library.LanguageSession) => unknown]>([
    ["ids outside the vocabulary", (session) => session.append([99])],
    ["text without a tokenizer", (session) => session.append("a")],
    ["no tokens", (session) => collect(session.generate())],
    ["too many tokens", (session) => collect(session.generate(Array(100).fill(1)))],
    ["an option", (session) => collect(session.generate([1], { topP: 2 }))],
    ["a rewind past the end", (session) => session.rewind(1)],
    [
      "a rewind of computed tokens",
      async (session) => {
        await session.append([1, 2, 3]);
        session.rewind(1);
      },
    ],
    [
      "two calls at once",
      async (session) => {
        const first = session.append([1, 2]);
        const second = await outcome(() => session.append([3]));
        await first;
        throw second;
      },
    ],
    [
      "a call while another runs",
      async (session) => {
        const generation = session.generate([1], { maxTokens: 8 });
        await generation.next();
        session.rewind(1);
      },
    ],
  ])("%s: the same error", async (_, call) => {
    using here = local.session();
    using there = model.session();
    const expected = await outcome(() => call(here));
    expect(expected).toBeInstanceOf(library.LightningError);
    expect(await outcome(() => call(there))).toEqual(expected);
    expect(there.ids).toEqual(here.ids);
  });

  test("a session of another model, damaged bytes, and use after dispose", async () => {
    const bytes = boxed.session().save();
    using foreign = model.restore(bytes);
    await expect(foreign.append([1])).rejects.toThrow(library.SessionError);
    await expect(foreign.save()).rejects.toThrow(/another model/);
    await expect(foreign.fork().save()).rejects.toThrow(/another model/);
    expect(() => model.restore(bytes.subarray(0, 60))).toThrow(/damaged|truncated/);
    const session = model.session();
    session.dispose();
    await expect(session.append([1])).rejects.toThrow(library.SessionError);
    await expect(session.save()).rejects.toThrow(/used after dispose/);
    expect(() => session.rewind(0)).toThrow(library.SessionError);
  });
});

describe("forward", () => {
  const batch = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const all = { hiddenStates: true, routerLogits: true, states: true, attention: true } as const;

  test("returns the same arrays, by layer and as a whole", async () => {
    const layersOf = (views: library.LayerView[]) => views.map((view) => [view.layer, view.input(), view.output(), view.routerLogits()]);
    const [here, there]: library.LayerView[][] = [[], []];
    const expected = local.forward(batch, {
      ...all,
      onLayer: ({ layer, input, output, routerLogits }) => {
        const [x, y, z] = [input(), output(), routerLogits()];
        here!.push({ layer, input: () => x, output: () => y, routerLogits: () => z });
      },
    });
    const output = await model.forward(batch, { ...all, onLayer: (view) => there!.push(view) });
    const hidden: Float32Array[] = output.hiddenStates;
    expect(hidden).toEqual(expected.hiddenStates);
    expect(output).toEqual(expected);
    expect(layersOf(there!)).toEqual(layersOf(here!));
  });

  test("continues caches", async () => {
    const own = [local.newCache()];
    using cache = model.newCache();
    for (const ids of [[1, 2, 3], [4]]) {
      const output = await model.forward([ids], { cache: [cache], logits: "last" });
      expect(output.logits).toEqual(local.forward([ids], { cache: own, logits: "last" }).logits);
    }
    expect(cache.length).toBe(4);
    using copy = cache.copy();
    expect((await model.forward([[5]], { cache: [copy] })).logits).toEqual(local.forward([[5]], { cache: own }).logits);
    expect([cache.length, copy.length]).toEqual([4, 5]);
    const twice = await outcome(() => model.forward([[1], [1]], { cache: [cache, cache] }));
    expect(twice).toEqual(await outcome(() => local.forward([[1], [1]], { cache: [own[0]!, own[0]!] })));
    await expect(model.forward([[1]], { cache: [own[0]] as never })).rejects.toThrow(library.InputError);
  });

  test("ends with the error of onLayer, and with the signal's reason", async () => {
    const onLayer = () => {
      throw new RangeError("seen enough");
    };
    await expect(model.forward(batch, { onLayer })).rejects.toThrow("seen enough");
    await expect(model.forward(batch, { signal: AbortSignal.abort("no") })).rejects.toBe("no");
    expect((await model.forward(batch)).logits).toEqual(local.forward(batch).logits);
  });
});

test.each<[string, (one: library.LanguageModel) => unknown]>([
  ["ids outside the vocabulary", (one) => collect(one.generate([99]))],
  ["text without a tokenizer", (one) => collect(one.generate("a"))],
  ["a stop string without a tokenizer", (one) => one.generate([1], { stop: "a" })],
  ["tools without a conversation", (one) => one.generate([1], { tools: [] })],
  ["an unknown option", (one) => one.generate([1], { maxToken: 1 } as never)],
  ["an unknown role", (one) => one.formatChat([{ role: "x", content: "a" }] as never)],
  ["a template that fails", (one) => one.formatChat([{ role: "user", content: "a" }], { template: "{{ f() }}" })],
])("%s: the same error", async (_, call) => {
  const expected = await outcome(() => call(local));
  expect(expected).toBeInstanceOf(library.LightningError);
  expect(await outcome(() => call(model))).toEqual(expected);
});

test("values that cannot be sent are the caller's error", async () => {
  expect(() => model.generate([() => 1] as never)).toThrow(library.InputError);
  await expect(model.formatChat([{ role: "user", content: "a" }], { variables: { f: () => 1 } })).rejects.toThrow(
    /cannot be sent to a worker/,
  );
});

describe("loading", () => {
  test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    ["nothing there", () => MiniMaxM1.load("./no/such/path"), () => createWorkerModel("./no/such/path")],
    [
      "another architecture",
      () => MiniMaxM1.load(singleFile({ ...SMALL, model_type: "llama" })),
      () => createWorkerModel(singleFile({ ...SMALL, model_type: "llama" })),
    ],
    ["an option", () => MiniMaxM1.load(singleFile(), { threads: -1 }), () => createWorkerModel(singleFile(), { threads: -1 })],
  ])("%s: the same error", async (_, here, there) => {
    const expected = await outcome(here);
    expect(expected).toBeInstanceOf(library.LightningError);
    expect(await outcome(there)).toEqual(expected);
  });

  test("an abort, before and during the load, and a callback that throws", async () => {
    await expect(createWorkerModel(singleFile(), { signal: AbortSignal.abort("before") })).rejects.toBe("before");
    const control = new AbortController();
    const onProgress = () => control.abort("during");
    await expect(createWorkerModel(undefined, { signal: control.signal, onProgress })).rejects.toBe("during");
    const onThrow = () => {
      throw new RangeError("of the callback");
    };
    await expect(createWorkerModel(singleFile(), { onProgress: onThrow })).rejects.toThrow("of the callback");
  });

  test("a worker that does not start", async () => {
    const missing = () => new Worker("/no/such/script.js");
    await expect(createWorkerModel(singleFile(), { worker: missing })).rejects.toThrow(
      /^worker: the worker has ended \(.*no\/such\/script/,
    );
    const refused = () => {
      throw new Error("refused by a policy");
    };
    await expect(createWorkerModel(singleFile(), { worker: refused })).rejects.toThrow(
      /^worker: .*refused by a policy.*lightning-m1-worker\.js/,
    );
  });
});

test("a worker that dies rejects what waits and what follows; dispose does too, and ends the thread", async () => {
  for (const end of ["terminate", "dispose"] as const) {
    let worker!: Worker;
    const dying = await createWorkerModel(singleFile(), { ...options, worker: () => (worker = startWorker()) });
    const exit = new Promise((resolve) => worker.once("exit", resolve));
    const session = dying.session();
    const waiting = [
      collect(session.generate([1], { maxTokens: 60 })),
      dying.forward([Array(60).fill(1)]),
      outcome(() => dying.fetch("http://worker/health")),
    ];
    if (end === "terminate") void worker.terminate();
    else dying.dispose();
    const message = end === "terminate" ? /^worker: the worker has ended \(exit code 1\)/ : /^worker: used after dispose/;
    for (const one of waiting.slice(0, 2)) await expect(one).rejects.toThrow(message);
    await expect(dying.forward([[1]])).rejects.toThrow(library.LightningError);
    await expect(session.save()).rejects.toThrow(message);
    await exit;
    dying.dispose();
  }
});

describe("fetch", () => {
  test("is the fetch of a remote model", async () => {
    using remote = await RemoteModel.connect("http://worker/v1", { fetch: boxedModel.fetch });
    const settings = { ...sampled, maxTokens: 40 };
    const conversation: library.Prompt = [{ role: "user", content: answers[1]!.question }];
    const [here, there] = [await collect(boxed.generate(conversation, settings)), await collect(remote.generate(conversation, settings))];
    const summary = (tokens: readonly library.Token[]) => [
      tokens.map(({ id, logprob }) => [id, logprob]),
      tokens.map(({ text }) => text).join(""),
    ];
    expect(summary(there)).toEqual(summary(here));
    const refused = await outcome(() => collect(remote.generate("a", { maxTokens: 1, topK: 2.5 })));
    expect(refused).toBeInstanceOf(library.InputError);
  });

  test("is the fetch of openai's client and of the AI SDK", async () => {
    const [{ question, seed, text }] = answers as [(typeof answers)[number]];
    const client = new OpenAI({ baseURL: "http://worker/v1", apiKey: "none", fetch: boxedModel.fetch });
    const messages = [{ role: "user" as const, content: question }];
    const stream = await client.chat.completions.create({ model: "lightning-m1", messages, top_p: 0.95, seed, stream: true });
    let parts = ["", ""];
    for await (const { choices } of stream) {
      const delta = choices[0]?.delta as { reasoning_content?: string; content?: string } | undefined;
      parts = [parts[0] + (delta?.reasoning_content ?? ""), parts[1] + (delta?.content ?? "")];
    }
    expect(`<think>${parts[0]}</think>${parts[1]}`).toBe(text);
    // The provider takes the model itself, or a remote model over its fetch.
    using remote = await RemoteModel.connect("http://worker/v1", { fetch: boxedModel.fetch });
    for (const source of [boxedModel, remote]) {
      const answer = await generateText({ model: lightningM1(source), prompt: question, temperature: 1, topP: 0.95, seed });
      expect([answer.reasoningText, answer.text]).toEqual(parts);
    }
  });

  test("has statuses, headers and JSON, and an error for arguments that are no request", async () => {
    const response = await boxedModel.fetch(new Request("http://worker/v1/models"));
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(await response.json()).toMatchObject({ data: [{ id: "lightning-m1" }] });
    expect((await boxedModel.fetch("http://worker/none")).status).toBe(404);
    await expect(boxedModel.fetch("no address")).rejects.toThrow(library.InputError);
  });

  test("ends the request if the body is cancelled, or the signal aborts", async () => {
    const active = async () =>
      /^lightning_m1_active_requests (\d+)/m.exec(await (await boxedModel.fetch("http://worker/metrics")).text())?.[1];
    const request = (signal?: AbortSignal) =>
      boxedModel.fetch("http://worker/v1/completions", {
        ...{ method: "POST", headers: { "content-type": "application/json" }, ...(signal && { signal }) },
        body: JSON.stringify({ prompt: "Compute 3 + 4", max_tokens: 2000, stream: true }),
      });
    const reader = (await request()).body!.getReader();
    await reader.read();
    await reader.cancel();
    const control = new AbortController();
    const aborted = (await request(control.signal)).body!.getReader();
    await aborted.read();
    control.abort("over");
    await expect(
      (async () => {
        while (!(await aborted.read()).done);
      })(),
    ).rejects.toBe("over");
    expect(await active()).toBe("0");
  });
});
