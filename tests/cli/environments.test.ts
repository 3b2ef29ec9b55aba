// The command `environments`: lists, evaluates, judges again, and serves.

import { once } from "node:events";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { generateNeedles, openEnv, parseTraces, playScript, totalReward } from "../../src/environments/index.js";
import { facts } from "../support/facts.js";
import { run, start, temporary } from "./harness.js";

/** A server of the model whose answers come from a function. It counts the requests. */
async function answering(answer: (text: string) => string, contextLength = 10_000) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const json = { "content-type": "application/json" };
      if (request.method === "GET") {
        response.writeHead(200, json).end(JSON.stringify({ data: [{ id: "oracle", max_model_len: contextLength }] }));
        return;
      }
      const { messages } = JSON.parse(body) as { messages: { content: string }[] };
      seen.push(messages.at(-1)!.content);
      const delta = { content: answer(messages.at(-1)!.content) };
      const events = [{ choices: [{ index: 0, delta }] }, { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }];
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen };
}

/** Finds the needle of a task by its text. */
function find(text: string): string {
  const name = /number of the (.+?) in the text above/.exec(text)![1]!;
  return new RegExp(`number of the ${name} is (\\d+)`).exec(text)![1]!;
}

/** A reader that forgets the first half of the context. */
const forgetful = (text: string) => (text.search(/registration number of the .+? is/) > text.length / 2 ? find(text) : "0");

const needles = (url: string, ...more: string[]) => [
  ...["environments", "eval", "needles", "--model", url, "--lengths", "200,400,1M", "--depths", "0.1,0.9", "--count", "2"],
  ...more,
];

test("list names the environments", async () => {
  const { stdout, exitCode } = await run(["environments", "list"]);
  expect(exitCode).toBe(0);
  for (const name of ["needles", "variable-tracking", "uuid-copy", "mrcr", "long-bench", "ruler", "bike-workshop"]) {
    expect(stdout).toMatch(new RegExp(`^${name} `, "m"));
  }
  const lines = (await run(["environments", "list", "--json"])).stdout.trim().split("\n");
  expect(JSON.parse(lines[0]!)).toEqual({ name: "needles", summary: expect.any(String), source: "generated" });
});

