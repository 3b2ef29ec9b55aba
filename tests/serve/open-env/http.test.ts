// The server of environments over plain HTTP: another trainer's loop, sessions, limits, hostile requests.

import { describe, expect, onTestFinished, test } from "vitest";
import { listen } from "../../../src/node-entry/listen.js";
import { OpenEnvServer } from "../../../src/serve/index.js";
import { counting, countRows, served } from "../../support/counting-environment.js";
import { facts } from "../../support/facts.js";
import { add, direct } from "./harness.js";

interface Observation {
  readonly episode_id: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly tools: readonly { readonly function: { readonly name: string } }[];
}

/** A trainer that knows nothing of this library: HTTP and JSON. It plays one episode and returns its reward. */
async function trainersLoop(url: string, index: number, policy: (text: string) => number | undefined): Promise<number> {
  async function post(path: string, body: object) {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { observation: Observation; reward: number | null; done: boolean };
  }
  let { observation, reward, done } = await post("/reset", { seed: index, index });
  const { episode_id, tools } = observation;
  const { name } = tools[0]!.function;
  const conversation: { content: string }[] = [...observation.messages];
  for (let turn = 0; !done; turn++) {
    const n = policy(conversation.at(-1)!.content);
    const args = JSON.stringify({ n });
    const message =
      n === undefined
        ? { role: "assistant", content: "done" }
        : { role: "assistant", content: "", tool_calls: [{ id: `call_${turn}`, type: "function", function: { name, arguments: args } }] };
    conversation.push(message);
    ({ observation, reward, done } = await post("/step", { episode_id, action: message, request_id: `${episode_id}/${turn}` }));
    conversation.push(...observation.messages);
  }
  return reward ?? Number.NaN;
}

test("another trainer's loop of plain HTTP plays episodes, many at a time, and gets the server's rewards", async () => {
  const listening = await listen(new OpenEnvServer([served()]), { port: 0 });
  onTestFinished(() => listening.close(1));
  let seen = 0;
  const good = (text: string) => {
    seen++;
    const target = /Count to (\d)/.exec(text)?.[1];
    return target === undefined ? undefined : Number(target);
  };
  const rewards = await Promise.all([0, 1, 2, 3, 0, 1].map((index) => trainersLoop(listening.url, index, good)));
  expect(rewards).toEqual([2, 2, 2, 2, 2, 2]);
  expect(seen).toBe(12);
  expect(await trainersLoop(listening.url, 3, () => undefined)).toBe(0);
});

describe("descriptions", () => {
  test("health, metadata, schemas, state", async () => {
    const { get } = direct({ maxEpisodes: 7 });
    expect((await get("/health")).body).toEqual({ status: "healthy" });
    expect((await get("/metadata")).body).toMatchObject({
      name: "counting",
      description: "Counts with a tool",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      environments: [{ name: "counting", tasks: 4, weights: { right: 2 } }],
    });
    const { action, observation, state } = (await get("/schema")).body as unknown as Record<string, { properties: object }>;
    expect(Object.keys(action!.properties)).toEqual(expect.arrayContaining(["text", "content", "tool_calls", "end"]));
    expect(observation!.properties).toHaveProperty("messages");
    expect(state!.properties).toHaveProperty("step_count");
    expect((await get("/state")).body).toEqual({ episode_id: null, step_count: 0, active_sessions: 0, max_sessions: 7 });
  });

  test("unknown paths and methods", async () => {
    const { get, post } = direct();
    expect(await get("/nothing")).toMatchObject({ status: 404, body: { detail: expect.stringContaining("/reset") } });
    expect(await get("/reset")).toMatchObject({ status: 405, body: { detail: expect.stringContaining("expected POST") } });
    expect((await post("/health", {})).headers.get("allow")).toBe("GET");
    expect(await get("/ws")).toMatchObject({ status: 422 });
    expect(await get("/ws", { upgrade: "websocket" })).toMatchObject({ status: 501, body: { detail: expect.stringContaining("/reset") } });
  });
});

