// The loop of episodes with a scripted model: what the environment sees, limits, failures, traces, judging again.

import { describe, expect, test } from "vitest";
import {
  type Environment,
  formatTrace,
  isTruncated,
  parseTraces,
  playEpisode,
  playScript,
  reverify,
  ToolError,
  toolEnvironment,
  totalReward,
  traceSequence,
} from "../../src/environments/index.js";
import { type ChatMessage, InputError } from "../../src/index.js";
import { call, scriptedModel } from "../support/scripted-model.js";

interface Sum {
  readonly id: string;
  readonly terms: readonly number[];
}

/** Sums that only a tool adds up. */
const sums: Environment<Sum> = toolEnvironment<Sum, { uses: number }>({
  name: "sums",
  weights: { correct: 1, thrift: 0.5 },
  tools: [
    {
      name: "add",
      description: "Adds two numbers",
      parameters: {
        type: "object",
        properties: { a: { type: "number" }, b: { type: "number" } },
        required: ["a", "b"],
        additionalProperties: false,
      },
      run(state, { a, b }: { a: number; b: number }) {
        state.uses++;
        if (a + b > 1e6) throw new ToolError("the sum is too large");
        return a + b;
      },
    },
    {
      name: "fail",
      description: "Fails",
      parameters: { type: "object" },
      run() {
        throw new Error("the disk is full");
      },
    },
  ],
  start: () => ({ uses: 0 }),
  messages: ({ terms }) => [{ role: "user", content: terms.join(" + ") }],
  score: ({ terms }, { uses }, { final }) => ({
    rewards: { correct: Number(final?.content === String(terms.reduce((a, b) => a + b))), thrift: uses < 3 ? 1 : 0 },
    metrics: { uses },
  }),
});
const row: Sum = { id: "a", terms: [3, 4] };
const last = (messages: readonly { readonly content?: unknown }[]) => String(messages.at(-1)!.content);