describe("eval", () => {
  test("a table of lengths and depths, traces, a figure; lengths beyond the context are reported and not run", async () => {
    const directory = temporary();
    const { url, seen } = await answering(forgetful);
    const [out, figure] = [join(directory, "traces.jsonl"), join(directory, "map.json")];
    const { exitCode, stdout, stderr } = await run(needles(url, "--out", out, "--figure", figure));
    expect([exitCode, stderr]).toEqual([0, expect.stringMatching(facts("characters count as a token"))]);
    expect(stderr).toMatch(/warning: 1M: beyond the model's context of 10,000 tokens, not run/);
    expect(stdout).toMatch(/tokens +at 10 % +at 90 % +all +episodes/);
    expect(stdout).toMatch(/^200 +0 % +100 % +50 % +4$/m);
    expect(stdout).toMatch(/^400 +0 % +100 % +50 % +4$/m);
    expect(stdout).toMatch(/^1M +beyond the context +0$/m);
    expect(stdout).toMatch(/ends +terminated 8/);
    expect(new Set(seen).size).toBe(8);
    const traces = parseTraces(readFileSync(out, "utf8"));
    expect(traces.map(totalReward).filter((reward) => reward === 1)).toHaveLength(4);
    expect(traces[0]!.info).toMatchObject({ sample: 0, length: expect.any(Number), depth: expect.any(Number) });
    expect(JSON.parse(readFileSync(figure, "utf8"))).toMatchObject({ model: "oracle", beyond: [1_000_000], cells: { length: 4 } });
  });

  test("a killed evaluation continues, and plays only what is missing", async () => {
    const out = join(temporary(), "traces.jsonl");
    const first = await answering(find);
    await run(needles(first.url, "--samples", "2", "--out", out));
    expect(first.seen).toHaveLength(16);
    const lines = readFileSync(out, "utf8").split("\n");
    // Five whole lines, and a torn one.
    writeFileSync(out, `${lines.slice(0, 5).join("\n")}\n${lines[5]!.slice(0, 300)}`);
    const second = await answering(find);
    const { stdout, stderr, exitCode } = await run(needles(second.url, "--samples", "2", "--out", out));
    expect([exitCode, second.seen.length]).toEqual([0, 11]);
    expect(stderr).toContain("5 of 16 episodes are finished");
    expect(stdout).toMatch(/^200 +100 % +100 % +100 % +8$/m);
    const traces = parseTraces(readFileSync(out, "utf8"));
    expect(new Set(traces.map(({ info }) => `${info.row} ${info.sample}`)).size).toBe(16);
    expect(traces).toHaveLength(16);
    // Nothing is left to play.
    const third = await answering(find);
    await run(needles(third.url, "--samples", "2", "--out", out));
    expect(third.seen).toEqual([]);
  });

  test("files of something else, of other rows and of other settings are refused, and stay as they are", async () => {
    const directory = temporary();
    const { url } = await answering(find);
    const out = join(directory, "traces.jsonl");
    await run(needles(url, "--out", out));
    const stored = readFileSync(out, "utf8");
    for (const [more, message] of [
      [["--seed", "2"], "--out: …trace 1: expected the same rows"],
      [["--temperature", "0.5"], "trace 1: expected temperature 0.5, got 1"],
      [["--max-tokens", "9"], "trace 1: expected max_tokens 9"],
    ] as const) {
      const { exitCode, stderr } = await run(needles(url, "--out", out, ...more));
      expect([exitCode, stderr]).toEqual([1, expect.stringMatching(facts(message))]);
    }
    expect(readFileSync(out, "utf8")).toBe(stored);
    for (const content of ["my notes", "my notes\n", '{"a":1}\n', `${stored}my notes`]) {
      const foreign = join(directory, "foreign");
      writeFileSync(foreign, content);
      const { exitCode, stderr } = await run(needles(url, "--out", foreign));
      expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/--out: .*foreign/)]);
      expect(readFileSync(foreign, "utf8")).toBe(content);
    }
  });

  test("the bundled model, many episodes in shared passes; another environment has a table of rewards", async () => {
    const out = join(temporary(), "traces.jsonl");
    const args = ["environments", "eval", "uuid-copy", "--lengths", "300,1M", "--depths", "0", "--count", "3", "--max-tokens", "6"];
    const { exitCode, stdout, stderr } = await run([...args, "--threads", "1", "--out", out]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("1M: beyond the model's context")]);
    expect(stdout).toMatch(/^300 +0 % +0 % +3$/m);
    const traces = parseTraces(readFileSync(out, "utf8"));
    // Exact ids of the local model.
    expect(traces.every(({ nodes, task }) => nodes[0]!.token_ids.length > 200 && (task.data.length as number) <= 300)).toBe(true);
    const { url } = await answering(() => "Good day.");
    const desk = await run(["environments", "eval", "bike-workshop", "--model", url, "--count", "2", "--max-turns", "3"]);
    expect(desk.exitCode).toBe(0);
    expect(desk.stdout).toMatch(/reward +mean +episodes +not judged/);
    expect(desk.stdout).toMatch(/^total +0\.\d+ +2 +0$/m);
  });

  test("rows of a file; Ctrl-C", async () => {
    const directory = temporary();
    const rows = join(directory, "rows.jsonl");
    writeFileSync(rows, [1, 2, 3].map((seed) => JSON.stringify(generateNeedles({ length: 900, seed }))).join("\n"));
    const { url } = await answering(find);
    const result = await run(["environments", "eval", "needles", "--model", url, "--rows", rows, "--json"]);
    expect(JSON.parse(result.stdout)).toMatchObject({
      environment: "needles",
      episodes: 3,
      mean: 1,
      rewards: { score: { mean: 1 } },
      cells: [],
    });
    const silent = await answering(() => {
      controller.abort();
      return "0";
    });
    const { controller, exitCode } = start(["environments", "eval", "needles", "--model", silent.url, "--rows", rows], { input: "" });
    await exitCode;
    expect(controller.signal.aborted).toBe(true);
  });

  test("a server that fails gives episodes without rewards, and a warning", async () => {
    const server = createServer((request, response) => {
      const models = JSON.stringify({ data: [{ id: "broken", max_model_len: 10_000 }] });
      response.writeHead(request.method === "GET" ? 200 : 400, { "content-type": "application/json" }).end(models);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { exitCode, stdout, stderr } = await run(needles(`http://127.0.0.1:${port}/v1`));
    expect([exitCode, stderr]).toEqual([0, expect.stringMatching(/warning: an episode failed: .*400/)]);
    expect(stdout).toMatch(/^200 +– +– +– +4$/m);
  });
});