describe("an episode", () => {
  test("a reset, steps, the end with rewards by name; tools only after the reset", async () => {
    const { post, get, log } = direct();
    const reset = await post("/reset", { index: 2, episode_id: "mine", seed: 5 });
    expect(reset.body).toMatchObject({
      observation: {
        episode_id: "mine",
        messages: [{ role: "user", content: "Count to 3." }],
        tools: [{ type: "function", function: { name: "add", parameters: { required: ["n"] } } }],
        terminated: false,
      },
      reward: null,
      done: false,
    });
    expect(Object.keys(reset.body).sort()).toEqual(["done", "observation", "reward"]);
    const step = await post("/step", {
      episode_id: "mine",
      action: { text: 'Now.\n<tool_calls>\n{"name":"add","arguments":{"n":3}}\n</tool_calls>' },
    });
    expect(step.body).toMatchObject({
      observation: { messages: [{ role: "tool", content: "3", tool_call_id: "call_0" }] },
      reward: null,
      done: false,
    });
    expect(step.body.observation).not.toHaveProperty("tools");
    expect((await get("/state?episode_id=mine")).body).toEqual({
      ...{ episode_id: "mine", step_count: 1, environment: "counting", index: 2, done: false, stop_condition: null },
    });
    const end = await post("/step", { episode_id: "mine", action: { content: "done", metadata: {} } });
    expect(end.body).toMatchObject({
      observation: { rewards: { right: { score: 1, weight: 2 } }, metrics: { at: 3 }, terminated: true, truncated: false },
      ...{ reward: 2, done: true },
    });
    expect(log).toEqual({ started: 1, disposed: 1 });
    expect(await post("/step", { episode_id: "mine", action: { content: "x" } })).toMatchObject({
      status: 409,
      body: { code: "SESSION_ERROR" },
    });
    expect((await get("/state?episode_id=mine")).body).toMatchObject({ done: true, stop_condition: "terminated" });
  });

  test("a seed chooses the row, always the same; a reset may come without a body; a null field is missing", async () => {
    const { post } = direct();
    const first = async (body?: object) => ((await post("/reset", body)).body.observation.messages as { content: string }[])[0]!.content;
    const texts = await Promise.all(Array.from({ length: 20 }, (_, seed) => first({ seed })));
    expect(new Set(texts).size).toBe(4);
    expect(await Promise.all(Array.from({ length: 20 }, (_, seed) => first({ seed, index: null, episode_id: null })))).toEqual(texts);
    expect(await first()).toMatch(/Count to/);
    expect(await first({ seed: 2 ** 40 + 3 })).toBe(texts[3]);
  });

  test("a limit of turns truncates it, and so does the client; both are judged", async () => {
    const { post } = direct({ maxTurns: 2 });
    for (const [actions, stop_condition] of [
      [[add(1), add(1)], "max_turns"],
      [[add(2), { end: true }], "ended"],
    ] as const) {
      const { episode_id } = (await post("/reset", { index: 1 })).body.observation;
      await post("/step", { episode_id, action: actions[0] });
      const { body } = await post("/step", { episode_id, action: actions[1] });
      expect(body).toMatchObject({ reward: 2, done: true, observation: { terminated: false, truncated: true, stop_condition } });
    }
  });

  test("a reward that could not be judged is null", async () => {
    const { post } = direct();
    const { episode_id } = (await post("/reset", { index: 0 })).body.observation;
    const { body } = await post("/step", { episode_id, action: { content: "broken judge" } });
    expect(body).toMatchObject({ reward: null, done: true, observation: { rewards: { right: null } } });
  });

  test("a repeated request gets the answer that was lost, and counts once", async () => {
    const { post } = direct();
    const { episode_id } = (await post("/reset", { index: 2 })).body.observation;
    const once = await post("/step", { episode_id, action: add(1), request_id: "r1" });
    expect((await post("/step", { episode_id, action: add(1), request_id: "r1" })).body).toEqual(once.body);
    expect((await post("/step", { episode_id, action: add(1), request_id: "r2" })).body.observation.messages).toMatchObject([
      { content: "2" },
    ]);
    const end = await post("/step", { episode_id, action: { content: "done" }, request_id: "r3" });
    expect((await post("/step", { episode_id, action: { content: "done" }, request_id: "r3" })).body).toEqual(end.body);
  });

  test("wrong arguments of a call are the environment's to answer", async () => {
    const { post } = direct();
    const { episode_id } = (await post("/reset", { index: 2 })).body.observation;
    const call = (args: unknown) => ({ content: "", tool_calls: [{ id: "a", function: { name: "add", arguments: args } }] });
    for (const [args, answer] of [
      ["{n: 1", /error: .*not a JSON object/],
      [`{"n":${"[".repeat(500)}${"]".repeat(500)}}`, /error: .*at most 100 levels/],
      [{ n: "1" }, /error: add: arguments\.n: expected integer/],
      ['{"n":14}', /error: 14 is not allowed/],
    ] as const) {
      const { body } = await post("/step", { episode_id, action: call(args) });
      // As OpenAI's API asks for, every call has a result with its id.
      expect(body.observation.messages).toMatchObject([{ name: "add", tool_call_id: "a", content: expect.stringMatching(answer) }]);
    }
  });
});