describe("playEpisode", () => {
  test("calls are answered by their results, and a message without calls ends the episode", async () => {
    const requests: (readonly ChatMessage[])[] = [];
    const model = scriptedModel((messages, turn) => (turn === 0 ? `I add. ${call("add", { a: 3, b: 4 })}` : last(messages)), requests);
    const trace = await playEpisode(model, sums, row, { seed: 1 });
    expect(trace.stop_condition).toBe("terminated");
    expect(trace.rewards).toEqual({ correct: { score: 1, weight: 1 }, thrift: { score: 1, weight: 0.5 } });
    expect(totalReward(trace)).toBe(1.5);
    expect(trace.metrics).toMatchObject({ uses: 1, turns: 2 });
    expect(trace.nodes.map(({ message, sampled, parent }) => [message.role, sampled, parent])).toEqual([
      ["user", false, null],
      ["assistant", true, 0],
      ["tool", false, 1],
      ["assistant", true, 2],
    ]);
    expect(trace.nodes[1]!.message.tool_calls).toEqual([
      { id: "call_0", type: "function", function: { name: "add", arguments: '{"a":3,"b":4}' } },
    ]);
    expect(trace.nodes[2]!.message).toEqual({ role: "tool", name: "add", tool_call_id: "call_0", content: "7" });
    expect(trace.task).toMatchObject({ type: "sums", key: "a", data: row, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    // The second request contains the call in the form of messages.
    expect(requests[1]).toMatchObject([{ role: "user" }, { role: "assistant", tool_calls: [{ id: "call_0" }] }, { role: "tool" }]);
  });

  test.each([
    ["an unknown tool", call("subtract", {}), /error: unknown tool "subtract"; expected add, fail/],
    ["a missing argument", call("add", { a: 1 }), /error: add: arguments: expected b/],
    ["an argument of another type", call("add", { a: 1, b: "2" }), /error: add: arguments\.b: expected number, got "2"/],
    ["a surplus argument", call("add", { a: 1, b: 2, c: 3 }), /error: add: arguments: expected a, b, got c/],
    ["an error of the tool", call("add", { a: 1e6, b: 1 }), /error: the sum is too large/],
    ["a line that is no call", "<tool_calls>\nadd(1, 2)\n</tool_calls>", /error: "add\(1, 2\)" is not a call/],
  ])("%s is answered by an error, and the episode goes on", async (_, said, expected) => {
    const trace = await playEpisode(
      scriptedModel((_, turn) => (turn === 0 ? said : "7")),
      sums,
      row,
    );
    expect(trace.nodes[2]!.message.content).toMatch(expected);
    expect([trace.stop_condition, trace.rewards.correct]).toEqual(["terminated", { score: 1, weight: 1 }]);
  });

  test("an environment that fails ends the episode without rewards", async () => {
    const trace = await playEpisode(
      scriptedModel(() => call("fail", {})),
      sums,
      row,
    );
    expect([trace.stop_condition, trace.rewards, totalReward(trace)]).toEqual(["error", { correct: null, thrift: null }, null]);
    expect(trace.errors).toMatchObject([{ type: "Error", message: "the disk is full" }]);
  });

  const over = { messages: [], terminated: true };
  test.each([
    ["no reply", { step: () => undefined }, "environment: step: expected { messages, terminated }, got undefined"],
    ["no rewards", { score: () => ({}) }, "odd: score: expected { rewards"],
    ["a reward that is no number", { score: () => ({ rewards: { reward: Number.NaN } }) }, "odd: score: rewards.reward: expected a finite"],
    ["a metric that is no number", { score: () => ({ rewards: {}, metrics: { n: "1" } }) }, "odd: score: metrics.n: expected a finite"],
    [
      "an error when its state is freed",
      {
        dispose() {
          throw new Error("cannot be freed");
        },
      },
      "cannot be freed",
    ],
  ])("an environment that returns %s has failed", async (_, part, message) => {
    const episode = { messages: [{ role: "user", content: "go" }], step: () => over, score: () => ({ rewards: { reward: 1 } }), ...part };
    const odd = { name: "odd", weights: { reward: 1 }, start: () => episode } as unknown as Environment;
    const trace = await playEpisode(
      scriptedModel(() => "x"),
      odd,
      {},
    );
    expect([trace.stop_condition, trace.rewards]).toEqual(["error", { reward: null }]);
    expect(trace.errors).toMatchObject([{ message: expect.stringContaining(message) }]);
    expect(parseTraces(formatTrace(trace))).toHaveLength(1);
  });

  test("an error repeats only the beginning of a long line that is no call", async () => {
    const trace = await playScript(sums, row, (_, turn) => (turn === 0 ? `<tool_calls>\n${"x".repeat(10_000)}\n</tool_calls>` : "done"));
    expect(trace.nodes[2]!.message.content).toMatch(/^error: "x{500}…" is not a call: .{1,600}$/);
  });

  test.each([
    ["turns", { maxTurns: 3 }, "max_turns", 3],
    ["tokens", { maxTokens: 7 }, "max_tokens", undefined],
  ])("a limit of %s ends it, and it is judged", async (_, limits, stop, turns) => {
    const trace = await playEpisode(
      scriptedModel(() => call("add", { a: 1, b: 1 })),
      sums,
      row,
      limits,
    );
    expect([trace.stop_condition, isTruncated(trace), trace.rewards.correct]).toEqual([stop, true, { score: 0, weight: 1 }]);
    if (turns) expect(trace.metrics.turns).toBe(turns);
    else expect(trace.metrics.tokens).toBe(7);
  });

  test.each(["listens to its signal", "never ends"])("a time limit ends a step that %s, and the episode is judged", async (kind) => {
    const slow: Environment = {
      name: "slow",
      start: () => ({
        messages: [{ role: "user", content: "wait" }],
        step: (_, { signal }) =>
          new Promise((_, reject) => {
            if (kind !== "never ends") signal.addEventListener("abort", () => reject(signal.reason));
          }),
        score: () => ({ rewards: { reward: 0 } }),
      }),
    };
    const trace = await playEpisode(
      scriptedModel(() => "go"),
      slow,
      {},
      { timeoutMs: 30 },
    );
    expect([trace.stop_condition, trace.rewards, trace.errors]).toEqual(["timeout", { reward: { score: 0, weight: 1 } }, []]);
  });

  test("a start that never ends: a time limit ends the episode with an error, and a signal cancels it", async () => {
    let [begun, freed] = [() => {}, 0];
    const environment: Environment = {
      name: "stuck",
      start: () =>
        new Promise((resolve) => {
          begun = () =>
            resolve({ messages: [], step: () => ({ messages: [] }), score: () => ({ rewards: {} }), dispose: () => void freed++ });
        }),
    };
    const model = scriptedModel(() => "x");
    const trace = await playEpisode(model, environment, {}, { timeoutMs: 30 });
    expect([trace.stop_condition, trace.errors.map(({ message }) => message)]).toEqual(["error", ["the episode took longer than 30 ms"]]);
    begun();
    await expect.poll(() => freed).toBe(1);
    await expect(playEpisode(model, environment, {}, { signal: AbortSignal.timeout(30) })).rejects.toThrow(DOMException);
  });

  test("judging a trace again is cancelled by the signal", async () => {
    const environment: Environment = {
      name: "slow judge",
      start: () => ({
        messages: [{ role: "user", content: "go" }],
        step: () => ({ messages: [], terminated: true }),
        score: () => judge(),
      }),
    };
    let judge: () => Promise<{ rewards: Record<string, number> }> = async () => ({ rewards: {} });
    const trace = await playEpisode(
      scriptedModel(() => "x"),
      environment,
      {},
    );
    judge = () => new Promise(() => {});
    await expect(reverify(environment, trace, { signal: AbortSignal.timeout(30) })).rejects.toThrow(DOMException);
  });

  test("a cancelled episode throws the signal's reason and frees its state", async () => {
    const controller = new AbortController();
    let freed = 0;
    const environment: Environment = {
      name: "cancelled",
      start: () => ({
        messages: [{ role: "user", content: "go" }],
        step: () => {
          controller.abort(new Error("enough"));
          return { messages: [{ role: "user", content: "on" }] };
        },
        score: () => ({ rewards: {} }),
        dispose: () => {
          freed++;
        },
      }),
    };
    await expect(
      playEpisode(
        scriptedModel(() => "x"),
        environment,
        {},
        { signal: controller.signal },
      ),
    ).rejects.toThrow("enough");
    expect(freed).toBe(1);
  });

  test("episodes do not share state, and cannot change the row", async () => {
    const environment: Environment<{ list: number[] }> = {
      name: "rows",
      start: (given) => {
        given.list.push(9);
        return {
          messages: [{ role: "user", content: String(given.list.length) }],
          step: () => ({ messages: [], terminated: true }),
          score: () => ({ rewards: { length: given.list.length } }),
        };
      },
    };
    const shared = { list: [1] };
    const traces = await Promise.all(
      [1, 2, 3].map(() =>
        playEpisode(
          scriptedModel(() => "x"),
          environment,
          shared,
        ),
      ),
    );
    expect(traces.map(totalReward)).toEqual([2, 2, 2]);
    expect(shared).toEqual({ list: [1] });
  });

  test("info of an episode becomes that of its trace, also when it is judged again", async () => {
    const environment = (info: object): Environment => ({
      name: "noted",
      start: () => ({
        messages: [{ role: "user", content: "go" }],
        step: () => ({ messages: [], terminated: true }),
        score: () => ({ rewards: { reward: 1 }, info: info as Record<string, unknown> }),
      }),
    });
    const model = scriptedModel(() => "x");
    const trace = await playEpisode(model, environment({ notes: [1] }), {});
    expect([trace.info, totalReward(trace)]).toEqual([{ notes: [1] }, 1]);
    expect((await reverify(environment({ notes: [2], more: true }), trace)).info).toEqual({ notes: [2], more: true });
    const broken = await playEpisode(model, environment({ notes: 1n }), {});
    expect([broken.stop_condition, broken.info, broken.errors[0]?.message]).toEqual(["error", {}, expect.stringContaining("plain JSON")]);
  });

  test("invalid arguments", async () => {
    const model = scriptedModel(() => "x");
    await expect(playEpisode(model, {} as Environment, {})).rejects.toThrow(InputError);
    await expect(playEpisode(model, sums, null as never)).rejects.toThrow(InputError);
    await expect(playEpisode(model, sums, row, { maxTurns: 0 })).rejects.toThrow(/maxTurns/);
    await expect(playEpisode(model, sums, row, { turns: 3 } as never)).rejects.toThrow(InputError);
  });
});

describe("playScript", () => {
  test("plays a program, which sees what a model sees", async () => {
    const seen: (readonly ChatMessage[])[] = [];
    const trace = await playScript(sums, row, (messages, turn) => {
      seen.push([...messages]);
      return turn === 0 ? `I add. ${call("add", { a: 3, b: 4 })}` : last(messages);
    });
    expect(seen.map((messages) => messages.map(({ role }) => role))).toEqual([["user"], ["user", "assistant", "tool"]]);
    expect([totalReward(trace), trace.stop_condition, trace.agent.name, trace.agent.trainable]).toEqual([
      1.5,
      "terminated",
      "script",
      false,
    ]);
    expect(trace.nodes[1]!.text).toBe(`I add. ${call("add", { a: 3, b: 4 })}`);
    expect(traceSequence(trace).ids).toEqual([]);
    expect((await playScript(sums, row, () => call("add", { a: 1, b: 1 }), { maxTurns: 2 })).stop_condition).toBe("max_turns");
  });

  test("a script that fails or returns no text ends the episode", async () => {
    const failing = await playScript(sums, row, () => Promise.reject(new Error("no idea")));
    expect([failing.stop_condition, failing.errors[0]!.message]).toEqual(["error", "no idea"]);
    const silent = await playScript(sums, row, () => undefined as never);
    expect(silent.errors[0]!.message).toMatch(/playScript: script: expected a text, got undefined/);
    await expect(playScript(sums, row, "7" as never)).rejects.toThrow(InputError);
  });
});

test("describeTools: false hides the tools from the model, which can call them all the same", async () => {
  const requests: unknown[] = [];
  const hidden = toolEnvironment<Sum, object>({
    name: "hidden",
    describeTools: false,
    tools: [{ name: "one", description: "", parameters: { type: "object" }, run: () => 1 }],
    start: () => ({}),
    messages: () => [{ role: "user", content: "go" }],
    score: (_, __, { calls }) => ({ rewards: { calls: calls.length } }),
  });
  const model = scriptedModel((_, turn) => (turn === 0 ? call("one", {}) : "done"));
  const { generate } = model;
  model.generate = (input, options) => {
    requests.push(options?.tools);
    return generate(input, options);
  };
  const trace = await playEpisode(model, hidden, row);
  expect([totalReward(trace), trace.tools, requests]).toEqual([1, [], [undefined, undefined]]);
  await playEpisode(model, sums, row);
  expect(requests[2]).toHaveLength(2);
  expect(() => toolEnvironment({ ...hidden, describeTools: 1 } as never)).toThrow(InputError);
});

describe("traces", () => {
  const model = scriptedModel((_, turn) => [call("add", { a: 3, b: 4 }), "<tool_calls>\nx\n</tool_calls>", "<think>easy</think>7"][turn]!);

  test("are read as they were written", async () => {
    const traces = [await playEpisode(model, sums, row), await playEpisode(model, sums, { id: "b", terms: [1] })];
    expect(parseTraces(traces.map(formatTrace).join(""))).toEqual(traces);
  });

  test("are judged again without the model, with the same rewards", async () => {
    for (const limits of [{}, { maxTurns: 1 }, { maxTurns: 2 }, { maxTokens: 3 }, { maxTokens: 9 }]) {
      const trace = await playEpisode(model, sums, row, limits);
      const again = await reverify(sums, parseTraces(formatTrace(trace))[0]!);
      expect([again.rewards, again.metrics], JSON.stringify(limits)).toEqual([trace.rewards, trace.metrics]);
    }
    const other = await playEpisode(model, { ...sums, name: "other" }, row);
    await expect(reverify(sums, other)).rejects.toThrow(/expected a task of sums, got one of other/);
  });

  test("of other programs are judged by their fields", async () => {
    const trace = await playEpisode(model, sums, row);
    const nodes = trace.nodes.map(({ text: _, stop: __, ...node }) => node);
    expect((await reverify(sums, { ...trace, nodes })).rewards.correct).toEqual({ score: 1, weight: 1 });
  });

  test.each([
    ["{", /traces: line 1: expected JSON/],
    ["{}", /traces: line 1: version: /],
    [JSON.stringify({ version: 2 }), /version/],
  ])("%s is refused", (line, message) => {
    expect(() => parseTraces(line)).toThrow(message);
  });

  test("with inconsistent nodes are refused", async () => {
    const trace = await playEpisode(model, sums, row);
    for (const change of [{ parent: 5 }, { mask: [true] }, { logprobs: [1] }]) {
      const nodes = [{ ...trace.nodes[0]!, ...change }];
      expect(() => parseTraces(JSON.stringify({ ...trace, nodes }))).toThrow(/line 1: nodes\[0\]: /);
      expect(() => formatTrace({ ...trace, nodes })).toThrow(/nodes\[0\]: /);
    }
  });

  test("without token ids have an empty sequence", async () => {
    expect(traceSequence(await playEpisode(model, sums, row))).toEqual({ ids: [], mask: [], logp: [] });
  });
});
