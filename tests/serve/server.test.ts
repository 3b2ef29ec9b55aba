// Admission, limits, shutdown and metrics of a running server, requested with OpenAI's own client.

import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";
import type { MiniMaxM1 } from "../../src/index.js";
import { Server } from "../../src/serve/index.js";
import { alone, endless, endlessly, expectMemoryFreed, model, start, until } from "./harness.js";

await expectMemoryFreed();

const NAME = "lightning-m1";
const sampled = { temperature: 1, seed: 7, maxTokens: 80 };
const params = { model: NAME, seed: 7, max_tokens: 80 };

describe("limits", () => {
  test("requests beyond maxBatch wait; beyond maxQueue they get 429 with Retry-After", async () => {
    const { client, server, post } = await start({ maxBatch: 1, maxQueue: 1 }, {}, endless);
    const running = await client.completions.create({ ...endlessly, prompt: [1], stream: true });
    const expected = await alone([2], { ...sampled, maxTokens: 4 }, endless);
    const waiting = client.completions.create({ ...params, prompt: [2], max_tokens: 4, return_token_ids: true } as never);
    await until(() => server.active === 2);
    const refused = await post("/v1/completions", { prompt: [3] });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ error: { type: "rate_limit_error", code: "queue_full" } });
    running.controller.abort();
    expect(((await waiting) as unknown as { choices: { token_ids: number[] }[] }).choices[0]!.token_ids).toEqual(expected.ids);
  });

  test("requests whose states do not fit wait; those that can never fit are refused", async () => {
    const { client, server } = await start({ maxCacheBytes: 400_000 }, {}, endless);
    const params = { ...endlessly, prompt: [1], max_tokens: 2000 };
    await expect(client.completions.create({ ...params, max_tokens: 5000 })).rejects.toThrow(/max_tokens: .*bytes.* 400000 /);
    const running = await client.completions.create({ ...params, stream: true });
    const small = client.completions.create({ ...params, max_tokens: 4 });
    const large = client.completions.create({ ...params, max_tokens: 1800 });
    await small;
    expect(server.active).toBe(2);
    running.controller.abort();
    expect((await large).usage!.completion_tokens).toBe(1800);
  });

  test("if a client disconnects, its running and waiting requests end", async () => {
    const { client, server, url } = await start({ maxBatch: 1 }, {}, endless);
    for await (const _ of await client.completions.create({ ...endlessly, prompt: [1], logprobs: 0, stream: true })) break;
    const controller = new AbortController();
    const ask = () => client.completions.create({ ...endlessly, prompt: [1] }, { signal: controller.signal });
    const requests = [ask(), ask()].map((request) => expect(request).rejects.toThrow(OpenAI.APIUserAbortError));
    await until(() => server.active === 2);
    controller.abort();
    await Promise.all(requests);
    await until(() => server.active === 0);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("cancelled_requests_total 3");
  });

  test("a request ends after timeoutMs", async () => {
    const { client, server } = await start({ timeoutMs: 60 }, {}, endless);
    await expect(client.completions.create({ ...endlessly, prompt: [1] })).rejects.toMatchObject({ status: 504, code: "timeout" });
    const read = async () => {
      for await (const _ of await client.completions.create({ ...endlessly, prompt: [1], stream: true }));
    };
    await expect(read()).rejects.toThrow(/within 60 ms/);
    expect(server.active).toBe(0);
  });

  test("API keys: any of the list, as a bearer token only", async () => {
    const { client, url } = await start({ apiKey: ["one", "two"] });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual([NAME]);
    const status = async (authorization?: string) =>
      (await fetch(`${url}/v1/models`, authorization === undefined ? {} : { headers: { authorization } })).status;
    expect(await Promise.all(["Bearer one", "bearer two", "Bearer  one"].map(status))).toEqual([200, 200, 200]);
    expect(
      await Promise.all([undefined, "", "one", "Bearer", "Bearer onex", "Bearer on", "Basic one", "Bearer one two"].map(status)),
    ).toEqual(Array(8).fill(401));
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
  });

  test("pages of other origins are allowed only by the option cors", async () => {
    const allowed = async (cors?: string) => {
      const { url } = await start({ cors });
      return (await fetch(`${url}/health`, { headers: { origin: "https://a.example" } })).headers.get("access-control-allow-origin");
    };
    expect([await allowed(), await allowed("https://a.example"), await allowed("https://b.example"), await allowed("*")]).toEqual([
      null,
      "https://a.example",
      null,
      "*",
    ]);
  });

  test("drain lets running requests end and refuses new ones", async () => {
    const { client, server, post, url } = await start();
    const expected = await alone("Compute 3", sampled);
    const running = client.completions.create({ ...params, prompt: "Compute 3" });
    await until(() => server.active === 1);
    const stopped = server.drain(10_000);
    expect((await post("/v1/completions", { prompt: "x" })).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect((await running).choices[0]!.text).toBe(expected.text);
    await stopped;
  });

  test("drain aborts requests that exceed its grace period", async () => {
    const { client, server } = await start({}, {}, endless);
    const refused = expect(client.completions.create({ ...endlessly, prompt: [1] })).rejects.toMatchObject({
      status: 503,
      code: "stopping",
    });
    await until(() => server.active === 1);
    await server.drain(20);
    await refused;
  });
});