describe("reverify", () => {
  test("computes the rewards of stored traces again, and draws them", async () => {
    const directory = temporary();
    const { url } = await answering(forgetful);
    const [out, again, figure] = ["traces.jsonl", "again.jsonl", "map.svg"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await run(needles(url, "--out", out));
    // Someone has changed the rewards.
    const forged = readFileSync(out, "utf8").replaceAll('"score":{"score":0,', '"score":{"score":1,');
    writeFileSync(out, forged);
    const { exitCode, stdout, stderr } = await run(["environments", "reverify", out, "--out", again, "--figure", figure]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("4 of 8 episodes have other rewards than stored")]);
    expect(stdout).toMatch(/^400 +0 % +100 % +50 % +4$/m);
    expect(
      parseTraces(readFileSync(again, "utf8"))
        .map(totalReward)
        .filter((reward) => reward === 1),
    ).toHaveLength(4);
    const svg = readFileSync(figure, "utf8");
    expect(svg).toContain("needles: oracle");
    expect(svg.match(/>(100|0)<\/text>/g)).toHaveLength(4);
    appendFileSync(out, '{"version":1,"ta');
    expect((await run(["environments", "reverify", out])).exitCode).toBe(0);
  });
});

test.each([
  [["environments", "play"], "environments: expected list, eval, reverify, serve, got"],
  [["environments", "eval"], "environments eval: expected an environment"],
  [["environments", "eval", "haystack"], 'environments: expected an environment (needles, …), got "haystack"'],
  [["environments", "eval", "needles", "--lengths", "4q"], '--lengths: expected at most 100 numbers…"4q"'],
  [["environments", "eval", "needles", "--depths", "2"], "--depths: expected numbers from 0"],
  [["environments", "eval", "needles", "--port", "1"], "--port: expected with environments serve"],
  [["environments", "serve", "needles", "--figure", "x.svg"], "--figure: expected with environments eval or reverify"],
  [["environments", "eval", "needles", "--figure", "x.gif"], "--figure: expected a file that ends in"],
  [["environments", "serve", "needles", "--port", "70000"], "--port: expected an integer"],
  [["environments", "serve", "needles,mrcr", "--rows", "x"], "--rows: expected with one environment"],
  [["environments", "list", "needles"], "environments list: expected no argument"],
])("%j is refused", async (args, message) => {
  const { exitCode, stderr } = await run(args);
  expect([exitCode, stderr]).toEqual([2, expect.stringMatching(facts(message))]);
});

test.each([
  [["eval", "mrcr", "--depths", "0"], "--depths: mrcr has no depth"],
  [["eval", "bike-workshop", "--lengths", "1k"], "--lengths: expected with generated rows"],
  [["eval", "ruler"], "--rows: ruler needs a file of rows"],
])("%j is refused before a model is loaded", async (args, message) => {
  const { exitCode, stderr } = await run(["environments", ...args, "--model", "missing"]);
  expect([exitCode, stderr]).toEqual([2, expect.stringMatching(facts(message))]);
});

test("serve: a client plays an episode of each environment, and a signal ends the server with 0", async () => {
  const args = ["environments", "serve", "needles,bike-workshop", "--port", "0", "--count", "3", "--lengths", "500", "--json"];
  const { stdout, controller, exitCode } = start(args, { input: "", env: { LIGHTNING_M1_API_KEY: "k" } });
  await Promise.race([stdout.has("\n"), exitCode]);
  const { url } = JSON.parse(stdout.text) as { url: string };
  const remote = await openEnv(url, { environment: "needles", apiKey: "k" });
  expect(remote.rows).toHaveLength(3);
  const trace = await playScript(remote, remote.rows[2]!, ([message]) => find(String(message!.content)));
  expect(totalReward(trace)).toBe(1);
  const desk = await openEnv(url, { environment: "bike-workshop", apiKey: "k" });
  const contact = await playScript(desk, desk.rows[0]!, () => "Good day.", { maxTurns: 1 });
  expect(contact.tools.length).toBeGreaterThan(3);
  controller.abort();
  expect(await exitCode).toBe(0);
  await expect(fetch(`${url}/health`)).rejects.toThrow();
});
