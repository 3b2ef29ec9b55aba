import { describe, expect, test } from "vitest";
import { AdmissionQueue } from "../../src/serve/admission-queue.js";
import { Server } from "../../src/serve/index.js";
import { random } from "../support/random.js";
import { alone, endless, endlessly, until } from "./harness.js";

const LONG = 4000;

/** A queue whose requests have names, with the names in order of admission. Each request runs until `end(name)`. */
function named(limit: { sequences: number; bytes?: number }, maxWaiting = 128) {
  const admission = new AdmissionQueue({ sequences: limit.sequences, bytes: limit.bytes ?? Number.POSITIVE_INFINITY }, maxWaiting);
  const admitted: string[] = [];
  const running = new Map<string, () => void>();
  const refused: string[] = [];
  const enter = (name: string, client: string, tokens: number, { sequences = 1, bytes = 1, signal = new AbortController().signal } = {}) =>
    admission.enter({ cost: { sequences, bytes }, tokens, client }, signal).then(
      (release) => {
        admitted.push(name);
        running.set(name, release);
      },
      () => void refused.push(name),
    );
  const end = async (name: string) => {
    running.get(name)!();
    running.delete(name);
    await settled();
  };
  return { admission, admitted, running, refused, enter, end };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("order of admission", () => {
  test("a short request starts even if every place is taken and 100 long ones wait, of its client or another", async () => {
    for (const client of ["a", "b"]) {
      const { enter, admitted, running } = named({ sequences: 32 });
      for (let i = 0; i < 100; i++) void enter(`long ${i}`, "a", LONG);
      await settled();
      expect(running.size).toBe(32);
      void enter("short", client, 20);
      await settled();
      expect(admitted.at(-1)).toBe("short");
    }
  });

  test("another client starts a long request at once; its next ones alternate with the first client's", async () => {
    const { enter, admitted, end, running } = named({ sequences: 32 });
    for (let i = 0; i < 100; i++) void enter(`a${i}`, "a", LONG);
    for (let i = 0; i < 5; i++) void enter(`b${i}`, "b", LONG);
    await settled();
    expect(admitted).toContain("b0");
    const before = admitted.length;
    for (let i = 0; i < 12; i++) await end([...running.keys()].find((name) => name.startsWith("a"))!);
    const next = admitted.slice(before);
    expect(next.filter((name) => name.startsWith("b"))).toEqual(["b1", "b2", "b3", "b4"]);
  });

  test("equal requests of one client keep their order", async () => {
    const { enter, admitted, end } = named({ sequences: 1 });
    for (let i = 0; i < 20; i++) void enter(`${i}`, "a", LONG);
    await settled();
    for (let i = 0; i < 19; i++) await end(`${i}`);
    expect(admitted).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  });

  test("the cheaper request comes first if there are no spare places", async () => {
    const { enter, admitted, end } = named({ sequences: 1 });
    for (const name of ["running", "long 1", "long 2"]) void enter(name, "a", LONG);
    void enter("short", "b", 20);
    await settled();
    await end("running");
    expect(admitted).toEqual(["running", "short"]);
  });

  test("at most 256 others overtake a long request, or one that needs the whole limit", async () => {
    for (const cost of [{ sequences: 4 }, { bytes: 100 }, {}]) {
      const { enter, admitted, end, running } = named({ sequences: 4, bytes: 100 });
      for (let i = 0; i < 4; i++) void enter(`first ${i}`, "a", LONG);
      await settled();
      void enter("large", "b", 100 * LONG, cost);
      for (let i = 0; i < 600 && !admitted.includes("large"); i++) {
        void enter(`${i}`, `client ${i}`, 10);
        await settled();
        await end([...running.keys()][0]!);
      }
      while (running.size > 0 && !admitted.includes("large")) await end([...running.keys()][0]!);
      expect(admitted.indexOf("large")).toBeGreaterThan(0);
      expect(admitted.indexOf("large")).toBeLessThanOrEqual(4 + 256);
    }
  });

  test("only short requests and new clients use spare places, and memory has no spare", async () => {
    const { enter, admission, admitted } = named({ sequences: 8, bytes: 10 });
    for (let i = 0; i < 12; i++) void enter(`a${i}`, "a", LONG);
    await settled();
    expect(admission.running).toBe(8);
    for (let i = 0; i < 3; i++) void enter(`short ${i}`, "a", 20);
    await settled();
    expect([admission.running, admission.bytes]).toEqual([10, 10]);
    void enter("new", "b", LONG);
    await settled();
    expect(admitted).not.toContain("new");
  });
});

describe("queue limit", () => {
  test("a full queue still accepts a client without requests", async () => {
    const { enter, refused, admission } = named({ sequences: 1 }, 8);
    for (let i = 0; i < 12; i++) void enter(`a${i}`, "a", LONG);
    await settled();
    expect(refused).toEqual(["a9", "a10", "a11"]);
    void enter("b0", "b", LONG);
    void enter("b1", "b", LONG);
    await settled();
    expect(refused.slice(3)).toEqual(["b1"]);
    expect(admission.waiting).toBe(9);
    expect(() => admission.checkQueue("b", 1)).toThrow(/queue is full.*\b8\b/);
    expect(() => admission.checkQueue("c", 1)).not.toThrow();
  });

  test("requests that arrive, run and leave in any order release everything", async () => {
    const stream = random(7);
    const pick = (n: number) => Math.floor(stream.uniform() * n);
    for (let round = 0; round < 20; round++) {
      const { enter, admission, running, end, admitted, refused } = named({ sequences: 1 + pick(9), bytes: 60 }, pick(20));
      const controllers: AbortController[] = [];
      const all: Promise<unknown>[] = [];
      for (let i = 0; i < 120; i++) {
        const controller = new AbortController();
        controllers.push(controller);
        all.push(enter(`${i}`, `${pick(4)}`, 1 + pick(5000), { sequences: 1 + pick(3), bytes: pick(70), signal: controller.signal }));
        if (pick(3) === 0) controllers[pick(controllers.length)]!.abort();
        if (pick(2) === 0) await settled();
        if (running.size > 0 && pick(2) === 0) await end([...running.keys()][pick(running.size)]!);
        expect(admission.bytes).toBeLessThanOrEqual(60);
      }
      for (const controller of controllers) controller.abort();
      await settled();
      for (const name of [...running.keys()]) await end(name);
      await Promise.all(all);
      expect([admission.running, admission.bytes, admission.waiting]).toEqual([0, 0, 0]);
      expect(admitted.length + refused.length).toBe(120);
    }
  });
});

test("over HTTP: each key is a client; a short request is answered as if alone while long ones hold every place", async () => {
  const server = new Server(endless, { apiKey: ["a", "b"], maxBatch: 4 });
  const post = async (key: string, body: object) =>
    server.fetch(
      new Request("http://x/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify(body),
      }),
    );
  const long = Array.from({ length: 20 }, () => post("a", endlessly));
  await until(() => server.active === 20);
  for (const key of ["a", "b"]) {
    const answer = await post(key, { prompt: [2], seed: 3, max_tokens: 6, return_token_ids: true });
    const { choices } = (await answer.json()) as { choices: { token_ids: number[] }[] };
    expect(choices[0]!.token_ids).toEqual((await alone([2], { temperature: 1, seed: 3, maxTokens: 6 }, endless)).ids);
  }
  const stream = await post("b", { ...endlessly, stream: true, logprobs: 0 });
  const reader = stream.body!.getReader();
  expect((await reader.read()).done).toBe(false);
  await reader.cancel();
  expect(server.active).toBe(20);
  await server.drain(0);
  for (const { status } of await Promise.all(long)) expect(status).toBe(503);
});