test("a request that arrives while others run gets its first token with the next forward pass", async () => {
  const passes: number[] = [];
  const { forward } = endless.transformer;
  endless.transformer.forward = (batch) => {
    passes.push(batch.length);
    return forward.call(endless.transformer, batch);
  };
  const server = new Server(endless, { maxBatch: 24 });
  onTestFinished(() => void Object.assign(endless.transformer, { forward }));
  const body = JSON.stringify({ ...endlessly, prompt: [1, 2, 3], max_tokens: 10_000, stream: true, return_token_ids: true });
  const open = async () => {
    const before = passes.length;
    const request = new Request("http://x/v1/completions", { method: "POST", headers: { "content-type": "application/json" }, body });
    const reader = (await server.fetch(request)).body!.getReader();
    await reader.read();
    void drained(reader);
    return passes.length - before;
  };
  for (let i = 0; i < 24; i++) expect(await open()).toBeLessThanOrEqual(2);
  expect(passes.reduce((most, count) => Math.max(most, count))).toBeGreaterThan(20);
  await server.drain(1);
});

async function drained(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}

test("an internal error affects one request only and shows no internals", async () => {
  const { client, server } = await start({ maxBatch: 4 });
  const expected = await alone("Compute 3", sampled);
  const errors: unknown[] = [];
  const broken = Object.assign(Object.create(model) as MiniMaxM1, {
    generateBatch: () => {
      throw new TypeError("secret");
    },
  });
  const other = new Server(broken, { onError: (error) => errors.push(error) });
  const request = new Request("http://x/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"prompt":"x"}',
  });
  const [good, bad] = await Promise.all([client.completions.create({ ...params, prompt: "Compute 3" }), other.fetch(request)]);
  expect(good.choices[0]!.text).toBe(expected.text);
  expect(bad.status).toBe(500);
  expect(await bad.text()).not.toMatch(/secret|at .*:\d+/);
  expect(errors).toHaveLength(1);
  expect(server.active).toBe(0);
});

test("metrics count requests and tokens", async () => {
  const { client, url, post } = await start();
  const { usage } = await client.completions.create({ ...params, prompt: "Compute 3" });
  await post("/v1/completions", { prompt: "" });
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string) => Number(new RegExp(`^lightning_m1_${name} (\\S+)$`, "m").exec(text)?.[1]);
  expect(value("generated_tokens_total")).toBe(usage!.completion_tokens);
  expect(value("prompt_tokens_total")).toBe(usage!.prompt_tokens);
  expect([value('requests_total{status="200"}'), value('requests_total{status="400"}')]).toEqual([1, 1]);
  expect([value("first_token_seconds_count"), value("running_sequences"), value("waiting_requests"), value("cache_bytes")]).toEqual([
    1, 0, 0, 0,
  ]);
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) lightning_m1_\w+ .+|lightning_m1_\w+(\{\w+="[^"]+"\})? [\d.e+-]+)$/);
});