describe("sessions", () => {
  test("clients do not mix: each id is an episode, and random ids differ", async () => {
    const { post } = direct();
    const ids = await Promise.all([1, 2, 3].map(async (index) => (await post("/reset", { index })).body.observation.episode_id as string));
    expect(new Set(ids).size).toBe(3);
    for (const n of [1, 2, 3]) await Promise.all(ids.map((episode_id, i) => post("/step", { episode_id, action: add(100 * (i + 1) + n) })));
    const ends = await Promise.all(ids.map((episode_id) => post("/step", { episode_id, action: { content: "done" } })));
    expect(ends.map(({ body }) => (body.observation.metrics as { at: number }).at)).toEqual([306, 606, 906]);
  });

  test("equal ids of clients with different keys are different episodes", async () => {
    const { post } = direct({ apiKey: ["one", "two"] });
    const [one, two] = ["one", "two"].map((key) => ({ authorization: `Bearer ${key}` }));
    await post("/reset", { index: 0, episode_id: "e" }, one);
    await post("/reset", { index: 1, episode_id: "e" }, two);
    await post("/step", { episode_id: "e", action: add(1) }, one);
    expect((await post("/step", { episode_id: "e", action: { content: "done" } }, one)).body).toMatchObject({ reward: 2 });
    expect((await post("/step", { episode_id: "e", action: { content: "done" } }, two)).body).toMatchObject({ reward: 0 });
    expect(await post("/reset", {})).toMatchObject({ status: 401, body: { code: "invalid_api_key" } });
  });

  test("a reset of an id that runs replaces its episode, also during a step", async () => {
    const { post, log } = direct();
    await post("/reset", { index: 0, episode_id: "e" });
    const slow = post("/step", { episode_id: "e", action: add(15) });
    await post("/reset", { index: 1, episode_id: "e" });
    expect(await slow).toMatchObject({ status: 409, body: { code: "SESSION_ERROR", detail: expect.stringContaining("closed") } });
    expect(log).toEqual({ started: 2, disposed: 1 });
    await post("/step", { episode_id: "e", action: add(2) });
    expect((await post("/step", { episode_id: "e", action: { content: "done" } })).body).toMatchObject({ reward: 2 });
  });

  test("two steps of an episode do not overlap", async () => {
    const { post } = direct();
    const { episode_id } = (await post("/reset", { index: 0 })).body.observation;
    const [slow, second] = await Promise.all([
      post("/step", { episode_id, action: add(17) }),
      post("/step", { episode_id, action: add(1) }),
    ]);
    expect([slow.status, second.status, second.body.code]).toEqual([200, 409, "SESSION_ERROR"]);
  });

  test("capacity: further resets are refused until an episode is over or closed", async () => {
    const { post, server } = direct({ maxEpisodes: 2 });
    const [a, b] = [(await post("/reset", {})).body, (await post("/reset", {})).body];
    const refused = await post("/reset", {});
    expect(refused).toMatchObject({ status: 503, body: { code: "CAPACITY_REACHED", active_sessions: 2, max_sessions: 2 } });
    expect(refused.headers.get("retry-after")).toBe("1");
    await post("/step", { episode_id: a.observation.episode_id, action: { content: "done" } });
    expect((await post("/reset", {})).status).toBe(200);
    expect((await post("/close", { episode_id: b.observation.episode_id })).status).toBe(200);
    expect((await post("/reset", {})).status).toBe(200);
    expect(server.active).toBe(2);
    expect(await post("/close", { episode_id: b.observation.episode_id })).toMatchObject({ status: 404 });
  });

  test("an abandoned episode is thrown away", async () => {
    const { post, log, server } = direct({ idleMs: 40 });
    const { episode_id } = (await post("/reset", {})).body.observation;
    // A step that takes longer than the idle time keeps it.
    expect((await post("/step", { episode_id, action: add(17) })).status).toBe(200);
    while (log.disposed === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(server.active).toBe(0);
    expect(await post("/step", { episode_id, action: add(1) })).toMatchObject({ status: 404, body: { code: "SESSION_ERROR" } });
  });

  test("memory for episodes that are over is bounded", async () => {
    const { post, get } = direct({ maxEpisodes: 1 });
    for (let i = 0; i < 20; i++) {
      await post("/reset", { episode_id: `e${i}` });
      await post("/step", { episode_id: `e${i}`, action: { content: "done" } });
    }
    expect((await get("/state?episode_id=e0")).status).toBe(404);
    expect((await get("/state?episode_id=e19")).body).toMatchObject({ done: true });
  });

  test("a server that stops refuses resets, waits for what runs, and throws the rest away", async () => {
    const { post, get, server, log } = direct();
    const [a, b] = await Promise.all([post("/reset", {}), post("/reset", {})]);
    const drained = server.drain(150);
    expect((await get("/health")).status).toBe(503);
    expect(await post("/reset", {})).toMatchObject({ status: 503, body: { code: "SESSION_ERROR" } });
    expect((await post("/step", { episode_id: a.body.observation.episode_id, action: { content: "done" } })).body.done).toBe(true);
    await drained;
    expect(log.disposed).toBe(2);
    expect((await post("/step", { episode_id: b.body.observation.episode_id, action: { content: "done" } })).status).toBe(404);
  });
});

describe("failures", () => {
  test.each([
    ["fails", 13, {}, 500, "the environment failed"],
    ["exceeds the client's limit and listens to the signal", 15, { timeout_s: 0.02 }, 504, "longer than 0.02 s"],
    ["exceeds the client's limit and does not listen", 16, { timeout_s: 0.02 }, 504, "longer than 0.02 s"],
  ])(
    "an environment that %s: the client gets a sentence without internals, and the episode is over",
    async (_, n, options, status, detail) => {
      const errors: unknown[] = [];
      const { post, log } = direct({ onError: (error) => errors.push(error) });
      const { episode_id } = (await post("/reset", {})).body.observation;
      const answer = await post("/step", { episode_id, action: add(n), ...options });
      expect(answer).toMatchObject({ status, body: { code: "EXECUTION_ERROR", detail: expect.stringContaining(detail) } });
      expect(answer.body.detail).not.toContain("shadow");
      expect(errors).toHaveLength(n === 13 ? 1 : 0);
      expect(log.disposed).toBe(1);
      expect((await post("/step", { episode_id, action: add(1) })).status).toBe(409);
    },
  );

  test("the server's own limit of a step", async () => {
    const { post } = direct({ stepTimeoutMs: 20 });
    const { episode_id } = (await post("/reset", {})).body.observation;
    expect(await post("/step", { episode_id, action: add(16), timeout_s: 1000 })).toMatchObject({ status: 504 });
  });

  test("a row that cannot be started, a judge that throws", async () => {
    const errors: unknown[] = [];
    const environment = counting();
    const options = { onError: (error: unknown) => void errors.push(error) };
    const { post, server } = direct(options, [{ environment, rows: [{ target: -1 }] }]);
    expect(await post("/reset", {})).toMatchObject({ status: 500, body: { code: "EXECUTION_ERROR" } });
    expect([server.active, errors.length]).toEqual([0, 1]);
    const throwing = {
      name: "throwing",
      start: () => ({
        ...{ messages: [{ role: "user" as const, content: "?" }], step: () => ({ messages: [], terminated: true }) },
        score: () => Promise.reject(new Error("no judge")),
      }),
    };
    const judged = direct(options, [{ environment: throwing, rows: [{}] }]);
    const { episode_id } = (await judged.post("/reset", {})).body.observation;
    expect((await judged.post("/step", { episode_id, action: { content: "x" } })).status).toBe(500);
    expect(errors.length).toBe(2);
  });
});

describe("invalid requests leave the episode as it is", () => {
  const id = "e";
  test.each([
    ["an unknown field of an action", { episode_id: id, action: { content: "x", reward: 1 } }, 422, "action: reward: unknown field"],
    ["an action that is no object", { episode_id: id, action: "x" }, 422, "action: expected an object"],
    ["an empty action", { episode_id: id, action: {} }, 422, "action: expected text, or content"],
    ["text and content", { episode_id: id, action: { text: "x", content: "y" } }, 422, "action: …got text, content"],
    ["another role", { episode_id: id, action: { role: "user", content: "y" } }, 422, 'action: role: expected "assistant"'],
    ["a call without a name", { episode_id: id, action: { tool_calls: [{ function: {} }] } }, 422, "action: tool_calls"],
    ["an unknown field of a step", { episode_id: id, action: { content: "x" }, actions: 1 }, 422, "step: actions: unknown field"],
    ["no id", { action: { content: "x" } }, 422, "step: episode_id: …observation of the reset"],
    ["an unknown id", { episode_id: "other", action: { content: "x" } }, 404, 'episode_id: no episode "other"'],
    ["an id of another type", { episode_id: 7, action: { content: "x" } }, 422, "step: episode_id: expected a string"],
    ["a negative limit", { episode_id: id, action: { content: "x" }, timeout_s: -1 }, 422, "step: timeout_s: …above 0"],
    ["no object", [1], 422, "step: expected an object, got array"],
    ["no JSON", "{", 400, "invalid JSON"],
  ])("step: %s", async (_, body, status, detail) => {
    const { post } = direct();
    await post("/reset", { index: 0, episode_id: id });
    const answer = await post("/step", body);
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(facts(detail))]);
    expect(answer.body.code).toBe({ 422: "VALIDATION_ERROR", 404: "SESSION_ERROR", 400: "INVALID_JSON" }[status]);
    await post("/step", { episode_id: id, action: add(1) });
    expect((await post("/step", { episode_id: id, action: { content: "done" } })).body.reward).toBe(2);
  });

  test.each([
    [{ indx: 1 }, "reset: indx: unknown field…index"],
    [{ index: 4 }, "reset: index: …[0, 3], got 4"],
    [{ index: -1 }, "reset: index: expected an integer"],
    [{ seed: 1.5 }, "reset: seed: expected an integer"],
    [{ environment: "other" }, 'reset: environment: expected counting, got "other"'],
    [{ row: { target: 1 } }, "reset: row: …accepts no rows"],
    [{ episode_id: "x".repeat(256) }, "reset: episode_id: …255"],
  ])("reset: %j", async (body, detail) => {
    const { post, server } = direct();
    const answer = await post("/reset", body);
    expect([answer.status, answer.body.detail]).toEqual([422, expect.stringMatching(facts(detail))]);
    expect(server.active).toBe(0);
  });

  test("a body that is too large, of another type, or nested deeply", async () => {
    const { post } = direct({ maxBodyBytes: 1000 });
    await post("/reset", { episode_id: id });
    const large = await post("/step", { episode_id: id, action: { content: "x".repeat(2000) } });
    // The rest of the body is not read, so the connection cannot be used again.
    expect([large.status, large.headers.get("connection")]).toEqual([413, "close"]);
    expect((await post("/step", "x=1", { "content-type": "text/plain" })).status).toBe(415);
    const deep = direct();
    const { episode_id } = (await deep.post("/reset", { index: 0 })).body.observation;
    const nested = `${'{"n":'.repeat(50_000)}1${"}".repeat(50_000)}`;
    const action = `{"tool_calls":[{"function":{"name":"add","arguments":${nested}}}]}`;
    expect((await deep.post("/step", `{"episode_id":"${episode_id}","action":${action}}`)).status).toBeGreaterThanOrEqual(400);
    expect((await deep.get("/health")).status).toBe(200);
  });

  test("other host names and pages", async () => {
    const { server } = direct({ hosts: ["localhost"] });
    expect((await server.fetch(new Request("http://evil.example/health"))).status).toBe(403);
    const headers = { upgrade: "websocket", origin: "http://evil.example" };
    expect((await server.fetch(new Request("http://localhost/ws", { headers }))).status).toBe(403);
  });
});

