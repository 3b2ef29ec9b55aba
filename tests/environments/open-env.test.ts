// The client of OpenEnv: against this library's server, and against servers written by the published protocol.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { type Environment, openEnv, playEpisode, totalReward } from "../../src/environments/index.js";
import { InputError, RemoteError } from "../../src/index.js";
import { listen } from "../../src/node-entry/listen.js";
import { type OpenEnvOptions, OpenEnvServer } from "../../src/serve/index.js";
import { type CountingLog, counting, countRows, served } from "../support/counting-environment.js";
import { facts } from "../support/facts.js";
import { call, scriptedModel } from "../support/scripted-model.js";

async function serve(options: OpenEnvOptions = {}, environments = [served()]) {
  const server = new OpenEnvServer(environments, options);
  const listening = await listen(server, { port: 0 });
  onTestFinished(() => listening.close(1));
  return { server, ...listening };
}

/** Counts up to the number that the task names, and then says so. */
const counter = scriptedModel((messages, turn) => {
  const target = Number(/\d+/.exec(String(messages[0]!.content))![0]);
  return turn === 0 ? `<think>Easy.</think>${call("add", { n: target })}` : "done";
});

describe("this library's server", () => {
  test("a trace is that of the local environment, but for the row and the times", async () => {
    const { url } = await serve();
    const remote = await openEnv(url);
    expect([remote.name, remote.weights, remote.rows]).toEqual(["counting", { right: 2 }, [0, 1, 2, 3].map((index) => ({ index }))]);
    for (const index of [0, 3]) {
      const there = await playEpisode(counter, remote, remote.rows[index]!, { seed: 1 });
      const here = await playEpisode(counter, counting(), countRows[index]!, { seed: 1 });
      const comparable = ({ task, nodes, timing: _, ...rest }: typeof here) => ({
        ...rest,
        type: task.type,
        nodes: nodes.map(({ timestamp: _, ...node }) => node),
      });
      expect(comparable(there)).toEqual(comparable(here));
      expect(totalReward(there)).toBe(2);
    }
  });

  test("limits on this side end an episode, and the server judges it; also when time is up during a slow step", async () => {
    const log: CountingLog = { started: 0, disposed: 0 };
    const { url, server } = await serve({}, [served(log)]);
    const remote = await openEnv(url);
    const play = (n: number, options: object) =>
      playEpisode(
        scriptedModel(() => call("add", { n })),
        remote,
        { index: 0 },
        options,
      );
    const turns = await play(1, { maxTurns: 1 });
    expect([turns.stop_condition, turns.rewards, turns.metrics]).toMatchObject([
      "max_turns",
      { right: { score: 1 } },
      { at: 1, truncated: 1 },
    ]);
    const late = await play(18, { timeoutMs: 300 });
    expect([late.stop_condition, late.rewards]).toMatchObject(["timeout", { right: { score: 0 } }]);
    while (server.active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(log).toEqual({ started: 2, disposed: 2 });
  });

  test("a limit on the server's side is a metric", async () => {
    const { url } = await serve({ maxTurns: 2 });
    const trace = await playEpisode(
      scriptedModel(() => call("add", { n: 1 })),
      await openEnv(url),
      { index: 1 },
    );
    expect([trace.stop_condition, trace.metrics.truncated, totalReward(trace)]).toEqual(["terminated", 1, 2]);
  });

  test("an environment that fails there ends the episode without rewards; one that cannot judge gives null", async () => {
    const { url } = await serve({ stepTimeoutMs: 50 });
    const remote = await openEnv(url);
    for (const n of [13, 16]) {
      const trace = await playEpisode(
        scriptedModel(() => call("add", { n })),
        remote,
        { index: 0 },
      );
      expect([trace.stop_condition, trace.rewards, trace.errors]).toMatchObject(["error", { right: null }, [{ type: "RemoteError" }]]);
      expect(trace.errors[0]!.message).toMatch(/^openEnv: ws:\/\/127\.0\.0\.1:\d+\/ws: the server reports EXECUTION_ERROR/);
    }
    const unjudged = await playEpisode(
      scriptedModel(() => "broken judge"),
      remote,
      { index: 0 },
    );
    expect([unjudged.stop_condition, unjudged.rewards]).toEqual(["terminated", { right: null }]);
  });

  test("more episodes than the server has room for wait for each other", async () => {
    const { url } = await serve({ maxEpisodes: 2 });
    for (const concurrency of [2, 5]) {
      const remote = await openEnv(url, { concurrency });
      const traces = await Promise.all([0, 1, 2, 3, 0].map((index) => playEpisode(counter, remote, { index })));
      expect(traces.map(totalReward)).toEqual([2, 2, 2, 2, 2]);
    }
    const impatient = await openEnv(url, { capacityTimeoutMs: 1 });
    const stuck = scriptedModel(() => call("add", { n: 15 }));
    const controller = new AbortController();
    const running = [0, 1].map((index) => playEpisode(stuck, impatient, { index }, { signal: controller.signal }).catch(() => {}));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const trace = await playEpisode(counter, impatient, { index: 0 });
    expect(trace.errors[0]!.message).toMatch(/CAPACITY_REACHED.*set concurrency/);
    controller.abort();
    await Promise.all(running);
  });

  test("a cancelled episode frees its place, here and there", async () => {
    const { url, server } = await serve();
    const remote = await openEnv(url, { concurrency: 1 });
    const controller = new AbortController();
    const playing = playEpisode(
      scriptedModel(() => call("add", { n: 16 })),
      remote,
      { index: 0 },
      { signal: controller.signal },
    );
    const waiting = playEpisode(counter, remote, { index: 0 }, { signal: AbortSignal.timeout(20) });
    await expect(waiting).rejects.toThrow("timeout");
    controller.abort(new Error("enough"));
    await expect(playing).rejects.toThrow("enough");
    expect(totalReward(await playEpisode(counter, remote, { index: 2 }))).toBe(2);
    while (server.active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test("keys never appear in errors", async () => {
    const { url } = await serve({ apiKey: "sesame-4711" });
    const remote = await openEnv(url, { apiKey: "sesame-4711" });
    expect(totalReward(await playEpisode(counter, remote, { index: 0 }))).toBe(2);
    const errors = await Promise.all(
      [{ apiKey: "wrong-0815" }, {}, { apiKey: "with space-0815" }].map((options) => openEnv(url, options).catch((error) => error)),
    );
    expect(errors.map((error) => [error instanceof RemoteError, error instanceof InputError])).toEqual([
      [true, false],
      [true, false],
      [false, true],
    ]);
    for (const { message } of errors) expect(message).not.toMatch(/0815|4711/);
    expect(errors[0].status).toBe(401);
  });

  test("several environments: one is chosen by name", async () => {
    const { url } = await serve({}, [served(), { environment: { ...counting(), name: "other" }, rows: [{ target: 7 }] }]);
    const other = await openEnv(url, { environment: "other" });
    expect([other.name, totalReward(await playEpisode(counter, other, other.rows[0]!))]).toEqual(["other", 2]);
    await expect(openEnv(url)).rejects.toThrow("environment: expected counting or other, got none");
    await expect(openEnv(url, { environment: "third" })).rejects.toThrow('got "third"');
  });
});

interface Published {
  readonly actionSchema?: object;
  readonly metadata?: object;
  /** Answers messages; `undefined` sends nothing. */
  readonly answer: (message: { type: string; data: Record<string, unknown> }, state: { steps: number }) => unknown;
}

/** A server of another program, written by the published protocol: a state per connection, actions as the data of a step. */
async function published({ actionSchema, metadata, answer }: Published) {
  const http = createServer(({ url }, response) => {
    const body = { "/schema": { action: actionSchema ?? {}, observation: {}, state: {} }, "/metadata": metadata }[url!];
    response.writeHead(body ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(body ?? { detail: "Not Found" }));
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1e6, perMessageDeflate: false });
  const received: { type: string; data: Record<string, unknown> }[] = [];
  http.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      const state = { steps: 0 };
      client.on("message", (data) => {
        const message = JSON.parse(data.toString());
        received.push(message);
        const said = answer(message, state);
        if (said === "hang up") client.close(1011);
        else if (said !== undefined) client.send(typeof said === "string" ? said : JSON.stringify(said));
      });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void http.close());
  const { port } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, received };
}

const messageSchema = { properties: { message: { type: "string" }, metadata: { type: "object" } }, required: ["message"], type: "object" };
const observe = (observation: object, reward: unknown = null, done = false) => ({
  type: "observation",
  data: { observation, reward, done },
});

/** A game: guess a number. Each guess costs a tenth. */
const game: Published = {
  actionSchema: messageSchema,
  metadata: { name: "guess", description: "Guess a number" },
  answer({ type, data }, state) {
    if (type === "reset") return observe({ prompt: "Guess a number.", legal: [1, 9] });
    if (type !== "step") return undefined;
    state.steps++;
    return data.message === "7" ? observe({ echoed: "right" }, 1, true) : observe({ echoed: "higher" }, -0.1);
  },
};

describe("a server of another program", () => {
  test("observations become messages, messages become actions, rewards add up", async () => {
    const { url, received } = await published(game);
    const guess = await openEnv(`${url.replace("http", "ws")}/`);
    expect([guess.name, guess.rows]).toEqual(["guess", [{}]]);
    const trace = await playEpisode(
      scriptedModel((_, turn) => ["3", "5", "7"][turn]!),
      guess,
      { difficulty: "easy" },
      { seed: 9 },
    );
    expect(trace.stop_condition).toBe("terminated");
    expect(trace.rewards.reward!.score).toBeCloseTo(0.8, 12);
    expect(trace.nodes.map(({ message }) => message.content)).toEqual([
      '{"prompt":"Guess a number.","legal":[1,9]}',
      ...["3", "higher", "5", "higher", "7", "right"],
    ]);
    expect(received.map(({ type, data }) => [type, data])).toEqual([
      ["reset", { seed: 9, difficulty: "easy" }],
      ["step", { message: "3" }],
      ["step", { message: "5" }],
      ["step", { message: "7" }],
      ["close", undefined],
    ]);
  });

  test("a limit on this side: the rewards so far, or null if there were none", async () => {
    const { url } = await published(game);
    const play = (environment: Environment, maxTurns: number) =>
      playEpisode(
        scriptedModel(() => "1"),
        environment,
        {},
        { maxTurns },
      );
    const trace = await play(await openEnv(url), 2);
    expect([trace.stop_condition, trace.rewards]).toEqual(["max_turns", { reward: { score: -0.2, weight: 1 } }]);
    const silent = await published({ ...game, answer: () => observe({ text: "…" }) });
    expect((await play(await openEnv(silent.url), 2)).rewards).toEqual({ reward: null });
  });

  test("actions of several fields are JSON of the model; wrong ones are answered, and the episode goes on", async () => {
    const { url, received } = await published({
      actionSchema: { properties: { x: { type: "integer" }, y: { type: "integer" } }, required: ["x", "y"] },
      answer({ type, data }) {
        if (type === "reset") return observe({ board: "..." });
        if (data?.x === 99) return { type: "error", data: { message: "x must be below 9", code: "VALIDATION_ERROR" } };
        // Reward and end lie in the observation, and the reward is a truth value.
        return { type: "observation", data: { observation: { board: "x..", reward: true, done: true } } };
      },
    });
    const said = ["I choose (1, 2)", '{"x":99,"y":1}', 'So:\n```json\n{"x":1,"y":2}\n```'];
    const environment = await openEnv(url);
    const trace = await playEpisode(
      scriptedModel((_, turn) => said[turn]!),
      environment,
      {},
    );
    expect(environment.name).toBe(new URL(url).host);
    expect(trace.nodes.filter(({ sampled }) => !sampled).map(({ message }) => message.content)).toEqual([
      "...",
      "error: expected a JSON object with the fields x, y, got other text",
      "error: x must be below 9",
      "x..",
    ]);
    expect(trace.rewards).toEqual({ reward: { score: 1, weight: 1 } });
    expect(received.filter(({ type }) => type === "step").map(({ data }) => data)).toEqual([
      { x: 99, y: 1 },
      { x: 1, y: 2 },
    ]);
  });

  test("conversions of the caller", async () => {
    const { url, received } = await published(game);
    const guess = await openEnv(url, {
      toMessages: ({ prompt, echoed }, { isFirst }) => [{ role: "user", content: isFirst ? `Game: ${prompt}` : String(echoed) }],
      toAction: ({ content }) => ({ message: content.toLowerCase() }),
    });
    const trace = await playEpisode(
      scriptedModel((_, turn) => ["SEVEN", "7"][turn]!),
      guess,
      {},
    );
    expect(trace.nodes[0]!.message.content).toBe("Game: Guess a number.");
    expect(received[1]!.data).toEqual({ message: "seven" });
  });

  test.each([
    ["closes the connection", "hang up", "the connection was closed (code 1011"],
    ["sends no JSON", "oops", "expected an answer in JSON"],
    ["sends an array", "[]", "expected an answer { type, data }"],
    ["sends no observation", { type: "observation", data: 7 }, "expected an observation"],
    ["is silent", undefined, "step: no answer after 80 ms"],
    ["sends signs of life only", { type: "ping" }, "step: no answer after 80 ms"],
    ["fails", { type: "error", data: { message: "boom secret-key", code: "EXECUTION_ERROR" } }, "reports EXECUTION_ERROR: boom ***"],
    ["fails in another form", { type: "error", data: "boom" }, "reports UNKNOWN: boom"],
  ])("that %s: the episode ends without rewards and names the failure", async (_, said, message) => {
    const { url } = await published({ ...game, answer: (given, state) => (given.type === "reset" ? game.answer(given, state) : said) });
    const environment = await openEnv(url, { stepTimeoutMs: 80, apiKey: "secret-key" });
    const trace = await playEpisode(
      scriptedModel(() => "1"),
      environment,
      {},
    );
    expect([trace.stop_condition, totalReward(trace)]).toEqual(["error", null]);
    expect(trace.errors[0]!.message).toMatch(facts(message));
    expect(JSON.stringify(trace)).not.toContain("secret-key");
  });

  test("an episode that is over after the reset; a message that is too large", async () => {
    const over = await published({ ...game, answer: () => observe({}, 1, true) });
    const play = async (url: string, options = {}) => playEpisode(counter, await openEnv(url, options), {});
    expect((await play(over.url)).errors[0]!.message).toContain("one that is over");
    const large = await published({ ...game, answer: () => observe({ text: "x".repeat(5000) }) });
    expect((await play(large.url, { maxMessageBytes: 1000 })).errors[0]!.message).toContain("the connection was closed (code 1006");
  });
});

describe("addresses and options", () => {
  test.each([
    ["nonsense", {}, "url: expected an address"],
    ["ftp://x", {}, "url: expected http:…got ftp:"],
    ["http://user:sesame@x", {}, "url: …without user name and password"],
    [7, {}, "url: expected the address of a server"],
    ["http://x", { concurency: 1 }, "concurency: unknown option"],
    ["http://x", { headers: { "a b": "c" } }, 'headers: "a b"'],
    ["http://x", { stepTimeoutMs: 0 }, "stepTimeoutMs"],
  ])("%s %j", async (url, options, message) => {
    const error = await openEnv(url as string, options as object).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(facts(`openEnv: ${message}`));
    expect((error as Error).message).not.toContain("sesame");
  });

  test("no server, and a server of something else", async () => {
    const { url } = await serve();
    const { port } = new URL(url);
    await expect(openEnv("http://127.0.0.1:9", { connectTimeoutMs: 500 })).rejects.toBeInstanceOf(RemoteError);
    await expect(openEnv(`http://127.0.0.1:${port}/other?key=sesame`)).rejects.toThrow(/404/);
    const other = await published({ ...game, actionSchema: [] as never });
    await expect(openEnv(other.url)).rejects.toThrow("expected { action }");
  });
});