test("rows of clients, if the server accepts them", async () => {
  const { post } = direct({ acceptRows: true }, [{ environment: counting(), rows: [] }]);
  const { episode_id } = (await post("/reset", { row: { target: 9 } })).body.observation;
  await post("/step", { episode_id, action: add(9) });
  expect((await post("/step", { episode_id, action: { content: "done" } })).body.reward).toBe(2);
  expect(await post("/reset", {})).toMatchObject({ status: 422, body: { detail: expect.stringContaining("expected a row") } });
  expect(await post("/reset", { row: { target: 1 }, index: 1 })).toMatchObject({ status: 422 });
});

test("several environments: a reset names one", async () => {
  const other = { ...counting(), name: "other" };
  const { post } = direct({}, [served(), { environment: other, rows: [{ target: 42 }] }]);
  expect(await post("/reset", {})).toMatchObject({ status: 422, body: { detail: expect.stringContaining("counting or other, got none") } });
  const reset = await post("/reset", { environment: "other" });
  expect(reset.body.observation.messages).toMatchObject([{ content: "Count to 42." }]);
});

test.each([
  [[], {}, "environments: expected at least one"],
  [[{ environment: counting(), rows: [] }], {}, "rows: expected at least one"],
  [[{ environment: {}, rows: countRows }], {}, "environments[0]: expected { environment, rows }"],
  [[served(), served()], {}, "counting twice"],
  [[served()], { maxEpisodes: 0 }, "OpenEnvServer: maxEpisodes"],
  [[served()], { maxEpisode: 1 }, "OpenEnvServer: maxEpisode: unknown option"],
])("invalid environments and options %#", (environments, options, message) => {
  expect(() => new OpenEnvServer(environments as never, options as never)).toThrow(message);
});
